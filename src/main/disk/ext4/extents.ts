import { crc32c } from '../crc'
import type { Run } from './allocator'
import { BLOCK_SIZE, EXTENT, EXTENT_BLOCKS, EXTENT_HEADER, EXTENT_INDEX, EXTENT_MAGIC } from './layout'

/** A part of a file: `count` blocks from block `logical` of the file lie from block `start` of the disk. */
export interface Extent extends Run {
  logical: number
}

/** Extents or index entries that an inode's 60 bytes hold. */
export const EXTENTS_IN_INODE = 4
/** Those that a block holds beside its checksum. */
const IN_BLOCK = 340
const CHECKSUM_AT = EXTENT_HEADER.size + IN_BLOCK * EXTENT.size

/** A block of the tree, to be written at block `block` of the disk. */
export interface TreeBlock {
  block: number
  bytes: Uint8Array
}

/** Cuts extents at the length that their format allows. */
function cut(extents: Extent[]): Extent[] {
  const parts: Extent[] = []
  for (const { logical, start, count } of extents) {
    for (let done = 0; done < count; done += EXTENT_BLOCKS) {
      parts.push({
        logical: logical + done,
        start: start + done,
        count: Math.min(EXTENT_BLOCKS, count - done),
      })
    }
  }
  return parts
}

function putHeader(target: Uint8Array, entries: number, max: number, depth: number): void {
  EXTENT_HEADER.encode({ eh_magic: EXTENT_MAGIC, eh_entries: entries, eh_max: max, eh_depth: depth }, target)
}

function putLeaves(target: Uint8Array, extents: Extent[]): void {
  extents.forEach(({ logical, start, count }, index) => {
    const at = EXTENT_HEADER.size + index * EXTENT.size
    EXTENT.encode({ ee_block: logical, ee_len: count, ee_start_lo: start }, target, at)
  })
}

function putIndex(target: Uint8Array, nodes: { logical: number; block: number }[]): void {
  nodes.forEach(({ logical, block }, index) => {
    const at = EXTENT_HEADER.size + index * EXTENT_INDEX.size
    EXTENT_INDEX.encode({ ei_block: logical, ei_leaf_lo: block }, target, at)
  })
}

/** Blocks of the tree outside of the inode, for so many extents. */
export function extentTreeBlocks(extents: number): number {
  let blocks = 0
  for (let count = extents; count > EXTENTS_IN_INODE;) {
    count = Math.ceil(count / IN_BLOCK)
    blocks += count
  }
  return blocks
}

/**
 * Encodes the extent tree of one inode, of any depth
 * (kernel, Documentation/filesystems/ext4/ifork.rst, "Extent Tree").
 * @param extents ascending; of any length
 * @param seed checksum seed of the inode
 * @param takeBlock gives a block of the disk for a node of the tree
 * @returns the 60 bytes of i_block, and the nodes outside of the inode
 */
export function encodeExtents(
  extents: Extent[],
  seed: number,
  takeBlock: () => number,
): { root: Uint8Array; blocks: TreeBlock[] } {
  const leaves = cut(extents)
  const root = new Uint8Array(60)
  const blocks: TreeBlock[] = []
  if (leaves.length <= EXTENTS_IN_INODE) {
    putHeader(root, leaves.length, EXTENTS_IN_INODE, 0)
    putLeaves(root, leaves)
    return { root, blocks }
  }

  /** Puts a list into as many nodes as it needs, and answers what points at them. */
  function level<T extends { logical: number }>(
    list: T[],
    depth: number,
    write: (target: Uint8Array, part: T[]) => void,
  ): { logical: number; block: number }[] {
    const nodes = []
    for (let from = 0; from < list.length; from += IN_BLOCK) {
      const part = list.slice(from, from + IN_BLOCK)
      const bytes = new Uint8Array(BLOCK_SIZE)
      putHeader(bytes, part.length, IN_BLOCK, depth)
      write(bytes, part)
      const checksum = crc32c(seed, bytes, 0, CHECKSUM_AT)
      new DataView(bytes.buffer).setUint32(CHECKSUM_AT, checksum, true)
      const block = takeBlock()
      blocks.push({ block, bytes })
      nodes.push({ logical: part[0]?.logical ?? 0, block })
    }
    return nodes
  }

  let depth = 0
  let nodes = level(leaves, depth, putLeaves)
  while (nodes.length > EXTENTS_IN_INODE) nodes = level(nodes, ++depth, putIndex)
  putHeader(root, nodes.length, EXTENTS_IN_INODE, depth + 1)
  putIndex(root, nodes)
  return { root, blocks }
}
