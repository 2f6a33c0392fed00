import { Buffer } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'
import { Column, Texts } from '../../disk/ext4/columns'
import { ROOT_INODE, S_IFMT, S_IFREG } from '../../disk/ext4/layout'
import type { Ext4Writer, FileListener } from '../../disk/ext4/writer'

const ZEROES = Buffer.alloc(1024 * 1024)

/**
 * The SHA-256 of each file of a file system, taken while it is written: of what the archive brought and of what was
 * added to it. A hash costs about as much time as all the rest: it is taken on request.
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
      this.hash?.update(bytes.subarray(start, end))
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
      this.hash?.update(bytes.subarray(from, from + count))
      this.position += count
      from += count
    }
  }

  endFile(): void {
    this.hole(this.size)
    if (this.hash !== null) this.sumOf.set(this.inode, this.sums.add(this.hash.digest('binary')))
    this.hash = null
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

  /** Zeroes up to a position of the file. */
  private hole(end: number): void {
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
