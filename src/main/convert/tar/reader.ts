import { Buffer } from 'node:buffer'
import type { Time } from '../../disk/ext4/inodes'
import { refuse } from '../../disk/refusal'
import { type TarEntry, type TarHandler, typeFlags, typeOf } from './entry'
import { BLOCK, OLD_GNU, OLD_GNU_SPARSE, SPARSE_ENTRY, USTAR } from './layout'
import { type PaxRecords, parsePax, xattrsOf } from './pax'
import { checkSegments, MOST_SEGMENTS, SparseMap } from './sparse'
import { checksumFits, decimal, headerNumber, headerText, isZeroBlock, paxTime } from './values'

/** A name or a set of PAX records larger than this is an attack: it would be held in memory. */
const LARGEST_EXTENSION = 8 * 1024 * 1024
/** About what a record takes in memory beside its key and its value. */
const RECORD = 200

const at = USTAR.at

/**
 * Reads tar archives of every common form: ustar, PAX, GNU (long names, sparse files of all versions, base-256),
 * old V7 and star; as Docker, Podman, BuildKit, GNU tar and bsdtar write them. It is pushed: data goes on to the
 * handler where it lies, only what crosses the edge of a chunk is copied. Leaves with a refusal `tar-invalid`,
 * with offset and reason, at the first thing that is wrong.
 */
export class TarReader {
  /** Bytes of the archive before the chunk at hand. */
  private before = 0
  /** What is collected over several chunks, and what is done with it. */
  private gathered = Buffer.alloc(BLOCK)
  private have = 0
  private want = BLOCK
  private then = (bytes: Buffer, start: number): void => this.header(bytes, start)
  /** Bytes of the file at hand that still go to the handler, and bytes after it that go nowhere. */
  private dataLeft = 0
  private inFile = false
  private skip = 0
  private zeroBlocks = 0
  private ended = false

  private headerAt = 0
  private longName: string | null = null
  private longLink: string | null = null
  private pax: PaxRecords | null = null
  private readonly globalPax = new Map<string, Buffer>()
  private globalBytes = 0

  constructor(private readonly handler: TarHandler) {}

  /** Bytes of the archive that were read. */
  get bytesRead(): number {
    return this.before
  }

  /** Whether the archive's end was seen; the rest of the stream is padding. */
  get isEnded(): boolean {
    return this.ended
  }

  /** Bytes that come next and hold nothing but a file's data and padding, as far as is known. */
  get bytesAhead(): number {
    return this.dataLeft + this.skip
  }

  /**
   * Passes over bytes, where nobody wants a file's data and the source can be read at any place.
   * Between two calls of `push` only; the next one begins after them.
   * @param count no more than are ahead
   */
  leap(count: number): void {
    const data = Math.min(this.dataLeft, count)
    this.before += count
    this.dataLeft -= data
    this.skip -= count - data
    if (this.dataLeft === 0) this.closeFile()
  }

  /** Takes the next bytes of the archive, any number of them. They may be overwritten afterwards. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const end = bytes.length
    let i = 0
    while (i < end && !this.ended) {
      if (this.dataLeft > 0) {
        const count = Math.min(this.dataLeft, end - i)
        this.handler.data(bytes, i, i + count)
        this.dataLeft -= count
        i += count
        if (this.dataLeft === 0) this.closeFile()
      } else if (this.skip > 0) {
        const count = Math.min(this.skip, end - i)
        this.skip -= count
        i += count
      } else if (this.have === 0 && end - i >= this.want) {
        const start = i
        i += this.want
        this.offset = this.before + start
        this.then(bytes, start)
      } else {
        const count = Math.min(this.want - this.have, end - i)
        if (this.gathered.length < this.want) this.gathered = Buffer.alloc(this.want)
        bytes.copy(this.gathered, this.have, i, i + count)
        this.have += count
        i += count
        if (this.have < this.want) continue
        this.have = 0
        this.offset = this.before + i - this.want
        this.then(this.gathered, 0)
      }
    }
    this.before += end
  }

  /** Says that there is no more. Refuses an archive that was cut off: one without the block of zeroes at its end. */
  finish(): void {
    if (this.ended || (this.zeroBlocks > 0 && this.have === 0)) return
    this.offset = this.before
    this.refuse('the archive is cut off')
  }

