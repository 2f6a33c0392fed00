import { BG_BLOCK_UNINIT, GROUP_DESCRIPTOR, SUPERBLOCK } from '../disk/ext4/layout'
import { GPT_ENTRY, LINUX_DATA_GUID, ROOT_ARM64_GUID, ROOT_X86_64_GUID } from '../disk/gpt'
import { readGpt } from '../disk/gpt-read'
import { guidBytes } from '../disk/guid'
import { decodeMbr, GPT_PROTECTIVE_TYPE, LINUX_TYPE } from '../disk/mbr'

/** Bytes of a disk. */
export interface Range {
  position: number
  length: number
}

/** Answers `length` bytes from `position` on; throws when there are fewer. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>

const SECTOR = 512
/** Ranges begin and end at multiples of it, which are whole sectors of every drive. */
const ALIGNMENT = 4096
/** A smaller gap costs less to write than to leave out: many small writes are slower than one (etcher#3474). */
const SMALLEST_GAP = 1024 * 1024
/** At both ends of a file system, free or not: other file systems' old signatures lie there (libblkid's probes: within 128 KiB; ZFS labels: 512 KiB). */
const ENDS_BYTES = 1024 * 1024

/** In which a first GUID partition table has to lie. */
const HEAD_BYTES = 1024 * 1024
/** Kinds of partitions that hold a Linux file system; what it is its superblock says. */
const linuxGuids = [LINUX_DATA_GUID, ROOT_X86_64_GUID, ROOT_ARM64_GUID].map((guid) =>
  Buffer.from(guidBytes(guid)),
)

const MAGIC = 0xef53
const CLEANLY_UNMOUNTED = 1
/** sparse_super2: its backups lie elsewhere. (Documentation/filesystems/ext4/super.rst for all flags) */
const COMPAT_SPARSE_SUPER2 = 0x200
/** filetype, extents, 64bit, flex_bg, csum_seed, largedir, inline_data. Not: recover, journal_dev, meta_bg, mmp, … */
const INCOMPAT_UNDERSTOOD = 0x2 | 0x40 | 0x80 | 0x200 | 0x2000 | 0x4000 | 0x8000
const INCOMPAT_64BIT = 0x80
/** sparse_super, large_file, huge_file, gdt_csum, dir_nlink, extra_isize, quota, metadata_csum, project, verity. Not: bigalloc, … */
const RO_COMPAT_UNDERSTOOD = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x400 | 0x2000 | 0x8000
const RO_COMPAT_SPARSE_SUPER = 0x1
/** The kernel's limit for one group descriptor (fs/ext4/ext4.h, EXT4_MAX_DESC_SIZE). */
const MAX_DESCRIPTOR_BYTES = 1024
/** Of all of them at once: what 64 TiB have, in blocks of 4 KiB. */
const MAX_DESCRIPTORS_BYTES = 32 * 1024 * 1024

/**
 * What of a disk must be written to a drive that holds anything at all.
 * Zeros cannot be left out, for metadata must read as zero where it is zero;
 * what an ext4 calls free can, for it reads nothing there before it has
 * written. Everything outside of ext4 partitions counts as used, and an ext4
 * that is not clean, not consistent or not wholly understood counts as used too.
 * @param read reads the disk
 * @param sizeBytes of the disk
 * @returns ranges in ascending order, at multiples of 4096 bytes but for the disk's end
 */
export async function usedRanges(read: ReadAt, sizeBytes: number): Promise<Range[]> {
  const partitions = await partitionsOf(read, sizeBytes)
  const used: Range[] = []
  let end = 0
  for (const { isLinux, position, length } of partitions.sort((a, b) => a.position - b.position)) {
    // Partitions that overlap or leave the disk are nobody's to judge.
    if (position < end || position + length > sizeBytes) return [{ position: 0, length: sizeBytes }]
    used.push({ position: end, length: position - end })
    const blocks = isLinux ? await ext4Ranges(read, position, length) : null
    used.push(...(blocks ?? [{ position, length }]))
    end = position + length
  }
  used.push({ position: end, length: sizeBytes - end })
  return coalesce(used, sizeBytes)
}

