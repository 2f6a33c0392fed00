import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Device numbers of a drive and of its partitions, as the kernel has them now.
 * @param majorMinor the drive's, `8:16`
 */
export async function numbersOf(majorMinor: string): Promise<Set<string>> {
  const numbers = new Set([majorMinor])
  // Documentation/ABI/stable/sysfs-block: a partition is a folder of its drive with the files `partition` and `dev`.
  const drive = join('/sys/dev/block', majorMinor)
  for (const name of await readdir(drive).catch(() => [])) {
    const isPartition = await access(join(drive, name, 'partition')).then(
      () => true,
      () => false,
    )
    if (isPartition) numbers.add((await readFile(join(drive, name, 'dev'), 'utf8').catch(() => '')).trim())
  }
  numbers.delete('')
  return numbers
}
