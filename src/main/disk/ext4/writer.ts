import { Buffer } from 'node:buffer'
import { crc32c } from '../crc'
import type { Outlet } from '../outlet'
import { refuse } from '../refusal'
import { Allocator, type Run } from './allocator'
import { encodeExtents, type Extent, EXTENTS_IN_INODE } from './extents'
import { densePlan, FileData, sparsePlan } from './file-data'
import { blocksForInodes, mostInodes } from './geometry'
import { deviceNumber, FAST_SYMLINK, Inodes, MOST_LINKS, type Time } from './inodes'
import {
  BLOCK_SIZE,
  BLOCKS_PER_GROUP,
  DESCRIPTORS_PER_BLOCK,
  EXTENT_BLOCKS,
  LOST_AND_FOUND_INODE,
  ROOT_INODE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  XATTR_HEADER,
} from './layout'
import { Tree } from './tree'
import { encodeXattrs, withAclMode, type Xattr } from './xattr'

/** What every kind of entry has. */
export interface Attributes {
  /** permission bits, 12 of them */
  mode: number
  uid: number
  gid: number
  modified: Time
  /** null: the same as `modified` */
  accessed: Time | null
  xattrs: Xattr[]
}

export interface Ext4Settings {
  /** where the file system begins on the disk, in bytes */
  offset: number
  /**
   * `blocks`: exactly so many of 4 KiB; else as many as the content needs, with that share of them and `freeBlocks` free, up
   * to `mostBlocks`
   */
  size: { blocks: number } | { freeShare: number; freeBlocks: number; mostBlocks: number }
  /** 16 bytes */
  uuid: Uint8Array
  /** at most 16 bytes of UTF-8 */
  label: string
  /** 16 bytes that the order of names in large directories depends on */
  hashSeed: Uint8Array
  /** when the disk was made, in seconds since 1970: for the superblock and for all that no entry gives a time */
  time: number
}

/** Told of each regular file's data as it is written; the arguments are those of the writer's own methods. */
export interface FileListener {
  file(inode: number, size: number, segments: number[] | null): void
  data(bytes: Uint8Array, start: number, end: number): void
  endFile(): void
}

const DEVICES = { character: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO, socket: S_IFSOCK } as const
export type DeviceKind = keyof typeof DEVICES

/** PATH_MAX: a longer target could not be read by the kernel. */
const LONGEST_TARGET = 4095
const LONGEST_NAME = 255
/** Blocks of a file at most: extents count them with 32 bits. */
const MOST_FILE_BLOCKS = 2 ** 32 - 1

/**
 * Makes an ext4 file system in one pass, as its entries come: data goes out at once, one file after the other;
 * directories and all tables follow in `finishExt4`. All methods run to their end at once; the caller waits for
 * the outlet between them.
 *
 * Every path is a string of bytes, one to a character. An entry that comes twice replaces the former, with all
 * below it; a directory that comes twice keeps what is in it and takes the later attributes.
 */
export class Ext4Writer {
  readonly inodes: Inodes
  readonly tree: Tree
  readonly allocator: Allocator
  /** crc32c of the UUID, which all checksums begin with */
  readonly seed: number
  /** Blocks kept for the group descriptors in each copy. */
  readonly descriptorBlocks: number
  /** Where the entry that is being added stands in its archive, in bytes; named by refusals. */
  origin = 0
  /** For the first 1,024 bytes, which ext4 leaves to boot loaders. */
  bootSector: Uint8Array = new Uint8Array()
  /** Attributes that ext4 has no place for, with the number of times they came. */
  readonly skippedXattrs = new Map<string, number>()

  /** Told of all files that are added from then on. */
  listener: FileListener | null = null

  private readonly fileData: FileData
  private readonly mostInodes: number

  constructor(
    readonly settings: Ext4Settings,
    readonly outlet: Outlet,
  ) {
    this.fileData = new FileData(outlet, settings.offset)
    const { size } = settings
    const most = 'blocks' in size ? size.blocks : size.mostBlocks
    this.mostInodes = mostInodes(most)
    this.seed = crc32c(0xffffffff, settings.uuid)
    this.descriptorBlocks = Math.ceil(Math.ceil(most / BLOCKS_PER_GROUP) / DESCRIPTORS_PER_BLOCK)
    this.inodes = new Inodes(this.seed)
    this.tree = new Tree(this.inodes)
    this.allocator = new Allocator(most, 1 + this.descriptorBlocks)
    const { inodes } = this
    this.initialise(ROOT_INODE, S_IFDIR, this.defaults(0o755))
    inodes.links.set(ROOT_INODE, 2)
    this.initialise(LOST_AND_FOUND_INODE, S_IFDIR, this.defaults(0o700))
    this.linkDirectory(ROOT_INODE, 'lost+found', LOST_AND_FOUND_INODE)
  }