  /** Where the bytes at hand stand in the archive. */
  private offset = 0

  private refuse(reason: string): never {
    return refuse('tar-invalid', { offset: this.offset, reason })
  }

  /** Has `then` called with the next `want` bytes. */
  private expect(want: number, then: (bytes: Buffer, start: number) => void): void {
    this.want = want
    this.then = then
  }

  private expectHeader(): void {
    this.expect(BLOCK, (bytes, start) => this.header(bytes, start))
  }

  private closeFile(): void {
    if (this.inFile) this.handler.endFile()
    this.inFile = false
  }

  private number(bytes: Buffer, start: number, field: string, from: number, length: number): number {
    const value = headerNumber(bytes, start + from, length)
    if (value === null) this.refuse(`${field} is not a number`)
    return value
  }

  private unsigned(bytes: Buffer, start: number, field: string, from: number, length: number): number {
    const value = this.number(bytes, start, field, from, length)
    if (value < 0) this.refuse(`${field} is negative`)
    return value
  }

  private header(bytes: Buffer, start: number): void {
    if (bytes[start] === 0 && isZeroBlock(bytes, start)) {
      this.zeroBlocks++
      this.ended = this.zeroBlocks === 2
      if (this.longName !== null || this.longLink !== null || this.pax !== null) {
        this.refuse('an extended header without its member')
      }
      return
    }
    if (this.zeroBlocks > 0) this.refuse('a member after the end')
    const sum = this.number(bytes, start, 'checksum', at.chksum, 8)
    if (!checksumFits(bytes, start, sum)) this.refuse('the checksum of a header is wrong')
    if (this.longName === null && this.longLink === null && this.pax === null) this.headerAt = this.offset

    const size = this.unsigned(bytes, start, 'size', at.size, 12)
    const flag = String.fromCharCode(bytes[start + at.typeflag] as number)
    switch (flag) {
      case 'x':
      case 'X':
        this.extension(size, (body, from) => {
          this.pax = this.parsePax(body, from, size)
        })
        return
      case 'g':
        this.extension(size, (body, from) => {
          for (const [key, value] of this.parsePax(body, from, size).values) this.setGlobal(key, value)
        })
        return
      case 'L':
        this.extension(size, (body, from) => {
          this.longName = headerText(body, from, size)
        })
        return
      case 'K':
        this.extension(size, (body, from) => {
          this.longLink = headerText(body, from, size)
        })
        return
      case 'V':
        this.skip = padded(size)
        return
      case 'M':
      case 'N':
        this.refuse(`members of type ${flag} are not supported`)
        return
      default:
        this.member(bytes, start, flag, size)
    }
  }

  private parsePax(body: Buffer, from: number, size: number): PaxRecords {
    const records = parsePax(body, from, from + size)
    if (records === null) this.refuse('a PAX record is malformed')
    return records
  }

  /** Global records stay until the end of the archive: all of them together are bounded as one header is. */
  private setGlobal(key: string, value: Buffer): void {
    const former = this.globalPax.get(key)
    this.globalBytes += value.length + (former === undefined ? key.length + RECORD : -former.length)
    if (this.globalBytes > LARGEST_EXTENSION) this.refuse('global headers of more than 8 MiB')
    this.globalPax.set(key, value)
  }

  /** Collects the body of a header that describes the next member. */
  private extension(size: number, then: (bytes: Buffer, start: number) => void): void {
    if (size > LARGEST_EXTENSION) this.refuse('an extended header of more than 8 MiB')
    if (size === 0) {
      then(Buffer.alloc(0), 0)
      return
    }
    this.expect(padded(size), (bytes, start) => {
      then(bytes, start)
      this.expectHeader()
    })
  }

