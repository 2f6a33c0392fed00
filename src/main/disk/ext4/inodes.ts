import { Buffer } from 'node:buffer'
import { crc32c, crc32cOfZeroes } from '../crc'
import type { Run } from './allocator'
import { Column, Texts } from './columns'
import {
  BLOCK_SIZE,
  EXTENT,
  EXTENT_BLOCKS,
  EXTENT_HEADER,
  EXTENT_MAGIC,
  INODE,
  INODE_FLAG_EXTENTS,
  INODE_FLAG_IMMUTABLE,
  INODE_FLAG_INDEX,
  INODE_SIZE,
  LOST_AND_FOUND_INODE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from './layout'
import { EXTENTS_IN_INODE } from './extents'

/** Seconds since 1970, which may be negative, and nanoseconds from 0 to 999,999,999 to be added. */
export interface Time {
  seconds: number
  nanoseconds: number
}

/** The longest target that is stored in the inode itself, a "fast" symlink. */
export const FAST_SYMLINK = 59
/** "EXT4_LINK_MAX"; a directory with more subdirectories has a link count of 1 (dir_nlink). */
export const MOST_LINKS = 65000

/** i_extra_isize: all fields after the first 128 bytes. */
const EXTRA_SIZE = 32
/** Seconds that 34 bits can say (inodes.rst, "Inode Timestamps"). */
const EARLIEST = -(2 ** 31)
const LATEST = 2 ** 34 - 2 ** 31 - 1

/** All inodes of a file system that is being made, until its tables are written. */
export class Inodes {
  /** i_mode with the type; 0 for an inode that is not in use */
  readonly mode = new Column(Uint16Array)
  readonly links = new Column(Uint32Array)
  readonly uid = new Column(Uint32Array)
  readonly gid = new Column(Uint32Array)
  /** bytes */
  readonly size = new Column(Float64Array)
  readonly seconds = new Column(Float64Array)
  readonly nanoseconds = new Column(Uint32Array)
  /** Blocks of the disk: data, nodes of the extent tree, attributes. */
  readonly blocks = new Column(Uint32Array)
  /** First block of data that lies in one run from the start of the file, or the number of a device. */
  readonly first = new Column(Uint32Array)
  /** The block of attributes that have no room in the inode; 0: there is none */
  readonly xattrBlock = new Column(Uint32Array)

  /** i_block of files that are not one run. */
  readonly roots = new Map<number, Uint8Array>()
  /** What files that are not one run give back when they are removed. */
  readonly runs = new Map<number, Run[]>()
  readonly immutable = new Set<number>()
  readonly indexed = new Set<number>()

  /** Times of access that differ from those of modification; of the nanoseconds one more, 0 where there is none. */
  private readonly accessedSeconds = new Column(Float64Array)
  private readonly accessedNanoseconds = new Column(Uint32Array)
  private readonly texts = new Texts()
  private readonly target = new Column(Uint32Array)
  /** Attributes in the inode: many files have the same. Their place in the list and one more. */
  private readonly inInodeXattrs = new Column(Uint32Array)
  private readonly xattrList: Buffer[] = []
  private readonly xattrPlaces = new Map<string, number>()

  /** The highest inode that was ever in use. */
  last = LOST_AND_FOUND_INODE
  private readonly spare: number[] = []
  private readonly number = new Uint8Array(8)
  /** Of the bytes that were encoded into last: one view for a whole table. */
  private viewed: Uint8Array = this.number
  private view: DataView = new DataView(this.number.buffer)

  /** @param seed of all checksums: crc32c of the UUID */
  constructor(private readonly seed: number) {}

  /** A number for a new inode. */
  allocate(): number {
    return this.spare.pop() ?? ++this.last
  }

  /** Gives an inode back and answers the runs of blocks that were its own. */
  release(inode: number): Run[] {
    const runs = this.runs.get(inode) ?? []
    if (!this.runs.has(inode) && this.hasData(inode)) {
      runs.push({ start: this.first.get(inode), count: Math.ceil(this.size.get(inode) / BLOCK_SIZE) })
    }
    const xattrs = this.xattrBlock.get(inode)
    if (xattrs !== 0) runs.push({ start: xattrs, count: 1 })
    this.mode.set(inode, 0)
    this.xattrBlock.set(inode, 0)
    this.setAccessed(inode, null)
    this.setXattrs(inode, null)
    for (const map of [this.roots, this.runs, this.immutable]) map.delete(inode)
    this.spare.push(inode)
    return runs
  }

  /** The target of a symlink, fast or slow. */
  targetOf(inode: number): string {
    return this.texts.get(this.target.get(inode))
  }

  setTarget(inode: number, target: string): void {
    this.target.set(inode, this.texts.add(target))
  }

  /** @param time null: the same as that of modification */
  setAccessed(inode: number, time: Time | null): void {
    this.accessedSeconds.set(inode, time === null ? 0 : time.seconds)
    this.accessedNanoseconds.set(inode, time === null ? 0 : time.nanoseconds + 1)
  }

  /** @param xattrs what follows the 160 bytes of the inode, or null */
  setXattrs(inode: number, xattrs: Buffer | null): void {
    if (xattrs === null) {
      this.inInodeXattrs.set(inode, 0)
      return
    }
    const key = xattrs.toString('latin1')
    const place = this.xattrPlaces.get(key) ?? this.xattrList.push(xattrs)
    this.xattrPlaces.set(key, place)
    this.inInodeXattrs.set(inode, place)
  }

  /** Seed of the checksums of what belongs to an inode (checksums.rst): with its number and generation 0. */
  seedOf(inode: number): number {
    this.number[0] = inode
    this.number[1] = inode >>> 8
    this.number[2] = inode >>> 16
    this.number[3] = inode >>> 24
    return crc32c(this.seed, this.number)
  }

  isDirectory(inode: number): boolean {
    return (this.mode.get(inode) & S_IFMT) === S_IFDIR
  }

  isSymlink(inode: number): boolean {
    return (this.mode.get(inode) & S_IFMT) === S_IFLNK
  }

  /** Whether an inode's content lies in blocks that extents point at. */
  private hasData(inode: number): boolean {
    const kind = this.mode.get(inode) & S_IFMT
    if (kind === S_IFLNK) return this.size.get(inode) > FAST_SYMLINK
    return kind === S_IFREG || kind === S_IFDIR
  }

  /**
   * Encodes one inode into 256 zeroed bytes at `start` of `bytes`, with its checksum.
   * @param created i_crtime and i_ctime: when the disk was made, in seconds
   */
  encode(inode: number, bytes: Uint8Array, start: number, created: number): void {
    const view = this.viewOf(bytes)
    const { at } = INODE
    const mode = this.mode.get(inode)
    const kind = mode & S_IFMT
    const size = this.size.get(inode)
    const links = this.links.get(inode)
    const sectors = this.blocks.get(inode) * (BLOCK_SIZE / 512)
    const fast = kind === S_IFLNK && size <= FAST_SYMLINK
    let flags = 0

    if (this.hasData(inode)) {
      flags |= INODE_FLAG_EXTENTS
      const root = this.roots.get(inode)
      if (root === undefined)
        putRun(view, start + at.i_block, this.first.get(inode), Math.ceil(size / BLOCK_SIZE))
      else bytes.set(root, start + at.i_block)
    } else if (fast) {
      const target = this.targetOf(inode)
      for (let i = 0; i < target.length; i++) bytes[start + at.i_block + i] = target.charCodeAt(i)
    } else if (kind === S_IFCHR || kind === S_IFBLK) {
      putDevice(view, start + at.i_block, this.first.get(inode))
    }
    if (this.immutable.has(inode)) flags |= INODE_FLAG_IMMUTABLE
    if (this.indexed.has(inode)) flags |= INODE_FLAG_INDEX

    const seconds = this.seconds.get(inode)
    const nanoseconds = this.nanoseconds.get(inode)
    putTime(view, start + at.i_mtime, start + at.i_mtime_extra, seconds, nanoseconds)
    const fraction = this.accessedNanoseconds.get(inode)
    if (fraction === 0) putTime(view, start + at.i_atime, start + at.i_atime_extra, seconds, nanoseconds)
    else {
      const accessed = this.accessedSeconds.get(inode)
      putTime(view, start + at.i_atime, start + at.i_atime_extra, accessed, fraction - 1)
    }
    putTime(view, start + at.i_ctime, start + at.i_ctime_extra, created, 0)
    putTime(view, start + at.i_crtime, start + at.i_crtime_extra, created, 0)
    view.setUint16(start + at.i_mode, mode, true)
    view.setUint16(start + at.i_uid, this.uid.get(inode) & 0xffff, true)
    view.setUint16(start + at.l_i_uid_high, this.uid.get(inode) >>> 16, true)
    view.setUint16(start + at.i_gid, this.gid.get(inode) & 0xffff, true)
    view.setUint16(start + at.l_i_gid_high, this.gid.get(inode) >>> 16, true)
    view.setUint32(start + at.i_size_lo, size % 2 ** 32, true)
    view.setUint32(start + at.i_size_high, Math.floor(size / 2 ** 32), true)
    view.setUint16(start + at.i_links_count, kind === S_IFDIR && links > MOST_LINKS ? 1 : links, true)
    view.setUint32(start + at.i_blocks_lo, sectors % 2 ** 32, true)
    view.setUint16(start + at.l_i_blocks_high, Math.floor(sectors / 2 ** 32), true)
    view.setUint32(start + at.i_flags, flags, true)
    view.setUint32(start + at.i_file_acl_lo, this.xattrBlock.get(inode), true)
    view.setUint16(start + at.i_extra_isize, EXTRA_SIZE, true)
    const xattrs = this.xattrList[this.inInodeXattrs.get(inode) - 1]
    const seed = this.seedOf(inode)
    let checksum: number
    if (xattrs === undefined) {
      const fields = crc32c(seed, bytes, start, start + INODE.size)
      checksum = crc32cOfZeroes(fields, INODE_SIZE - INODE.size)
    } else {
      bytes.set(xattrs, start + INODE.size)
      checksum = crc32c(seed, bytes, start, start + INODE_SIZE)
    }
    view.setUint16(start + at.l_i_checksum_lo, checksum & 0xffff, true)
    view.setUint16(start + at.i_checksum_hi, checksum >>> 16, true)
  }

  private viewOf(bytes: Uint8Array): DataView {
    if (this.viewed !== bytes) {
      this.viewed = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    return this.view
  }
}

/** i_block of a file in one run, of at most four extents: nearly all files are, so this one is written by hand. */
function putRun(view: DataView, at: number, first: number, count: number): void {
  const extents = Math.ceil(count / EXTENT_BLOCKS)
  view.setUint16(at + EXTENT_HEADER.at.eh_magic, EXTENT_MAGIC, true)
  view.setUint16(at + EXTENT_HEADER.at.eh_entries, extents, true)
  view.setUint16(at + EXTENT_HEADER.at.eh_max, EXTENTS_IN_INODE, true)
  for (let index = 0; index < extents; index++) {
    const entry = at + EXTENT_HEADER.size + index * EXTENT.size
    const done = index * EXTENT_BLOCKS
    view.setUint32(entry + EXTENT.at.ee_block, done, true)
    view.setUint16(entry + EXTENT.at.ee_len, Math.min(EXTENT_BLOCKS, count - done), true)
    view.setUint32(entry + EXTENT.at.ee_start_lo, first + done, true)
  }
}

/** The number of a device as the kernel keeps it in one word: "new_encode_dev" (include/linux/kdev_t.h). */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}

/** In the first word where 16 bits suffice, otherwise in the second (kernel, fs/ext4/inode.c). */
function putDevice(view: DataView, at: number, number: number): void {
  view.setUint32(at + (number < 0x10000 ? 0 : 4), number, true)
}

function putTime(view: DataView, at: number, extraAt: number, asked: number, nanosecondsAsked: number): void {
  const seconds = Math.min(Math.max(asked, EARLIEST), LATEST)
  const epoch = Math.floor((seconds - EARLIEST) / 2 ** 32)
  view.setInt32(at, seconds | 0, true)
  // The kernel cuts off the fraction at both ends of what can be said (timestamp_truncate).
  const nanoseconds = seconds === EARLIEST || seconds === LATEST ? 0 : nanosecondsAsked
  view.setUint32(extraAt, nanoseconds * 4 + epoch, true)
}
