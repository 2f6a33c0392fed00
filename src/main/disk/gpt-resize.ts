import { GPT_HEADER } from './gpt'
import { headerCrc, readGpt } from './gpt-read'
import { GPT_PROTECTIVE_TYPE, MBR, PARTITION_ENTRY } from './mbr'

const SECTOR = 512

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
  if (sectorBytes !== SECTOR || driveBytes <= sizeBytes) return null
  const table = readGpt(head)
  if (table === null) return null
  const { header, entries } = table

  const tailSectors = Math.ceil(entries.length / SECTOR) + 1
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

/** The protective partition covers the whole drive, or all that 32 bits can say (UEFI 2.10, table 5.3). */
function growProtective(head: Uint8Array, lastSector: number): void {
  for (let index = 0; index < 4; index++) {
    const at = MBR.at.PartitionRecord + index * PARTITION_ENTRY.size
    const { OSType, StartingLBA } = PARTITION_ENTRY.decode(head, at)
    if (OSType !== GPT_PROTECTIVE_TYPE || StartingLBA !== 1) continue
    PARTITION_ENTRY.encode({ SizeInLBA: Math.min(lastSector, 0xffffffff) }, head, at)
  }
}
