import { crc32c, crc32cOfZeroes } from '../crc'
import { halfMd4 } from './half-md4'
import { BLOCK_SIZE, DX_ROOT_INFO } from './layout'

/** The entries of a directory, by their place in it; a list of objects would take ten times the memory. */
export interface DirectoryEntries {
  count: number
  /** the name's bytes, one to a character */
  name(index: number): string
  nameLength(index: number): number
  /** Writes the name's bytes at `at` of `target`. */
  putName(index: number, target: Uint8Array, at: number): void
  inode(index: number): number
  /** "ftype" of directory.rst */
  type(index: number): number
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

/** Nearly all directories are of one block: it is used again for each. */
const ONE_BLOCK = Buffer.alloc(BLOCK_SIZE)

export interface EncodedDirectory {
  /** whole blocks, which the next directory may overwrite */
  bytes: Buffer
  /** whether it has a hash tree, which the inode's INDEX flag must say */
  indexed: boolean
}

/** Bytes of an entry before its name. */
const ENTRY_HEAD = 8

/** Bytes of an entry: its head and the name, to a multiple of 4. */
export function entryLength(nameLength: number): number {
  return (ENTRY_HEAD + nameLength + 3) & ~3
}

/** Writes one entry but its name, and answers where the next begins. */
function putEntry(bytes: Buffer, at: number, nameLength: number, inode: number, type: number): number {
  const length = entryLength(nameLength)
  bytes.writeUInt32LE(inode, at)
  bytes.writeUInt16LE(length, at + 4)
  bytes[at + 6] = nameLength
  bytes[at + 7] = type
  return at + length
}

/**
 * Closes a block of entries: the last one reaches to the tail, which holds the checksum.
 * @param last where the last entry begins, or `block` when there is none
 * @param end where its name ends; all behind it is zero
 */
function closeBlock(bytes: Buffer, block: number, last: number, end: number, seed: number): void {
  bytes.writeUInt16LE(block + ROOM - last, last + 4)
  bytes.writeUInt16LE(TAIL, block + ROOM + 4)
  bytes[block + ROOM + 7] = TAIL_TYPE
  const checksum = crc32cOfZeroes(crc32c(seed, bytes, block, end), block + ROOM - end)
  bytes.writeUInt32LE(checksum, block + ROOM + 8)
}

/** Where entries go: the first place of each leaf, the last one's end at the end. */
function leavesOf(entries: DirectoryEntries, order: Uint32Array): number[] {
  const firsts = [0]
  let used = 0
  order.forEach((entry, place) => {
    const length = entryLength(entries.nameLength(entry))
    if (used + length > ROOM) {
      firsts.push(place)
      used = 0
    }
    used += length
  })
  firsts.push(order.length)
  return firsts
}

/** Writes the entries in places [from, to) of an order into a block of `bytes`, behind what it has already. */
function putEntries(
  bytes: Buffer,
  block: number,
  entries: DirectoryEntries,
  order: Uint32Array,
  from: number,
  to: number,
  before: { end: number; last: number },
  seed: number,
): void {
  let at = block + before.end
  let last = block + before.last
  for (let place = from; place < to; place++) {
    const entry = order[place] as number
    last = at
    entries.putName(entry, bytes, at + ENTRY_HEAD)
    at = putEntry(bytes, at, entries.nameLength(entry), entries.inode(entry), entries.type(entry))
  }
  closeBlock(bytes, block, last, at, seed)
}

/** Writes "." and "..", which every directory begins with. */
function putDots(bytes: Buffer, self: number, parent: number): { end: number; last: number } {
  const last = putEntry(bytes, 0, 1, self, DIRECTORY_TYPE)
  const end = putEntry(bytes, last, 2, parent, DIRECTORY_TYPE)
  bytes.fill('.', ENTRY_HEAD, ENTRY_HEAD + 1)
  bytes.fill('.', last + ENTRY_HEAD, last + ENTRY_HEAD + 2)
  return { end, last }
}

/** Bytes of "." and "..". */
const DOTS = 24

/** Blocks of the index between the root and so many leaves. */
function nodesFor(leaves: number): number {
  return leaves > ROOT_LIMIT ? Math.ceil(leaves / NODE_LIMIT) : 0
}

/**
 * Blocks of a directory. How full its leaves are depends on the hashes of the names: none has room for another name.
 * @param bytes of all entries without "." and ".."
 * @param largest of them, in bytes
 */
export function directoryBlocks(bytes: number, largest: number): number {
  if (bytes + DOTS <= ROOM) return 1
  const leaves = Math.ceil(bytes / (ROOM - largest + 4))
  return 1 + nodesFor(leaves) + leaves
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
  entries: DirectoryEntries,
  seed: number,
  hashSeed: readonly number[],
  leastBlocks = 1,
): EncodedDirectory | null {
  const order = new Uint32Array(entries.count)
  let length = DOTS
  for (let entry = 0; entry < order.length; entry++) {
    order[entry] = entry
    length += entryLength(entries.nameLength(entry))
  }
  if (length <= ROOM) {
    const bytes = leastBlocks === 1 ? ONE_BLOCK.fill(0) : Buffer.alloc(leastBlocks * BLOCK_SIZE)
    putEntries(bytes, 0, entries, order, 0, order.length, putDots(bytes, self, parent), seed)
    for (let block = BLOCK_SIZE; block < bytes.length; block += BLOCK_SIZE)
      closeBlock(bytes, block, block, block + ENTRY_HEAD, seed)
    return { bytes, indexed: false }
  }

  const major = new Uint32Array(entries.count)
  const minor = new Uint32Array(entries.count)
  for (let entry = 0; entry < entries.count; entry++) {
    const hash = halfMd4(entries.name(entry), hashSeed)
    major[entry] = hash.major
    minor[entry] = hash.minor
  }
  order.sort(
    (a, b) =>
      (major[a] as number) - (major[b] as number) ||
      (minor[a] as number) - (minor[b] as number) ||
      (entries.name(a) < entries.name(b) ? -1 : 1),
  )
  const firsts = leavesOf(entries, order)
  const leaves = firsts.length - 1
  const nodes = nodesFor(leaves)
  if (nodes > ROOT_LIMIT) return null
  const bytes = Buffer.alloc((1 + nodes + leaves) * BLOCK_SIZE)
  const index = []
  const hashAt = (place: number): number => major[order[place] as number] as number
  for (let leaf = 0; leaf < leaves; leaf++) {
    const first = firsts[leaf] as number
    const block = 1 + nodes + leaf
    const next = firsts[leaf + 1] as number
    putEntries(bytes, block * BLOCK_SIZE, entries, order, first, next, { end: 0, last: 0 }, seed)
    const hash = hashAt(first)
    // The lowest bit says that names with this hash began in the leaf before.
    index.push({ hash: hash | (first > 0 && hashAt(first - 1) === hash ? 1 : 0), block })
  }

  putDots(bytes, self, parent)
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
