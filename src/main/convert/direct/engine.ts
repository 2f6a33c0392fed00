// Types alone: the schemas of the failures would be loaded into the worker for nothing.
import type { Result } from '../../../shared/failure'
import { finishExt4, type Ext4Summary } from '../../disk/ext4/finish'
import { Ext4Writer } from '../../disk/ext4/writer'
import { uuidBytes } from '../../disk/guid'
import { Outlet, type Range, type Sink } from '../../disk/outlet'
import { Refusal, refusalOf, refuse } from '../../disk/refusal'
import type { BootEntry } from '../boot-files'
import type { TreeEdits } from '../edits'
import { TarReader } from '../tar/reader'
import { applyEdits, type BootSettings, chooseKernel, installExtlinux, writeEsp } from './boot'
import { fillFrom } from './fill'
import { type KernelPaths, kernelsIn } from './kernels'
import { Manifest } from './manifest'
import { GPT_TAIL_SECTORS } from '../../disk/gpt'
import {
  derivedUuid,
  diskSectors,
  encodeTable,
  type PartitionTable,
  rootSectors,
  rootStart,
} from './partitions'

/** What a disk is to be like. The same archive and settings give the same disk, bit by bit. */
export interface DiskSettings {
  /** `bytes`: of the whole disk; else as large as the content needs, with that share of it and so many bytes free in the root */
  size: { bytes: number } | { freeShare: number; freeBytes: number }
  table: PartitionTable
  /** of the root file system */
  uuid: string
  /** of the root file system, at most 16 bytes of UTF-8 */
  label: string
  /** u32, not 0 */
  diskSignature: number
  /** of all that the archive gives no time for, in seconds since 1970 */
  time: number
  /** changes between image and machine */
  edits: TreeEdits
  /** null: a disk with the archive's content alone */
  boot: BootSettings | null
  /** whether to take the SHA-256 of each file */
  manifest: boolean
}

/** What became of it. */
export interface DiskSummary {
  /** of the whole disk */
  bytes: number
  /** where the root file system begins, in bytes */
  rootOffset: number
  root: Ext4Summary
  /** what the boot loaders load; null on a disk that does not boot */
  kernel: KernelPaths | null
  /** all kernels with an initial RAM disk that the tree has */
  kernels: KernelPaths[]
  /** the parts of the disk that matter, ascending; all else may hold anything */
  blockMap: Range[]
  /** what was really written: zeroes are left out where the disk is known to be zero */
  bytesWritten: number
  /** extended attributes that ext4 has no place for, and how often they came */
  skippedXattrs: [name: string, count: number][]
  /** lines of `sha256sum`, sorted by path; null when not asked for */
  manifest: string | null
}

/** While the size of a disk is found by its content: room is kept for descriptors of 1 TiB. */
const MOST_BLOCKS = 2 ** 28
/** Bytes of the root at least, before anything is tried. */
const LEAST_ROOT = 1024 * 1024

/**
 * Turns a root file system's tar into a disk, in one pass.
 * @param source the archive, uncompressed; each chunk may be overwritten when the next is asked for
 * @param sink where the disk goes; nothing there looks like a disk before the end
 * @param progress told the bytes of the archive that were read
 * @param signal to give up
 * @returns `tar-invalid`, `size-too-small`, `kernel-missing`, `initramfs-missing` or `not-supported`
 * @throws the signal's reason when aborted, and what the source or the sink throw. Writes have ended by then.
 */
