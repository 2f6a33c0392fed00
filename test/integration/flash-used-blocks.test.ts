import { execFile } from 'node:child_process'
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeGpt, ESP_GUID, LINUX_DATA_GUID, type GptPartition } from '../../src/main/disk/gpt'
import { usedRanges, type Range } from '../../src/main/flash/used-blocks'
import { checkExt4Disk, makeExt4Disk, makeTree, PARTITION_START, readerOfFile } from '../support/ext4-disk'

const run = promisify(execFile)
const MIB = 1024 * 1024

let folder = ''
let tree = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-used-'))
  tree = join(folder, 'tree')
  await makeTree(tree)
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const total = (ranges: Range[]): number => ranges.reduce((sum, range) => sum + range.length, 0)
const whole = (length: number): Range[] => [{ position: 0, length }]

async function rangesOf(path: string): Promise<Range[]> {
  return usedRanges(await readerOfFile(path), (await readFile(path)).length)
}

/** What a drive full of old data holds when only the used ranges were written to it. */
async function writeUsed(path: string, ranges: Range[]): Promise<string> {
  const disk = await readFile(path)
  const drive = Buffer.alloc(disk.length, 0xaa)
  for (const { position, length } of ranges) drive.set(disk.subarray(position, position + length), position)
  await writeFile(`${path}.drive`, drive)
  return `${path}.drive`
}

async function withDisk(
  partitionBytes: number,
  options: string[],
  work: (path: string) => Promise<void>,
): Promise<void> {
  const path = join(folder, 'disk.img')
  try {
    await makeExt4Disk(path, tree, partitionBytes, options)
    await work(path)
  } finally {
    await rm(path, { force: true })
    await rm(`${path}.drive`, { force: true })
  }
}

describe('an ext4 over old data is the same file system', () => {
  test.each<[string, number, string[]]>([
    ['as the kernel engine makes it', 260 * MIB, ['-O', '^64bit,^metadata_csum_seed,^orphan_file']],
    ['as Debian makes it, with 64-bit descriptors', 260 * MIB, []],
    ['with blocks of 1 KiB', 120 * MIB, ['-b', '1024']],
    ['without checksums and flexible groups', 200 * MIB, ['-O', '^metadata_csum,^flex_bg,^uninit_bg']],
    ['with groups that were never written (uninit_bg)', 420 * MIB, ['-O', '^metadata_csum,uninit_bg']],
    ['with a copy of the superblock in every group', 200 * MIB, ['-O', '^sparse_super,^resize_inode']],
    ['without a journal', 200 * MIB, ['-O', '^has_journal']],
  ])('%s', async (_, partitionBytes, options) => {
    await withDisk(partitionBytes, options, async (path) => {
      const ranges = await rangesOf(path)
      expect(total(ranges)).toBeLessThan((PARTITION_START + partitionBytes) / 2)
      await checkExt4Disk(await writeUsed(path, ranges), tree, partitionBytes)
    })
  })

  test('and stays one when the kernel fills it up', async () => {
    await withDisk(200 * MIB, ['-O', '^64bit'], async (path) => {
      const drive = await writeUsed(path, await rangesOf(path))
      const mountpoint = await mkdtemp('/tmp/slipway-mount-')
      try {
        await run('mount', ['-o', `loop,offset=${PARTITION_START},sizelimit=${200 * MIB}`, drive, mountpoint])
        try {
          for (let index = 0; index < 40; index++) {
            await writeFile(join(mountpoint, `more-${index}`), Buffer.alloc(3 * MIB, index))
          }
          await run('cmp', [join(mountpoint, 'deep/file-58'), join(tree, 'deep/file-58')])
        } finally {
          await run('umount', [mountpoint])
        }
      } finally {
        await rm(mountpoint, { recursive: true })
      }
      const partition = `${path}.drive`
      await expect(run('e2fsck', ['-fn', `${partition}?offset=${PARTITION_START}`])).resolves.toBeDefined()
    })
  })
})

