import { fileFacts } from '../facts'
import type { TreeSource } from '../tree-source'
import { indexedFiles } from './files'
import { flattenLayers } from './flatten'
import type { ArchivedImage } from './images'
import { inTurn } from './in-turn'
import { indexLayers, type LayerIndex } from './index-layers'
import { answered } from './open-archive'
import type { Inode } from './tree'
import { indexedExport } from './tree-export'

/** Bytes of a block of ext4, by which each file's room is rounded up. */
const BLOCK = 4096

/**
 * An image of an archive as something to build from, without any engine. Its layers are read once for the inspection
 * and once for the build, where each is compared with the digest that the image's configuration has of it.
 * @param path the archive's
 */
export function archivedImageSource(path: string, image: ArchivedImage): TreeSource {
  let indexed: LayerIndex | null = null

  const index = inTurn(
    async (signal: AbortSignal): Promise<LayerIndex> =>
      (indexed ??= await indexLayers(image.layers, { whiteouts: true, digest: false }, path, signal)),
  )

  return {
    inspect: (signal) =>
      answered(async () => {
        const known = await index(signal)
        return {
          ...(await fileFacts(indexedFiles(known, path, signal))),
          file: path,
          recipe: null,
          id: image.id,
          name: image.names[0] ?? image.id.slice(7, 19),
          // Nothing of another system boots here, whatever its machine.
          architecture: image.os === 'linux' ? image.architecture : `${image.os}/${image.architecture}`,
          sizeBytes: measure(known).diskBytes,
          createdAt: image.createdAt,
          applications: image.applications,
        }
      }),
    // Only an engine has what installs packages in a tree.
    prepare: null,
    prepareExport: (_inspected, context) =>
      answered(async () => {
        const { signal } = context
        const known = await index(signal)
        const { tarBytes } = measure(known)
        return indexedExport(known, path, tarBytes, () => flattenLayers(known, path, signal), null, context)
      }),
  }
}

/** What the tree takes on a disk, and about what as a tar. Further names of a file take nothing. */
function measure({ tree }: LayerIndex): { diskBytes: number; tarBytes: number } {
  let diskBytes = 0
  let tarBytes = 0
  const counted = new Set<Inode>()
  for (const { place } of tree.walk()) {
    const { inode } = place
    const size = counted.has(inode) ? 0 : inode.size
    counted.add(inode)
    diskBytes += Math.ceil(size / BLOCK) * BLOCK + (place.children === null ? 0 : BLOCK)
    tarBytes += 512 + Math.ceil(size / 512) * 512
  }
  return { diskBytes, tarBytes }
}