  /** Attributes of what no archive brought: root's own, made with the disk. */
  defaults(mode: number): Attributes {
    const modified = { seconds: this.settings.time, nanoseconds: 0 }
    return { mode, uid: 0, gid: 0, modified, accessed: null, xattrs: [] }
  }

  /** Adds a directory, or gives one that is there new attributes. */
  directory(path: string, attributes: Attributes): void {
    const { parent, name } = this.place(path)
    const former = name === '' ? ROOT_INODE : this.tree.names.find(parent, name)
    if (this.inodes.isDirectory(former)) {
      this.dropXattrs(former)
      this.initialise(former, S_IFDIR, attributes)
      return
    }
    const inode = this.replace(parent, name)
    this.linkDirectory(parent, name, inode)
    this.initialise(inode, S_IFDIR, attributes)
  }

  /**
   * Adds a regular file, whose data has to follow through `data`, and `endFile` after that.
   * @param size in bytes, holes included
   * @param segments offset and length, in bytes, of each part that is no hole, ascending; null: there is no hole
   */
  file(path: string, attributes: Attributes, size: number, segments: number[] | null): void {
    if (size > MOST_FILE_BLOCKS * BLOCK_SIZE) this.refuseEntry('a file larger than 16 TiB')
    const { parent, name } = this.place(path)
    const inode = this.replace(parent, name)
    this.enter(parent, name, inode)
    this.initialise(inode, S_IFREG, attributes)
    this.inodes.size.set(inode, size)
    const plan = segments === null ? densePlan(size) : sparsePlan(segments)
    const runs = this.allocator.take(plan.blocks)
    this.setBlocks(inode, plan.parts, runs)
    this.fileData.begin(plan, runs)
    this.listener?.file(inode, size, segments)
  }

  /** Takes bytes [start, end) of the file that was added last: all its data in order, holes left out. */
  data(bytes: Uint8Array, start: number, end: number): void {
    this.fileData.take(bytes, start, end)
    this.listener?.data(bytes, start, end)
  }

  /** Ends the file: fills its last block. */
  endFile(): void {
    this.fileData.end()
    this.listener?.endFile()
  }

  /** Adds a whole file. */
  wholeFile(path: string, attributes: Attributes, bytes: Uint8Array): number {
    this.file(path, attributes, bytes.length, null)
    this.data(bytes, 0, bytes.length)
    this.endFile()
    return this.existing(path)
  }

  symlink(path: string, attributes: Attributes, target: string): void {
    if (target === '' || target.length > LONGEST_TARGET)
      this.refuseEntry('a symbolic link without a fit target')
    const { parent, name } = this.place(path)
    const inode = this.replace(parent, name)
    this.enter(parent, name, inode)
    this.initialise(inode, S_IFLNK, { ...attributes, mode: 0o777 })
    this.inodes.size.set(inode, target.length)
    const bytes = Buffer.from(target, 'latin1')
    this.inodes.setTarget(inode, target)
    if (target.length <= FAST_SYMLINK) return
    const block = this.allocator.takeRun(1)
    this.setBlocks(inode, [{ logical: 0, start: 0, count: 1 }], [{ start: block, count: 1 }])
    this.putBlock(block, bytes)
    this.zeroRest(block, bytes.length)
  }

  /** Adds a further name of what `target` names. */
  link(path: string, target: string): void {
    const inode = this.tree.lookup(target)
    if (inode === null) this.refuseEntry('a hard link to what has not come before')
    if (this.inodes.isDirectory(inode)) this.refuseEntry('a hard link to a directory')
    const { parent, name } = this.place(path)
    if (this.tree.names.find(parent, name) === inode) return
    if (this.inodes.links.get(inode) >= MOST_LINKS) this.refuseEntry('more than 65,000 hard links')
    this.inodes.links.set(inode, this.inodes.links.get(inode) + 1)
    this.removeAt(parent, name)
    this.tree.names.enter(parent, name, inode)
  }

  /** Adds a device, fifo or socket; the numbers matter to devices alone. */
  device(path: string, attributes: Attributes, kind: DeviceKind, major: number, minor: number): void {
    if (major > 0xfff || minor > 0xfffff) this.refuseEntry('a device number that Linux does not have')
    const { parent, name } = this.place(path)
    const inode = this.replace(parent, name)
    this.enter(parent, name, inode)
    this.initialise(inode, DEVICES[kind], attributes)
    const isDevice = kind === 'character' || kind === 'block'
    this.inodes.first.set(inode, isDevice ? deviceNumber(major, minor) : 0)
  }

