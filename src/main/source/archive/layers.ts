import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { execa } from 'execa'
import { refuse } from '../../disk/refusal'
import { blobChunks, openBlob, type Blob, type OpenBlob } from './blobs'
import { chunkWriter } from './chunk-writer'

/** A tar, compressed or not: an image's layer, or a root file system. Plain data, so that a thread can be given it. */
export interface Layer {
  blob: Blob
  /** What it is called in a refusal. */
  part: string
  /** SHA-256 of the uncompressed tar as `sha256:…`, or null when nobody said. */
  diffId: string | null
}

/** How a tar is packed, and the program that unpacks it where Node.js does not. */
export type Packing = 'none' | 'gzip' | 'zstd' | 'xz'

/** The first bytes of each (RFC 1952, 2.3.1; RFC 8878, 3.1.1; The .xz File Format, 2.1.1.1; bzip2 has no specification). */
const magics: readonly [string, Packing | 'bzip2'][] = [
  ['1f8b', 'gzip'],
  ['28b52ffd', 'zstd'],
  ['fd377a585a00', 'xz'],
  ['425a68', 'bzip2'],
]

const programs = {
  zstd: { tool: 'zstd', package: 'zstd', words: ['--decompress', '--stdout', '--quiet'] },
  xz: { tool: 'xz', package: 'xz-utils', words: ['--decompress', '--stdout', '--quiet'] },
} as const

/** Bytes that gzip's decoder hands over at a time: its own 16 KiB cost a turn of the event loop each. */
const UNPACKED_CHUNK = 64 * 1024

/**
 * Looks at a blob's first bytes; what a manifest says of them may be wrong.
 * @throws a refusal `not-supported` for bzip2
 */
export async function packingOf(blob: OpenBlob): Promise<Packing> {
  const start = Buffer.alloc(6)
  const count = await blob.read(start, 0)
  const hex = start.toString('hex', 0, count)
  const packing = magics.find(([magic]) => hex.startsWith(magic))?.[1] ?? 'none'
  return packing === 'bzip2' ? refuse('not-supported', { what: 'archives packed by bzip2' }) : packing
}

/** How a layer is packed; the refusals of `packingOf`. */
export async function packingOfLayer({ blob }: Layer): Promise<Packing> {
  const opened = await openBlob(blob)
  return packingOf(opened).finally(() => opened.close())
}

/**
 * Reads a layer's tar, unpacked. Nothing of it is kept, and what unpacks it ends with the reader. Each chunk may be
 * overwritten when the next but one is asked for.
 * @param path the archive's, for refusals
 * @param onRead told where in the layer's blob the reading has come to, in bytes
 * @throws refusals: `tool-missing`; `archive-invalid` for what cannot be unpacked; `archive-digest` at its end, when
 *   it is not what the image's configuration says
 */
export async function* layerChunks(
  layer: Layer,
  path: string,
  signal: AbortSignal,
  onRead?: (position: number) => void,
): AsyncGenerator<Uint8Array> {
  const blob = await openBlob(layer.blob)
  const hash = layer.diffId === null ? null : createHash('sha256')
  try {
    const packing = await packingOf(blob)
    const bytes = blobChunks(blob, 0, onRead)
    for await (const chunk of unpacked(bytes, packing, layer, path)) {
      signal.throwIfAborted()
      hash?.update(chunk)
      yield chunk
    }
  } finally {
    await blob.close()
  }
  if (hash === null || layer.diffId === null) return
  const found = `sha256:${hash.digest('hex')}`
  if (found !== layer.diffId) {
    refuse('archive-digest', {
      path,
      part: layer.part,
      expected: layer.diffId.slice(7),
      found: found.slice(7),
    })
  }
}

function unpacked(
  bytes: AsyncIterable<Buffer>,
  packing: Packing,
  layer: Layer,
  path: string,
): AsyncIterable<Uint8Array> {
  if (packing === 'none') return bytes
  return packing === 'gzip' ? gunzipped(bytes, layer, path) : byProgram(bytes, packing, layer, path)
}

async function* gunzipped(
  bytes: AsyncIterable<Buffer>,
  layer: Layer,
  path: string,
): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: UNPACKED_CHUNK })
  const fed = feed(bytes, gunzip).catch((error: unknown) => {
    gunzip.destroy(error as Error)
  })
  try {
    for await (const chunk of gunzip) yield chunk as Buffer
  } catch (error) {
    // zlib's own codes, such as Z_DATA_ERROR; anything else is the disk's.
    if (!isZlibError(error)) throw error
    refuse('archive-invalid', { path, reason: `${layer.part} cannot be unpacked: ${error.message}` })
  } finally {
    gunzip.destroy()
    await fed
  }
}

/**
 * Writes chunks, each when the one before was taken: it may be overwritten then. Ends early when nobody takes them any
 * more; why not, the reading end says. Throws what the chunks throw.
 */
async function feed(bytes: AsyncIterable<Buffer>, to: Writable): Promise<void> {
  const write = chunkWriter(to)
  for await (const chunk of bytes) {
    if (!(await write(chunk))) return
  }
  to.end()
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && String((error as NodeJS.ErrnoException).code).startsWith('Z_')
}

async function* byProgram(
  bytes: AsyncIterable<Buffer>,
  packing: 'zstd' | 'xz',
  layer: Layer,
  path: string,
): AsyncGenerator<Uint8Array> {
  const { tool, words, package: bringer } = programs[packing]
  const child = execa(tool, words, {
    stdin: 'pipe',
    buffer: { stdout: false },
    encoding: 'buffer',
    reject: false,
  })
  // EPIPE: the program ended before its input did, and its exit code says why.
  child.stdin.on('error', () => undefined)
  const fed = feed(bytes, child.stdin).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  fed.catch(() => undefined)
  let isWhole = false
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk
    isWhole = true
  } finally {
    if (!isWhole) child.kill('SIGKILL')
    await child
    child.stdin.destroy()
    await fed
  }
  const ended = await child
  if (!ended.failed) return
  if (ended.code === 'ENOENT') refuse('tool-missing', { tool, package: bringer })
  const said = Buffer.from(ended.stderr).toString('utf8').trim().slice(0, 500)
  refuse('archive-invalid', { path, reason: `${layer.part} cannot be unpacked: ${said}` })
}
