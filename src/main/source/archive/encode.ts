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
 * @returns blocks of 512 bytes, which the next call may overwrite; `entry.size` bytes of data are to follow, or those of its segments, padded
 */
export function encodeMember(entry: TarEntry): Buffer {
  const { segments } = entry
  const target = targetOf(entry)
  const path = pathOf(entry)
  const map = segments === null ? Buffer.alloc(0) : sparseMap(segments)
  const size = entry.type === 'file' ? map.length + storedBytes(entry) : 0
  const records = recordsOf(entry, path, target, size)
  const header = encodeHeader(entry, path, target, size)
  if (records.size === 0) return header
  return Buffer.concat([encodePax(records), header, map])
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

/** Used again for each header: they come by the hundred thousand. */
const block = Buffer.alloc(BLOCK)
const { at } = USTAR

/** Writes a header into `block`. */
function encodeHeader(entry: TarEntry, path: string, target: string, size: number): Buffer {
  block.fill(0)
  text(path, at.name, 100)
  octal(entry.mode, at.mode, 8)
  octal(entry.uid, at.uid, 8)
  octal(entry.gid, at.gid, 8)
  octal(size, at.size, 12)
  octal(entry.modified.seconds, at.mtime, 12)
  text(typeFlags[entry.type], at.typeflag, 1)
  text(target, at.linkname, 100)
  text('ustar', at.magic, 6)
  text('00', at.version, 2)
  octal(entry.major, at.devmajor, 8)
  octal(entry.minor, at.devminor, 8)
  // The sum is made with blanks in its own place.
  block.fill(' ', at.chksum, at.chksum + 8)
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += block[i] as number
  text(`${sum.toString(8).padStart(6, '0')}\0 `, at.chksum, 8)
  return block
}

function text(value: string, offset: number, bytes: number): void {
  block.write(value, offset, bytes, 'latin1')
}

/** Digits and a zero byte; zeroes for what a PAX record says. */
function octal(value: number, offset: number, bytes: number): void {
  const digits = value.toString(8)
  const fits = value >= 0 && digits.length < bytes
  text((fits ? digits : '').padStart(bytes - 1, '0'), offset, bytes)
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
