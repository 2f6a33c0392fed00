import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isOrphaned, ownMark } from '../docker/owner'

const END = '.slipway-part'

/**
 * The name of an unfinished file, which tells whose it is: hidden, in the folder of the finished one.
 * @param path of the finished file
 */
export function partName(path: string): string {
  return `.${basename(path)}.${ownMark()}${END}`
}

/**
 * Takes away unfinished files of a path, and of what lies beside it under names that begin with its own, whose writers
 * were killed.
 * @param path of the finished file
 */
export async function removeLeftovers(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`.${basename(path)}.`) || !name.endsWith(END)) continue
    const mark = name.slice(0, -END.length).split('.').at(-1) ?? ''
    if (isOrphaned(mark)) await rm(join(dirname(path), name), { force: true })
  }
}
