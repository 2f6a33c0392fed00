/** Encoders of tar for tests: as plain as can be, and sharing nothing with the reader under test. */

/** Fills up to a multiple of 512 with zeroes. */
export function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

/** Octal digits and a zero byte. */
export function encodeOctal(target: Buffer, at: number, length: number, value: number): void {
  target.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
}

/** PAX records; the length counts itself. */
export function paxBody(records: [key: string, value: Buffer][]): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')])
      let length = rest.length
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length
      return Buffer.concat([Buffer.from(String(length)), rest])
    }),
  )
}

export interface HeaderFields {
  name: Buffer
  flag: string
  size: number
  mode: number
  uid?: number
  gid?: number
  target?: Buffer | undefined
  major?: number | undefined
  minor?: number | undefined
  oldSparse?: { segments: number[]; size: number; extended: boolean } | undefined
}

/** One header block: ustar, or GNU where there is an old sparse map. */
export function header(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(512)
  fields.name.copy(block, 0)
  encodeOctal(block, 100, 8, fields.mode)
  encodeOctal(block, 108, 8, fields.uid ?? 0)
  encodeOctal(block, 116, 8, fields.gid ?? 0)
  encodeOctal(block, 124, 12, fields.size)
  encodeOctal(block, 136, 12, 0)
  block.write(fields.flag, 156)
  fields.target?.copy(block, 157)
  block.write(fields.oldSparse === undefined ? 'ustar\x0000' : 'ustar  \0', 257, 'latin1')
  encodeOctal(block, 329, 8, fields.major ?? 0)
  encodeOctal(block, 337, 8, fields.minor ?? 0)
  if (fields.oldSparse !== undefined) {
    const { segments, size, extended } = fields.oldSparse
    segments.forEach((value, index) => encodeOctal(block, 386 + index * 12, 12, value))
    block[482] = extended ? 1 : 0
    encodeOctal(block, 483, 12, size)
  }
  sign(block)
  return block
}

/** Puts the checksum into a header. */
export function sign(block: Buffer): void {
  block.fill(0x20, 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}