  /** A value that the member's own PAX header has, or a global one. */
  private paxText(key: string): string | null {
    const value = this.pax?.values.get(key) ?? this.globalPax.get(key)
    return value === undefined || value.length === 0 ? null : value.toString('latin1')
  }

  private paxNumber(key: string): number | null {
    const text = this.paxText(key)
    if (text === null) return null
    const value = decimal(text)
    if (value === null) this.refuse(`PAX ${key} is not a number`)
    return value
  }

  private paxTime(key: string): Time | null {
    const text = this.paxText(key)
    if (text === null) return null
    const value = paxTime(text)
    if (value === null) this.refuse(`PAX ${key} is not a time`)
    return value
  }

  /** The name in a header: after the prefix that ustar and star have and GNU tar has not. */
  private nameOf(bytes: Buffer, start: number): string {
    const name = headerText(bytes, start + at.name, 100)
    if (bytes.toString('latin1', start + at.magic, start + at.magic + 6) !== 'ustar\0') return name
    const isStar = bytes.toString('latin1', start + 508, start + 512) === 'tar\0'
    const prefix = headerText(bytes, start + at.prefix, isStar ? 131 : 155)
    return prefix === '' ? name : `${prefix}/${name}`
  }

  /** Takes away the '/' in front, as GNU tar does, and refuses what leads out of the root. */
  private cleanName(name: string): string {
    if (name.includes('\0')) this.refuse('a name with a zero byte')
    if (name.includes('..') && name.split('/').includes('..')) this.refuse("a name with '..'")
    let from = 0
    while (name.charCodeAt(from) === 0x2f) from++
    return from === 0 ? name : name.slice(from)
  }

  private member(bytes: Buffer, start: number, flag: string, headerSize: number): void {
    const rawName =
      this.paxText('GNU.sparse.name') ?? this.paxText('path') ?? this.longName ?? this.nameOf(bytes, start)
    const rawTarget = this.paxText('linkpath') ?? this.longLink ?? headerText(bytes, start + at.linkname, 100)
    const type = typeOf(flag, rawName.endsWith('/'))
    const isDevice = type === 'character' || type === 'block'
    let stored = this.paxNumber('size') ?? headerSize
    // Links have no data, whatever their size says (GNU tar, read_header; Go, archive/tar). That of a directory is
    // room that it may take up on the disk (POSIX.1-2017, pax, "ustar Interchange Format").
    if (type === 'hardlink' || type === 'symlink' || flag === typeFlags.directory) stored = 0
    else if (type !== 'file' && flag !== 'D' && flag === typeFlags[type] && stored > 0) {
      this.refuse(`a ${type} with data`)
    }
    if (rawTarget.includes('\0')) this.refuse('a name with a zero byte')
    const modified = this.paxTime('mtime') ?? {
      seconds: this.number(bytes, start, 'mtime', at.mtime, 12),
      nanoseconds: 0,
    }
    const entry: TarEntry = {
      type,
      path: this.cleanName(rawName),
      target: type === 'hardlink' ? this.cleanName(rawTarget) : rawTarget,
      mode: this.unsigned(bytes, start, 'mode', at.mode, 8) & 0o7777,
      uid: this.idOf('uid', bytes, start, at.uid),
      gid: this.idOf('gid', bytes, start, at.gid),
      modified,
      accessed: this.paxTime('atime'),
      size: stored,
      segments: null,
      major: isDevice
        ? (this.paxNumber('SCHILY.devmajor') ?? this.unsigned(bytes, start, 'devmajor', at.devmajor, 8))
        : 0,
      minor: isDevice
        ? (this.paxNumber('SCHILY.devminor') ?? this.unsigned(bytes, start, 'devminor', at.devminor, 8))
        : 0,
      xattrs: this.pax === null ? [] : xattrsOf(this.pax.values),
      offset: this.headerAt,
    }
    if (type !== 'file') {
      this.handler.entry(entry)
      this.skip = padded(stored)
    } else if (flag === 'S') this.oldSparse(bytes, start, entry, stored)
    else if (this.pax !== null && this.hasSparseRecords()) this.paxSparse(entry, stored)
    else this.beginFile(entry, stored, 0)
    this.pax = null
    this.longName = null
    this.longLink = null
  }

