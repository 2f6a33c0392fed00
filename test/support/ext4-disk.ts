import { execFile } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdir, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { encodeMbr, LINUX_TYPE } from '../../src/main/disk/mbr'

const run = promisify(execFile)

/** Bytes; where the one partition begins. */
export const PARTITION_START = 1024 * 1024

/** Makes a folder of a few thousand KiB in files of all kinds of sizes. */
export async function makeTree(folder: string): Promise<void> {
  await mkdir(join(folder, 'deep', 'er'), { recursive: true })
  for (let index = 0; index < 60; index++) {
    const bytes = randomFillSync(Buffer.alloc(1 + index * index * 37))
    await writeFile(join(folder, index % 2 === 0 ? 'deep' : 'deep/er', `file-${index}`), bytes)
  }
  await symlink('deep/er', join(folder, 'link'))
}

/**
 * Makes a disk with an MBR and one ext4 partition that holds the folder's files.
 * @param path of the disk, sparse
 * @param partitionBytes size of the partition, which ends the disk
 * @param options of mkfs.ext4
 */
export async function makeExt4Disk(
  path: string,
  folder: string,
  partitionBytes: number,
  options: readonly string[] = [],
): Promise<void> {
  const count = partitionBytes / 512
  const partition = { type: LINUX_TYPE, active: true, start: PARTITION_START / 512, count }
  await writeFile(path, encodeMbr(new Uint8Array(440).fill(0x90), 0x51a9, [partition]))
  await truncate(path, PARTITION_START + partitionBytes)
  const size = `${partitionBytes / 1024}k`
  const place = ['-E', `offset=${PARTITION_START}`, '-d', folder]
  await run('mkfs.ext4', ['-q', '-F', ...options, ...place, path, size])
}

/** Checks the partition with e2fsck and compares its files with the folder's; throws when one of the two is not content. */
export async function checkExt4Disk(path: string, folder: string, partitionBytes: number): Promise<void> {
  const partition = `${path}.part`
  const found = `${path}.tree`
  try {
    await writeFile(partition, await readRange(path, PARTITION_START, partitionBytes))
    await run('e2fsck', ['-fn', partition])
    await mkdir(found)
    await run('debugfs', ['-R', `rdump / ${found}`, partition])
    await rm(join(found, 'lost+found'), { recursive: true, force: true })
    await run('diff', ['--recursive', '--no-dereference', folder, found])
  } finally {
    await rm(partition, { force: true })
    await rm(found, { recursive: true, force: true })
  }
}

async function readRange(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, position)
    return buffer
  } finally {
    await file.close()
  }
}

/** Reads a file's bytes as `usedRanges` wants them. */
export async function readerOfFile(
  path: string,
): Promise<(position: number, length: number) => Promise<Buffer>> {
  const bytes = await readFile(path)
  return (position, length) => {
    if (position + length > bytes.length) throw new RangeError('beyond the end')
    return Promise.resolve(bytes.subarray(position, position + length))
  }
}
