import { Refusal } from '../refusal'
import { Allocator } from './allocator'
import { fittedGeometry, fixedGeometry, journalBlocks } from './geometry'
import { BLOCKS_PER_GROUP, DESCRIPTORS_PER_BLOCK, LOST_AND_FOUND_INODE } from './layout'
import { placeTables } from './tables'

/** What a tree takes in an ext4, apart from its tables. */
export interface TreeSize {
  /** Blocks of 4 KiB: data, directories, long symlinks, attributes. */
  blocks: number
  /** Inodes of all that is below the root. */
  inodes: number
}

/** lost+found, which every ext4 has. */
const LOST_AND_FOUND_BLOCKS = 4
/** Sizes are tried in steps of 1 MiB. */
const STEP = 256

/**
 * Whether an ext4 of so many blocks holds a tree, by the steps of the writer, without writing.
 * @param blocks of 4 KiB
 */
export function fits(blocks: number, tree: TreeSize): boolean {
  const last = LOST_AND_FOUND_INODE + tree.inodes
  const geometry = fixedGeometry(blocks, last)
  if (last > geometry.inodesPerGroup * geometry.groups) return false
  const descriptorBlocks = Math.ceil(Math.ceil(blocks / BLOCKS_PER_GROUP) / DESCRIPTORS_PER_BLOCK)
  const allocator = new Allocator(blocks, 1 + descriptorBlocks)
  try {
    allocator.take(tree.blocks + LOST_AND_FOUND_BLOCKS)
    allocator.take(journalBlocks(geometry.blocks))
    placeTables({ allocator, descriptorBlocks }, geometry)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

/**
 * The smallest ext4 that holds a tree.
 * @returns blocks of 4 KiB, a multiple of 256
 */
export function smallestBlocks(tree: TreeSize): number {
  const last = LOST_AND_FOUND_INODE + tree.inodes
  const { blocks } = fittedGeometry(tree.blocks + LOST_AND_FOUND_BLOCKS, 0, 0, last)
  let tried = Math.ceil(blocks / STEP) * STEP
  while (!fits(tried, tree)) tried += STEP
  while (tried > STEP && fits(tried - STEP, tree)) tried -= STEP
  return tried
}
