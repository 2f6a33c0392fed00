import fc from 'fast-check'
import { readFileSync, rmSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { efiProgram } from '../../src/main/convert/loaders/efi-program'
import { crc32 } from '../../src/main/disk/crc'
import * as ext4 from '../../src/main/disk/ext4/layout'
import { extlinuxParts } from '../../src/main/disk/extlinux'
import * as fat32 from '../../src/main/disk/fat32/layout'
import * as gpt from '../../src/main/disk/gpt'
import { headerCrc, readGpt } from '../../src/main/disk/gpt-read'
import * as mbr from '../../src/main/disk/mbr'
import type { Row, Struct } from '../../src/main/disk/struct'
import { usedRanges } from '../../src/main/flash/used-blocks'
import { ext4Settings, makeExt4, setLength } from './disk-file'
import { search } from './duration'

type AnyStruct = Struct<readonly Row[]>
const isStruct = (value: unknown): value is AnyStruct =>
  typeof value === 'object' && value !== null && 'decode' in value && 'encode' in value
const tables = [mbr, gpt, fat32, ext4].flatMap((module) =>
  Object.entries(module).filter((entry): entry is [string, AnyStruct] => isStruct(entry[1])),
)

test.each(tables)('%s takes any bytes and gives them back', (_, table) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: table.size, maxLength: table.size }), (bytes) => {
      expect(Buffer.from(table.encode(table.decode(bytes)))).toEqual(Buffer.from(bytes))
    }),
    { numRuns: 100 },
  )
  expect(() => table.decode(new Uint8Array(table.size - 1))).toThrow(RangeError)
})

/** Changes of a few bytes, more often than not to numbers that matter. */
const changes = (places: fc.Arbitrary<number>): fc.Arbitrary<{ at: number; bytes: Uint8Array }[]> =>
  fc.array(
    fc.record({
      at: places,
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        fc.constantFrom(
          Uint8Array.of(0, 0, 0, 0),
          Uint8Array.of(255, 255, 255, 255),
          Uint8Array.of(1, 0, 0, 0),
          Uint8Array.of(0, 0, 0, 128),
          Uint8Array.of(255, 255, 255, 127),
        ),
      ),
    }),
    { minLength: 1, maxLength: 4 },
  )

function changed(original: Buffer, list: { at: number; bytes: Uint8Array }[]): Buffer {
  const copy = Buffer.from(original)
  for (const { at, bytes } of list)
    copy.set(bytes.subarray(0, Math.max(0, copy.length - at)), Math.min(at, copy.length))
  return copy
}

test(
  'a damaged file system is judged by what is inside the disk alone, or not at all',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-decoders-'))
    const path = join(folder, 'disk.img')
    const start = 1024 * 1024
    const summary = await makeExt4(path, { ...ext4Settings(20), offset: start }, (writer) => {
      for (let i = 0; i < 50; i++)
        writer.wholeFile(`file ${i}`, writer.defaults(0o644), Buffer.alloc(20_000, i))
    })
    setLength(path, start + summary.bytes)
    const disk = readFileSync(path)
    rmSync(folder, { recursive: true })
    const partition = { type: mbr.LINUX_TYPE, active: true, start: start / 512, count: summary.bytes / 512 }
    disk.set(mbr.encodeMbr(new Uint8Array(), 1, [partition]))

    /** All that is read of the disk, in bytes. */
    let bytesRead = 0
    const ranges = (bytes: Buffer): ReturnType<typeof usedRanges> =>
      usedRanges((position, length) => {
        bytesRead += length
        if (position < 0 || position + length > bytes.length)
          return Promise.reject(new Error('beyond the disk'))
        return Promise.resolve(bytes.subarray(position, position + length))
      }, bytes.length)
    expect((await ranges(disk)).reduce((sum, { length }) => sum + length, 0)).toBeLessThan(disk.length)

    const places = fc.oneof(
      fc.integer({ min: 446, max: 511 }),
      fc.integer({ min: start + 1024, max: start + 1024 + 0x180 }),
      fc.integer({ min: start + 4096, max: start + 4096 + 31 }),
    )
    await fc.assert(
      fc.asyncProperty(changes(places), async (list) => {
        bytesRead = 0
        let end = -1
        for (const { position, length } of await ranges(changed(disk, list))) {
          expect(position).toBeGreaterThan(end)
          expect(length).toBeGreaterThan(0)
          end = position + length
        }
        expect(end).toBeLessThanOrEqual(disk.length)
        expect(bytesRead).toBeLessThanOrEqual(disk.length)
      }),
      search(2000),
    )
  },
  24 * 3600_000,
)