  /** Removes a path and all below it, if it is there. A parent that is a symlink is not followed. */
  remove(path: string): void {
    const slash = path.lastIndexOf('/')
    const parent = this.tree.lookup(slash < 0 ? '' : path.slice(0, slash))
    if (parent !== null && this.inodes.isDirectory(parent)) this.removeAt(parent, path.slice(slash + 1))
  }

  /** Gives a directory the disk's time; does nothing to anything else. */
  touchDirectory(path: string): void {
    const directory = this.tree.lookup(path)
    if (directory === null || !this.inodes.isDirectory(directory)) return
    this.inodes.seconds.set(directory, this.settings.time)
    this.inodes.nanoseconds.set(directory, 0)
    this.inodes.setAccessed(directory, null)
  }

  /** Removes all that is in a directory; does nothing to anything else. */
  empty(path: string): void {
    const directory = this.tree.lookup(path)
    if (directory === null || !this.inodes.isDirectory(directory)) return
    for (const name of this.tree.namesIn(directory)) this.removeAt(directory, name)
  }

  /** Runs of the disk's blocks that a file was given; for boot loaders that read by block number. */
  runsOf(inode: number): Run[] {
    return (
      this.inodes.runs.get(inode) ?? [
        { start: this.inodes.first.get(inode), count: Math.ceil(this.inodes.size.get(inode) / BLOCK_SIZE) },
      ]
    )
  }

  /** Gives an inode its data blocks: the file's parts in their order, and runs of the disk as many. */
  setBlocks(inode: number, parts: Extent[], runs: Run[]): void {
    const { inodes } = this
    const count = runs.reduce((sum, run) => sum + run.count, 0)
    inodes.blocks.set(inode, inodes.blocks.get(inode) + count)
    const extents = joined(parts, runs)
    const [only] = extents
    const size = inodes.size.get(inode)
    const dense = count === Math.ceil(size / BLOCK_SIZE)
    if (only === undefined && dense) return
    if (only !== undefined && extents.length === 1 && dense && count <= EXTENTS_IN_INODE * EXTENT_BLOCKS) {
      inodes.first.set(inode, only.start)
      return
    }
    const own = [...runs]
    const { root, blocks } = encodeExtents(extents, inodes.seedOf(inode), () => {
      const block = this.allocator.takeRun(1)
      own.push({ start: block, count: 1 })
      return block
    })
    inodes.roots.set(inode, root)
    inodes.runs.set(inode, own)
    inodes.blocks.set(inode, inodes.blocks.get(inode) + blocks.length)
    for (const { block, bytes } of blocks) this.putBlock(block, bytes)
  }

  /** Writes bytes to the beginning of a block. */
  putBlock(block: number, bytes: Uint8Array): void {
    this.outlet.put(this.settings.offset + block * BLOCK_SIZE, bytes)
  }

  /** The inode of a path that was just added. */
  private existing(path: string): number {
    const inode = this.tree.lookup(path)
    if (inode === null) throw new Error(`ext4: ${path} is not there`)
    return inode
  }

  private zeroRest(block: number, used: number): void {
    this.outlet.zero(this.settings.offset + block * BLOCK_SIZE + used, BLOCK_SIZE - used)
  }

  /** Leaves because of the entry that is being added. */
  private refuseEntry(reason: string): never {
    return refuse('tar-invalid', { offset: this.origin, reason })
  }

  /** Where a path's last name goes; parents that are missing are made. */
  private place(path: string): { parent: number; name: string } {
    const place = this.tree.locate(path, (parent, name) => {
      if (name.length > LONGEST_NAME) this.refuseEntry('a name of more than 255 bytes')
      const inode = this.newInode()
      this.initialise(inode, S_IFDIR, this.defaults(0o755))
      this.linkDirectory(parent, name, inode)
      return inode
    })
    if (place === null) this.refuseEntry('a path that goes through something other than a directory')
    if (place.name.length > LONGEST_NAME) this.refuseEntry('a name of more than 255 bytes')
    return place
  }

  /** Removes what a name stood for and answers an inode for what comes there. */
  private replace(parent: number, name: string): number {
    if (name === '') this.refuseEntry('a root that is not a directory')
    this.removeAt(parent, name)
    return this.newInode()
  }

  /** A number for a new inode. Refuses when the groups of the disk have no room for one more. */
  private newInode(): number {
    const inode = this.inodes.allocate()
    if (inode > this.mostInodes) {
      const { size } = this.settings
      const blocks = 'blocks' in size ? size.blocks : size.mostBlocks
      const neededBytes = blocksForInodes(inode) * BLOCK_SIZE
      refuse('size-too-small', { sizeBytes: blocks * BLOCK_SIZE, neededBytes })
    }
    return inode
  }

