import { Buffer } from 'node:buffer'
import { posix } from 'node:path'
import type { TarEntry, TarHandler } from '../../convert/tar/entry'
import { TarReader } from '../../convert/tar/reader'
import type { EntryStat, TreeFiles } from '../tree-files'
import { blobChunks, openBlob } from './blobs'
import type { LayerIndex } from './index-layers'
import { layerChunks, packingOf } from './layers'

/** Kinds as inspections know them. */
const kinds = { file: 'file', directory: 'directory', symlink: 'link', other: 'other' } as const

/**
 * Single files of the tree that layers make. Links are followed on the tree's own names, so none leads out of it.
 * @param path the archive's, for refusals
 * @param signal ends every call; they then throw
 */
export function indexedFiles(index: LayerIndex, path: string, signal: AbortSignal): TreeFiles {
  const { tree } = index
  const statOf = (node: number, at: string): EntryStat => ({
    path: `/${at}`,
    sizeBytes: tree.sizeOf(node),
    permissions: tree.modeOf(node) & 0o777,
    kind: kinds[tree.kindOf(node)],
    target: tree.kindOf(node) === 'symlink' ? posix.resolve('/', posix.dirname(at), tree.targetOf(node)) : '',
  })
  return {
    stat(asked) {
      const folder = tree.resolve(posix.dirname(asked))
      const name = posix.basename(asked)
      if (folder === null) return Promise.resolve(null)
      const node = name === '' ? folder.node : tree.names.find(folder.node, name)
      return Promise.resolve(node === 0 ? null : statOf(node, posix.join(folder.path, name)))
    },
    resolve(asked) {
      const found = tree.resolve(asked)
      return Promise.resolve(found === null ? null : statOf(found.node, found.path))
    },
    async read(asked, limit) {
      const node = tree.resolve(asked)?.node
      if (node === undefined || tree.kindOf(node) !== 'file') return null
      const wanted = Math.min(limit, tree.sizeOf(node))
      const kept = index.kept.get(node)
      if (kept !== undefined && kept.length >= wanted) return kept.subarray(0, wanted)
      return readMember(index, node, wanted, path, signal)
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async *list(asked) {
      const found = tree.resolve(asked)
      if (found === null) return
      const name = posix.basename(found.path)
      yield { name }
      for (const { path: below } of tree.walk(found.node, name)) yield { name: below }
    },
  }
}

/** Reads a file's beginning out of its layer: at its place, or, in a packed layer, after all that is before it. */
async function readMember(
  index: LayerIndex,
  node: number,
  wanted: number,
  path: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const layer = index.layers[index.tree.memberOf(node).layer]
  if (layer === undefined) throw new Error('a file of no layer')
  const offset = index.tree.offsetOf(node)
  const content = new Beginning(wanted)
  const reader = new TarReader(content)
  const blob = await openBlob(layer.blob)
  try {
    if ((await packingOf(blob)) === 'none') {
      for await (const chunk of blobChunks(blob, offset)) {
        signal.throwIfAborted()
        reader.push(chunk)
        if (content.isWhole) break
      }
      return content.bytes
    }
  } finally {
    await blob.close()
  }
  let position = 0
  for await (const chunk of layerChunks({ ...layer, diffId: null }, path, signal)) {
    const start = Math.min(chunk.length, Math.max(0, offset - position))
    position += chunk.length
    if (start < chunk.length) reader.push(chunk.subarray(start))
    if (content.isWhole) break
  }
  return content.bytes
}

/** Takes the beginning of the first file that comes; holes are zeroes. */
class Beginning implements TarHandler {
  readonly bytes: Buffer
  isWhole = false
  private segments: number[] | null = null
  private stored = 0

  constructor(wanted: number) {
    this.bytes = Buffer.alloc(wanted)
  }

  entry(entry: TarEntry): void {
    if (!this.isWhole) this.segments = entry.segments
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end && !this.isWhole;) {
      const { offset, left } = placeOf(this.segments, this.stored)
      if (offset >= this.bytes.length) this.isWhole = true
      else {
        const count = Math.min(end - at, left, this.bytes.length - offset)
        this.bytes.set(bytes.subarray(at, at + count), offset)
        at += count
        this.stored += count
      }
    }
  }

  endFile(): void {
    this.isWhole = true
  }
}

/** Where in a file the stored byte at a position belongs, and how many follow it there. */
function placeOf(segments: number[] | null, position: number): { offset: number; left: number } {
  if (segments === null) return { offset: position, left: Number.MAX_SAFE_INTEGER }
  let before = 0
  for (let i = 0; i < segments.length; i += 2) {
    const offset = segments[i] as number
    const length = segments[i + 1] as number
    if (position < before + length) {
      return { offset: offset + position - before, left: before + length - position }
    }
    before += length
  }
  return { offset: Number.MAX_SAFE_INTEGER, left: 0 }
}
