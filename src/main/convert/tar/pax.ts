import { Buffer } from 'node:buffer'
import type { Xattr } from '../../disk/ext4/xattr'
import { aclFromText } from './acl'

/** Records of a PAX extended header; values are raw bytes. */
export interface PaxRecords {
  values: Map<string, Buffer>
  /** GNU.sparse.offset and GNU.sparse.numbytes come many times, in pairs. */
  sparse: string[]
}

/**
 * Reads "length key=value\n" records (POSIX.1-2017, pax, "pax Extended Header"). Keys and values are bytes: Docker
 * writes names that are no UTF-8 just so. A key that comes twice has its last value.
 * @param bytes copied from, so that they may be reused
 * @returns null when a record is not of that form
 */
export function parsePax(bytes: Buffer, start: number, end: number): PaxRecords | null {
  const records: PaxRecords = { values: new Map(), sparse: [] }
  let at = start
  while (at < end) {
    let length = 0
    let digit = at
    for (; digit < end && bytes[digit] !== 0x20; digit++) {
      const value = (bytes[digit] as number) - 0x30
      if (value < 0 || value > 9 || length > end) return null
      length = length * 10 + value
    }
    const next = at + length
    const equals = bytes.indexOf(0x3d, digit)
    if (next > end || equals < 0 || equals >= next || bytes[next - 1] !== 0x0a || digit + 1 >= equals)
      return null
    const key = bytes.toString('latin1', digit + 1, equals)
    const value = Buffer.from(bytes.subarray(equals + 1, next - 1))
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
      records.sparse.push(value.toString('latin1'))
    else records.values.set(key, value)
    at = next
  }
  return records
}

const SCHILY_XATTR = 'SCHILY.xattr.'
const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.'

/**
 * Extended attributes among the records: those of star, GNU tar and Docker (raw), of bsdtar (name with %,
 * value in base64), ACLs as text, and GNU tar's SELinux label. A name that comes in several forms counts once.
 */
export function xattrsOf(values: Map<string, Buffer>): Xattr[] {
  const found = new Map<string, Uint8Array>()
  for (const [key, value] of values) {
    if (key.startsWith(LIBARCHIVE_XATTR)) {
      const name = unescaped(key.slice(LIBARCHIVE_XATTR.length), /%([0-9A-Fa-f]{2})/g)
      found.set(name, Buffer.from(value.toString('latin1'), 'base64'))
    } else if (key === 'SCHILY.acl.access' || key === 'SCHILY.acl.default') {
      const name = `system.posix_acl_${key.slice('SCHILY.acl.'.length)}`
      // An ACL that cannot be understood stays as an empty attribute, which is counted as skipped.
      found.set(name, aclFromText(value.toString('latin1')) ?? new Uint8Array())
    } else if (key === 'RHT.security.selinux') {
      found.set('security.selinux', Buffer.concat([value, Buffer.alloc(1)]))
    }
  }
  for (const [key, value] of values) {
    // GNU tar writes '=' and '%' of names as %3D and %25 (xheader.c, xattr_encode_keyword).
    if (key.startsWith(SCHILY_XATTR)) found.set(unescaped(key.slice(SCHILY_XATTR.length), /%(3D|25)/g), value)
  }
  return [...found].map(([name, value]) => ({ name, value }))
}

function unescaped(text: string, pattern: RegExp): string {
  return text.replace(pattern, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}
