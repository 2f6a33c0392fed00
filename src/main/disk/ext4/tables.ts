import { crc32c } from '../crc'
import { refuse } from '../refusal'
import { hasBackup, type Run } from './allocator'
import type { Geometry } from './geometry'
import {
  BG_BLOCK_UNINIT,
  BG_INODE_UNINIT,
  BG_INODE_ZEROED,
  BLOCK_SIZE,
  BLOCKS_PER_GROUP,
  DESCRIPTOR_SIZE,
  GROUP_DESCRIPTOR,
  INODE_SIZE,
  LOG_GROUPS_PER_FLEX,
  LOST_AND_FOUND_INODE,
} from './layout'
import type { Pause } from './finish'
import type { Ext4Writer } from './writer'

/** Where a group's bitmaps and inode table lie, as block numbers. */
interface GroupTables {
  blockBitmap: number
  inodeBitmap: number
  inodeTable: number
}

export interface WrittenTables {
  /** all group descriptors, in whole blocks */
  descriptors: Buffer
  freeBlocks: number
  freeInodes: number
}

const GROUPS_PER_FLEX = 2 ** LOG_GROUPS_PER_FLEX
const INODES_PER_BLOCK = BLOCK_SIZE / INODE_SIZE

/**
 * Finds places for all bitmaps and tables. With flex_bg they may lie anywhere: those of each 16 groups lie at
 * the front of the first of them where no data came before, and behind the data elsewhere. So data can be
 * streamed before the number of inodes is known.
 */
export function placeTables(
  writer: Pick<Ext4Writer, 'allocator' | 'descriptorBlocks'>,
  geometry: Geometry,
): GroupTables[] {
  const { allocator } = writer
  const places: GroupTables[] = []
  for (let first = 0; first < geometry.groups; first += GROUPS_PER_FLEX) {
    const count = Math.min(GROUPS_PER_FLEX, geometry.groups - first)
    const needed = count * (2 + geometry.tableBlocks) + GROUPS_PER_FLEX * (1 + writer.descriptorBlocks)
    const front = first * BLOCKS_PER_GROUP
    if (front > allocator.end && front + needed <= geometry.blocks) allocator.advanceTo(front)
    const blockBitmaps = Array.from({ length: count }, () => allocator.takeRun(1))
    const inodeBitmaps = Array.from({ length: count }, () => allocator.takeRun(1))
    for (let group = 0; group < count; group++) {
      places.push({
        blockBitmap: blockBitmaps[group] as number,
        inodeBitmap: inodeBitmaps[group] as number,
        inodeTable: allocator.takeRun(geometry.tableBlocks),
      })
    }
  }
  if (allocator.end > geometry.blocks) {
    refuse('size-too-small', {
      sizeBytes: geometry.blocks * BLOCK_SIZE,
      neededBytes: allocator.end * BLOCK_SIZE,
    })
  }
  return places
}

/** Sets or clears bits [start, end) of a bitmap; whole bytes at a time where it can. */
function paint(bitmap: Buffer, start: number, end: number, value: boolean): void {
  let bit = start
  const one = (): void => {
    const mask = 1 << (bit & 7)
    const byte = bitmap[bit >> 3] as number
    bitmap[bit >> 3] = value ? byte | mask : byte & ~mask
    bit++
  }
  while (bit < end && (bit & 7) !== 0) one()
  const whole = Math.max(bit, end & ~7)
  bitmap.fill(value ? 0xff : 0, bit >> 3, whole >> 3)
  bit = whole
  while (bit < end) one()
}

/** Walks through ascending runs, one group after the other. */
function* within(runs: Run[], cursor: { index: number }, start: number, end: number): Generator<Run> {
  while (cursor.index < runs.length) {
    const run = runs[cursor.index] as Run
    if (run.start >= end) return
    const from = Math.max(run.start, start)
    const to = Math.min(run.start + run.count, end)
    if (from < to) yield { start: from - start, count: to - from }
    if (run.start + run.count > end) return
    cursor.index++
  }
}

