import { struct } from './struct'

/** The master boot record, as in UEFI 2.10, section 5.2.1 (table 5.1 and 5.2), but for the disk's signature names. */
export const PARTITION_ENTRY = struct('mbr partition', [
  [0x0, 'BootIndicator', 'u8', '0x80: active'],
  [0x1, 'StartingCHS', 3],
  [0x4, 'OSType', 'u8'],
  [0x5, 'EndingCHS', 3],
  [0x8, 'StartingLBA', 'u32', 'sectors of 512'],
  [0xc, 'SizeInLBA', 'u32', 'sectors of 512'],
])

export const MBR = struct('mbr', [
  [0x0, 'BootCode', 440],
  [0x1b8, 'UniqueMBRDiskSignature', 'u32'],
  [0x1bc, 'Unknown', 'u16'],
  [0x1be, 'PartitionRecord', 64, 'four entries of 16'],
  [0x1fe, 'Signature', 'u16', '0xAA55'],
])

export const LINUX_TYPE = 0x83
export const ESP_TYPE = 0xef
export const GPT_PROTECTIVE_TYPE = 0xee

export interface MbrPartition {
  type: number
  active: boolean
  /** first sector of 512 bytes */
  start: number
  /** sectors of 512 bytes */
  count: number
}

/**
 * Cylinder, head and sector for BIOSes that ask for them, in the geometry of 255 heads and 63 sectors that
 * all of them assume; what lies beyond is 1023/254/63.
 */
function chs(sector: number): Uint8Array {
  const cylinder = Math.floor(sector / (255 * 63))
  if (cylinder > 1023) return Uint8Array.of(254, 0xff, 0xff)
  const head = Math.floor(sector / 63) % 255
  return Uint8Array.of(head, (sector % 63) + 1 + ((cylinder >> 8) << 6), cylinder & 0xff)
}

/**
 * Encodes the first sector of a disk.
 * @param bootCode at most 440 bytes, for instance syslinux' mbr.bin
 * @param signature 32 bits that tell this disk from others
 * @param partitions at most four
 * @throws RangeError for more, for longer code, or for sectors beyond 2 TiB
 */
export function encodeMbr(bootCode: Uint8Array, signature: number, partitions: MbrPartition[]): Uint8Array {
  if (partitions.length > 4) throw new RangeError('mbr: more than four partitions')
  const records = new Uint8Array(64)
  partitions.forEach((partition, index) => {
    PARTITION_ENTRY.encode(
      {
        BootIndicator: partition.active ? 0x80 : 0,
        StartingCHS: chs(partition.start),
        OSType: partition.type,
        EndingCHS: chs(partition.start + partition.count - 1),
        StartingLBA: partition.start,
        SizeInLBA: partition.count,
      },
      records,
      index * 16,
    )
  })
  return MBR.encode({
    BootCode: bootCode,
    UniqueMBRDiskSignature: signature,
    PartitionRecord: records,
    Signature: 0xaa55,
  })
}

/** Partitions of an MBR that are not empty, or null where the sector has no MBR. */
export function decodeMbr(sector: Uint8Array): MbrPartition[] | null {
  if (sector.length < 512 || MBR.decode(sector).Signature !== 0xaa55) return null
  return [0, 1, 2, 3]
    .map((index) => PARTITION_ENTRY.decode(sector, MBR.at.PartitionRecord + index * 16))
    .filter((entry) => entry.OSType !== 0)
    .map((entry) => ({
      type: entry.OSType,
      active: entry.BootIndicator === 0x80,
      start: entry.StartingLBA,
      count: entry.SizeInLBA,
    }))
}
