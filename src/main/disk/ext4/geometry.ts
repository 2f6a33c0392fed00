import { hasBackup } from './allocator'
import { BLOCK_SIZE, BLOCKS_PER_GROUP, DESCRIPTORS_PER_BLOCK, INODE_SIZE } from './layout'

/** The size of a file system and of its tables. */
export interface Geometry {
  blocks: number
  groups: number
  inodesPerGroup: number
  /** blocks of one group's inode table */
  tableBlocks: number
  /** blocks of the group descriptors */
  descriptorBlocks: number
}

const INODES_PER_BLOCK = BLOCK_SIZE / INODE_SIZE
/** The bitmap of a group's inodes is one block. */
const MOST_INODES_PER_GROUP = 8 * BLOCK_SIZE
/** mke2fs leaves out a last group with less room than this beside its own copy. */
const LEAST_ROOM = 50
/** A file system made to measure ends at a multiple of 1 MiB. */
const ALIGNMENT = 256

/**
 * Blocks of the journal: the steps of mke2fs (e2fsprogs, ext2fs_default_journal_size) up to 64 MiB, which is
 * what has to be zeroed on a stick that was in use. None below 8 MiB.
 */
export function journalBlocks(blocks: number): number {
  if (blocks < 2048) return 0
  if (blocks < 32768) return 1024
  if (blocks < 256 * 1024) return 4096
  if (blocks < 512 * 1024) return 8192
  return 16384
}

/**
 * How many inodes to have: one for 16 KiB on disks of up to 8 GiB, at least one for 64 KiB on larger ones, where
 * the kernel would have to zero gigabytes of tables later; and always some more than are in use.
 */
function inodesFor(blocks: number, used: number): number {
  return Math.max(Math.min(blocks / 4, 2 ** 19), blocks / 16, used * 1.25 + 16)
}

/** The tables that a file system of so many blocks gets. */
export function geometryOf(blocks: number, usedInodes: number): Geometry {
  const groups = Math.ceil(blocks / BLOCKS_PER_GROUP)
  const wanted = Math.ceil(inodesFor(blocks, usedInodes) / groups / INODES_PER_BLOCK) * INODES_PER_BLOCK
  const inodesPerGroup = Math.min(wanted, MOST_INODES_PER_GROUP)
  return {
    blocks,
    groups,
    inodesPerGroup,
    tableBlocks: inodesPerGroup / INODES_PER_BLOCK,
    descriptorBlocks: Math.ceil(groups / DESCRIPTORS_PER_BLOCK),
  }
}

/** Blocks that copies of the superblock and all bitmaps and tables take. */
function overhead(geometry: Geometry): number {
  let blocks = geometry.groups * (2 + geometry.tableBlocks)
  for (let group = 0; group < geometry.groups; group++) {
    if (hasBackup(group)) blocks += 1 + geometry.descriptorBlocks
  }
  return blocks
}

/** Blocks of the last group, and those that it must have at least. */
function lastGroup(blocks: number): { size: number; least: number } {
  const groups = Math.ceil(blocks / BLOCKS_PER_GROUP)
  const size = blocks - (groups - 1) * BLOCKS_PER_GROUP
  const copy = hasBackup(groups - 1) ? 1 + Math.ceil(groups / DESCRIPTORS_PER_BLOCK) : 0
  return { size, least: copy + LEAST_ROOM }
}

/** Inodes that a file system of so many blocks can have. */
export function mostInodes(blocks: number): number {
  return fixedGeometry(blocks, 0).groups * MOST_INODES_PER_GROUP
}

/** Blocks of the smallest file system with groups enough for so many inodes. */
export function blocksForInodes(inodes: number): number {
  return (Math.ceil(inodes / MOST_INODES_PER_GROUP) - 1) * BLOCKS_PER_GROUP + 1
}

/** A file system of the given size, without a last group too small to be of use. At most `mostInodes` can be in use. */
export function fixedGeometry(blocks: number, usedInodes: number): Geometry {
  const { size, least } = lastGroup(blocks)
  const usable = size < least && blocks > BLOCKS_PER_GROUP ? blocks - size : blocks
  return geometryOf(usable, usedInodes)
}

/**
 * The smallest file system that holds what is there and has so many blocks free.
 * @param usedBlocks without tables and journal
 * @param endBlock none below it may be cut off
 */
export function fittedGeometry(
  usedBlocks: number,
  endBlock: number,
  freeBlocks: number,
  usedInodes: number,
): Geometry {
  let geometry = geometryOf(Math.max(usedBlocks + freeBlocks, endBlock), usedInodes)
  for (;;) {
    const content = Math.max(usedBlocks + freeBlocks, endBlock)
    const needed = Math.max(
      content + journalBlocks(geometry.blocks) + overhead(geometry),
      blocksForInodes(usedInodes),
    )
    let blocks = Math.ceil(needed / ALIGNMENT) * ALIGNMENT
    const { size, least } = lastGroup(blocks)
    if (size < least) blocks += Math.ceil((least - size) / ALIGNMENT) * ALIGNMENT
    // Tables grow with the size and the size with the tables: only ever upwards, so this ends.
    if (blocks <= geometry.blocks) return geometry
    geometry = geometryOf(blocks, usedInodes)
  }
}
