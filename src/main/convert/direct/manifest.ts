import { Buffer } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { Column, Texts } from '../../disk/ext4/columns'
import { ROOT_INODE, S_IFMT, S_IFREG } from '../../disk/ext4/layout'
import type { Ext4Writer, FileListener } from '../../disk/ext4/writer'

const ZEROES = Buffer.alloc(1024 * 1024)
/** Steps of that length between two moments in which this thread hears what others have to say: a few milliseconds. */
const STEPS = 8
/** A hole longer than this is work for later, in bytes. */
const LONG_HOLE = 16 * 1024 * 1024

/** What is left to do for one file's hash, in its order. */
type Work =
  | { kind: 'zeroes'; hash: Hash; count: number }
  | { kind: 'data'; hash: Hash; bytes: Buffer }
  | { kind: 'end'; hash: Hash; inode: number }

/**
 * The SHA-256 of each file of a file system, taken while it is written: of what the archive brought and of what was
 * added to it. A hash costs about as much time as all the rest: it is taken on request.
 *
 * A hole is hashed as the zeroes that it reads as, for SHA-256 has no shorter way; a few hundred bytes of archive can
 * stand for hours of that. So long holes, and what follows them in the same file, wait for `settle`.
 */
export class Manifest implements FileListener {
  /** The hashes, 32 bytes each, and where that of an inode is. */
  private readonly sums = new Texts()
  private readonly sumOf = new Column(Uint32Array)
  private hash: Hash | null = null
  private inode = 0
  private size = 0
  private segments: number[] | null = null
  /** Where in the file the next data belongs, and in which of its parts. */
  private position = 0
  private segment = 0
  private readonly waiting: Work[] = []

  file(inode: number, size: number, segments: number[] | null): void {
    this.inode = inode
    this.size = size
    this.segments = segments
    this.hash = createHash('sha256')
    this.position = 0
    this.segment = 0
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.segments === null) {
      this.add(bytes.subarray(start, end))
      this.position += end - start
      return
    }
    let from = start
    while (from < end) {
      const offset = this.segments[this.segment * 2] as number
      const segmentEnd = offset + (this.segments[this.segment * 2 + 1] as number)
      if (this.position >= segmentEnd) {
        this.segment++
        continue
      }
      this.hole(offset)
      const count = Math.min(segmentEnd - this.position, end - from)
      this.add(bytes.subarray(from, from + count))
      this.position += count
      from += count
    }
  }

  endFile(): void {
    this.hole(this.size)
    if (this.hash !== null) {
      if (this.waits) this.waiting.push({ kind: 'end', hash: this.hash, inode: this.inode })
      else this.enter(this.inode, this.hash)
    }
    this.hash = null
  }

  /**
   * Does what waits, in small steps. To be called after every chunk of the archive: what waits holds copies of it.
   * @throws the signal's reason when aborted
   */
  async settle(signal: AbortSignal): Promise<void> {
    let steps = 0
    for (const work of this.waiting) {
      if (work.kind === 'data') work.hash.update(work.bytes)
      else if (work.kind === 'end') this.enter(work.inode, work.hash)
      else {
        for (let left = work.count; left > 0; left -= ZEROES.length) {
          work.hash.update(left < ZEROES.length ? ZEROES.subarray(0, left) : ZEROES)
          if (++steps % STEPS !== 0) continue
          await setImmediate()
          signal.throwIfAborted()
        }
      }
    }
    this.waiting.length = 0
  }

  /**
   * Lines as `sha256sum` writes them, sorted by path; names are bytes, one to a character.
   * @param writer the finished file system
   */
  text(writer: Ext4Writer): string {
    const { tree, inodes } = writer
    const files: { path: string; sum: number }[] = []
    const directories = [{ inode: ROOT_INODE, before: '' }]
    for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
      for (const entry of tree.names.entriesOf(next.inode)) {
        const inode = tree.names.inodeOf(entry)
        const path = `${next.before}${tree.names.textOf(entry)}`
        if (inodes.isDirectory(inode)) directories.push({ inode, before: `${path}/` })
        if ((inodes.mode.get(inode) & S_IFMT) === S_IFREG) files.push({ path, sum: this.sumOf.get(inode) })
      }
    }
    files.sort((a, b) => (a.path < b.path ? -1 : 1))
    return files.map(({ path, sum }) => sumLine(this.sums.get(sum), path)).join('')
  }

  /** Whether something of the file at hand waits already. */
  private get waits(): boolean {
    return this.waiting.at(-1)?.hash === this.hash
  }

  private add(bytes: Uint8Array): void {
    if (this.hash === null) return
    if (this.waits) this.waiting.push({ kind: 'data', hash: this.hash, bytes: Buffer.from(bytes) })
    else this.hash.update(bytes)
  }

  private enter(inode: number, hash: Hash): void {
    this.sumOf.set(inode, this.sums.add(hash.digest('binary')))
  }

  /** Zeroes up to a position of the file. */
  private hole(end: number): void {
    if (this.hash !== null && (this.waits || end - this.position > LONG_HOLE)) {
      this.waiting.push({ kind: 'zeroes', hash: this.hash, count: end - this.position })
      this.position = end
      return
    }
    while (this.position < end) {
      const count = Math.min(end - this.position, ZEROES.length)
      this.hash?.update(ZEROES.subarray(0, count))
      this.position += count
    }
  }
}

/** A name with a line feed or a backslash is escaped, and the line begins with a backslash (coreutils, "cksum output modes"). */
function sumLine(sum: string, path: string): string {
  const hexadecimal = Buffer.from(sum, 'latin1').toString('hex')
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return `${escaped === path ? '' : '\\'}${hexadecimal}  ${escaped}\n`
}
