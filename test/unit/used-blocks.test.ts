import { expect, test } from 'vitest'
import { SUPERBLOCK } from '../../src/main/disk/ext4/layout'
import { LINUX_TYPE, MBR, PARTITION_ENTRY } from '../../src/main/disk/mbr'
import { usedRanges } from '../../src/main/flash/used-blocks'

const SECTORS = 0xf000_0000
const START = 2048

/** A disk of nearly 2 TiB with an ext4 whose superblock says what the test gives. */
async function rangesOf(
  descriptorBytes: number,
  blocksPerGroup: number,
): Promise<{ ranges: unknown; most: number }> {
  const first = new Uint8Array(512)
  PARTITION_ENTRY.encode(
    { OSType: LINUX_TYPE, StartingLBA: START, SizeInLBA: SECTORS - START },
    first,
    MBR.at.PartitionRecord,
  )
  first.set([0x55, 0xaa], 510)
  const superblock = new Uint8Array(1024)
  SUPERBLOCK.encode(
    {
      ...{ s_magic: 0xef53, s_state: 1, s_rev_level: 1, s_log_block_size: 2, s_feature_incompat: 0x80 },
      ...{ s_blocks_count_lo: 0x1d00_0000, s_blocks_per_group: blocksPerGroup, s_inodes_per_group: 16 },
      ...{ s_inode_size: 256, s_desc_size: descriptorBytes },
    },
    superblock,
  )
  let most = 0
  const ranges = await usedRanges((position, length) => {
    most = Math.max(most, length)
    if (length > 2 ** 30) return Promise.reject(new RangeError('no buffer is as large'))
    if (position === 0) return Promise.resolve(first)
    return Promise.resolve(position === START * 512 + 1024 ? superblock : new Uint8Array(length))
  }, SECTORS * 512)
  return { ranges, most }
}

test.each([
  ['has descriptors of 65535 bytes', 65_535, 256],
  ['has descriptors larger than the kernel takes', 2048, 32_768],
  ['has so many groups that their descriptors take gigabytes', 1024, 256],
])('a file system that %s is written whole', async (_, descriptorBytes, blocksPerGroup) => {
  const { ranges, most } = await rangesOf(descriptorBytes, blocksPerGroup)
  expect(ranges).toEqual([{ position: 0, length: SECTORS * 512 }])
  expect(most).toBeLessThan(2 ** 25)
})
