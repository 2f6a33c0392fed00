import { Buffer } from 'node:buffer'
import { setImmediate } from 'node:timers/promises'
import { crc32c } from '../crc'
import { refuse } from '../refusal'
import { hasBackup } from './allocator'
import { type DirectoryEntries, encodeDirectory } from './directory'
import { fittedGeometry, fixedGeometry, type Geometry, journalBlocks } from './geometry'
import {
  BLOCK_SIZE,
  BLOCKS_PER_GROUP,
  DESCRIPTOR_SIZE,
  FEATURE_COMPAT,
  FEATURE_COMPAT_HAS_JOURNAL,
  FEATURE_INCOMPAT,
  FEATURE_RO_COMPAT,
  INODE_SIZE,
  JOURNAL_INODE,
  JOURNAL_SUPERBLOCK,
  LOG_GROUPS_PER_FLEX,
  LOST_AND_FOUND_INODE,
  ROOT_INODE,
  S_IFREG,
  SUPERBLOCK,
} from './layout'
import { writeTables } from './tables'
import type { Ext4Writer } from './writer'

/** What a finished file system is like. */
export interface Ext4Summary {
  /** bytes of the whole file system */
  bytes: number
  freeBytes: number
  inodes: number
  freeInodes: number
}

/** "ftype" of directory.rst, by the upper four bits of i_mode */
const FILE_TYPES: Record<number, number> = { 0x8: 1, 0x4: 2, 0x2: 3, 0x6: 4, 0x1: 5, 0xc: 6, 0xa: 7 }
/** mke2fs gives lost+found 16 KiB, so that e2fsck needs no block when it puts something there. */
const LOST_AND_FOUND_BLOCKS = 4
/** Reserved for root: a twentieth, but 1 GiB at most. */
const MOST_RESERVED = 262144
/** Blocks of a large directory or of the journal that are handed over at a time. */
const PIECE = 256
const JOURNAL_MAGIC = 0xc03b3998
/** user_xattr and acl, as mke2fs sets them */
const DEFAULT_MOUNT_OPTIONS = 0x4 | 0x8
const REMOUNT_READ_ONLY = 2
const NEVER = 0xffff
/** The superblock's times are 32 bits without a sign. */
const LATEST_STAMP = 2 ** 32 - 1

function entriesOf({ tree, inodes }: Ext4Writer, directory: number): DirectoryEntries {
  const { names } = tree
  const entries = Uint32Array.from(names.entriesOf(directory))
  const entry = (index: number): number => entries[index] as number
  const inode = (index: number): number => names.inodeOf(entry(index))
  return {
    count: entries.length,
    name: (index) => names.textOf(entry(index)),
    nameLength: (index) => names.lengthOf(entry(index)),
    putName: (index, target, at) => names.putText(entry(index), target, at),
    inode,
    type: (index) => FILE_TYPES[inodes.mode.get(inode(index)) >> 12] ?? 0,
  }
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return [0, 4, 8, 12].map((at) => view.getUint32(at, true))
}

/** Waits a moment where that is due, and throws when there is nobody to go on for. */
export type Pause = () => Promise<void>

/** Milliseconds between two moments in which this thread hears what others have to say. */
const BREATH = 20

function pauseFor(signal: AbortSignal): Pause {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < BREATH) return
    // Promises alone would never let a message in.
    await setImmediate()
    signal.throwIfAborted()
    last = performance.now()
  }
}

