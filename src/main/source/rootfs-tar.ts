import { basename } from 'node:path'
import { refuse } from '../disk/refusal'
import { architectureOf } from './architecture'
import { fileBlob } from './archive/blobs'
import { applicationsOf } from './archive/images'
import { inTurn } from './archive/in-turn'
import { keptTree, stampOf } from './archive/kept-tree'
import { answered } from './archive/open-archive'
import { diskBytesOf } from './archive/size'
import { threadExport } from './archive/tree-export'
import { fileFacts } from './facts'
import type { TreeFiles } from './tree-files'
import type { InspectedImage, TreeSource } from './tree-source'

/**
 * A plain tar of a root file system, in a file, as something to build from. It may be packed by gzip, zstd or xz.
 * @param path absolute; the file must not change meanwhile
 */
export function rootfsTarSource(path: string): TreeSource {
  let remembered: { image: InspectedImage; stamp: string } | null = null
  const layers = async () => [{ blob: await fileBlob(path), part: 'it', diffId: null }]
  const kept = keptTree(layers, false, path)

  const inspect = inTurn(async (asked: Parameters<TreeSource['inspect']>): Promise<InspectedImage> => {
    const stamp = await stampOf(path)
    if (remembered?.stamp === stamp) return remembered.image
    const [signal, progress = () => undefined] = asked
    const tree = await kept.take(progress, signal)
    try {
      const { size, digest, newest } = tree.summary
      const facts = await fileFacts(tree.files)
      const image: InspectedImage = {
        ...facts,
        file: path,
        recipe: null,
        id: digest ?? '',
        name: rootfsName(path),
        architecture: await architectureIn(tree.files, facts.init?.path ?? null),
        sizeBytes: diskBytesOf(size),
        measured: size,
        createdAt: newest * 1000,
        applications: applicationsOf({}),
      }
      remembered = { image, stamp }
      return image
    } finally {
      kept.giveBack(tree)
    }
  })

  return {
    inspect: (...asked) => answered(() => inspect(asked)),
    // Only an engine has what installs packages in a tree.
    prepare: null,
    prepareExport: (inspected, context) =>
      answered(async () => {
        const tree = await kept.take((done, total) => context.progress(done, total), context.signal)
        const { digest, isPacked } = tree.summary
        if (digest !== inspected.id) {
          await tree.close()
          const [expected, found] = [inspected.id.slice(7), digest?.slice(7) ?? '']
          return refuse('archive-digest', { path, part: 'it', expected, found })
        }
        return threadExport(tree, path, !isPacked, context)
      }),
  }
}

/** What a tree is called that has no name of its own: its file without what says how it is packed. */
export function rootfsName(path: string): string {
  return basename(path).replace(/\.(?:tar(?:\.(?:gz|xz|zst))?|tgz|txz|tzst)$/, '')
}

/** The architecture of the programs that every machine has. */
async function architectureIn(files: TreeFiles, init: string | null): Promise<string> {
  for (const path of [...(init === null ? [] : [init]), '/bin/sh', '/usr/bin/env', '/bin/busybox']) {
    const start = await files.read(path, 64)
    const found = start === null ? null : architectureOf(start)
    if (found !== null) return found
  }
  return 'unknown'
}
