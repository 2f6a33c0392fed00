import { expect, test } from 'vitest'
import { crc32, crc32c, crc32cOfZeroes } from '../../src/main/disk/crc'
import { encodeGpt, GPT_HEADER } from '../../src/main/disk/gpt'
import { guidBytes, uuidBytes } from '../../src/main/disk/guid'
import { decodeMbr, encodeMbr } from '../../src/main/disk/mbr'
import { struct } from '../../src/main/disk/struct'

test('a layout whose offsets disagree with its widths does not load', () => {
  expect(() =>
    struct('bad', [
      [0, 'a', 'u8'],
      [2, 'b', 'u16'],
    ]),
  ).toThrow('bad.b: table says 2, widths say 1')
})

test('encode and decode are inverse in both byte orders', () => {
  for (const endian of ['little', 'big'] as const) {
    const layout = struct(
      'x',
      [
        [0, 'a', 'u8'],
        [1, 'b', 'u16'],
        [3, 'c', 'u32'],
        [7, 'd', 'u64'],
        [15, 'e', 3],
      ],
      endian,
    )
    const values = { a: 200, b: 60000, c: 4000000000, d: 2n ** 63n + 5n, e: Uint8Array.of(1, 2, 3) }
    const bytes = layout.encode(values)
    expect(layout.decode(bytes)).toEqual(values)
    expect(bytes[1]).toBe(endian === 'big' ? 60000 >> 8 : 60000 & 255)
  }
})

test('a value that does not fit its field throws', () => {
  const layout = struct('x', [[0, 'a', 'u16']])
  expect(() => layout.encode({ a: 65536 })).toThrow(RangeError)
  expect(() => layout.encode({ a: -1 })).toThrow(RangeError)
})

test('checksums of the catalogue of Greg Cook', () => {
  const check = Buffer.from('123456789')
  expect(crc32(check)).toBe(0xcbf43926)
  expect(~crc32c(0xffffffff, check) >>> 0).toBe(0xe3069283)
  const long = Buffer.from('123456789'.repeat(50))
  const pieces = crc32c(crc32c(0xffffffff, long, 0, 13), long, 13)
  expect(pieces).toBe(crc32c(0xffffffff, long))
})

test('zeroes are passed over with the checksum that they have', () => {
  for (const count of [0, 1, 2, 3, 7, 96, 1000, 4084, 4095, 4096, 8191]) {
    for (const seed of [0, 1, 0x80000000, 0xdeadbeef, 0xffffffff]) {
      expect(crc32cOfZeroes(seed, count)).toBe(crc32c(seed, new Uint8Array(count)))
    }
  }
})

test('GUIDs swap their first three fields, UUIDs do not', () => {
  const text = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b'
  expect(Buffer.from(guidBytes(text)).toString('hex')).toBe('28732ac11ff8d211ba4b00a0c93ec93b')
  expect(Buffer.from(uuidBytes(text)).toString('hex')).toBe(text.replaceAll('-', ''))
})

test('an MBR reads back as it was written', () => {
  const partitions = [
    { type: 0x83, active: true, start: 133120, count: 4000000 },
    { type: 0xef, active: false, start: 2048, count: 131072 },
  ]
  const sector = encodeMbr(Uint8Array.of(0xfa), 0xdeadbeef, partitions)
  expect(decodeMbr(sector)).toEqual(partitions)
  expect(sector.length).toBe(512)
  expect(decodeMbr(new Uint8Array(512))).toBeNull()
})

test('both copies of a GPT point at each other', () => {
  const { head, tail, tailStart } = encodeGpt(
    100000,
    'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
    new Uint8Array(),
    [],
  )
  expect(GPT_HEADER.decode(head, 512)).toMatchObject({
    MyLBA: 1n,
    AlternateLBA: 99999n,
    PartitionEntryLBA: 2n,
  })
  expect(GPT_HEADER.decode(tail, 32 * 512)).toMatchObject({ MyLBA: 99999n, AlternateLBA: 1n })
  expect(tailStart).toBe(100000 - 33)
})
