import type { FileHandle } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { execa } from 'execa'
import { fromFdPromise, type Entry, type ZipFile } from 'yauzl'
import { fail, ok, type Failure, type Result } from '../../../shared/failure'
import { crc32 } from '../../disk/crc'
import { handOver } from './hand-over'

/** A file being decompressed. */
export interface Decompression {
  /** The disk. An error of it says that the file is damaged. */
  stream: Readable
  /** Bytes of the compressed file that were read. */
  bytesRead(): number
  /** Ends it early or late, and waits until nothing of it runs. */
  stop(): Promise<void>
}

/** One way of compressing, recognised by the first bytes of the file. */
export interface Compression {
  magic: Uint8Array
  /** What is known of the disk's size, bytes. `null` when it cannot be told; an inexact one is a lower bound. */
  size(file: FileHandle, path: string): Promise<Result<{ bytes: number; isExact: boolean } | null>>
  open(file: FileHandle, path: string): Promise<Result<Decompression>>
}

/** RFC 1952. */
const gzip: Compression = {
  magic: Uint8Array.of(0x1f, 0x8b),
  async size(file) {
    // ISIZE of the last member, modulo 2^32: the whole is at least that large.
    const { size } = await file.stat()
    const trailer = Buffer.alloc(4)
    await file.read(trailer, 0, 4, Math.max(0, size - 4))
    return ok({ bytes: trailer.readUInt32LE(), isExact: false })
  },
  open: (file) => Promise.resolve(ok(throughStream(file, createGunzip()))),
}

/** The .xz file format, 2.1.1.1. Its index tells the exact size. */
const xz: Compression = {
  magic: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00),
  async size(file, path) {
    const { name, stdio } = handOver(file, path)
    const listed = await execa('xz', ['--robot', '--list', '--', name], {
      stdio,
      reject: false,
      env: { LC_ALL: 'C' },
    })
    if (listed.code === 'ENOENT') return missing('xz', 'xz-utils')
    // xz(1), "ROBOT MODE": the fifth field of "totals" is the uncompressed size.
    const totals = listed.stdout.split('\n').find((line) => line.startsWith('totals\t'))
    const bytes = Number(totals?.split('\t')[4])
    return Number.isSafeInteger(bytes) && bytes > 0
      ? ok({ bytes, isExact: true })
      : fail('disk-damaged', {
          path,
          detail: lastLine(listed.stderr).replaceAll(name, path) || 'it has no index',
        })
  },
  open: (file) => Promise.resolve(ok(throughProgram(file, 'xz', ['--decompress', '--stdout']))),
}

/** RFC 8878. */
const zstd: Compression = {
  magic: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd),
  async size(file) {
    const header = Buffer.alloc(14)
    await file.read(header, 0, header.length, 4)
    const bytes = frameContentSize(header)
    return ok(bytes === null ? null : { bytes, isExact: false })
  },
  open: (file) => Promise.resolve(ok(throughProgram(file, 'zstd', ['--decompress', '--stdout', '--quiet']))),
}

/** APPNOTE.TXT 4.3.7. One file in it is the disk; of several none is chosen. */
const zip: Compression = {
  magic: Uint8Array.of(0x50, 0x4b, 0x03, 0x04),
  async size(file, path) {
    const entry = await onlyEntry(file, path)
    return entry.ok ? ok({ bytes: entry.value.entry.uncompressedSize, isExact: true }) : entry
  },
  async open(file, path) {
    const found = await onlyEntry(file, path)
    if (!found.ok) return found
    const { archive, entry } = found.value
    try {
      const inner = await archive.openReadStreamPromise(entry)
      return ok(checkedEntry(inner, entry))
    } catch (error) {
      return fail('disk-damaged', { path, detail: String(error) })
    }
  },
}

export const compressions: readonly Compression[] = [gzip, xz, zstd, zip]

/** Frame_Content_Size of a frame header behind the magic number (RFC 8878, 3.1.1.1), or null where it is left out. */
function frameContentSize(header: Buffer): number | null {
  const descriptor = header.readUInt8(0)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  const at = 1 + (isSingleSegment ? 0 : 1) + dictionaryBytes
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? header.readUInt8(at) : null
    case 1:
      return header.readUInt16LE(at) + 256
    case 2:
      return header.readUInt32LE(at)
    default:
      return Number(header.readBigUInt64LE(at))
  }
}

