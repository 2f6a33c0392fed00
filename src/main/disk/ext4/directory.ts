import { crc32c } from '../crc'
import { halfMd4 } from './half-md4'
import { BLOCK_SIZE, DX_ROOT_INFO } from './layout'

/** An entry of a directory; the name's bytes one to a character, the type as "ftype" of directory.rst. */
export interface DirectoryEntry {
  name: string
  inode: number
  type: number
}

/** "ext4_dir_entry_tail": looks like an unused entry and holds the block's checksum. */
const TAIL = 12
const TAIL_TYPE = 0xde
const ROOM = BLOCK_SIZE - TAIL
/** "dx_entry", a hash and a block; the first of a list holds limit and count in place of its hash. */
const INDEX_ENTRY = 8
const ROOT_ENTRIES_AT = 0x20
const NODE_ENTRIES_AT = 8
/** One place at the end is "dx_tail", the checksum. */
const ROOT_LIMIT = (BLOCK_SIZE - ROOT_ENTRIES_AT) / INDEX_ENTRY - 1
const NODE_LIMIT = (BLOCK_SIZE - NODE_ENTRIES_AT) / INDEX_ENTRY - 1

const HALF_MD4 = 1
const DIRECTORY_TYPE = 2

export interface EncodedDirectory {
  /** whole blocks */
  bytes: Buffer
  /** whether it has a hash tree, which the inode's INDEX flag must say */
  indexed: boolean
}

/** Bytes of an entry: 8 and the name, to a multiple of 4. */
function lengthOf(name: string): number {
  return (8 + name.length + 3) & ~3
}

/** Writes one entry and answers where the next begins. */
function putEntry(bytes: Buffer, at: number, entry: DirectoryEntry): number {
  const length = lengthOf(entry.name)
  bytes.writeUInt32LE(entry.inode, at)
  bytes.writeUInt16LE(length, at + 4)
  bytes[at + 6] = entry.name.length
  bytes[at + 7] = entry.type
  bytes.write(entry.name, at + 8, 'latin1')
  return at + length
}

/**
 * Closes a block of entries: the last one reaches to the tail, which holds the checksum.
 * @param last where the last entry begins, or `block` when there is none
 */
function closeBlock(bytes: Buffer, block: number, last: number, seed: number): void {
  bytes.writeUInt16LE(block + ROOM - last, last + 4)
  bytes.writeUInt16LE(TAIL, block + ROOM + 4)
  bytes[block + ROOM + 7] = TAIL_TYPE
  bytes.writeUInt32LE(crc32c(seed, bytes, block, block + ROOM), block + ROOM + 8)
}

/** Fills blocks of `bytes` from `block` with entries in their order; answers the first entry of each block. */
function putBlocks(bytes: Buffer, block: number, entries: DirectoryEntry[], seed: number): number[] {
  const firsts = [0]
  let start = block
  let at = block
  let last = block
  entries.forEach((entry, index) => {
    if (at + lengthOf(entry.name) > start + ROOM) {
      closeBlock(bytes, start, last, seed)
      start += BLOCK_SIZE
      at = start
      firsts.push(index)
    }
    last = at
    at = putEntry(bytes, at, entry)
  })
  closeBlock(bytes, start, last, seed)
  return firsts
}

/** How many blocks entries take in their order. */
function blocksFor(entries: DirectoryEntry[]): number {
  let blocks = 1
  let used = 0
  for (const { name } of entries) {
    const length = lengthOf(name)
    if (used + length > ROOM) {
      blocks++
      used = 0
    }
    used += length
  }
  return blocks
}

/**
 * Encodes a directory: one block of entries, or, when they do not fit, leaves sorted by hash under a tree of
 * one or two levels, which readers that know nothing of hashes take for a plain list.
 * (kernel, Documentation/filesystems/ext4/directory.rst)
 * @param seed checksum seed of the directory's inode
 * @param hashSeed s_hash_seed as four numbers
 * @param leastBlocks unused blocks are added up to this many; a directory with them has no tree
 * @returns null when there are too many entries for two levels (about 25 million)
 */