/** Writes all directories, in the order of their inodes. */
async function writeDirectories(writer: Ext4Writer, pause: Pause): Promise<void> {
  const { tree, inodes, allocator, settings, outlet } = writer
  const hashSeed = wordsOf(settings.hashSeed)
  for (let inode = ROOT_INODE; inode <= inodes.last; inode++) {
    if (!inodes.isDirectory(inode)) continue
    const encoded = encodeDirectory(
      inode,
      tree.parentOf(inode),
      entriesOf(writer, inode),
      inodes.seedOf(inode),
      hashSeed,
      inode === LOST_AND_FOUND_INODE ? LOST_AND_FOUND_BLOCKS : 1,
    )
    if (encoded === null) refuse('not-supported', { what: 'a directory of more than 25 million entries' })
    const { bytes, indexed } = encoded
    const count = bytes.length / BLOCK_SIZE
    if (indexed) inodes.indexed.add(inode)
    inodes.size.set(inode, bytes.length)
    const runs = allocator.take(count)
    let from = 0
    for (const run of runs) {
      const end = from + run.count * BLOCK_SIZE
      for (let block = run.start; from < end; block += PIECE) {
        const next = Math.min(end, from + PIECE * BLOCK_SIZE)
        writer.putBlock(block, bytes.subarray(from, next))
        await outlet.ready()
        from = next
      }
    }
    writer.setBlocks(inode, [{ logical: 0, start: 0, count }], runs)
    await pause()
  }
}

/** Makes the journal, an empty one: its superblock and zeroes. */
async function writeJournal(writer: Ext4Writer, blocks: number, pause: Pause): Promise<void> {
  const { inodes, allocator, outlet, settings } = writer
  const runs = allocator.take(blocks)
  inodes.mode.set(JOURNAL_INODE, S_IFREG | 0o600)
  inodes.links.set(JOURNAL_INODE, 1)
  inodes.size.set(JOURNAL_INODE, blocks * BLOCK_SIZE)
  inodes.seconds.set(JOURNAL_INODE, settings.time)
  writer.setBlocks(JOURNAL_INODE, [{ logical: 0, start: 0, count: blocks }], runs)
  for (const [index, run] of runs.entries()) {
    const skip = index === 0 ? 1 : 0
    if (index === 0) {
      const first = JOURNAL_SUPERBLOCK.encode(
        {
          h_magic: JOURNAL_MAGIC,
          h_blocktype: 4,
          s_blocksize: BLOCK_SIZE,
          s_maxlen: blocks,
          s_first: 1,
          s_sequence: 1,
          s_nr_users: 1,
        },
        new Uint8Array(BLOCK_SIZE),
      )
      writer.putBlock(run.start, first)
    }
    for (let from = skip; from < run.count; from += PIECE) {
      const count = Math.min(PIECE, run.count - from)
      outlet.zero(settings.offset + (run.start + from) * BLOCK_SIZE, count * BLOCK_SIZE)
      await outlet.ready()
      await pause()
    }
  }
}

/** i_block, i_size_high and i_size of the journal's inode, from which e2fsck can mend it. */
function journalBackup(writer: Ext4Writer): Buffer {
  const inode = Buffer.alloc(INODE_SIZE)
  writer.inodes.encode(JOURNAL_INODE, inode, 0, writer.settings.time)
  const backup = Buffer.alloc(68)
  inode.copy(backup, 0, 0x28, 0x64)
  inode.copy(backup, 60, 0x6c, 0x70)
  inode.copy(backup, 64, 0x4, 0x8)
  return backup
}

