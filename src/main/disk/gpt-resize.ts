import { crc32 } from './crc'
import { GPT_ENTRY, GPT_HEADER } from './gpt'
import { GPT_PROTECTIVE_TYPE, MBR, PARTITION_ENTRY } from './mbr'

const SECTOR = 512
/** Volume descriptors of ISO 9660 (ECMA-119, 6.2.1): sector 16 of 2048 bytes, "CD001" one byte into it. */
const ISO_MAGIC = { offset: 16 * 2048 + 1, text: 'CD001' }
/** More entries than this are no table that anybody makes; they have to lie in the head. */
const MAXIMUM_ENTRIES_BYTES = 256 * 1024

/** What makes a disk's partition table fit a larger drive. */
export interface ResizedGpt {
  /** The head with its protective MBR and its header changed. */
  head: Uint8Array
  /** The second table (entries, then header). */
  tail: Uint8Array
  /** Byte at which the second table goes: it ends with the drive. */
  tailStart: number
}

/**
 * Moves the second GUID partition table of a disk to the end of the larger drive it is written to, where firmware
 * and kernel look for it (UEFI 2.10, section 5.3.2: the alternate header is in the last sector).
 * A table that is not whole, a table of other sectors than 512 bytes, and an ISO 9660 image, whose own checksum
 * covers these bytes, are left as they are.
 * @param head the beginning of the disk, tables included; not changed
 * @param sizeBytes of the disk
 * @param driveBytes of the drive
 * @param sectorBytes of the drive
 * @returns what to write instead and in addition, or null when there is nothing to move
 */
export function resizeGpt(
  head: Uint8Array,
  sizeBytes: number,
  driveBytes: number,
  sectorBytes: number,
): ResizedGpt | null {
  if (sectorBytes !== SECTOR || driveBytes <= sizeBytes || head.length < 2 * SECTOR) return null
  const iso = head.subarray(ISO_MAGIC.offset, ISO_MAGIC.offset + ISO_MAGIC.text.length)
  if (Buffer.from(iso).toString('latin1') === ISO_MAGIC.text) return null
  const header = GPT_HEADER.decode(head, SECTOR)
  const entriesStart = Number(header.PartitionEntryLBA) * SECTOR
  const entriesBytes = header.NumberOfPartitionEntries * header.SizeOfPartitionEntry
  const entriesEnd = entriesStart + entriesBytes
  const isTable =
    Buffer.from(header.Signature).toString('latin1') === 'EFI PART' &&
    header.HeaderSize >= GPT_HEADER.size &&
    header.HeaderSize <= SECTOR &&
    header.MyLBA === 1n &&
    header.SizeOfPartitionEntry >= GPT_ENTRY.size &&
    entriesBytes <= MAXIMUM_ENTRIES_BYTES &&
    entriesStart >= 2 * SECTOR &&
    entriesEnd <= head.length
  if (!isTable || headerCrc(head.subarray(SECTOR, SECTOR + header.HeaderSize)) !== header.HeaderCRC32) {
    return null
  }
  const entries = head.subarray(entriesStart, entriesEnd)
  if (crc32(entries) !== header.PartitionEntryArrayCRC32) return null

  const tailSectors = Math.ceil(entriesBytes / SECTOR) + 1
  const lastSector = Math.floor(driveBytes / SECTOR) - 1
  const tailFirst = lastSector + 1 - tailSectors
  // Where the drive is larger by less than a table, the table would cover the disk's own end.
  if (tailFirst * SECTOR < sizeBytes) return null

  const resized = Uint8Array.from(head)
  const primary = resized.subarray(SECTOR, SECTOR + header.HeaderSize)
  GPT_HEADER.encode({ AlternateLBA: BigInt(lastSector), LastUsableLBA: BigInt(tailFirst - 1) }, primary)
  GPT_HEADER.encode({ HeaderCRC32: headerCrc(primary) }, primary)
  growProtective(resized, lastSector)

  const tail = new Uint8Array(tailSectors * SECTOR)
  tail.set(entries)
  const secondary = tail.subarray((tailSectors - 1) * SECTOR).subarray(0, header.HeaderSize)
  secondary.set(primary)
  const places = { MyLBA: BigInt(lastSector), AlternateLBA: 1n, PartitionEntryLBA: BigInt(tailFirst) }
  GPT_HEADER.encode(places, secondary)
  GPT_HEADER.encode({ HeaderCRC32: headerCrc(secondary) }, secondary)
  return { head: resized, tail, tailStart: tailFirst * SECTOR }
}

/** CRC of a header as if its own field were zero. */
function headerCrc(header: Uint8Array): number {
  const blank = Uint8Array.from(header)
  GPT_HEADER.encode({ HeaderCRC32: 0 }, blank)
  return crc32(blank)
}

/** The protective partition covers the whole drive, or all that 32 bits can say (UEFI 2.10, table 5.3). */
function growProtective(head: Uint8Array, lastSector: number): void {
  for (let index = 0; index < 4; index++) {
    const at = MBR.at.PartitionRecord + index * PARTITION_ENTRY.size
    const { OSType, StartingLBA } = PARTITION_ENTRY.decode(head, at)
    if (OSType !== GPT_PROTECTIVE_TYPE || StartingLBA !== 1) continue
    PARTITION_ENTRY.encode({ SizeInLBA: Math.min(lastSector, 0xffffffff) }, head, at)
  }
}
