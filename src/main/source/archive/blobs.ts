import { Buffer } from 'node:buffer'
import { constants, readSync } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, sep } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isMainThread } from 'node:worker_threads'
import type { TarEntry } from '../../convert/tar/entry'
import { TarReader } from '../../convert/tar/reader'
import { Refusal, refuse } from '../../disk/refusal'

/** Bytes that can be read at any place: a file, or a part of one. Plain data, so that a thread can be given it. */
export interface Blob {
  /** Absolute path of the file. */
  file: string
  /** What the archive is called in a refusal. */
  shown: string
  /** Where in the file it begins, and how long it is, in bytes. */
  start: number
  size: number
}

export interface OpenBlob {
  size: number
  /** Fills the buffer from a position of the blob on; answers how many bytes there were, 0 only at the end. */
  read(buffer: Buffer, position: number): Promise<number>
  close(): Promise<void>
}

/** What lies in an archive under names, be it a folder or a tar. */
export interface Blobs {
  /** For display. */
  path: string
  /** Null when there is nothing of that name; throws a refusal when it is no plain file of the archive's own. */
  find(name: string): Promise<Blob | null>
}

const CHUNK = 256 * 1024
/** Members that a tar of images may have; a plain root file system has more. */
const MOST_MEMBERS = 20_000
/** Links from one member to another: docker save of before version 25 writes a layer that comes twice as a link. */
const MOST_LINKS = 8

/**
 * Reads all of a blob in order, into two buffers in turn: buffers of its own for each chunk would be left to the collector
 * by the gigabyte, and some 80 MB of them be there at a time (measured).
 * @returns chunks, each of which may be overwritten when the next but one is asked for
 * @param onRead told where in the blob the reading has come to, in bytes
 */
export async function* blobChunks(
  blob: OpenBlob,
  from = 0,
  onRead: (position: number) => void = () => undefined,
): AsyncGenerator<Buffer> {
  const buffers = [Buffer.allocUnsafeSlow(CHUNK), Buffer.allocUnsafeSlow(CHUNK)] as const
  for (let position = from, turn = 0; ; turn ^= 1) {
    const buffer = buffers[turn] as Buffer
    const count = await blob.read(buffer, position)
    if (count === 0) return
    yield buffer.subarray(0, count)
    position += count
    onRead(position)
  }
}

/** Opens a blob for reading; the caller closes it. Throws a refusal `archive-missing`. */
export async function openBlob({ file, shown, start, size }: Blob): Promise<OpenBlob> {
  // A pipe that took the file's place must not make us wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  const handle = await open(file, flags).catch((error: unknown) => missing(shown, error))
  return {
    size,
    async read(buffer, position) {
      const length = Math.min(buffer.length, size - position)
      if (length <= 0) return 0
      if (isMainThread) return (await handle.read(buffer, 0, length, start + position)).bytesRead
      // Nobody waits for a thread of ours, and to have Node's pool read takes 90 µs, as long as most reading (measured).
      const count = readSync(handle.fd, buffer, 0, length, start + position)
      // Messages come in between, such as the wish to stop.
      await setImmediate()
      return count
    },
    close: () => handle.close(),
  }
}

/**
 * A whole, regular file as a blob.
 * @param path absolute
 * @param shown what the archive is called in a refusal
 * @throws a refusal `archive-missing` or `archive-invalid`
 */
export async function fileBlob(path: string, shown = path): Promise<Blob> {
  const found = await stat(path).catch((error: unknown) => missing(shown, error))
  if (!found.isFile()) refuse('archive-invalid', { path: shown, reason: 'it is no regular file' })
  return { file: path, shown, start: 0, size: found.size }
}

/**
 * A folder, such as an OCI layout. Links inside of it are followed, those out of it refused.
 * @param path absolute
 */
export async function folderBlobs(path: string): Promise<Blobs> {
  const root = await realpath(path).catch((error: unknown) => missing(path, error))
  return {
    path,
    async find(name) {
      const wanted = join(root, name)
      if (isAbsolute(name) || !wanted.startsWith(root + sep)) {
        return refuse('archive-invalid', { path, reason: `it names a file outside of itself: ${name}` })
      }
      const real = await realpath(wanted).catch((error: unknown) => {
        const { code } = error as NodeJS.ErrnoException
        return code === 'ENOENT' || code === 'ENOTDIR' ? null : missing(wanted, error)
      })
      if (real === null) return null
      if (!real.startsWith(root + sep)) {
        return refuse('archive-invalid', { path, reason: `${name} is a link that leads out of it` })
      }
      return fileBlob(real, wanted)
    },
  }
}

