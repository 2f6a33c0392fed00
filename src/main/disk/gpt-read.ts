import { crc32 } from './crc'
import { GPT_ENTRY, GPT_HEADER } from './gpt'

const SECTOR = 512
/** Volume descriptors of ISO 9660 (ECMA-119, 6.2.1): sector 16 of 2048 bytes, "CD001" one byte into it. */
const ISO_MAGIC = { offset: 16 * 2048 + 1, text: 'CD001' }
/** More entries than this are no table that anybody makes; they have to lie in the head. */
const MAXIMUM_ENTRIES_BYTES = 256 * 1024

/** The first table of a disk. */
export interface ReadGpt {
  header: ReturnType<typeof GPT_HEADER.decode>
  /** The bytes of all entries, the unused ones included. */
  entries: Uint8Array
}

/**
 * Reads the first GUID partition table of a disk with sectors of 512 bytes (UEFI 2.10, section 5.3).
 * @param head the beginning of the disk, tables included
 * @returns null where there is none that is whole, and for an ISO 9660 image, which has bytes of its own wherever it likes
 */
export function readGpt(head: Uint8Array): ReadGpt | null {
  if (head.length < 2 * SECTOR) return null
  const iso = head.subarray(ISO_MAGIC.offset, ISO_MAGIC.offset + ISO_MAGIC.text.length)
  if (Buffer.from(iso).toString('latin1') === ISO_MAGIC.text) return null
  const header = GPT_HEADER.decode(head, SECTOR)
  const start = Number(header.PartitionEntryLBA) * SECTOR
  const length = header.NumberOfPartitionEntries * header.SizeOfPartitionEntry
  const isTable =
    Buffer.from(header.Signature).toString('latin1') === 'EFI PART' &&
    header.HeaderSize >= GPT_HEADER.size &&
    header.HeaderSize <= SECTOR &&
    header.MyLBA === 1n &&
    header.SizeOfPartitionEntry >= GPT_ENTRY.size &&
    length <= MAXIMUM_ENTRIES_BYTES &&
    start >= 2 * SECTOR &&
    start + length <= head.length
  if (!isTable || headerCrc(head.subarray(SECTOR, SECTOR + header.HeaderSize)) !== header.HeaderCRC32) {
    return null
  }
  const entries = head.subarray(start, start + length)
  return crc32(entries) === header.PartitionEntryArrayCRC32 ? { header, entries } : null
}

/** CRC of a header as if its own field were zero. */
export function headerCrc(header: Uint8Array): number {
  const blank = Uint8Array.from(header)
  GPT_HEADER.encode({ HeaderCRC32: 0 }, blank)
  return crc32(blank)
}
