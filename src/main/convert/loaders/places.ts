import { readFile } from 'node:fs/promises'
import { parseOsRelease } from '../../source/parse'
import type { TreeFiles } from '../../source/tree-files'
import type { LoaderPlace } from './find'

/** The packages of this computer. */
export async function hostPlace(): Promise<LoaderPlace> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return {
    distribution: parseOsRelease(release)?.id ?? null,
    async read(path, limit) {
      const bytes = await readFile(path).catch(() => null)
      return bytes === null ? null : bytes.subarray(0, limit)
    },
  }
}

/**
 * The files of a tree.
 * @param distribution `ID` of its os-release(5), or null
 */
export function treePlace(files: TreeFiles, distribution: string | null): LoaderPlace {
  return { distribution, read: (path, limit) => files.read(path, limit) }
}
