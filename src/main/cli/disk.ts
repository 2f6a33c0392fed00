import { open } from 'node:fs/promises'
import type { DiskRecord } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import { claimedFirmware, type MachineFirmware } from '../../shared/proof'
import { guidBytes } from '../disk/guid'
import { decodeMbr, ESP_TYPE } from '../disk/mbr'
import { diskIdOf, readSidecar, type Library } from '../library/library'
import { readableFormat } from '../preview/launch'

/** Where the boot record has its signature, 55 AA (UEFI specification, 5.2.1, "Legacy Master Boot Record"). */
const SIGNATURE_OFFSET = 510

/**
 * Looks whether a file can be a disk at all.
 * @param path absolute
 * @returns its size in bytes; `disk-missing`, `disk-not-bootable`
 */
export async function checkDisk(path: string): Promise<Result<number>> {
  let file
  try {
    file = await open(path, 'r')
  } catch {
    return fail('disk-missing', { path })
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile()) return fail('disk-missing', { path })
    const signature = Buffer.alloc(2)
    await file.read(signature, 0, 2, SIGNATURE_OFFSET)
    return signature.readUInt16BE() === 0x55aa ? ok(stat.size) : fail('disk-not-bootable', { path })
  } finally {
    await file.close()
  }
}

/**
 * Looks whether a file can be booted at all.
 * @param path absolute
 * @returns null; `disk-missing`, `disk-not-bootable`, or `not-supported` for a compressed one
 */
export async function checkBootable(path: string): Promise<Result<null>> {
  const format = readableFormat(path)
  if (format === null) return fail('not-supported', { what: 'booting a compressed disk; unpack it first' })
  // The formats of virtual machines begin with a header of their own; startMachine looks whether there is a file.
  if (format !== 'raw') return ok(null)
  const checked = await checkDisk(path)
  return checked.ok ? ok(null) : checked
}

/** What is known of a disk that is to be booted. */
export interface KnownDisk {
  id: string
  path: string
  architecture: DiskRecord['architecture']
  /** Under which firmware it claims to boot; empty when that cannot be told. */
  firmware: MachineFirmware[]
  /** Whether the library knows it, so that what it comes to is kept. */
  isListed: boolean
}

/**
 * Finds out about a disk: from the library, from the record beside it, which is taken into the library then, or from
 * its first sectors.
 * @param path absolute
 */
export async function knownDisk(path: string, library: Library): Promise<KnownDisk> {
  const id = diskIdOf(path)
  let found = await library.find(id)
  if (!found.ok) {
    const record = await readSidecar(path)
    if (record !== null) await library.add(record)
    found = await library.find(id)
  }
  if (!found.ok) {
    return { id, path, architecture: 'amd64', firmware: await firmwareOnDisk(path), isListed: false }
  }
  const { architecture } = found.value
  return { id, path, architecture, firmware: claimedFirmware(found.value), isListed: true }
}

/** The type of an EFI system partition in a GPT (UEFI specification, 5.3.3). */
const ESP_GUID = Buffer.from(guidBytes('c12a7328-f81f-11d2-ba4b-00a0c93ec93b'))
/** Bytes of the boot record that hold code. */
const BOOT_CODE_BYTES = 440
/** Bytes with the boot record, a GPT's header and its entries. */
const TABLE_BYTES = 34 * 512

/** For which firmware a raw disk without a record was made: boot code for BIOS, an EFI system partition for UEFI. */
async function firmwareOnDisk(path: string): Promise<MachineFirmware[]> {
  if (readableFormat(path) !== 'raw') return []
  const file = await open(path, 'r')
  try {
    const { buffer: bytes } = await file.read(Buffer.alloc(TABLE_BYTES), 0, TABLE_BYTES, 0)
    const hasCode = bytes.subarray(0, BOOT_CODE_BYTES).some((byte) => byte !== 0)
    const hasEsp =
      decodeMbr(bytes)?.some(({ type }) => type === ESP_TYPE) === true || bytes.includes(ESP_GUID)
    return [...(hasCode ? (['bios'] as const) : []), ...(hasEsp ? (['uefi'] as const) : [])]
  } finally {
    await file.close()
  }
}
