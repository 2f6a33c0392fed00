import { Buffer } from 'node:buffer'
import type { Ext4Writer } from '../../disk/ext4/writer'
import { extlinuxParts, loaderSectors, patchExtlinux } from '../../disk/extlinux'
import { encodeFat32, type FatFile } from '../../disk/fat32/encode'
import type { Outlet } from '../../disk/outlet'
import { refuse } from '../../disk/refusal'
import { bootEdits, type BootEntry } from '../boot-files'
import type { TreeEdits } from '../edits'
import { grubConfiguration } from './grub'
import { isFile, kernelsIn, type KernelPaths } from './kernels'
import { ESP, rootStart } from './partitions'

/** Boot-loader files; of the image or the host, never of the project. */
export interface BootLoaders {
  bios: {
    /** syslinux' mbr.bin, or gptmbr.bin for a GPT; at most 440 bytes */
    bootCode: Uint8Array
    /** the program extlinux, which has all the rest inside */
    extlinux: Uint8Array
  } | null
  uefi: {
    /** what goes on the EFI system partition, such as EFI/BOOT/BOOTX64.EFI */
    files: FatFile[]
    /** where the GRUB above looks for grub.cfg, such as EFI/debian/grub.cfg */
    configurationPaths: string[]
  } | null
}

export interface BootSettings {
  /** of the machine, by Go's name */
  architecture: string
  loaders: BootLoaders
  /** null: what the tree itself has, the distribution's links first */
  kernel: KernelPaths | null
  /** more words for the kernel's command line; may be empty */
  kernelArguments: string
  /** a second entry with the console on the first serial port */
  serialConsole: boolean
}

const SECTORS_PER_BLOCK = 8
/** BIOSes and boot code agree on this geometry for everything that is not a floppy. */
const HEADS = 255
const SECTORS_PER_TRACK = 63

/**
 * Makes the changes between image and machine in the tree, after all of the image is there. Directories in which
 * something may change get the disk's time: an engine gives them that of each export's container (it puts its own
 * hostname, hosts and resolv.conf there), and the same image would not give the same disk.
 */
export function applyEdits(writer: Ext4Writer, edits: TreeEdits): void {
  const changed = [...edits.removed, ...edits.added.map(({ path }) => path)].map((path) =>
    path.slice(0, Math.max(0, path.lastIndexOf('/'))),
  )
  for (const path of new Set(changed)) writer.touchDirectory(path)
  for (const path of edits.removed) writer.remove(path)
  for (const { path, mode } of edits.emptied) {
    const inode = writer.tree.lookup(path)
    if (inode !== null && writer.inodes.isSymlink(inode)) continue
    writer.empty(path)
    writer.directory(path, writer.defaults(mode))
  }
  for (const entry of edits.added) {
    const { user, group } = entry.owner ?? { user: 0, group: 0 }
    const attributes = { ...writer.defaults(entry.mode), uid: user, gid: group }
    if (entry.kind === 'directory') writer.directory(entry.path, attributes)
    else if (entry.kind === 'symlink') writer.symlink(entry.path, attributes, entry.target ?? '')
    else writer.wholeFile(entry.path, attributes, entry.content ?? new Uint8Array())
  }
}

/** The kernel to boot. Refuses when there is none, or no initial RAM disk. */
export function chooseKernel(writer: Ext4Writer, wanted: KernelPaths | null): KernelPaths {
  const chosen = wanted ?? kernelsIn(writer)[0]
  if (chosen === undefined) return refuse('kernel-missing', { image: '/boot' })
  if (!isFile(writer, chosen.kernelPath)) return refuse('kernel-missing', { image: chosen.kernelPath })
  if (!isFile(writer, chosen.initramfsPath))
    return refuse('initramfs-missing', { image: chosen.initramfsPath })
  return chosen
}

/**
 * Installs extlinux in /boot of the tree, with its configuration, and in the boot sector of the file system.
 * @param program the program extlinux
 * @param hasEsp whether an EFI system partition lies before the root
 * @param partitionSectors of the root
 */
export function installExtlinux(
  writer: Ext4Writer,
  program: Uint8Array,
  entry: BootEntry,
  hasEsp: boolean,
  partitionSectors: number,
): void {
  applyEdits(writer, bootEdits(entry))
  const parts = extlinuxParts(program)
  if (parts === null) return refuse('not-supported', { what: 'this build of extlinux' })
  const path = 'boot/ldlinux.sys'
  const needed = loaderSectors(parts)
  writer.wholeFile('boot/ldlinux.c32', writer.defaults(0o444), parts.module)
  writer.file(path, writer.defaults(0o444), needed * 512, null)
  const inode = writer.tree.lookup(path) ?? 0
  const sectors: number[] = []
  for (const run of writer.runsOf(inode)) {
    for (let i = 0; i < run.count * SECTORS_PER_BLOCK; i++) sectors.push(run.start * SECTORS_PER_BLOCK + i)
  }
  const patched = patchExtlinux(parts, sectors.slice(0, needed), '/boot', {
    hiddenSectors: rootStart(hasEsp),
    totalSectors: partitionSectors,
    heads: HEADS,
    sectorsPerTrack: SECTORS_PER_TRACK,
  })
  if (patched === null) throw new Error('extlinux: the sectors of ldlinux.sys do not fit its table')
  writer.data(patched.file, 0, patched.file.length)
  writer.endFile()
  // A boot loader that reads by sector number must not be moved.
  writer.inodes.immutable.add(inode)
  writer.bootSector = patched.bootSector
}

/** Writes the EFI system partition: the given files and the configuration of GRUB. */
export async function writeEsp(
  outlet: Outlet,
  uefi: NonNullable<BootLoaders['uefi']>,
  entry: BootEntry,
  volumeId: number,
  time: number,
): Promise<void> {
  const configuration = Buffer.from(grubConfiguration(entry), 'latin1')
  const files = [...uefi.files, ...uefi.configurationPaths.map((path) => ({ path, data: configuration }))]
  const settings = { sectors: ESP.count, hiddenSectors: ESP.start, volumeId, label: 'EFI', time }
  const { pieces, systemBytes } = encodeFat32(files, settings)
  const start = ESP.start * 512
  let position = 0
  for (const { offset, bytes } of pieces) {
    const gap = Math.min(offset, systemBytes) - position
    if (gap > 0) outlet.zero(start + position, gap)
    outlet.put(start + offset, bytes)
    const end = offset + bytes.length
    // Drives are written in whole sectors.
    position = Math.ceil(end / 512) * 512
    outlet.zero(start + end, position - end)
    await outlet.ready()
  }
}
