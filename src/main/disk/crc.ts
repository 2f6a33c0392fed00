/** Cyclic redundancy checks, eight bytes at a step ("slicing by 8", Kounavis and Berry, 2005). */

/** Eight tables of 256 for a reflected polynomial. */
function tablesOf(polynomial: number): Uint32Array {
  const tables = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    tables[byte] = crc >>> 0
  }
  for (let index = 256; index < tables.length; index++) {
    const previous = tables[index - 256] as number
    tables[index] = (previous >>> 8) ^ (tables[previous & 0xff] as number)
  }
  return tables
}

function update(t: Uint32Array, seed: number, bytes: Uint8Array, start: number, end: number): number {
  let crc = seed
  let i = start
  for (const last = end - 8; i <= last; i += 8) {
    const low =
      crc ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24))
    crc =
      (t[1792 + (low & 0xff)] as number) ^
      (t[1536 + ((low >>> 8) & 0xff)] as number) ^
      (t[1280 + ((low >>> 16) & 0xff)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (bytes[i + 4] as number)] as number) ^
      (t[512 + (bytes[i + 5] as number)] as number) ^
      (t[256 + (bytes[i + 6] as number)] as number) ^
      (t[bytes[i + 7] as number] as number)
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return crc >>> 0
}

const IEEE = tablesOf(0xedb88320)
const CASTAGNOLI = tablesOf(0x82f63b78)

/** The lengths whose zeroes are passed over at one step: powers of two up to 4 KiB. */
const ZERO_RUNS = 13

/**
 * For each of these lengths four tables of 256, one for each byte of a checksum: what it becomes by so many bytes of
 * zero. A checksum is linear in its bits, so what its four bytes become adds up (zlib, crc32_combine).
 */
function zeroTablesOf(byByte: Uint32Array): Uint32Array[] {
  const tables: Uint32Array[] = []
  for (let run = 0; run < ZERO_RUNS; run++) {
    const half = tables[run - 1]
    const once = (crc: number): number => (crc >>> 8) ^ (byByte[crc & 0xff] as number)
    const table = new Uint32Array(4 * 256)
    for (let index = 0; index < table.length; index++) {
      const crc = ((index & 0xff) << (8 * (index >> 8))) >>> 0
      table[index] = half === undefined ? once(crc) : passZeroes(half, passZeroes(half, crc))
    }
    tables.push(table)
  }
  return tables
}

function passZeroes(table: Uint32Array, crc: number): number {
  return (
    ((table[crc & 0xff] as number) ^
      (table[256 + ((crc >>> 8) & 0xff)] as number) ^
      (table[512 + ((crc >>> 16) & 0xff)] as number) ^
      (table[768 + (crc >>> 24)] as number)) >>>
    0
  )
}

const CASTAGNOLI_ZEROES = zeroTablesOf(CASTAGNOLI)

/**
 * CRC-32 of IEEE 802.3 with both inversions, as GPT (UEFI 2.10, section 5.3.1) and ZIP use it.
 * @param previous the result for the bytes before these
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  return ~update(IEEE, ~previous >>> 0, bytes, 0, bytes.length) >>> 0
}

/**
 * CRC-32C carried on from `seed`, without the final inversion: the form ext4 stores
 * (kernel, Documentation/filesystems/ext4/checksums.rst).
 * @param seed the result so far, 0xffffffff to begin with
 * @param start first byte, @param end byte after the last
 */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  return update(CASTAGNOLI, seed, bytes, start, end)
}

/**
 * `crc32c` of `count` bytes of zero, less than 8 KiB, in a few steps: most of an inode, and of the block of a small
 * directory, is that.
 */
export function crc32cOfZeroes(seed: number, count: number): number {
  let crc = seed
  for (let run = 0, left = count; left > 0; run++, left >>= 1) {
    if (left & 1) crc = passZeroes(CASTAGNOLI_ZEROES[run] as Uint32Array, crc)
  }
  return crc
}
