import { execFile } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdtemp, open, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inspectSource, openSource } from '../../src/main/flash/source/open'
import {
  inspectVirtualDisk,
  namesOtherFiles,
  unpackVirtualDisk,
} from '../../src/main/flash/source/virtual-disk'
import { writeBlockMap } from '../../src/main/library/block-map'

const run = promisify(execFile)
const MIB = 1024 * 1024
const never = new AbortController().signal

let folder = ''
let disk = ''
let bytes = Buffer.alloc(0)

beforeAll(async () => {
  folder = await mkdtemp('/var/tmp/slipway-source-')
  disk = join(folder, 'disk.img')
  bytes = randomFillSync(Buffer.alloc(3 * MIB + 512))
  bytes.fill(0, 446, 510)
  bytes.writeUInt16BE(0x55aa, 510)
  await writeFile(disk, bytes)
})
afterAll(() => rm(folder, { recursive: true }))

/** Everything that a file sends, with what nobody sent as 0xaa. */
async function sent(path: string, everything = false): Promise<{ result: unknown; content: Buffer }> {
  const opened = await openSource(path, everything, never)
  if (!opened.ok) return { result: opened, content: Buffer.alloc(0) }
  const content = Buffer.alloc(4 * MIB, 0xaa)
  try {
    const result = await opened.value.send((position, piece) => {
      content.set(piece, position)
      return Promise.resolve()
    }, never)
    return { result, content: content.subarray(0, bytes.length) }
  } finally {
    await opened.value.close()
  }
}

const refused = (code: string): object => ({
  ok: false,
  failure: expect.objectContaining({ code }) as unknown,
})

describe('a disk in a package', () => {
  test.each<[string, string, string[], boolean]>([
    ['gz', 'gzip', ['-1', '-k'], false],
    ['xz', 'xz', ['-0', '-k'], true],
    ['zst', 'zstd', ['-q'], false],
  ])(
    '%s is recognised whatever its name is, and tells its size or a lower bound',
    async (ending, tool, args, isExact) => {
      await run(tool, [...args, disk])
      const path = join(folder, `${ending}-package`)
      await run('mv', [`${disk}.${ending}`, path])
      const told = await inspectSource(path)
      expect(told).toEqual({ ok: true, value: { sizeBytes: bytes.length, isSizeKnown: isExact } })
      const { result, content } = await sent(path)
      expect(result).toEqual({ ok: true, value: null })
      expect(content.equals(bytes)).toBe(true)
      // Cut off, it says so.
      await truncate(path, (await stat(path)).size - 1000)
      const cut = await sent(path)
      expect(cut.result).toEqual(refused('disk-damaged'))
    },
  )

  test('a zip of one file is the disk; a zip of two is nobody’s choice; a wrong checksum is found', async () => {
    const zip = join(folder, 'a.zip')
    await run('zip', ['-q', '-0', '-j', zip, disk])
    expect(await inspectSource(zip)).toEqual({
      ok: true,
      value: { sizeBytes: bytes.length, isSizeKnown: true },
    })
    const whole = await readFile(zip)
    await writeFile(zip, Buffer.from(whole).fill(7, 2 * MIB, 2 * MIB + 10))
    expect((await sent(zip)).result).toEqual(refused('disk-damaged'))
    await writeFile(zip, whole)
    await writeFile(join(folder, 'b.txt'), 'b')
    await run('zip', ['-q', '-j', zip, join(folder, 'b.txt')])
    expect(await inspectSource(zip)).toEqual(refused('not-supported'))
  })

  test('what holds no boot record is refused, packed or not', async () => {
    const path = join(folder, 'no-disk')
    await writeFile(path, Buffer.alloc(MIB, 1))
    expect(await inspectSource(path)).toEqual(refused('disk-not-bootable'))
    await run('gzip', [path])
    expect(await inspectSource(`${path}.gz`)).toEqual(refused('disk-not-bootable'))
  })
})

