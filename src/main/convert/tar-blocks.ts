import { BLOCK, USTAR } from './tar/layout'
import { checksumFits, headerNumber, headerText, isZeroBlock } from './tar/values'

/** What the filter needs of a header. Names are bytes as latin1. */
export interface TarHeader {
  path: string
  linkPath: string
  /** `0` file, `1` hard link, `2` symlink, `5` directory, `x` and `g` pax, `L` and `K` GNU long names, … */
  type: string
  sizeBytes: number
}

/**
 * Reads a header block.
 * @param block 512 bytes
 * @returns `end` for a block of zeroes, null when its checksum or its size is wrong
 */
export function decodeHeader(block: Buffer): TarHeader | 'end' | null {
  if (isZeroBlock(block, 0)) return 'end'
  const { at } = USTAR
  const stored = headerNumber(block, at.chksum, 8)
  const sizeBytes = headerNumber(block, at.size, 12)
  if (stored === null || !checksumFits(block, 0, stored) || sizeBytes === null || sizeBytes < 0) return null
  const name = headerText(block, at.name, 100)
  const isPosix = block.toString('latin1', at.magic, at.magic + 6) === 'ustar\0'
  const prefix = isPosix ? headerText(block, at.prefix, 155) : ''
  const path = prefix === '' ? name : `${prefix}/${name}`
  const flag = block.toString('latin1', at.typeflag, at.typeflag + 1)
  return {
    path,
    linkPath: headerText(block, at.linkname, 100),
    // NUL is the old file; a name that ends in a slash made that a directory before ustar.
    type: flag === '\0' || flag === '0' ? (path.endsWith('/') ? '5' : '0') : flag,
    sizeBytes,
  }
}

/**
 * Writes a ustar header. Names too long for it are cut: a pax record before it has them.
 * @param entry `mode` permission bits, `time` seconds since 1970, `owner` root when absent; numbers from 2^21 on need a pax record before it
 */
export function encodeHeader(
  entry: TarHeader & { mode: number; time: number; owner?: { user: number; group: number } },
): Buffer {
  const text = (value: string, bytes: number): Uint8Array => Buffer.from(value.slice(0, bytes), 'latin1')
  const octal = (value: number, bytes: number): Uint8Array =>
    text(value.toString(8).padStart(bytes - 1, '0'), bytes)
  const block = Buffer.from(
    USTAR.encode({
      name: text(entry.path, 100),
      mode: octal(entry.mode, 8),
      uid: octal((entry.owner?.user ?? 0) % 2 ** 21, 8),
      gid: octal((entry.owner?.group ?? 0) % 2 ** 21, 8),
      size: octal(entry.sizeBytes, 12),
      mtime: octal(entry.time, 12),
      // The sum is made with blanks in its own place.
      chksum: text(' '.repeat(8), 8),
      typeflag: text(entry.type, 1),
      linkname: text(entry.linkPath, 100),
      magic: text('ustar\0', 6),
      version: text('00', 2),
    }),
  )
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, USTAR.at.chksum, 'latin1')
  return block
}

/**
 * Writes a pax extended header, block and data: `LENGTH KEY=VALUE\n` for each record, LENGTH counting all of it.
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
  return Buffer.concat([encodeHeader(header), content, Buffer.alloc(-content.length & (BLOCK - 1))])
}