/** Through one of Node's own decompressors. */
function throughStream(file: FileHandle, decompressor: Transform): Decompression {
  const input = inputOf(file)
  input.stream.on('error', (error) => decompressor.destroy(error))
  return {
    stream: input.stream.pipe(decompressor),
    bytesRead: input.bytesRead,
    stop() {
      input.stream.destroy()
      decompressor.destroy()
      return Promise.resolve()
    },
  }
}

/** Through a program of the host; an end that is no good end is an error of the stream. */
function throughProgram(file: FileHandle, program: string, args: string[]): Decompression {
  const input = inputOf(file)
  const child = execa(program, args, {
    stdin: 'pipe',
    buffer: { stdout: false },
    reject: false,
    env: { LC_ALL: 'C' },
    maxBuffer: 64 * 1024,
  })
  input.stream.pipe(child.stdin)
  child.stdin.on('error', () => {
    // EPIPE: the program ended before its input did; its exit code says why.
  })
  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, chunk)
    },
    // Not before the program has ended is the stream at its end.
    flush(done) {
      void child.then((ended) => {
        if (ended.code === 'ENOENT')
          done(new ToolMissing(program, `${program}${program === 'xz' ? '-utils' : ''}`))
        else if (ended.exitCode === 0) done()
        else done(new Error(lastLine(ended.stderr) || `${program} failed`))
      })
    },
  })
  child.stdout.on('error', (error) => checked.destroy(error))
  return {
    stream: child.stdout.pipe(checked),
    bytesRead: input.bytesRead,
    async stop() {
      input.stream.destroy()
      checked.destroy()
      child.kill('SIGKILL')
      await child
    },
  }
}

/** The program that decompresses is not installed. */
export class ToolMissing extends Error {
  constructor(
    readonly tool: string,
    readonly inPackage: string,
  ) {
    super(`${tool} is missing`)
  }
}

/** The failure that an error of a decompression stands for. */
export function decompressionFailure(error: unknown, path: string): Failure {
  if (error instanceof ToolMissing) {
    return { code: 'tool-missing', facts: { tool: error.tool, package: error.inPackage } }
  }
  const detail = error instanceof Error ? error.message : String(error)
  return { code: 'disk-damaged', facts: { path, detail } }
}

/** Bytes read at once. */
const READ_BYTES = 1024 * 1024

/** The file from its beginning, as often as is wanted: a stream of the FileHandle's own closes it with itself (Node 20). */
function inputOf(file: FileHandle): { stream: Readable; bytesRead: () => number } {
  let position = 0
  async function* pieces(): AsyncGenerator<Buffer, void> {
    for (;;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }
  return { stream: Readable.from(pieces(), { objectMode: false }), bytesRead: () => position }
}

async function onlyEntry(
  file: FileHandle,
  path: string,
): Promise<Result<{ archive: ZipFile; entry: Entry }>> {
  try {
    const archive = await fromFdPromise(file.fd, { autoClose: false })
    const files: Entry[] = []
    for await (const entry of archive.eachEntry()) {
      if (!entry.fileName.endsWith('/')) files.push(entry)
      if (files.length > 1) break
    }
    const [entry] = files
    if (entry === undefined || files.length > 1) {
      const count = entry === undefined ? 'without a file' : 'of several files: unpack it and choose one'
      return fail('not-supported', { what: `a zip archive ${count}` })
    }
    return ok({ archive, entry })
  } catch (error) {
    return fail('disk-damaged', { path, detail: error instanceof Error ? error.message : String(error) })
  }
}

/** An entry's data, whose checksum is compared at the end. */
function checkedEntry(inner: Readable, entry: Entry): Decompression {
  let sum = 0
  let bytes = 0
  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum)
      bytes += chunk.length
      done(null, chunk)
    },
    flush(done) {
      done(sum === entry.crc32 ? null : new Error('its checksum is wrong'))
    },
  })
  inner.on('error', (error) => checked.destroy(error))
  return {
    stream: inner.pipe(checked),
    bytesRead: () => bytes,
    stop() {
      inner.destroy()
      checked.destroy()
      return Promise.resolve()
    },
  }
}

function missing(tool: string, inPackage: string): Result<never> {
  return fail('tool-missing', { tool, package: inPackage })
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
