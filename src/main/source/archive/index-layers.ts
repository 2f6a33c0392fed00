import { createHash, type Hash } from 'node:crypto'
import type { TarEntry, TarHandler } from '../../convert/tar/entry'
import { TarReader } from '../../convert/tar/reader'
import { asTar, readHeaders } from './blobs'
import { layerChunks, packingOf, type Layer } from './layers'
import { LayeredTree, type Inode } from './tree'

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
  /** Beginnings of small and of telling files in packed layers, which cannot be read at any place. */
  kept: Map<Inode, Buffer>
  /** Bytes of all the tars, unpacked. */
  tarBytes: number
  /** Seconds since 1970 of the newest member. */
  newest: number
  /** SHA-256 of a single tar's bytes as `sha256:…`; null for several. */
  digest: string | null
}

/**
 * Reads all layers once, and lays their members over each other. Headers alone where a layer can be read at any place.
 * @param layers lowest first
 * @param options `whiteouts`: whether `.wh.` names take away; `digest`: whether to hash the only layer, which is then read whole
 * @param path the archive's, for refusals
 * @throws refusals: those of `layerChunks`, and `archive-invalid` for what is no tar
 */
export async function indexLayers(
  layers: readonly Layer[],
  options: { whiteouts: boolean; digest: boolean },
  path: string,
  signal: AbortSignal,
): Promise<LayerIndex> {
  const tree = new LayeredTree(options.whiteouts)
  const hash = options.digest ? createHash('sha256') : null
  const index: LayerIndex = {
    tree,
    layers,
    members: [],
    kept: new Map(),
    tarBytes: 0,
    newest: 0,
    digest: null,
  }
  const keeper = new Keeper(index.kept)
  for (const [number, layer] of layers.entries()) {
    let members = 0
    let isPacked = false
    const reader = new TarReader({
      entry(entry) {
        tree.apply(entry, number, members)
        members++
        index.newest = Math.max(index.newest, entry.modified.seconds)
        if (isPacked) keeper.begin(entry, tree, number, members - 1)
      },
      data: (bytes, start, end) => keeper.take(bytes, start, end),
      endFile: () => keeper.end(),
    } satisfies TarHandler)
    isPacked = await isPackedLayer(layer)
    await asTar(path, layer.part, async () => {
      if (isPacked || hash !== null) index.tarBytes += await readWhole(layer, reader, hash, path, signal)
      else {
        await readHeaders(layer.blob, reader, () => {
          signal.throwIfAborted()
          return true
        })
        index.tarBytes += layer.blob.size
      }
      reader.finish()
    })
    index.members.push(members)
  }
  if (hash !== null) index.digest = `sha256:${hash.digest('hex')}`
  return index
}

async function isPackedLayer(layer: Layer): Promise<boolean> {
  const blob = await layer.blob.open()
  try {
    return (await packingOf(blob)) !== 'none'
  } finally {
    await blob.close()
  }
}

async function readWhole(
  layer: Layer,
  reader: TarReader,
  hash: Hash | null,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0
  for await (const chunk of layerChunks(layer, path, signal)) {
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
  private inode: Inode | null = null

  constructor(private readonly kept: Map<Inode, Buffer>) {}

  begin(entry: TarEntry, tree: LayeredTree, layer: number, member: number): void {
    this.pieces = null
    const path = entry.path.replace(/^\.\//, '')
    if (entry.type !== 'file' || entry.segments !== null || !telling.some((one) => one.test(path))) return
    const inode = tree.resolve(entry.path)?.place.inode
    if (inode?.layer !== layer || inode.member !== member) return
    this.want = Math.min(entry.size, KEPT_OF_FILE)
    if (this.want > this.left) return
    this.left -= this.want
    this.inode = inode
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
    if (this.pieces !== null && this.inode !== null) this.kept.set(this.inode, Buffer.concat(this.pieces))
    this.pieces = null
  }
}
