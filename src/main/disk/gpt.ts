import { crc32 } from './crc'
import { guidBytes } from './guid'
import { encodeMbr, GPT_PROTECTIVE_TYPE } from './mbr'
import { struct } from './struct'

/** UEFI 2.10, section 5.3.2, table 5.5 */
export const GPT_HEADER = struct('gpt header', [
  [0, 'Signature', 8, '"EFI PART"'],
  [8, 'Revision', 'u32'],
  [12, 'HeaderSize', 'u32'],
  [16, 'HeaderCRC32', 'u32', 'over HeaderSize bytes with this field zero'],
  [20, 'Reserved', 'u32'],
  [24, 'MyLBA', 'u64'],
  [32, 'AlternateLBA', 'u64'],
  [40, 'FirstUsableLBA', 'u64'],
  [48, 'LastUsableLBA', 'u64'],
  [56, 'DiskGUID', 16],
  [72, 'PartitionEntryLBA', 'u64'],
  [80, 'NumberOfPartitionEntries', 'u32'],
  [84, 'SizeOfPartitionEntry', 'u32'],
  [88, 'PartitionEntryArrayCRC32', 'u32'],
])

/** UEFI 2.10, section 5.3.3, table 5.6 */
export const GPT_ENTRY = struct('gpt entry', [
  [0, 'PartitionTypeGUID', 16],
  [16, 'UniquePartitionGUID', 16],
  [32, 'StartingLBA', 'u64'],
  [40, 'EndingLBA', 'u64', 'the last sector, included'],
  [48, 'Attributes', 'u64'],
  [56, 'PartitionName', 72, 'UTF-16LE'],
])

export const ESP_GUID = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b'
/** "Linux filesystem": data of any machine. (Discoverable Partitions Specification, as the following.) */
export const LINUX_DATA_GUID = '0fc63daf-8483-4772-8e79-3d69d8477de4'
/** Root partition types of the Discoverable Partitions Specification. */
export const ROOT_X86_64_GUID = '4f68bce3-e8cd-4db1-96e7-fbcaf984b709'
export const ROOT_ARM64_GUID = 'b921b045-1df0-41c3-af44-4c6f280d3fae'
/** Attribute "legacy BIOS bootable", which syslinux' gptmbr.bin looks for. */
export const LEGACY_BOOTABLE = 1n << 2n

/** Sectors that the table takes at the end of a disk: 32 of entries and the header. */
export const GPT_TAIL_SECTORS = 33

const ENTRIES = 128

export interface GptPartition {
  typeGuid: string
  guid: string
  /** first sector of 512 bytes */
  start: number
  /** sectors of 512 bytes */
  count: number
  attributes: bigint
  name: string
}

/**
 * Encodes both copies of a GUID partition table.
 * @param sectors of the whole disk
 * @param bootCode for the protective MBR, for instance syslinux' gptmbr.bin
 * @returns what to write at sector 0 (MBR, header, entries) and at `tailStart` (entries, header)
 */
export function encodeGpt(
  sectors: number,
  diskGuid: string,
  bootCode: Uint8Array,
  partitions: GptPartition[],
): { head: Uint8Array; tail: Uint8Array; tailStart: number } {
  const entries = new Uint8Array(ENTRIES * GPT_ENTRY.size)
  partitions.forEach((partition, index) => {
    GPT_ENTRY.encode(
      {
        PartitionTypeGUID: guidBytes(partition.typeGuid),
        UniquePartitionGUID: guidBytes(partition.guid),
        StartingLBA: BigInt(partition.start),
        EndingLBA: BigInt(partition.start + partition.count - 1),
        Attributes: partition.attributes,
        PartitionName: Buffer.from(partition.name, 'utf16le'),
      },
      entries,
      index * GPT_ENTRY.size,
    )
  })
  const tailStart = sectors - GPT_TAIL_SECTORS
  function header(own: number, other: number, entriesAt: number): Uint8Array {
    const values = {
      Signature: Buffer.from('EFI PART', 'latin1'),
      Revision: 0x10000,
      HeaderSize: GPT_HEADER.size,
      MyLBA: BigInt(own),
      AlternateLBA: BigInt(other),
      FirstUsableLBA: 34n,
      LastUsableLBA: BigInt(tailStart - 1),
      DiskGUID: guidBytes(diskGuid),
      PartitionEntryLBA: BigInt(entriesAt),
      NumberOfPartitionEntries: ENTRIES,
      SizeOfPartitionEntry: GPT_ENTRY.size,
      PartitionEntryArrayCRC32: crc32(entries),
    }
    const bytes = GPT_HEADER.encode(values)
    return GPT_HEADER.encode({ HeaderCRC32: crc32(bytes) }, bytes)
  }
  const protective = { type: GPT_PROTECTIVE_TYPE, active: false, start: 1 }
  const count = Math.min(sectors - 1, 0xffffffff)
  const head = new Uint8Array(34 * 512)
  head.set(encodeMbr(bootCode, 0, [{ ...protective, count }]))
  head.set(header(1, sectors - 1, 2), 512)
  head.set(entries, 1024)
  const tail = new Uint8Array(GPT_TAIL_SECTORS * 512)
  tail.set(entries)
  tail.set(header(sectors - 1, 1, tailStart), 32 * 512)
  return { head, tail, tailStart }
}
