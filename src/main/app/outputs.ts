import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The folder that disks go to when nobody chose another one. */
export const defaultFolder = (): string => join(homedir(), 'Slipway')

/**
 * A file name for an image's disk that is not taken yet.
 * @param folder absolute
 * @param imageName `registry/name:tag`, or a digest for an image without a name
 * @returns absolute path ending in `.img`
 */
export function freeDiskPath(folder: string, imageName: string): string {
  const [name = '', tag = ''] = (imageName.split('/').at(-1) ?? '').split(':')
  const stem = [name, tag === 'latest' ? '' : tag.slice(0, 12)]
    .filter((part) => part !== '')
    .join('-')
    .replace(/[^A-Za-z0-9._-]/g, '-')
  for (let number = 1; ; number += 1) {
    const path = join(folder, number === 1 ? `${stem}.img` : `${stem}-${number}.img`)
    if (!existsSync(path)) return path
  }
}