/** The superblock of one group's copy, 1,024 bytes. */
function superblock(
  writer: Ext4Writer,
  geometry: Geometry,
  counts: { freeBlocks: number; freeInodes: number },
  hasJournal: boolean,
  group: number,
): Uint8Array {
  const { settings } = writer
  const { time } = settings
  const stamp = Math.min(Math.max(time, 0), LATEST_STAMP)
  const bytes = SUPERBLOCK.encode({
    s_inodes_count: geometry.inodesPerGroup * geometry.groups,
    s_blocks_count_lo: geometry.blocks,
    s_r_blocks_count_lo: Math.min(Math.floor(geometry.blocks / 20), MOST_RESERVED),
    s_free_blocks_count_lo: counts.freeBlocks,
    s_free_inodes_count: counts.freeInodes,
    s_log_block_size: 2,
    s_log_cluster_size: 2,
    s_blocks_per_group: BLOCKS_PER_GROUP,
    s_clusters_per_group: BLOCKS_PER_GROUP,
    s_inodes_per_group: geometry.inodesPerGroup,
    s_wtime: stamp,
    s_max_mnt_count: NEVER,
    s_magic: 0xef53,
    s_state: 1,
    s_errors: REMOUNT_READ_ONLY,
    s_lastcheck: stamp,
    s_rev_level: 1,
    s_first_ino: LOST_AND_FOUND_INODE,
    s_inode_size: INODE_SIZE,
    // 16 bits, cut off as ext2fs_super_and_bgd does it: beyond 8 TiB there are groups with larger numbers.
    s_block_group_nr: group & 0xffff,
    s_feature_compat: FEATURE_COMPAT & (hasJournal ? ~0 : ~FEATURE_COMPAT_HAS_JOURNAL),
    s_feature_incompat: FEATURE_INCOMPAT,
    s_feature_ro_compat: FEATURE_RO_COMPAT,
    s_uuid: settings.uuid,
    s_volume_name: Buffer.from(settings.label, 'utf8'),
    s_journal_inum: hasJournal ? JOURNAL_INODE : 0,
    s_hash_seed: settings.hashSeed,
    s_def_hash_version: 1,
    s_jnl_backup_type: hasJournal ? 1 : 0,
    s_desc_size: DESCRIPTOR_SIZE,
    s_default_mount_opts: DEFAULT_MOUNT_OPTIONS,
    s_mkfs_time: stamp,
    s_jnl_blocks: hasJournal ? journalBackup(writer) : new Uint8Array(),
    s_min_extra_isize: 32,
    s_want_extra_isize: 32,
    s_flags: 1,
    s_log_groups_per_flex: LOG_GROUPS_PER_FLEX,
    s_checksum_type: 1,
  })
  return SUPERBLOCK.encode({ s_checksum: crc32c(0xffffffff, bytes, 0, SUPERBLOCK.at.s_checksum) }, bytes)
}

/**
 * Writes everything but file data: directories, journal, tables, and last the superblocks, without which there
 * is no file system. The caller has still to finish the outlet. Refuses when the disk is too small.
 * @param signal to give up
 * @throws the signal's reason when aborted
 */
export async function finishExt4(
  writer: Ext4Writer,
  signal: AbortSignal = new AbortController().signal,
): Promise<Ext4Summary> {
  const pause = pauseFor(signal)
  await writeDirectories(writer, pause)
  const { allocator, inodes, settings } = writer
  const { size } = settings
  const geometry =
    'blocks' in size
      ? fixedGeometry(size.blocks, inodes.last)
      : fittedGeometry(
          allocator.usedCount,
          allocator.end,
          Math.ceil(allocator.usedCount * size.freeShare) + size.freeBlocks,
          inodes.last,
        )
  if (inodes.last > geometry.groups * geometry.inodesPerGroup) throw new Error('ext4: inodes without a place')
  const journal = journalBlocks(geometry.blocks)
  if (journal > 0) await writeJournal(writer, journal, pause)
  const { descriptors, ...counts } = await writeTables(writer, geometry, pause)

  for (let group = geometry.groups - 1; group > 0; group--) {
    if (!hasBackup(group)) continue
    const copy = Buffer.alloc(BLOCK_SIZE + descriptors.length)
    copy.set(superblock(writer, geometry, counts, journal > 0, group))
    copy.set(descriptors, BLOCK_SIZE)
    writer.putBlock(group * BLOCKS_PER_GROUP, copy)
    await writer.outlet.ready()
  }
  const front = Buffer.alloc(BLOCK_SIZE + descriptors.length)
  front.set(writer.bootSector)
  front.set(superblock(writer, geometry, counts, journal > 0, 0), 1024)
  front.set(descriptors, BLOCK_SIZE)
  writer.putBlock(0, front)
  return {
    bytes: geometry.blocks * BLOCK_SIZE,
    freeBytes: counts.freeBlocks * BLOCK_SIZE,
    inodes: geometry.inodesPerGroup * geometry.groups,
    freeInodes: counts.freeInodes,
  }
}