test(
  'a damaged boot loader is recognised or refused',
  () => {
    const program = readFileSync('/usr/bin/extlinux')
    const sections = Number(program.readBigUInt64LE(0x28))
    const data = program.indexOf(Buffer.from('\r\nSYSLINUX', 'latin1'))
    const places = fc.oneof(
      fc.integer({ min: 0, max: 63 }),
      fc.integer({ min: sections, max: program.length - 1 }),
      fc.integer({ min: data - 600, max: data + 1000 }),
      fc.integer({ min: 0, max: program.length - 1 }),
    )
    fc.assert(
      fc.property(changes(places), fc.nat(program.length), (list, length) => {
        extlinuxParts(changed(program, list))
        extlinuxParts(program.subarray(0, length))
      }),
      search(1000),
    )
  },
  24 * 3600_000,
)

test(
  'a damaged GUID partition table is read whole or not at all',
  () => {
    const partition = {
      typeGuid: gpt.LINUX_DATA_GUID,
      guid: gpt.LINUX_DATA_GUID,
      attributes: 0n,
      name: 'root',
    }
    const { head } = gpt.encodeGpt(65536, gpt.LINUX_DATA_GUID, new Uint8Array(), [
      { ...partition, start: 2048, count: 4096 },
    ])
    expect(readGpt(head)).not.toBeNull()
    const places = fc.oneof(
      fc.integer({ min: 512, max: 604 }),
      fc.integer({ min: 1024, max: head.length - 1 }),
    )
    fc.assert(
      fc.property(changes(places), fc.boolean(), fc.nat(head.length), (list, isSigned, length) => {
        const bytes = changed(Buffer.from(head), list)
        // With its sums set right the table is taken as it is: every number in it may be anything.
        if (isSigned) {
          const header = gpt.GPT_HEADER.decode(bytes, 512)
          const start = Number(header.PartitionEntryLBA) * 512
          const end = start + header.NumberOfPartitionEntries * header.SizeOfPartitionEntry
          bytes.writeUInt32LE(
            crc32(bytes.subarray(start, end)),
            512 + gpt.GPT_HEADER.at.PartitionEntryArrayCRC32,
          )
          const size = Math.max(gpt.GPT_HEADER.size, header.HeaderSize)
          const sum = headerCrc(bytes.subarray(512, 512 + size))
          bytes.writeUInt32LE(sum, 512 + gpt.GPT_HEADER.at.HeaderCRC32)
        }
        const read = readGpt(bytes)
        if (read !== null) expect(read.entries.length).toBeLessThanOrEqual(bytes.length)
        readGpt(bytes.subarray(0, length))
      }),
      search(3000),
    )
  },
  24 * 3600_000,
)

test(
  'a damaged EFI program is recognised or refused',
  () => {
    const program = readFileSync('/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi').subarray(0, 4096)
    expect(efiProgram(program)).toEqual({ architecture: 'amd64', isSigned: false })
    const at = program.readUInt32LE(0x3c)
    const places = fc.oneof(
      fc.constant(0x3c),
      fc.integer({ min: at, max: at + 200 }),
      fc.integer({ min: 0, max: program.length - 1 }),
    )
    fc.assert(
      fc.property(changes(places), fc.nat(program.length), (list, length) => {
        const read = efiProgram(changed(program, list))
        if (read !== null) expect(['amd64', 'arm64']).toContain(read.architecture)
        efiProgram(changed(program, list).subarray(0, length))
      }),
      search(3000),
    )
  },
  24 * 3600_000,
)
