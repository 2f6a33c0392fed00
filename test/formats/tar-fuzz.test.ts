import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fillFrom } from '../../src/main/convert/direct/fill'
import { TarReader } from '../../src/main/convert/tar/reader'
import { Ext4Writer } from '../../src/main/disk/ext4/writer'
import { finishExt4 } from '../../src/main/disk/ext4/finish'
import { Outlet } from '../../src/main/disk/outlet'
import { Refusal } from '../../src/main/disk/refusal'
import { ext4Settings } from './disk-file'
import { search } from './duration'
import { header, padded, paxBody, sign } from './tar-encode'
import { encodeArchive, type Member } from './tar-members'

const base = { mode: 0o644, uid: 1, gid: 2, seconds: 5, nanoseconds: 7 }
const segments = Array.from({ length: 30 }, (_, i) => [i * 4096, 512]).flat()
const sparse = (version: 'old' | '0.1' | '1.0'): Member => ({
  type: 'file',
  path: Buffer.from(`sparse ${version}`),
  data: Buffer.alloc(30 * 512, 1),
  sparse: { segments, size: 200_000, version },
  ...base,
})
const sample = encodeArchive([
  { type: 'directory', path: Buffer.from('./'), ...base, mode: 0o755 },
  { type: 'file', path: Buffer.from('file'), data: Buffer.alloc(5000, 'x'), ...base },
  {
    type: 'file',
    path: Buffer.from('n'.repeat(180)),
    data: Buffer.from('y'),
    xattrs: new Map([['user.a', Buffer.alloc(300)]]),
    acl: 'user::rw-,group::r--,other::r--',
    ...base,
  },
  { type: 'hardlink', path: Buffer.from('link'), target: Buffer.from('file'), ...base },
  { type: 'symlink', path: Buffer.from('symlink'), target: Buffer.from('t'.repeat(120)), ...base },
  { type: 'block', path: Buffer.from('device'), major: 7, minor: 300, ...base },
  sparse('old'),
  sparse('0.1'),
  sparse('1.0'),
])

/** Reads an archive into a file system that goes nowhere; answers the refusal's facts, or null when it was taken. */
async function read(archive: Buffer, step = 65536): Promise<{ offset: number; reason: string } | null> {
  const outlet = new Outlet({ zeroed: true, write: () => Promise.resolve() })
  const writer = new Ext4Writer(ext4Settings(64), outlet)
  const reader = new TarReader(fillFrom(writer))
  try {
    for (let at = 0; at < archive.length; at += step) {
      reader.push(archive.subarray(at, at + step))
      await outlet.ready()
    }
    reader.finish()
    await finishExt4(writer)
    await outlet.finish()
    return null
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { failure } = error
    if (failure.code === 'size-too-small') return { offset: 0, reason: failure.code }
    if (failure.code !== 'tar-invalid') throw error
    expect(failure.facts.offset).toBeLessThanOrEqual(archive.length)
    return failure.facts
  }
}

test('the sample is taken whole', async () => {
  expect(await read(sample)).toBeNull()
  expect(await read(sample, 1)).toBeNull()
})

test('an archive that is cut off anywhere is refused', async () => {
  for (let length = 0; length < sample.length - 1024; length += 211) {
    const refused = await read(sample.subarray(0, length))
    expect(refused, `cut at ${length}`).not.toBeNull()
  }
  expect(await read(sample.subarray(0, sample.length - 1024))).toEqual({
    offset: sample.length - 1024,
    reason: 'the archive is cut off',
  })
})

test(
  'headers of any content are taken or refused, and nothing else',
  async () => {
    const blocks = sample.length / 512
    const change = fc.record({
      block: fc.nat(blocks - 1),
      at: fc.nat(511),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 30 }),
        fc
          .constantFrom(
            '\x80\0\0\0\0\0\0\0\0\0\xff\xff',
            '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
            '77777777777',
            '../../x',
            '/',
            'x',
            'g',
            'L',
            'K',
            'S',
          )
          .map((text) => new Uint8Array(Buffer.from(text, 'latin1'))),
      ),
      signed: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(1000, 65536),
        async (changes, step) => {
          const archive = Buffer.from(sample)
          for (const { block, at, bytes, signed } of changes) {
            Buffer.from(bytes).copy(archive, block * 512 + at, 0, 512 - at)
            if (signed) sign(archive.subarray(block * 512, block * 512 + 512))
          }
          await read(archive, step)
        },
      ),
      search(2000),
    )
  },
  24 * 3600_000,
)

