import { constants } from 'node:fs'
import { mkdtemp, open, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { z } from 'zod'
import { fail, ok, type Result } from '../../../shared/failure'
import { handOver } from './hand-over'

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

/**
 * Capacity in sectors of a sparse extent, little-endian ("Virtual Disk Format 5.0", SparseExtentHeader). With zero the
 * file is no extent: QEMU then follows the descriptor in it, whose extents may be any file or address (block/vmdk.c,
 * vmdk_open_vmdk4).
 */
const VMDK_CAPACITY = 12
/** First words of a descriptor that is a file of its own; its extents are others. */
const VMDK_DESCRIPTOR = Buffer.from('# Disk DescriptorFile')

/** What `qemu-img info --output=json` says and is used. */
const information = z.looseObject({
  'virtual-size': z.number().int().positive(),
  encrypted: z.boolean().optional(),
})
/** What `qemu-img measure --output=json` says and is used. */
const measurement = z.object({ required: z.number().int().nonnegative() })

const namesAnother = (): Result<never> => fail('not-supported', { what: 'a disk that needs another file' })

/**
 * Looks whether a file is such a disk.
 * @param start its first 512 bytes
 * @param file open for reading
 * @param path absolute
 * @returns the disk, or null when it is none; `not-supported` for one that names another file, which qemu-img would
 *   open, or is encrypted; `tool-missing`, `disk-damaged`
 */
export async function inspectVirtualDisk(
  start: Buffer,
  file: FileHandle,
  path: string,
): Promise<Result<VirtualDisk | null>> {
  if (start.subarray(0, VMDK_DESCRIPTOR.length).equals(VMDK_DESCRIPTOR)) return namesAnother()
  const format = formats.find(({ offset, magic }) =>
    start.subarray(offset, offset + magic.length).equals(magic),
  )
  if (format === undefined) return ok(null)
  // Before qemu-img sees it: other files are opened even to look at the image.
  if (leadsElsewhere(format.name, start)) return namesAnother()
  const { name, stdio } = handOver(file, path)
  const args = ['info', '--output=json', '--', imageOf(format.name, name, {})]
  const told = await execa('qemu-img', args, { stdio, reject: false, env: { LC_ALL: 'C' } })
  if (told.code === 'ENOENT') return fail('tool-missing', { tool: 'qemu-img', package: 'qemu-utils' })
  if (told.exitCode !== 0) return damaged(path, name, told.stderr)
  const facts = information.parse(JSON.parse(told.stdout))
  if (namesOtherFiles(facts, name)) return namesAnother()
  if (facts.encrypted === true) return fail('not-supported', { what: 'an encrypted disk' })
  return ok({ format: format.name, sizeBytes: facts['virtual-size'] })
}

/** An image as qemu-img takes it when nothing of it is to be guessed: driver and file by name (qemu(1), "json:"). */
function imageOf(format: string, filename: string, options: object): string {
  return `json:${JSON.stringify({ driver: format, file: { driver: 'file', filename }, ...options })}`
}

function leadsElsewhere(format: string, header: Buffer): boolean {
  if (format === 'vmdk') return header.readBigUInt64LE(VMDK_CAPACITY) === 0n
  if (format !== 'qcow2') return false
  if (header.readBigUInt64BE(QCOW2.backingFileOffset) !== 0n) return true
  const features =
    header.readUInt32BE(QCOW2.version) >= 3 ? header.readBigUInt64BE(QCOW2.incompatibleFeatures) : 0n
  return (features & QCOW2.externalDataBit) !== 0n
}

/**
 * Whether qemu-img's own words about an image name a file that is not the one it was given: one behind it, one with its
 * data, an extent, or (QEMU 8) any node below it.
 * @param facts what `qemu-img info --output=json` said
 * @param own name of the one file
 */
export function namesOtherFiles(facts: object, own: string): boolean {
  return Object.entries(facts).some(([key, value]: [string, unknown]) => {
    if (typeof value === 'object' && value !== null) {
      const { filename } = value as { filename?: unknown }
      return (filename !== undefined && filename !== own) || namesOtherFiles(value, own)
    }
    return ['backing-filename', 'full-backing-filename', 'data-file'].includes(key)
  })
}

/**
 * Unpacks a virtual machine's disk with qemu-img to a sparse file of its own.
 * @param image the open file
 * @param path absolute
 * @param format as `inspectVirtualDisk` told it
 * @param signal kills qemu-img
 * @param base folder for the file; tests give their own
 * @returns the open file of plain bytes, which has no name any more; `disk-damaged`, `no-space`. Throws the signal's reason
 */
export async function unpackVirtualDisk(
  image: FileHandle,
  path: string,
  format: string,
  signal: AbortSignal,
  base?: string,
): Promise<Result<FileHandle>> {
  const { name, stdio } = handOver(image, path)
  const options = { stdio, reject: false, cancelSignal: signal, env: { LC_ALL: 'C' } } as const
  // Whatever the file says by now, nothing behind it is opened.
  const source = imageOf(format, name, format === 'vdi' || format === 'vhdx' ? {} : { backing: null })
  // Zeros become holes: needed is what a QCOW2 without compression would take, not the size that the machine sees.
  const measured = await execa('qemu-img', ['measure', '--output=json', '-O', 'qcow2', source], options)
  signal.throwIfAborted()
  if (measured.exitCode !== 0) return damaged(path, name, measured.stderr)
  const neededBytes = measurement.parse(JSON.parse(measured.stdout)).required
  const place = base ?? (await roomyFolder())
  const noSpace = async (): Promise<Result<never> | null> => {
    const { bavail, bsize } = await statfs(place)
    const freeBytes = bavail * bsize
    return freeBytes < neededBytes ? fail('no-space', { path: place, neededBytes, freeBytes }) : null
  }
  const tooSmall = await noSpace()
  if (tooSmall !== null) return tooSmall
  const folder = await mkdtemp(join(place, 'slipway-unpack-'))
  let full: Result<never> | null
  let ended
  try {
    const target = join(folder, 'disk.img')
    ended = await execa('qemu-img', ['convert', '-O', 'raw', source, target], options)
    if (ended.exitCode === 0) return ok(await open(target, constants.O_RDONLY))
    // Somebody else may have filled it meanwhile; what is free is told as it was then.
    full = /no space left on device/i.test(ended.stderr) ? await noSpace() : null
  } finally {
    // As large as a disk: it is not to outlive this program, however that ends.
    await rm(folder, { recursive: true, force: true })
  }
  signal.throwIfAborted()
  return full ?? damaged(path, name, ended.stderr)
}

/** qemu-img's complaint, about the file's own name. */
function damaged(path: string, name: string, complaint: string): Result<never> {
  return fail('disk-damaged', { path, detail: complaint.trim().replaceAll(name, path) })
}

/** /var/tmp is for large files, /tmp often lies in memory (file-hierarchy(7)). */
async function roomyFolder(): Promise<string> {
  const found = await stat('/var/tmp').catch(() => null)
  return found?.isDirectory() === true ? '/var/tmp' : tmpdir()
}
