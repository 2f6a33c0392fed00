/** Bytes of a tar block. Layout: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format". */
export const TAR_BLOCK = 512

/** Fields of a header block: [offset, bytes]. */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  chksum: [148, 8],
  typeflag: [156, 1],
  linkname: [157, 100],
  magic: [257, 6],
  version: [263, 2],
  prefix: [345, 155],
} as const
type Field = keyof typeof FIELDS

/** What the filter needs of a header. Names are bytes as latin1. */
export interface TarHeader {
  path: string
  linkPath: string
  /** `0` file, `1` hard link, `2` symlink, `5` directory, `x` and `g` pax, `L` and `K` GNU long names, … */
  type: string
  sizeBytes: number
}

export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0)
}

/**
 * Reads a header block.
 * @param block 512 bytes
 * @returns null when its checksum or its size is wrong
 */
export function decodeHeader(block: Buffer): TarHeader | null {
  if (parseNumber(block, 'chksum') !== checksum(block)) return null
  const sizeBytes = parseNumber(block, 'size')
  if (sizeBytes === null) return null
  const type = block.toString('latin1', 156, 157)
  const name = parseText(block, 'name')
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? parseText(block, 'prefix') : ''
  const path = prefix === '' ? name : `${prefix}/${name}`
  return {
    path,
    linkPath: parseText(block, 'linkname'),
    // NUL is the old file; a name that ends in a slash made that a directory before ustar.
    type: type === '\0' || type === '0' ? (path.endsWith('/') ? '5' : '0') : type,
    sizeBytes,
  }
}

/**
 * Writes a ustar header of an entry owned by root. Names too long for it are cut: a pax record before it has them.
 * @param entry `mode` permission bits, `time` seconds since 1970
 */
export function encodeHeader(entry: TarHeader & { mode: number; time: number }): Buffer {
  const block = Buffer.alloc(TAR_BLOCK)
  const put = (field: Field, text: string): void => {
    const [offset, bytes] = FIELDS[field]
    block.write(text.slice(0, bytes), offset, 'latin1')
  }
  const octal = (field: Field, value: number): void =>
    put(field, `${value.toString(8).padStart(FIELDS[field][1] - 1, '0')}\0`)
  put('name', entry.path)
  octal('mode', entry.mode)
  octal('uid', 0)
  octal('gid', 0)
  octal('size', entry.sizeBytes)
  octal('mtime', entry.time)
  put('typeflag', entry.type)
  put('linkname', entry.linkPath)
  put('magic', 'ustar\0')
  put('version', '00')
  put('chksum', `${checksum(block).toString(8).padStart(6, '0')}\0 `)
  return block
}

/** The sum of all bytes, those of the checksum itself taken as blanks. */
function checksum(block: Buffer): number {
  const [start, bytes] = FIELDS.chksum
  let sum = 0x20 * bytes
  for (let index = 0; index < TAR_BLOCK; index++) {
    if (index < start || index >= start + bytes) sum += block[index] ?? 0
  }
  return sum
}

function parseText(block: Buffer, field: Field): string {
  const [offset, bytes] = FIELDS[field]
  const end = block.indexOf(0, offset)
  return block.toString('latin1', offset, end === -1 ? offset + bytes : Math.min(end, offset + bytes))
}

/** Octal, or base 256 when the first bit is set (GNU tar manual, "Extensions to the tar Archive Format"); null for neither. */
function parseNumber(block: Buffer, field: Field): number | null {
  const [offset, bytes] = FIELDS[field]
  if ((block[offset] ?? 0) & 0x80) {
    let value = BigInt((block[offset] ?? 0) & 0x7f)
    for (let index = offset + 1; index < offset + bytes; index++)
      value = value * 256n + BigInt(block[index] ?? 0)
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null
  }
  const text = block
    .toString('latin1', offset, offset + bytes)
    .replace(/[ \0]+$/, '')
    .trimStart()
  if (text === '') return 0
  return /^[0-7]+$/.test(text) ? parseInt(text, 8) : null
}

/**
 * Reads pax records: `LENGTH KEY=VALUE\n` each, LENGTH counting all of it.
 * @param content the data of an `x` or `g` entry
 * @returns key to value, bytes as latin1; null when it is malformed
 */
export function parsePax(content: Buffer): Map<string, string> | null {
  const text = content.toString('latin1')
  const records = new Map<string, string>()
  let start = 0
  while (start < text.length) {
    const blank = text.indexOf(' ', start)
    const length = Number(text.slice(start, blank))
    const end = start + length
    const equals = text.indexOf('=', blank)
    if (blank === -1 || !Number.isInteger(length) || end > text.length) return null
    if (equals === -1 || equals >= end || text[end - 1] !== '\n' || end <= blank + 2) return null
    records.set(text.slice(blank + 1, equals), text.slice(equals + 1, end - 1))
    start = end
  }
  return records
}

/**
 * Writes a pax extended header, block and data.
 * @param records key to value, bytes as latin1
 */
export function encodePax(records: ReadonlyMap<string, string>): Buffer {
  let text = ''
  for (const [key, value] of records) {
    const rest = ` ${key}=${value}\n`
    let length = rest.length
    // The length counts its own digits.
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length
    text += `${length}${rest}`
  }
  const content = Buffer.from(text, 'latin1')
  const header = {
    path: 'PaxHeaders/0',
    linkPath: '',
    type: 'x',
    mode: 0o644,
    time: 0,
    sizeBytes: content.length,
  }
  return Buffer.concat([encodeHeader(header), content, Buffer.alloc(-content.length & (TAR_BLOCK - 1))])
}