interface Partition extends Range {
  isLinux: boolean
}

/** The partitions of an MBR or of a GPT; none where the disk has no table that may be trusted. */
async function partitionsOf(read: ReadAt, sizeBytes: number): Promise<Partition[]> {
  const records = sizeBytes < SECTOR ? null : decodeMbr(await read(0, SECTOR))
  if (records === null) return []
  if (!records.some(({ type }) => type === GPT_PROTECTIVE_TYPE)) {
    return records.map(({ type, start, count }) => ({
      isLinux: type === LINUX_TYPE,
      position: start * SECTOR,
      length: count * SECTOR,
    }))
  }
  // Beside a protective partition others would be a second opinion on the same disk.
  if (records.length !== 1 || sizeBytes < HEAD_BYTES) return []
  const table = readGpt(await read(0, HEAD_BYTES))
  if (table === null) return []
  const { header, entries } = table
  const partitions: Partition[] = []
  for (let at = 0; at < entries.length; at += header.SizeOfPartitionEntry) {
    const { PartitionTypeGUID, StartingLBA, EndingLBA } = GPT_ENTRY.decode(entries, at)
    const type = Buffer.from(PartitionTypeGUID)
    if (type.every((byte) => byte === 0)) continue
    const isInside =
      StartingLBA >= header.FirstUsableLBA && StartingLBA <= EndingLBA && EndingLBA <= header.LastUsableLBA
    if (!isInside) return []
    partitions.push({
      isLinux: linuxGuids.some((guid) => guid.equals(type)),
      position: Number(StartingLBA) * SECTOR,
      length: Number(EndingLBA - StartingLBA + 1n) * SECTOR,
    })
  }
  return partitions
}

/** The ranges in order, at multiples of 4096 bytes but for the disk's end, and without small gaps. */
export function coalesce(ranges: Range[], sizeBytes: number): Range[] {
  const result: Range[] = []
  for (const range of ranges.sort((a, b) => a.position - b.position)) {
    if (range.length === 0) continue
    const start = Math.floor(range.position / ALIGNMENT) * ALIGNMENT
    const end = Math.min(sizeBytes, Math.ceil((range.position + range.length) / ALIGNMENT) * ALIGNMENT)
    const last = result.at(-1)
    if (last !== undefined && start - (last.position + last.length) < SMALLEST_GAP) {
      last.length = Math.max(last.length, end - last.position)
    } else result.push({ position: start, length: end - start })
  }
  return result
}

/**
 * What an ext4 uses of its partition, by its own block bitmaps, and what of
 * the partition is not the file system's.
 * @returns null where there is no ext4 that may be trusted
 */