describe('everything is written', () => {
  const size = PARTITION_START + 200 * MIB

  test.each<[string, string[]]>([
    ['where clusters are counted instead of blocks', ['-O', 'bigalloc']],
    ['where the descriptors are spread', ['-O', 'meta_bg,^resize_inode']],
    ['where the backups are elsewhere', ['-O', 'sparse_super2']],
  ])('%s', async (_, options) => {
    await withDisk(200 * MIB, options, async (path) => {
      expect(await rangesOf(path)).toEqual(whole(size))
    })
  })

  test.each<[string, string]>([
    ['that was not unmounted', 'ssv state 0'],
    ['with errors', 'ssv state 3'],
    ['whose journal is to be replayed', 'feature needs_recovery'],
    ['whose count of free blocks is wrong', 'ssv free_blocks_count 5'],
    ['of which a group counts wrong', 'set_bg 1 free_blocks_count 5'],
    ['of which a bitmap lies outside', 'set_bg 1 block_bitmap 99999999'],
    ['that says it is larger than its partition', 'ssv blocks_count 51300'],
  ])('of a file system %s', async (_, command) => {
    await withDisk(200 * MIB, ['-O', '^64bit'], async (path) => {
      expect(total(await rangesOf(path))).toBeLessThan(size)
      await run('debugfs', ['-w', '-R', command, `${path}?offset=${PARTITION_START}`])
      expect(await rangesOf(path)).toEqual(whole(size))
    })
  })

  test('of a disk without a partition table, of none, and of a very small one', async () => {
    const zeros = (size: number) => (position: number, length: number) =>
      Promise.resolve(Buffer.alloc(Math.min(length, size - position)))
    expect(await usedRanges(zeros(10 * MIB), 10 * MIB)).toEqual(whole(10 * MIB))
    expect(await usedRanges(zeros(100), 100)).toEqual(whole(100))
  })
})

describe('an ext4 on a GPT', () => {
  const PARTITION_BYTES = 200 * MIB
  const DISK_BYTES = PARTITION_START + PARTITION_BYTES + MIB
  const GUID = '8a7c3c57-39f4-4a1c-9f4e-000000000001'

  /** Puts a GPT onto the disk in place of its MBR. */
  async function withGpt(
    work: (path: string) => Promise<void>,
    more: Partial<GptPartition>[] = [],
  ): Promise<void> {
    await withDisk(PARTITION_BYTES, [], async (path) => {
      const first: GptPartition = {
        ...{ typeGuid: LINUX_DATA_GUID, guid: GUID, attributes: 0n, name: 'root' },
        ...{ start: PARTITION_START / 512, count: PARTITION_BYTES / 512 },
      }
      const partitions = [first, ...more.map((one) => ({ ...first, ...one }))]
      const { head, tail, tailStart } = encodeGpt(DISK_BYTES / 512, GUID, new Uint8Array(), partitions)
      await truncate(path, DISK_BYTES)
      const file = await open(path, 'r+')
      await file.write(head, 0, head.length, 0)
      await file.write(tail, 0, tail.length, tailStart * 512)
      await file.close()
      await work(path)
    })
  }

  /** Changes bytes of the disk. */
  async function patch(path: string, position: number, bytes: Uint8Array): Promise<void> {
    const file = await open(path, 'r+')
    await file.write(bytes, 0, bytes.length, position)
    await file.close()
  }

  test('is the same over old data, and so are both tables', async () => {
    await withGpt(async (path) => {
      const ranges = await rangesOf(path)
      expect(total(ranges)).toBeLessThan(DISK_BYTES / 2)
      const drive = await writeUsed(path, ranges)
      await checkExt4Disk(drive, tree, PARTITION_BYTES)
      expect((await run('sgdisk', ['--verify', drive])).stdout).toContain('No problems found')
    })
  })

  test.each<[string, number, Uint8Array]>([
    ['a header whose checksum is wrong', 512 + 72, Uint8Array.of(3)],
    ['entries whose checksum is wrong', 1024 + 60, Uint8Array.of(9)],
    [
      'another partition in the MBR too',
      446 + 16,
      Uint8Array.of(0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0),
    ],
    ['an ISO 9660 image around it', 16 * 2048 + 1, Buffer.from('CD001')],
  ])('is written whole with %s', async (_, position, bytes) => {
    await withGpt(async (path) => {
      expect(total(await rangesOf(path))).toBeLessThan(DISK_BYTES / 2)
      await patch(path, position, bytes)
      expect(await rangesOf(path)).toEqual(whole(DISK_BYTES))
    })
  })

  test.each<[string, Partial<GptPartition>]>([
    ['overlap', { start: PARTITION_START / 512 + 8, count: 8 }],
    ['leave the disk', { start: DISK_BYTES / 512, count: 8 }],
    ['lie in the table', { start: 4, count: 8 }],
  ])('is written whole when partitions %s', async (_, other) => {
    await withGpt(async (path) => expect(await rangesOf(path)).toEqual(whole(DISK_BYTES)), [other])
  })

  test('is written whole in a partition of another kind', async () => {
    await withGpt(async (path) => {
      const file = await readFile(path)
      const partition = { typeGuid: ESP_GUID, guid: GUID, attributes: 0n, name: 'x' }
      const place = { start: PARTITION_START / 512, count: PARTITION_BYTES / 512 }
      const { head } = encodeGpt(file.length / 512, GUID, new Uint8Array(), [{ ...partition, ...place }])
      await patch(path, 0, head)
      expect(await rangesOf(path)).toEqual(whole(DISK_BYTES))
    })
  })
})