describe('a virtual machine’s disk', () => {
  test.each(['qcow2', 'vmdk', 'vdi', 'vhdx'])('%s is unpacked', async (format) => {
    const path = join(folder, `virtual.${format}`)
    await run('qemu-img', ['convert', '-f', 'raw', '-O', format, disk, path])
    const { result, content } = await sent(path)
    expect(result).toEqual({ ok: true, value: null })
    expect(content.equals(bytes)).toBe(true)
  })

  test('that names another file is refused before anything is opened', async () => {
    const secret = join(folder, 'secret')
    await writeFile(secret, bytes)
    const path = join(folder, 'backed.qcow2')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', secret, path])
    expect(await inspectSource(path)).toEqual(refused('not-supported'))
    expect((await sent(path)).result).toEqual(refused('not-supported'))
    const apart = join(folder, 'apart.qcow2')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${folder}/data`, apart, '8M'])
    expect(await inspectSource(apart)).toEqual(refused('not-supported'))
  })

  test('whose header sends QEMU to a descriptor that names a file of yours is refused', async () => {
    const secret = join(folder, 'secret')
    await writeFile(secret, bytes)
    const descriptor = [
      '# Disk DescriptorFile',
      ...['version=1', 'CID=fffffffe', 'parentCID=ffffffff', 'createType="monolithicFlat"'],
      `RW ${bytes.length / 512} FLAT "${secret}" 0`,
      '',
    ].join('\n')
    // "Virtual Disk Format 5.0", SparseExtentHeader: version, flags, capacity, granularity, descriptor and its length.
    const header = Buffer.alloc(1024)
    header.write('KDMV')
    header.writeUInt32LE(1, 4)
    header.writeBigUInt64LE(1n, 28)
    header.writeBigUInt64LE(1n, 36)
    header.write(descriptor, 512)
    const path = join(folder, 'hostile.vmdk')
    await writeFile(path, header)
    // The trap is one: asked for it, qemu-img reads the secret.
    const { stdout } = await run('qemu-img', ['info', '-f', 'vmdk', '--output=json', path])
    expect(stdout).toContain(secret)
    expect(await inspectSource(path)).toEqual(refused('not-supported'))
    expect((await sent(path)).result).toEqual(refused('not-supported'))
    // The same descriptor as a file of its own.
    await writeFile(path, descriptor)
    expect(await inspectSource(path)).toEqual(refused('not-supported'))
  })

  test('is read from the file that was opened, whatever stands under its name by then', async () => {
    const path = join(folder, 'exchanged.qcow2')
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', disk, path])
    const file = await open(path)
    try {
      await rm(path)
      await writeFile(path, 'another file')
      const start = Buffer.alloc(512)
      await file.read(start, 0, 512, 0)
      const virtual = await inspectVirtualDisk(start, file, path)
      expect(virtual).toMatchObject({ ok: true, value: { format: 'qcow2' } })
      const unpacked = await unpackVirtualDisk(file, path, 'qcow2', never, folder)
      if (!unpacked.ok) throw new Error(unpacked.failure.code)
      // Gone by its name, so that no kill leaves a file as large as a disk.
      expect((await readdir(folder)).filter((name) => name.startsWith('slipway-unpack-'))).toEqual([])
      const content = await unpacked.value.readFile()
      await unpacked.value.close()
      expect(content.equals(bytes)).toBe(true)
    } finally {
      await file.close()
    }
  })

  test.each<[string, object, boolean]>([
    ['nothing', { filename: '/a', 'format-specific': { data: { compat: '1.1' } } }, false],
    ['itself as its extent', { 'format-specific': { data: { extents: [{ filename: '/a' }] } } }, false],
    ['itself as its node', { children: [{ name: 'file', info: { filename: '/a', children: [] } }] }, false],
    ['another as an extent', { 'format-specific': { data: { extents: [{ filename: '/b' }] } } }, true],
    ['another below it', { children: [{ name: 'extents.0', info: { filename: '/b' } }] }, true],
    ['another behind it', { 'backing-filename': 'b' }, true],
    ['another with its data', { 'format-specific': { data: { 'data-file': 'b' } } }, true],
  ])('of which qemu-img names %s', (_, facts, others) => {
    expect(namesOtherFiles(facts, '/a')).toBe(others)
  })
})

describe('the builder’s own map', () => {
  test('says what is sent while the file is as it was built, and nothing any more afterwards', async () => {
    const path = join(folder, 'built.img')
    await writeFile(path, bytes)
    const ranges = [
      { offset: 0, length: MIB },
      { offset: 2 * MIB + 512 * 1024, length: 1024 },
    ]
    await writeBlockMap(path, await stat(path, { bigint: true }), ranges)
    const { content } = await sent(path)
    expect(content.subarray(0, MIB).equals(bytes.subarray(0, MIB))).toBe(true)
    expect(content.subarray(MIB, 2 * MIB + 512 * 1024).every((byte) => byte === 0xaa)).toBe(true)
    expect((await sent(path, true)).content.equals(bytes)).toBe(true)
    await utimes(path, 1, 1)
    expect((await sent(path)).content.equals(bytes)).toBe(true)
  })
})
