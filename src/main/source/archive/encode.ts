import { Buffer } from 'node:buffer'
import { typeFlags, type TarEntry } from '../../convert/tar/entry'
import { BLOCK, USTAR } from '../../convert/tar/layout'
import { encodePax } from '../../convert/tar-blocks'

const LARGEST_ID = 0o7777777
const LARGEST_SIZE = 0o77777777777

/**
 * Writes a member anew, without its data, as GNU tar and Go's archive/tar read it: ustar, and PAX records for what
 * that cannot say (POSIX.1-2017, pax; GNU tar manual, "PAX format"). What a reader of tars made of a header is
 * written, not the header: nobody behind can read it differently.
 * @param entry as it was read; `path` and `target` may be others than those of its header
 * @returns blocks of 512 bytes; `entry.size` bytes of data are to follow, or those of its segments, padded
 */
export function encodeMember(entry: TarEntry): Buffer {
  const { segments } = entry
  const target = targetOf(entry)
  const path = pathOf(entry)
  const map = segments === null ? Buffer.alloc(0) : sparseMap(segments)
  const size = entry.type === 'file' ? map.length + storedBytes(entry) : 0
  const records = recordsOf(entry, path, target, size)
  const header = encodeHeader({ ...entry, path, target }, size)
  return Buffer.concat([...(records.size > 0 ? [encodePax(records)] : []), header, map])
}

/** Bytes of a member as it will be written, with its data. */
export function memberBytes(entry: TarEntry): number {
  const { segments } = entry
  const map = segments === null ? 0 : sparseMap(segments).length
  const stored = entry.type === 'file' ? map + storedBytes(entry) : 0
  const records = recordsOf(entry, pathOf(entry), targetOf(entry), stored)
  return (records.size > 0 ? encodePax(records).length : 0) + BLOCK + Math.ceil(stored / BLOCK) * BLOCK
}

function pathOf({ type, path }: TarEntry): string {
  return type === 'directory' ? `${path === '' ? '.' : path}/` : path
}

function targetOf({ type, target }: TarEntry): string {
  return type === 'symlink' || type === 'hardlink' ? target : ''
}

/** What ustar cannot say of a member. */
function recordsOf(entry: TarEntry, path: string, target: string, size: number): Map<string, string> {
  const { segments, modified } = entry
  const records = new Map<string, string>()
  if (path.length > 100 || segments !== null) records.set('path', path)
  if (target.length > 100) records.set('linkpath', target)
  if (modified.nanoseconds !== 0 || modified.seconds < 0 || modified.seconds > LARGEST_SIZE) {
    records.set('mtime', timeText(modified))
  }
  if (entry.uid > LARGEST_ID) records.set('uid', String(entry.uid))
  if (entry.gid > LARGEST_ID) records.set('gid', String(entry.gid))
  if (size > LARGEST_SIZE) records.set('size', String(size))
  if (segments !== null) {
    records.set('GNU.sparse.major', '1').set('GNU.sparse.minor', '0')
    records.set('GNU.sparse.name', path).set('GNU.sparse.realsize', String(entry.size))
  }
  for (const { name, value } of entry.xattrs) {
    const escaped = name.replaceAll('%', '%25').replaceAll('=', '%3D')
    records.set(`SCHILY.xattr.${escaped}`, Buffer.from(value).toString('latin1'))
  }
  return records
}

/** Bytes of a file's data in the archive: all of it, or its parts without the holes. */
export function storedBytes({ size, segments }: TarEntry): number {
  if (segments === null) return size
  let bytes = 0
  for (let i = 1; i < segments.length; i += 2) bytes += segments[i] as number
  return bytes
}

function encodeHeader(entry: TarEntry, size: number): Buffer {
  const text = (value: string, bytes: number): Uint8Array => Buffer.from(value.slice(0, bytes), 'latin1')
  /** Digits and a zero byte; zeroes for what a PAX record says. */
  const octal = (value: number, bytes: number): Uint8Array => {
    const digits = value.toString(8)
    const fits = value >= 0 && digits.length < bytes
    return text((fits ? digits : '').padStart(bytes - 1, '0'), bytes)
  }
  const block = Buffer.from(
    USTAR.encode({
      name: text(entry.path, 100),
      mode: octal(entry.mode, 8),
      uid: octal(entry.uid, 8),
      gid: octal(entry.gid, 8),
      size: octal(size, 12),
      mtime: octal(entry.modified.seconds, 12),
      // The sum is made with blanks in its own place.
      chksum: text(' '.repeat(8), 8),
      typeflag: text(typeFlags[entry.type], 1),
      linkname: text(entry.target, 100),
      magic: text('ustar\0', 6),
      version: text('00', 2),
      devmajor: octal(entry.major, 8),
      devminor: octal(entry.minor, 8),
    }),
  )
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, USTAR.at.chksum, 'latin1')
  return block
}

/** Seconds with decimals; before 1970 counted from the other side. */
function timeText({ seconds, nanoseconds }: TarEntry['modified']): string {
  if (nanoseconds === 0) return String(seconds)
  const isBefore = seconds < 0
  const whole = isBefore ? -seconds - 1 : seconds
  const fraction = isBefore ? 1_000_000_000 - nanoseconds : nanoseconds
  return `${isBefore ? '-' : ''}${whole}.${String(fraction).padStart(9, '0')}`
}

/** The map of GNU sparse format 1.0: a count and pairs, a number a line, padded. */
function sparseMap(segments: readonly number[]): Buffer {
  const text = Buffer.from([segments.length / 2, ...segments].map((number) => `${number}\n`).join(''))
  return Buffer.concat([text, Buffer.alloc(-text.length & (BLOCK - 1))])
}
