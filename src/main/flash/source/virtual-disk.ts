import { constants } from 'node:fs'
import { mkdtemp, open, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { z } from 'zod'
import { fail, ok, type Result } from '../../../shared/failure'

/** Formats of virtual machines' disks, with qemu-img's names for them. */
const formats = [
  /** QEMU, docs/interop/qcow2.txt: "QFI" and 0xfb. */
  { name: 'qcow2', offset: 0, magic: Buffer.from('514649fb', 'hex') },
  /** VMware, "Virtual Disk Format 5.0", hosted sparse extent: a file of its own. */
  { name: 'vmdk', offset: 0, magic: Buffer.from('KDMV') },
  /** VirtualBox, VDICore.h: VDI_IMAGE_SIGNATURE behind 64 bytes of text. */
  { name: 'vdi', offset: 64, magic: Buffer.from('7f10dabe', 'hex') },
  /** MS-VHDX 2.2.1. */
  { name: 'vhdx', offset: 0, magic: Buffer.from('vhdxfile') },
] as const

/** A virtual machine's disk that takes no other file. */
export interface VirtualDisk {
  /** qemu-img's name of its format. */
  format: string
  /** Bytes that a machine sees. */
  sizeBytes: number
}

/** Fields of a QCOW2 header, big-endian, that lead to other files (docs/interop/qcow2.txt, "Header"). */
const QCOW2 = { version: 4, backingFileOffset: 8, incompatibleFeatures: 72, externalDataBit: 4n }

/** What `qemu-img info --output=json` says and is used. */
const information = z.object({
  'virtual-size': z.number().int().positive(),
  encrypted: z.boolean().optional(),
  'backing-filename': z.string().optional(),
})

/**
 * Looks whether a file is such a disk.
 * @param start its first 512 bytes
 * @param path absolute
 * @returns the disk, or null when it is none; `not-supported` for one that names another file, which qemu-img would
 *   open, or is encrypted; `tool-missing`, `disk-damaged`
 */
export async function inspectVirtualDisk(start: Buffer, path: string): Promise<Result<VirtualDisk | null>> {
  const format = formats.find(({ offset, magic }) =>
    start.subarray(offset, offset + magic.length).equals(magic),
  )
  if (format === undefined) return ok(null)
  const namesAnother = (): Result<never> => fail('not-supported', { what: 'a disk that needs another file' })
  // Before qemu-img sees it: an external data file is opened even to look at the image.
  if (format.name === 'qcow2' && leadsElsewhere(start)) return namesAnother()
  const args = ['info', '--output=json', '-f', format.name, '--', path]
  const told = await execa('qemu-img', args, { reject: false, env: { LC_ALL: 'C' } })
  if (told.code === 'ENOENT') return fail('tool-missing', { tool: 'qemu-img', package: 'qemu-utils' })
  if (told.exitCode !== 0) return fail('disk-damaged', { path, detail: told.stderr.trim() })
  const facts = information.parse(JSON.parse(told.stdout))
  if (facts['backing-filename'] !== undefined) return namesAnother()
  if (facts.encrypted === true) return fail('not-supported', { what: 'an encrypted disk' })
  return ok({ format: format.name, sizeBytes: facts['virtual-size'] })
}

function leadsElsewhere(header: Buffer): boolean {
  if (header.readBigUInt64BE(QCOW2.backingFileOffset) !== 0n) return true
  const features =
    header.readUInt32BE(QCOW2.version) >= 3 ? header.readBigUInt64BE(QCOW2.incompatibleFeatures) : 0n
  return (features & QCOW2.externalDataBit) !== 0n
}

/**
 * Unpacks a virtual machine's disk with qemu-img to a sparse file of its own.
 * @param image the open file, read by its name
 * @param path absolute
 * @param format as `inspectVirtualDisk` told it
 * @param signal kills qemu-img
 * @returns the open file of plain bytes, and what removes it; `disk-damaged`, `no-space`. Throws the signal's reason
 */
export async function unpackVirtualDisk(
  image: FileHandle,
  path: string,
  format: string,
  signal: AbortSignal,
): Promise<Result<{ disk: FileHandle; remove: () => Promise<void> }>> {
  const base = await roomyFolder()
  const { bavail, bsize } = await statfs(base)
  // Zeros become holes, so what the image takes is needed at least; one that is compressed inside needs more.
  const neededBytes = (await image.stat()).size
  if (bavail * bsize < neededBytes) {
    return fail('no-space', { path: base, neededBytes, freeBytes: bavail * bsize })
  }
  const folder = await mkdtemp(join(base, 'slipway-unpack-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const target = join(folder, 'disk.img')
  const args = ['convert', '-f', format, '-O', 'raw', '--', path, target]
  const ended = await execa('qemu-img', args, { reject: false, cancelSignal: signal, env: { LC_ALL: 'C' } })
  if (ended.exitCode === 0) return ok({ disk: await open(target, constants.O_RDONLY), remove })
  await remove()
  signal.throwIfAborted()
  return fail('disk-damaged', { path, detail: ended.stderr.trim() })
}

/** /var/tmp is for large files, /tmp often lies in memory (file-hierarchy(7)). */
async function roomyFolder(): Promise<string> {
  const found = await stat('/var/tmp').catch(() => null)
  return found?.isDirectory() === true ? '/var/tmp' : tmpdir()
}