  private idOf(key: 'uid' | 'gid', bytes: Buffer, start: number, from: number): number {
    const id = this.paxNumber(key) ?? this.unsigned(bytes, start, key, from, 8)
    if (id > 0xffffffff) this.refuse(`${key} is too large`)
    return id
  }

  /**
   * Hands a file over; its data follows.
   * @param stored bytes of data that follow in the archive
   * @param mapped bytes of the member before them, a sparse map
   */
  private beginFile(entry: TarEntry, stored: number, mapped: number): void {
    this.handler.entry(entry)
    this.dataLeft = stored
    this.inFile = true
    this.skip = padded(stored + mapped) - stored - mapped
    this.expectHeader()
    if (stored === 0) this.closeFile()
  }

  private beginSparse(entry: TarEntry, segments: number[], stored: number, mapped: number): void {
    const wrong = checkSegments(segments, entry.size, stored)
    if (wrong !== null) this.refuse(wrong)
    entry.segments = segments
    this.beginFile(entry, stored, mapped)
  }

  /** GNU sparse format of before PAX: the map in the header, and in further blocks behind it. */
  private oldSparse(bytes: Buffer, start: number, entry: TarEntry, stored: number): void {
    entry.size = this.unsigned(bytes, start, 'realsize', OLD_GNU.at.realsize, 12)
    const segments: number[] = []
    const collect = (from: Buffer, position: number, count: number): void => {
      for (let i = 0; i < count; i++) {
        const pair = position + i * SPARSE_ENTRY
        // An unused place begins with a zero byte.
        if (from[pair + 12] === 0) return
        segments.push(this.unsigned(from, pair, 'sparse offset', 0, 12))
        segments.push(this.unsigned(from, pair, 'sparse length', 12, 12))
      }
    }
    collect(bytes, start + OLD_GNU.at.sp, 4)
    const more = (from: Buffer, position: number): void => {
      collect(from, position, 21)
      if (segments.length > 2 * MOST_SEGMENTS) this.refuse('a sparse map of more than a million parts')
      if (from[position + OLD_GNU_SPARSE.at.isextended] !== 0) return
      this.beginSparse(entry, segments, stored, 0)
    }
    if (bytes[start + OLD_GNU.at.isextended] !== 0) this.expect(BLOCK, more)
    else this.beginSparse(entry, segments, stored, 0)
  }

  private hasSparseRecords(): boolean {
    const values = this.pax?.values
    return values !== undefined && (values.has('GNU.sparse.size') || values.has('GNU.sparse.realsize'))
  }

  /** GNU sparse formats 0.0, 0.1 (map in the records) and 1.0 (map before the data). */
  private paxSparse(entry: TarEntry, stored: number): void {
    const size = this.paxNumber('GNU.sparse.realsize') ?? this.paxNumber('GNU.sparse.size')
    if (size === null) this.refuse('a sparse file without a size')
    entry.size = size
    if (this.paxText('GNU.sparse.major') === '1') {
      const map = new SparseMap()
      const next = (bytes: Buffer, start: number): void => {
        const state = map.add(bytes, start)
        if (state === 'wrong' || map.bytes > stored) this.refuse('a sparse map is malformed')
        if (state === 'done') this.beginSparse(entry, map.segments, stored - map.bytes, map.bytes)
      }
      this.expect(BLOCK, next)
      return
    }
    const texts = this.paxText('GNU.sparse.map')?.split(',') ?? this.pax?.sparse ?? []
    const segments = texts.map((text) => {
      const value = decimal(text)
      if (value === null) this.refuse('a sparse map is malformed')
      return value
    })
    this.beginSparse(entry, segments, stored, 0)
  }
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}
