import { fileFacts } from '../facts'
import type { InspectedImage, TreeSource } from '../tree-source'
import type { ArchivedImage } from './images'
import { inTurn } from './in-turn'
import { keptTree } from './kept-tree'
import { answered } from './open-archive'
import { diskBytesOf } from './size'
import { threadExport } from './tree-export'

/**
 * An image of an archive as something to build from, without any engine. Its layers are read once for the inspection
 * and once for the build, where each is compared with the digest that the image's configuration has of it.
 * @param path the archive's
 */
export function archivedImageSource(path: string, image: ArchivedImage): TreeSource {
  let remembered: InspectedImage | null = null
  const kept = keptTree(() => Promise.resolve(image.layers), true, path, image.copy)

  const inspect = inTurn(async (asked: Parameters<TreeSource['inspect']>): Promise<InspectedImage> => {
    if (remembered !== null) return remembered
    const [signal, progress = () => undefined] = asked
    const tree = await kept.take(progress, signal)
    const { size } = tree.summary
    const facts = await fileFacts(tree.files).finally(() => kept.giveBack(tree))
    remembered = {
      ...facts,
      file: path,
      recipe: null,
      id: image.id,
      name: image.names[0] ?? image.id.slice(7, 19),
      // Nothing of another system boots here, whatever its machine.
      architecture: image.os === 'linux' ? image.architecture : `${image.os}/${image.architecture}`,
      sizeBytes: diskBytesOf(size),
      measured: size,
      createdAt: image.createdAt,
      applications: image.applications,
    }
    return remembered
  })

  return {
    inspect: (...asked) => answered(() => inspect(asked)),
    // Only an engine has what installs packages in a tree.
    prepare: null,
    prepareExport: (_inspected, context) =>
      answered(async () => {
        const tree = await kept.take((done, total) => context.progress(done, total), context.signal)
        return threadExport(tree, path, false, context)
      }),
  }
}