export function encodeDirectory(
  self: number,
  parent: number,
  entries: DirectoryEntry[],
  seed: number,
  hashSeed: readonly number[],
  leastBlocks = 1,
): EncodedDirectory | null {
  const dots = [
    { name: '.', inode: self, type: DIRECTORY_TYPE },
    { name: '..', inode: parent, type: DIRECTORY_TYPE },
  ]
  const all = [...dots, ...entries]
  if (blocksFor(all) === 1) {
    const bytes = Buffer.alloc(leastBlocks * BLOCK_SIZE)
    putBlocks(bytes, 0, all, seed)
    for (let block = BLOCK_SIZE; block < bytes.length; block += BLOCK_SIZE)
      closeBlock(bytes, block, block, seed)
    return { bytes, indexed: false }
  }

  const hashed = entries.map((entry) => ({ ...entry, ...halfMd4(entry.name, hashSeed) }))
  hashed.sort((a, b) => a.major - b.major || a.minor - b.minor || (a.name < b.name ? -1 : 1))
  const leaves = blocksFor(hashed)
  const nodes = leaves > ROOT_LIMIT ? Math.ceil(leaves / NODE_LIMIT) : 0
  if (nodes > ROOT_LIMIT) return null
  const bytes = Buffer.alloc((1 + nodes + leaves) * BLOCK_SIZE)
  const firsts = putBlocks(bytes, (1 + nodes) * BLOCK_SIZE, hashed, seed)
  const index = firsts.map((first, leaf) => {
    const hash = hashed[first]?.major ?? 0
    // The lowest bit says that names with this hash began in the leaf before.
    const continued = first > 0 && hashed[first - 1]?.major === hash ? 1 : 0
    return { hash: hash | continued, block: 1 + nodes + leaf }
  })

  putEntry(bytes, 0, { name: '.', inode: self, type: DIRECTORY_TYPE })
  putEntry(bytes, 12, { name: '..', inode: parent, type: DIRECTORY_TYPE })
  bytes.writeUInt16LE(BLOCK_SIZE - 12, 12 + 4)
  const info = { hash_version: HALF_MD4, info_length: DX_ROOT_INFO.size, indirect_levels: nodes > 0 ? 1 : 0 }
  DX_ROOT_INFO.encode(info, bytes, 0x18)
  if (nodes === 0) {
    putIndex(bytes, 0, ROOT_ENTRIES_AT, ROOT_LIMIT, index, seed)
  } else {
    const top = []
    for (let node = 0; node < nodes; node++) {
      const part = index.slice(node * NODE_LIMIT, (node + 1) * NODE_LIMIT)
      const block = (1 + node) * BLOCK_SIZE
      bytes.writeUInt16LE(BLOCK_SIZE, block + 4)
      putIndex(bytes, block, NODE_ENTRIES_AT, NODE_LIMIT, part, seed)
      top.push({ hash: part[0]?.hash ?? 0, block: 1 + node })
    }
    putIndex(bytes, 0, ROOT_ENTRIES_AT, ROOT_LIMIT, top, seed)
  }
  return { bytes, indexed: true }
}

/** Writes a list of index entries with its limit, count and checksum ("dx_countlimit", "dx_tail"). */
function putIndex(
  bytes: Buffer,
  block: number,
  entriesAt: number,
  limit: number,
  index: { hash: number; block: number }[],
  seed: number,
): void {
  const start = block + entriesAt
  index.forEach((entry, number) => {
    bytes.writeUInt32LE(entry.hash >>> 0, start + number * INDEX_ENTRY)
    bytes.writeUInt32LE(entry.block, start + number * INDEX_ENTRY + 4)
  })
  bytes.writeUInt16LE(limit, start)
  bytes.writeUInt16LE(index.length, start + 2)
  // "ext4_dx_csum": the block up to the last entry in use, then the tail with its checksum taken as zero.
  const covered = crc32c(seed, bytes, block, start + index.length * INDEX_ENTRY)
  const tail = start + limit * INDEX_ENTRY
  bytes.writeUInt32LE(crc32c(covered, bytes, tail, tail + INDEX_ENTRY), tail + 4)
}