  private enter(parent: number, name: string, inode: number): void {
    this.tree.names.enter(parent, name, inode)
    this.inodes.links.set(inode, 1)
  }

  private linkDirectory(parent: number, name: string, inode: number): void {
    this.inodes.links.set(inode, 2)
    this.inodes.links.set(parent, this.inodes.links.get(parent) + 1)
    this.tree.enterDirectory(parent, name, inode)
  }

  /** Removes a name and all below it, if it is there. No recursion: a hostile path has millions of parts. */
  private removeAt(parent: number, name: string): void {
    const { names } = this.tree
    const waiting = [{ parent, name, isEmpty: false }]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const inode = names.find(next.parent, next.name)
      if (inode === 0) continue
      // e2fsck wants it, and knows it by its number no less than by its name: it is never given away.
      if (inode === LOST_AND_FOUND_INODE) this.refuseEntry('a lost+found that is no directory')
      const isDirectory = this.inodes.isDirectory(inode)
      if (isDirectory && !next.isEmpty) {
        waiting.push({ ...next, isEmpty: true })
        for (const child of this.tree.namesIn(inode))
          waiting.push({ parent: inode, name: child, isEmpty: false })
        continue
      }
      this.tree.leave(next.parent, next.name)
      if (isDirectory) this.inodes.links.set(next.parent, this.inodes.links.get(next.parent) - 1)
      const links = this.inodes.links.get(inode) - 1
      this.inodes.links.set(inode, links)
      if (isDirectory || links === 0) this.release(inode)
    }
  }

  private release(inode: number): void {
    for (const run of this.inodes.release(inode)) this.allocator.free(run)
  }

  private dropXattrs(inode: number): void {
    const { inodes } = this
    const block = inodes.xattrBlock.get(inode)
    if (block !== 0) {
      this.allocator.free({ start: block, count: 1 })
      inodes.blocks.set(inode, inodes.blocks.get(inode) - 1)
    }
    inodes.xattrBlock.set(inode, 0)
    inodes.setXattrs(inode, null)
    inodes.setAccessed(inode, null)
  }

  private initialise(inode: number, type: number, attributes: Attributes): void {
    const { inodes } = this
    const { uid, gid, modified, accessed } = attributes
    const { mode, attributes: xattrs } =
      attributes.xattrs.length === 0
        ? { mode: attributes.mode, attributes: attributes.xattrs }
        : withAclMode(attributes.mode, attributes.xattrs)
    const known = inodes.mode.get(inode) !== 0
    inodes.mode.set(inode, type | (mode & 0o7777))
    inodes.uid.set(inode, uid)
    inodes.gid.set(inode, gid)
    inodes.seconds.set(inode, modified.seconds)
    inodes.nanoseconds.set(inode, modified.nanoseconds)
    if (!known) {
      inodes.size.set(inode, 0)
      inodes.blocks.set(inode, 0)
      inodes.first.set(inode, 0)
    }
    if (accessed !== null) inodes.setAccessed(inode, accessed)
    if (xattrs.length > 0) this.setXattrs(inode, xattrs)
  }

  private setXattrs(inode: number, xattrs: Xattr[]): void {
    const encoded = encodeXattrs(xattrs)
    if (encoded === null) this.refuseEntry('extended attributes larger than a block')
    const { inInode, block, skipped } = encoded
    for (const name of skipped) this.skippedXattrs.set(name, (this.skippedXattrs.get(name) ?? 0) + 1)
    if (inInode !== null) this.inodes.setXattrs(inode, inInode)
    if (block === null) return
    const position = this.allocator.takeRun(1)
    const number = Buffer.alloc(8)
    number.writeBigUInt64LE(BigInt(position))
    block.writeUInt32LE(crc32c(crc32c(this.seed, number), block), XATTR_HEADER.at.h_checksum)
    this.inodes.xattrBlock.set(inode, position)
    this.inodes.blocks.set(inode, this.inodes.blocks.get(inode) + 1)
    this.putBlock(position, block)
  }
}

/** Lays a file's parts over runs of the disk that have as many blocks together. */
function joined(parts: Extent[], runs: Run[]): Extent[] {
  const extents: Extent[] = []
  let index = 0
  let used = 0
  for (const part of parts) {
    let done = 0
    while (done < part.count) {
      const run = runs[index] as Run
      const count = Math.min(part.count - done, run.count - used)
      extents.push({ logical: part.logical + done, start: run.start + used, count })
      done += count
      used += count
      if (used === run.count) {
        index++
        used = 0
      }
    }
  }
  return extents
}