interface Member {
  start: number
  size: number
  /** Of a symlink or hard link: the member that it means. */
  target: string | null
}

/**
 * A tar of files, such as `docker save` writes, without reading their content.
 * @param blob the uncompressed tar
 * @param path the archive's, for refusals
 * @returns null when it has more members than a tar of images could have
 * @throws a refusal `archive-missing` or `archive-invalid`
 */
export async function tarBlobs(blob: Blob, path: string, signal: AbortSignal): Promise<Blobs | null> {
  const members = await asTar(path, 'it', () => readMembers(blob, signal))
  if (members === null) return null
  return {
    path,
    find(name) {
      let member = members.get(name)
      for (let links = 0; member !== undefined && member.target !== null; links++) {
        if (links === MOST_LINKS) {
          return refuse('archive-invalid', { path, reason: `${name} is a circle of links` })
        }
        member = members.get(member.target)
      }
      if (member === undefined) return Promise.resolve(null)
      return Promise.resolve({ ...blob, start: member.start, size: member.size })
    },
  }
}

async function readMembers(blob: Blob, signal: AbortSignal): Promise<Map<string, Member> | null> {
  const members = new Map<string, Member>()
  /** The member whose data has not been seen yet. */
  let fresh = null as Member | null
  const reader: TarReader = new TarReader({
    entry(entry: TarEntry) {
      fresh = null
      const name = normal(entry.path)
      if (name === null) return
      if (entry.type === 'file' && entry.segments === null) {
        fresh = { start: 0, size: entry.size, target: null }
        members.set(name, fresh)
      } else if (entry.type === 'hardlink' || entry.type === 'symlink') {
        const from = entry.type === 'symlink' ? `${name}/..` : ''
        const target = entry.target.startsWith('/') ? null : normal(`${from}/${entry.target}`)
        if (target !== null) members.set(name, { start: 0, size: 0, target })
      }
    },
    data(_bytes, start) {
      if (fresh !== null) fresh.start = reader.bytesRead + start
      fresh = null
    },
    endFile() {
      fresh = null
    },
  })
  const isAll = await readHeaders(blob, reader, () => {
    signal.throwIfAborted()
    // Its header ended with the chunk: the data comes next.
    if (fresh !== null) fresh.start = reader.bytesRead
    fresh = null
    return members.size <= MOST_MEMBERS
  })
  if (!isAll) return null
  reader.finish()
  return members
}

/**
 * Pushes a tar to its reader, and passes over the data of large files.
 * @param onChunk called after each chunk that was pushed, before anything is passed over, with the place where it ends
 *   in the blob; false ends the reading
 * @returns false when it was ended so
 */
export async function readHeaders(
  blob: Blob,
  reader: TarReader,
  onChunk: (chunk: Buffer, position: number) => boolean,
): Promise<boolean> {
  const opened = await openBlob(blob)
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK)
    let position = 0
    while (!reader.isEnded) {
      const count = await opened.read(buffer, position)
      if (count === 0) break
      const chunk = buffer.subarray(0, count)
      reader.push(chunk)
      position += count
      if (!onChunk(chunk, position)) return false
      // Not beyond the end: a tar that is cut off ends there.
      const ahead = Math.min(reader.bytesAhead, blob.size - position)
      if (ahead < CHUNK) continue
      reader.leap(ahead)
      position += ahead
    }
    return true
  } finally {
    await opened.close()
  }
}

/**
 * Reads a tar, and says of which file and part it is where it is wrong.
 * @throws `archive-invalid` in the place of a refusal `tar-invalid`; all else as it comes
 */
export async function asTar<T>(path: string, part: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof Refusal) || error.failure.code !== 'tar-invalid') throw error
    const { offset, reason } = error.failure.facts
    return refuse('archive-invalid', {
      path,
      reason: `${part} is not a whole tar: ${reason} at byte ${offset}`,
    })
  }
}

/** A path without `.` and `..`; null when it leads out. */
function normal(path: string): string | null {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..' && parts.pop() === undefined) return null
    if (part !== '' && part !== '.' && part !== '..') parts.push(part)
  }
  return parts.join('/')
}

function missing(path: string, error: unknown): never {
  const { code } = error as NodeJS.ErrnoException
  const details: Record<string, string> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'this account may not read it',
    EPERM: 'this account may not read it',
  }
  return refuse('archive-missing', { path, detail: details[code ?? ''] ?? String(error) })
}