/** Writes bitmaps and inode tables of all groups, and makes their descriptors. */
export async function writeTables(
  writer: Ext4Writer,
  geometry: Geometry,
  pause: Pause,
): Promise<WrittenTables> {
  const places = placeTables(writer, geometry)
  const { allocator, inodes, outlet } = writer
  const { groups, inodesPerGroup, blocks } = geometry
  const descriptors = Buffer.alloc(geometry.descriptorBlocks * BLOCK_SIZE)
  const freed = [...allocator.freed].sort((a, b) => a.start - b.start)
  const usedCursor = { index: 0 }
  const freedCursor = { index: 0 }
  const bitmap = Buffer.alloc(BLOCK_SIZE)
  const table = Buffer.alloc(16 * BLOCK_SIZE)
  let freeBlocks = 0
  let freeInodes = 0

  /** Blocks in use: the group's own copy, what was handed out and not given back, and what is beyond the end. */
  function writeBlockBitmap(group: number, place: GroupTables): { free: number; flags: number; sum: number } {
    const start = group * BLOCKS_PER_GROUP
    const size = Math.min(BLOCKS_PER_GROUP, blocks - start)
    const copy = hasBackup(group) ? 1 + geometry.descriptorBlocks : 0
    let used = copy
    bitmap.fill(0)
    paint(bitmap, 0, copy, true)
    for (const run of within(allocator.used, usedCursor, start, start + size)) {
      paint(bitmap, run.start, run.start + run.count, true)
      used += run.count
    }
    for (const run of within(freed, freedCursor, start, start + size)) {
      paint(bitmap, run.start, run.start + run.count, false)
      used -= run.count
    }
    const free = size - used
    if (used === copy && group > 0 && group < groups - 1) return { free, flags: BG_BLOCK_UNINIT, sum: 0 }
    paint(bitmap, size, BLOCKS_PER_GROUP, true)
    writer.putBlock(place.blockBitmap, bitmap)
    return { free, flags: 0, sum: crc32c(writer.seed, bitmap) & 0xffff }
  }

  /** Inodes in use, the reserved ones among them. */
  function writeInodeBitmap(group: number, place: GroupTables): InodeCounts {
    const first = group * inodesPerGroup + 1
    const counts = { used: 0, directories: 0, reach: 0, sum: 0 }
    if (first > inodes.last) return counts
    bitmap.fill(0)
    const end = Math.min(inodesPerGroup, inodes.last - first + 1)
    for (let index = 0; index < end; index++) {
      const inode = first + index
      if (inodes.mode.get(inode) === 0 && inode >= LOST_AND_FOUND_INODE) continue
      bitmap[index >> 3] = (bitmap[index >> 3] as number) | (1 << (index & 7))
      counts.used++
      counts.reach = index + 1
      if (inodes.isDirectory(inode)) counts.directories++
    }
    if (counts.used === 0) return counts
    paint(bitmap, inodesPerGroup, 8 * BLOCK_SIZE, true)
    writer.putBlock(place.inodeBitmap, bitmap)
    counts.sum = crc32c(writer.seed, bitmap, 0, inodesPerGroup / 8) & 0xffff
    return counts
  }

  /** The blocks of a table up to the last inode in use. */
  async function writeTable(group: number, place: GroupTables, reach: number): Promise<void> {
    const first = group * inodesPerGroup + 1
    const end = Math.ceil(reach / INODES_PER_BLOCK) * BLOCK_SIZE
    for (let from = 0; from < end; from += table.length) {
      const length = Math.min(table.length, end - from)
      table.fill(0)
      for (let at = 0; at < length; at += INODE_SIZE) {
        const inode = first + (from + at) / INODE_SIZE
        if (inodes.mode.get(inode) !== 0) inodes.encode(inode, table, at, writer.settings.time)
      }
      writer.putBlock(place.inodeTable + from / BLOCK_SIZE, table.subarray(0, length))
      await outlet.ready()
      await pause()
    }
  }

  for (let first = 0; first < groups; first += GROUPS_PER_FLEX) {
    const flex = places.slice(first, first + GROUPS_PER_FLEX)
    const blockCounts = flex.map((place, index) => writeBlockBitmap(first + index, place))
    const inodeCounts = flex.map((place, index) => writeInodeBitmap(first + index, place))
    for (const [index, place] of flex.entries()) {
      const group = first + index
      const { free, flags, sum } = blockCounts[index] as { free: number; flags: number; sum: number }
      const counts = inodeCounts[index] as InodeCounts
      await writeTable(group, place, counts.reach)
      await pause()
      freeBlocks += free
      freeInodes += inodesPerGroup - counts.used
      const written = Math.ceil(counts.reach / INODES_PER_BLOCK)
      const inodeFlags =
        (counts.used === 0 ? BG_INODE_UNINIT : 0) | (written === geometry.tableBlocks ? BG_INODE_ZEROED : 0)
      const at = group * DESCRIPTOR_SIZE
      GROUP_DESCRIPTOR.encode(
        {
          bg_block_bitmap_lo: place.blockBitmap,
          bg_inode_bitmap_lo: place.inodeBitmap,
          bg_inode_table_lo: place.inodeTable,
          bg_free_blocks_count_lo: free,
          bg_free_inodes_count_lo: inodesPerGroup - counts.used,
          bg_used_dirs_count_lo: counts.directories,
          bg_flags: flags | inodeFlags,
          bg_block_bitmap_csum_lo: sum,
          bg_inode_bitmap_csum_lo: counts.sum,
          bg_itable_unused_lo: inodesPerGroup - counts.reach,
        },
        descriptors,
        at,
      )
      GROUP_DESCRIPTOR.encode(
        { bg_checksum: descriptorSum(writer.seed, group, descriptors, at) },
        descriptors,
        at,
      )
    }
  }
  return { descriptors, freeBlocks, freeInodes }
}

interface InodeCounts {
  used: number
  directories: number
  /** inodes up to the last in use */
  reach: number
  sum: number
}

/** checksums.rst: the group's number and the descriptor with its checksum zero, the low 16 bits. */
function descriptorSum(seed: number, group: number, descriptors: Buffer, at: number): number {
  const number = Buffer.alloc(4)
  number.writeUInt32LE(group)
  return crc32c(crc32c(seed, number), descriptors, at, at + DESCRIPTOR_SIZE) & 0xffff
}