export async function writeDisk(
  source: AsyncIterable<Uint8Array>,
  sink: Sink,
  settings: DiskSettings,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<Result<DiskSummary>> {
  const outlet = new Outlet(sink)
  try {
    return { ok: true, value: await write(source, outlet, settings, progress, signal) }
  } catch (error) {
    await outlet.settle()
    if (error instanceof Refusal) return { ok: false, failure: refusalOf(error) }
    throw error
  }
}

async function write(
  source: AsyncIterable<Uint8Array>,
  outlet: Outlet,
  settings: DiskSettings,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<DiskSummary> {
  const { size, table, uuid, boot, time, diskSignature } = settings
  const loaders = boot?.loaders ?? { bios: null, uefi: null }
  const hasEsp = loaders.uefi !== null
  const rootOffset = rootStart(hasEsp) * 512
  const wanted = 'bytes' in size ? rootSectors(Math.floor(size.bytes / 512), table, hasEsp) : null
  if (wanted !== null && 'bytes' in size && wanted * 512 < LEAST_ROOT) {
    refuse('size-too-small', { sizeBytes: size.bytes, neededBytes: rootOffset + LEAST_ROOT })
  }
  const writer = new Ext4Writer(
    {
      offset: rootOffset,
      size:
        'freeBytes' in size
          ? {
              freeShare: size.freeShare,
              freeBlocks: Math.ceil(size.freeBytes / 4096),
              mostBlocks: MOST_BLOCKS,
            }
          : { blocks: Math.min(Math.floor((wanted ?? 0) / 8), 2 ** 32 - 1) },
      uuid: uuidBytes(uuid),
      label: settings.label,
      hashSeed: uuidBytes(derivedUuid(uuid, 'hash seed')),
      time,
    },
    outlet,
  )
  const manifest = settings.manifest ? new Manifest() : null
  writer.listener = manifest
  const reader = new TarReader(fillFrom(writer))
  for await (const chunk of source) {
    signal.throwIfAborted()
    if (manifest === null) reader.push(chunk)
    else await pushInPieces(reader, chunk, manifest, signal)
    progress(reader.bytesRead)
    const full = outlet.ready()
    if (full !== null) await full
  }
  signal.throwIfAborted()
  reader.finish()

  applyEdits(writer, settings.edits)
  const kernels = kernelsIn(writer)
  const kernel = boot === null ? null : chooseKernel(writer, boot.kernel)
  if (boot !== null && kernel !== null) {
    const { architecture, kernelArguments, serialConsole } = boot
    const entry: BootEntry = { rootUuid: uuid, architecture, ...kernel, kernelArguments, serialConsole }
    if (loaders.bios !== null) {
      // The boot code does not use the number of sectors; a size found by the content is not known yet.
      installExtlinux(writer, loaders.bios.extlinux, entry, hasEsp, wanted ?? 0)
    }
    if (loaders.uefi !== null) await writeEsp(outlet, loaders.uefi, entry, diskSignature, time)
  }
  const root = await finishExt4(writer, signal)
  signal.throwIfAborted()
  const sectors = wanted ?? root.bytes / 512
  const total = 'bytes' in size ? Math.floor(size.bytes / 512) : diskSectors(sectors, table, hasEsp)
  blankEnds(outlet, rootOffset, sectors * 512, total * 512 - (table === 'gpt' ? GPT_TAIL_SECTORS * 512 : 0))
  await writeTable(outlet, total, sectors, settings, loaders.bios?.bootCode ?? new Uint8Array(), hasEsp)
  return {
    bytes: total * 512,
    rootOffset,
    root,
    kernel,
    kernels,
    blockMap: outlet.blockMap(),
    bytesWritten: outlet.bytesWritten,
    skippedXattrs: [...writer.skippedXattrs],
    manifest: manifest === null ? null : manifest.text(writer),
  }
}

/** Bytes of the archive after which the manifest does what waits: so many small parts of sparse files may wait at most. */
const PIECE = 64 * 1024

async function pushInPieces(
  reader: TarReader,
  chunk: Uint8Array,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < chunk.length; at += PIECE) {
    reader.push(chunk.subarray(at, at + PIECE))
    await manifest.settle(signal)
  }
}

/** Bytes at both ends of a partition in which other file systems' signatures lie (libblkid's probes; ZFS labels: 512 KiB). */
const ENDS = 1024 * 1024

/**
 * Blanks what was not written at both ends of the root partition and at the end of the disk, where a used stick may
 * have what would be taken for another file system. Where the disk is known to be zero this only goes into the block map.
 * @param offset of the root partition, in bytes
 * @param bytes of the root partition
 * @param end of the disk without the copy of the table, in bytes
 */
function blankEnds(outlet: Outlet, offset: number, bytes: number, end: number): void {
  const rootEnd = offset + bytes
  outlet.zeroRest(offset, ENDS)
  outlet.zeroRest(rootEnd - ENDS, ENDS)
  const rest = Math.min(end - rootEnd, ENDS)
  if (rest > 0) outlet.zeroRest(end - rest, rest)
}

/** Writes the partition table when everything else is on the disk: without it there is none. */
async function writeTable(
  outlet: Outlet,
  total: number,
  root: number,
  settings: DiskSettings,
  bootCode: Uint8Array,
  hasEsp: boolean,
): Promise<void> {
  await outlet.finish()
  const { table, uuid, diskSignature } = settings
  const pieces = encodeTable(total, root, {
    ...{ table, uuid, diskSignature, bootCode, hasEsp },
    architecture: settings.boot?.architecture ?? null,
  })
  for (const { offset, bytes } of pieces) {
    outlet.put(offset, bytes)
    // What an earlier table of another kind left before the first partition would confuse firmware.
    if (offset === 0) outlet.zero(bytes.length, 1024 * 1024 - bytes.length)
  }
  await outlet.finish()
}
