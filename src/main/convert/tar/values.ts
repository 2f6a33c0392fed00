import type { Time } from '../../disk/ext4/inodes'

/**
 * Reads a number of a header: octal digits, or base-256 where its first bit is set, which GNU tar and bsdtar
 * write for what octal cannot say.
 * @returns null when it is neither or is beyond 2^53
 */
export function headerNumber(bytes: Uint8Array, start: number, length: number): number | null {
  const first = bytes[start] as number
  const end = start + length
  if (first >= 0x80) {
    // Two's complement with the highest bit of the field set aside (GNU tar, from_header).
    let value = first & 0x40 ? (first | 0x80) - 0x100 : first & 0x3f
    for (let at = start + 1; at < end; at++) value = value * 256 + (bytes[at] as number)
    return Number.isSafeInteger(value) ? value : null
  }
  let at = start
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0)) at++
  let value = 0
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit >= 0 && digit < 8) value = value * 8 + digit
    else if (digit === -0x30 || digit === -0x10) break
    else return null
  }
  return Number.isSafeInteger(value) ? value : null
}

/** Text of a header up to the first zero byte, a byte to a character. */
export function headerText(bytes: Buffer, start: number, length: number): string {
  let end = start
  while (end < start + length && bytes[end] !== 0) end++
  return bytes.toString('latin1', start, end)
}

/** A decimal number of a PAX record, which may not be negative; null when it is none. */
export function decimal(text: string): number | null {
  if (!/^\d{1,16}$/.test(text)) return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

/** A time of a PAX record: seconds with any number of decimals, before 1970 with a minus; null when it is none. */
export function paxTime(text: string): Time | null {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text)
  if (match === null) return null
  const [, sign, whole, fraction = ''] = match
  const seconds = Number(whole)
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'))
  if (sign === '') return { seconds, nanoseconds }
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds }
}

/** Whether a block's checksum is right: the sum of its bytes, signed or not, with the field taken as spaces. */
export function checksumFits(bytes: Uint8Array, start: number, stored: number): boolean {
  let unsigned = 0
  let high = 0
  const end = start + 512
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    unsigned += byte
    high += byte >> 7
  }
  for (let at = start + 148; at < start + 156; at++) {
    const byte = bytes[at] as number
    unsigned += 0x20 - byte
    high -= byte >> 7
  }
  return stored === unsigned || stored === unsigned - 256 * high
}

/** Whether 512 bytes are all zero. */
export function isZeroBlock(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at < start + 512; at++) if (bytes[at] !== 0) return false
  return true
}