async function ext4Ranges(read: ReadAt, start: number, length: number): Promise<Range[] | null> {
  if (length < 4 * ENDS_BYTES) return null
  const superblock = SUPERBLOCK.decode(await read(start + 1024, 1024))
  const blockBytes = 1024 << superblock.s_log_block_size
  const first = superblock.s_first_data_block
  const blocks = superblock.s_blocks_count_lo
  const perGroup = superblock.s_blocks_per_group
  const isUnderstood =
    superblock.s_magic === MAGIC &&
    superblock.s_state === CLEANLY_UNMOUNTED &&
    superblock.s_rev_level === 1 &&
    superblock.s_log_block_size <= 6 &&
    (superblock.s_feature_compat & COMPAT_SPARSE_SUPER2) === 0 &&
    (superblock.s_feature_incompat & ~INCOMPAT_UNDERSTOOD) === 0 &&
    (superblock.s_feature_ro_compat & ~RO_COMPAT_UNDERSTOOD) === 0 &&
    superblock.s_blocks_count_hi === 0 &&
    // mke2fs(8), -g: at least 256; one block a group would ask for gigabytes of descriptors.
    perGroup >= 256 &&
    perGroup <= 8 * blockBytes &&
    superblock.s_inodes_per_group > 0 &&
    superblock.s_inode_size >= 128 &&
    blocks > first &&
    blocks * blockBytes <= length
  if (!isUnderstood) return null

  const groups = Math.ceil((blocks - first) / perGroup)
  const is64Bit = (superblock.s_feature_incompat & INCOMPAT_64BIT) !== 0
  const stride = is64Bit ? superblock.s_desc_size : GROUP_DESCRIPTOR.size
  const descriptorsAt = (first + 1) * blockBytes
  const descriptorBytes = groups * stride
  if (
    stride < GROUP_DESCRIPTOR.size ||
    stride > MAX_DESCRIPTOR_BYTES ||
    descriptorBytes > MAX_DESCRIPTORS_BYTES ||
    descriptorsAt + descriptorBytes > length
  ) {
    return null
  }
  const descriptors = await read(start + descriptorsAt, descriptorBytes)
  const tableBlocks = Math.ceil((superblock.s_inodes_per_group * superblock.s_inode_size) / blockBytes)
  const backupBlocks = 1 + Math.ceil((groups * stride) / blockBytes) + superblock.s_reserved_gdt_blocks
  const isSparse = (superblock.s_feature_ro_compat & RO_COMPAT_SPARSE_SUPER) !== 0

  const ranges: Range[] = [
    { position: start, length: ENDS_BYTES },
    { position: start + length - ENDS_BYTES, length: ENDS_BYTES },
    { position: start + blocks * blockBytes, length: length - blocks * blockBytes },
  ]
  const add = (block: number, count: number): boolean => {
    ranges.push({ position: start + block * blockBytes, length: count * blockBytes })
    return block >= first && block + count <= blocks
  }
  let freeBlocks = 0
  for (let group = 0; group < groups; group++) {
    const descriptor = GROUP_DESCRIPTOR.decode(descriptors, group * stride)
    const begin = first + group * perGroup
    const count = Math.min(perGroup, blocks - begin)
    const isInside =
      add(descriptor.bg_block_bitmap_lo, 1) &&
      add(descriptor.bg_inode_bitmap_lo, 1) &&
      add(descriptor.bg_inode_table_lo, tableBlocks)
    if (!isInside) return null
    freeBlocks += descriptor.bg_free_blocks_count_lo
    if ((descriptor.bg_flags & BG_BLOCK_UNINIT) !== 0) {
      // Its bitmap was never written: only metadata can be here, which the descriptors told, and the backups.
      if (!isSparse || hasBackup(group)) add(begin, Math.min(backupBlocks, count))
      continue
    }
    const bitmap = await read(start + descriptor.bg_block_bitmap_lo * blockBytes, blockBytes)
    const free = eachUsedRun(bitmap, count, SMALLEST_GAP / blockBytes, (from, run) => add(begin + from, run))
    if (free !== descriptor.bg_free_blocks_count_lo) return null
  }
  return freeBlocks === superblock.s_free_blocks_count_lo ? ranges : null
}

/** With sparse_super, groups 0, 1 and the powers of 3, 5 and 7 hold copies of superblock and descriptors. */
function hasBackup(group: number): boolean {
  if (group <= 1) return true
  return [3, 5, 7].some((base) => {
    let power = base
    while (power < group) power *= base
    return power === group
  })
}

/**
 * Calls back with the runs of set bits, runs with less than `gap` between them as one.
 * @returns how many of the first `count` bits are clear
 */
function eachUsedRun(
  bitmap: Uint8Array,
  count: number,
  gap: number,
  onRun: (from: number, length: number) => void,
): number {
  let free = 0
  let from = -1
  let last = -1
  for (let bit = 0; bit < count; bit++) {
    if ((((bitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 0) {
      free += 1
      continue
    }
    if (from >= 0 && bit - last > gap) {
      onRun(from, last + 1 - from)
      from = bit
    } else if (from < 0) from = bit
    last = bit
  }
  if (from >= 0) onRun(from, last + 1 - from)
  return free
}