const named = (path: string): Buffer =>
  encodeArchive([{ type: 'file', path: Buffer.from(path), data: Buffer.from('z'), ...base }])

test.each([
  ['../outside', "a name with '..'"],
  ['inside/../../outside', "a name with '..'"],
  ['n'.repeat(256), 'a name of more than 255 bytes'],
])('%s is refused', async (path, reason) => {
  expect((await read(named(path)))?.reason).toBe(reason)
})

test('a hard link to what has not come is refused where it stands', async () => {
  const archive = encodeArchive([
    { type: 'file', path: Buffer.from('a'), data: Buffer.from('z'), ...base },
    { type: 'hardlink', path: Buffer.from('b'), target: Buffer.from('c'), ...base },
  ])
  expect(await read(archive)).toEqual({ offset: 2048, reason: 'a hard link to what has not come before' })
})

test('a path through a file is refused', async () => {
  const archive = encodeArchive([
    { type: 'file', path: Buffer.from('a'), data: Buffer.from('z'), ...base },
    { type: 'file', path: Buffer.from('a/b'), data: Buffer.from('z'), ...base },
  ])
  expect((await read(archive))?.reason).toBe('a path that goes through something other than a directory')
})

test('names that begin with / stay inside', async () => {
  expect(await read(named('/etc/passwd'))).toBeNull()
  const loop = encodeArchive([
    { type: 'symlink', path: Buffer.from('up'), target: Buffer.from('../../../..'), ...base },
    { type: 'file', path: Buffer.from('up/file'), data: Buffer.from('z'), ...base },
    { type: 'symlink', path: Buffer.from('self'), target: Buffer.from('self'), ...base },
  ])
  expect(await read(loop)).toBeNull()
  const endless = encodeArchive([
    { type: 'symlink', path: Buffer.from('self'), target: Buffer.from('self/x'), ...base },
    { type: 'file', path: Buffer.from('self/file'), data: Buffer.from('z'), ...base },
  ])
  expect((await read(endless))?.reason).toBe('a path that goes through something other than a directory')
})

test('something that is no archive is refused at once', async () => {
  expect(await read(Buffer.alloc(4096, 'text'))).toEqual({ offset: 0, reason: 'checksum is not a number' })
  expect(await read(Buffer.alloc(0))).toEqual({ offset: 0, reason: 'the archive is cut off' })
})

test('a directory has no data, whatever its size says; what else has none must not say that it has', async () => {
  const sized = (flag: string): Buffer =>
    Buffer.concat([
      header({ name: Buffer.from('sized'), flag, size: 512, mode: 0o755 }),
      header({ name: Buffer.from('file'), flag: '0', size: 0, mode: 0o644 }),
      Buffer.alloc(1024),
    ])
  const names: string[] = []
  const reader = new TarReader({
    entry: ({ path }) => names.push(path),
    data: () => undefined,
    endFile: () => undefined,
  })
  reader.push(sized('5'))
  reader.finish()
  expect(names).toEqual(['sized', 'file'])
  for (const flag of ['3', '4', '6']) expect((await read(sized(flag)))?.reason).toMatch(/with data$/)
})

test('global headers are bounded together', async () => {
  const global = (key: string, length: number): Buffer => {
    const body = paxBody([[key, Buffer.alloc(length, 'x')]])
    return Buffer.concat([
      header({ name: Buffer.from('g'), flag: 'g', size: body.length, mode: 0o644 }),
      padded(body),
    ])
  }
  const many = (of: (i: number) => Buffer, count: number): Buffer =>
    Buffer.concat([...Array.from({ length: count }, (_, i) => of(i)), Buffer.alloc(1024)])
  expect(await read(many(() => global('comment', 1_000_000), 20))).toBeNull()
  const reason = 'global headers of more than 8 MiB'
  expect((await read(many((i) => global(`comment ${i}`, 1_000_000), 20)))?.reason).toBe(reason)
  const tiny = paxBody(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, Buffer.alloc(0)]))
  const block = [header({ name: Buffer.from('g'), flag: 'g', size: tiny.length, mode: 0o644 }), padded(tiny)]
  expect((await read(Buffer.concat([...block, Buffer.alloc(1024)])))?.reason).toBe(reason)
})
