import { createHash } from 'node:crypto'
import {
  encodeGpt,
  ESP_GUID,
  GPT_TAIL_SECTORS,
  LEGACY_BOOTABLE,
  LINUX_DATA_GUID,
  ROOT_ARM64_GUID,
  ROOT_X86_64_GUID,
} from '../../disk/gpt'
import { encodeMbr, ESP_TYPE, LINUX_TYPE } from '../../disk/mbr'

/** Sectors of 512 bytes. */
export interface Partition {
  start: number
  count: number
}

export type PartitionTable = 'mbr' | 'gpt'

/** Partitions begin at multiples of 1 MiB. */
const ALIGNMENT = 2048
/** 64 MiB: the smallest round size with the 65,525 clusters that FAT32 needs, and room for two boot loaders. */
const ESP_SECTORS = 64 * 2048

/** Where the EFI system partition lies: in front, so that the root can grow to the end of a larger disk. */
export const ESP: Partition = { start: ALIGNMENT, count: ESP_SECTORS }

/** First sector of the root partition. */
export function rootStart(hasEsp: boolean): number {
  return hasEsp ? ESP.start + ESP.count : ALIGNMENT
}

/**
 * Sectors of the root partition on a disk of the given size; at most what the table can say, which is 2 TiB for
 * an MBR. Negative when the disk is too small for anything.
 */
export function rootSectors(diskSectors: number, table: PartitionTable, hasEsp: boolean): number {
  const start = rootStart(hasEsp)
  if (table === 'mbr') return Math.min(diskSectors - start, 0xffffffff)
  const end = Math.floor((diskSectors - GPT_TAIL_SECTORS) / ALIGNMENT) * ALIGNMENT
  return end - start
}

/** Sectors of a disk whose root partition is to have so many. */
export function diskSectors(root: number, table: PartitionTable, hasEsp: boolean): number {
  const end = rootStart(hasEsp) + root + (table === 'gpt' ? GPT_TAIL_SECTORS : 0)
  return Math.ceil(end / ALIGNMENT) * ALIGNMENT
}

/** A UUID that follows from another and a word (version 8 of RFC 9562: free for uses of one's own). */
export function derivedUuid(uuid: string, purpose: string): string {
  const bytes = createHash('sha256')
    .update(`slipway ${purpose} ${uuid.toLowerCase()}`)
    .digest()
    .subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Types of the root partition in a GPT, by Go's names of the architectures. */
const rootGuids: Readonly<Record<string, string>> = { amd64: ROOT_X86_64_GUID, arm64: ROOT_ARM64_GUID }

export interface TableSettings {
  /** of the machine, by Go's name; null for a disk that does not boot */
  architecture: string | null
  table: PartitionTable
  /** of the root file system; the identities of a GPT follow from it */
  uuid: string
  /** u32, not 0 */
  diskSignature: number
  /** the first 440 bytes of the disk */
  bootCode: Uint8Array
  hasEsp: boolean
}

/**
 * Encodes the partition table: the root first, as boot code that counts looks for the active one, and then the
 * EFI system partition, although it lies before.
 * @param sectors of the disk
 * @param root sectors of the root partition
 * @returns bytes and where on the disk they go, in bytes
 */
export function encodeTable(
  sectors: number,
  root: number,
  settings: TableSettings,
): { offset: number; bytes: Uint8Array }[] {
  const { table, uuid, diskSignature, bootCode, hasEsp, architecture } = settings
  const start = rootStart(hasEsp)
  if (table === 'mbr') {
    const esp = { ...ESP, type: ESP_TYPE, active: false }
    const first = { type: LINUX_TYPE, active: bootCode.length > 0, start, count: root }
    return [{ offset: 0, bytes: encodeMbr(bootCode, diskSignature, hasEsp ? [first, esp] : [first]) }]
  }
  const esp = { ...ESP, typeGuid: ESP_GUID, guid: derivedUuid(uuid, 'esp'), attributes: 0n, name: 'EFI' }
  const first = {
    typeGuid: rootGuids[architecture ?? ''] ?? LINUX_DATA_GUID,
    guid: derivedUuid(uuid, 'root'),
    start,
    count: root,
    attributes: bootCode.length > 0 ? LEGACY_BOOTABLE : 0n,
    name: architecture === null ? 'data' : 'root',
  }
  const encoded = encodeGpt(sectors, derivedUuid(uuid, 'disk'), bootCode, hasEsp ? [first, esp] : [first])
  return [
    { offset: encoded.tailStart * 512, bytes: encoded.tail },
    { offset: 0, bytes: encoded.head },
  ]
}
