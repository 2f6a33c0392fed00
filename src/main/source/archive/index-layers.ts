import { createHash, type Hash } from 'node:crypto'
import type { TarEntry, TarHandler } from '../../convert/tar/entry'
import { TarReader } from '../../convert/tar/reader'
import type { TreeSize } from '../../disk/ext4/fit'
import { asTar, readHeaders } from './blobs'
import { layerChunks, packingOfLayer, type Layer } from './layers'
import { Sizer } from './size'
import { LayeredTree } from './tree'

const KIB = 1024
/** Bytes of one file, and of all, that are kept while packed layers pass: what an inspection reads lies in these. */
const KEPT_OF_FILE = 128 * KIB
const KEPT_IN_ALL = 32 * 1024 * KIB

/** All that is known of layers after one pass over them. */
export interface LayerIndex {
  tree: LayeredTree
  layers: readonly Layer[]
  /** Members of each layer. */
  members: number[]
  /** Beginnings of small and of telling files in packed layers, which cannot be read at any place; by node. */
  kept: Map<number, Buffer>
  /** Bytes of the tar, unpacked, or of what the layers' tree will be as one. */
  tarBytes: number
  /** Seconds since 1970 of the newest member. */
  newest: number
  /** SHA-256 of a packed plain tar, unpacked, as `sha256:…`; null for layers, and where only headers are read. */
  digest: string | null
  /** What the tree takes on a disk. */
  size: TreeSize
}

/**
 * Reads all layers once, and lays their members over each other. Headers alone where a layer can be read at any place.
 * @param layers lowest first
 * @param whiteouts whether `.wh.` names take away: true for an image's layers, false for a plain tar, the only one
 * @param path the archive's, for refusals
 * @param progress told the bytes of the layers' blobs that were read or passed over
 * @throws refusals: those of `layerChunks`, and `archive-invalid` for what is no tar
 */
export async function indexLayers(
  layers: readonly Layer[],
  whiteouts: boolean,
  path: string,
  signal: AbortSignal,
  progress: (bytesDone: number) => void = () => undefined,
): Promise<LayerIndex> {
  const tree = new LayeredTree(whiteouts)
  const sizer = new Sizer(tree)
  const index = { tree, layers, members: [] as number[], kept: new Map<number, Buffer>() }
  let tarBytes = 0
  let newest = 0
  let digest: string | null = null
  const keeper = new Keeper(index.kept)
  let before = 0
  const onRead = (position: number): void => progress(before + position)
  for (const [number, layer] of layers.entries()) {
    let members = 0
    const isPacked = (await packingOfLayer(layer)) !== 'none'
    const hash = isPacked && !whiteouts ? createHash('sha256') : null
    const reader = new TarReader({
      entry(entry) {
        const node = tree.apply(entry, number, members)
        members++
        newest = Math.max(newest, entry.modified.seconds)
        sizer.add(entry, node)
        if (isPacked) keeper.begin(entry, node)
      },
      data: (bytes, start, end) => keeper.take(bytes, start, end),
      endFile: () => keeper.end(),
    } satisfies TarHandler)
    await asTar(path, layer.part, async () => {
      if (isPacked) tarBytes += await readWhole(layer, reader, hash, path, signal, onRead)
      else {
        await readHeaders(layer.blob, reader, (_, position) => {
          signal.throwIfAborted()
          onRead(position)
          return true
        })
        tarBytes += layer.blob.size
      }
      reader.finish()
    })
    if (hash !== null) digest = `sha256:${hash.digest('hex')}`
    index.members.push(members)
    before += layer.blob.size
  }
  // A tar is written member by member, those too that a later one replaces.
  if (!whiteouts) return { ...index, tarBytes, newest, digest, size: sizer.ofMembers() }
  return { ...index, tarBytes: sizer.tarBytes(), newest, digest, size: sizer.ofTree() }
}

async function readWhole(
  layer: Layer,
  reader: TarReader,
  hash: Hash | null,
  path: string,
  signal: AbortSignal,
  onRead: (position: number) => void,
): Promise<number> {
  let bytes = 0
  for await (const chunk of layerChunks(layer, path, signal, onRead)) {
    hash?.update(chunk)
    reader.push(chunk)
    bytes += chunk.length
  }
  return bytes
}

/** Files that tell what a system is, where they lie on the systems that there are: the others have to be read anew. */
const telling = [
  /^(?:etc|boot|usr\/lib\/systemd\/(?:system|network))\//,
  /^usr\/lib\/os-release$/,
  /^(?:usr\/)?lib\/(?:modules\/[^/]+\/vmlinuz|systemd\/systemd)$/,
  /^(?:usr\/)?s?bin\/(?:sh|dash|bash|env|busybox|init)$/,
]

/** Keeps the beginnings of files that are worth it while they pass. */
class Keeper {
  private left = KEPT_IN_ALL
  private pieces: Buffer[] | null = null
  private have = 0
  private want = 0
  private node = 0

  constructor(private readonly kept: Map<number, Buffer>) {}

  begin(entry: TarEntry, node: number): void {
    this.pieces = null
    const path = entry.path.replace(/^\.\//, '')
    if (entry.type !== 'file' || entry.segments !== null || !telling.some((one) => one.test(path))) return
    this.want = Math.min(entry.size, KEPT_OF_FILE)
    if (node === 0 || this.want > this.left) return
    this.left -= this.want
    this.node = node
    this.pieces = []
    this.have = 0
  }

  take(bytes: Uint8Array, start: number, end: number): void {
    if (this.pieces === null || this.have === this.want) return
    const piece = Buffer.from(bytes.subarray(start, Math.min(end, start + this.want - this.have)))
    this.pieces.push(piece)
    this.have += piece.length
  }

  end(): void {
    if (this.pieces !== null) this.kept.set(this.node, Buffer.concat(this.pieces))
    this.pieces = null
  }
}
