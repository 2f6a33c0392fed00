import fc from 'fast-check'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fillFrom } from '../../src/main/convert/direct/fill'
import { TarReader } from '../../src/main/convert/tar/reader'
import { searchTime } from './duration'
import { ext4Settings, fsck, makeExt4, setLength } from './disk-file'
import { encodeArchive, type Member } from './tar-members'
import { describeTree, run, withMount } from './tree-compare'

/** Whole trees against two oracles: GNU tar's extraction, and the kernel that mounts what we wrote. */

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-trees-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** The root of these archives has no member of its own: tar leaves it as it was made. */
function withoutRoot(lines: string[]): string[] {
  return lines.filter((line) => !line.startsWith('. |'))
}

/** Extracts with GNU tar, writes a disk from the same archive, and compares. */
async function compare(archive: Buffer, mebibytes = 256): Promise<void> {
  const tar = join(folder, 'archive.tar')
  const extracted = join(folder, 'extracted')
  const mountPoint = join(folder, 'mount')
  const image = join(folder, 'disk.img')
  rmSync(extracted, { recursive: true, force: true })
  rmSync(image, { force: true })
  mkdirSync(extracted)
  mkdirSync(mountPoint, { recursive: true })
  writeFileSync(tar, archive)
  const options = [
    '--xattrs',
    '--xattrs-include=*',
    '--acls',
    '--numeric-owner',
    '--warning=no-timestamp',
    '--delay-directory-restore',
  ]
  run('tar', ['-xpf', tar, '-C', extracted, ...options])
  const summary = await makeExt4(image, ext4Settings(mebibytes), (writer) => {
    const reader = new TarReader(fillFrom(writer))
    // Chunks of an odd length put every border somewhere else each time.
    for (let at = 0; at < archive.length; at += 70_001) reader.push(archive.subarray(at, at + 70_001))
    reader.finish()
  })
  setLength(image, summary.bytes)
  expect(fsck(image)).toBe('')
  await withMount(image, 0, summary.bytes, mountPoint, (path) => {
    expect(withoutRoot(describeTree(path))).toEqual(withoutRoot(describeTree(extracted)))
  })
}

const nameByte = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f)
const name = fc
  .oneof(
    { weight: 6, arbitrary: fc.array(nameByte, { minLength: 1, maxLength: 20 }) },
    { weight: 1, arbitrary: fc.array(nameByte, { minLength: 200, maxLength: 255 }) },
  )
  .map((bytes) => Buffer.from(bytes))
  .filter((bytes) => !['.', '..'].includes(bytes.toString('latin1')))

const id = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(65535, 65536, 2097152, 4294967294))
const seconds = fc.oneof(
  fc.integer({ min: 0, max: 2_000_000_000 }),
  fc.constantFrom(-1, -(2 ** 31), 2 ** 31 - 1, 2 ** 31, 2 ** 32, 15032385535),
  fc.integer({ min: -2_000_000_000, max: -1 }),
)
const common = {
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: id,
  gid: id,
  seconds,
  nanoseconds: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
}
const attributeName = fc.stringMatching(/^[a-z.]{1,60}$/)
const attributeValue = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 500, maxLength: 900 }) },
)
/** Together they stay below what one block holds: 4 KiB without 32 bytes of header. */
const attributes = (prefixes: string[]): fc.Arbitrary<Map<string, Buffer>> =>
  fc
    .array(fc.tuple(fc.constantFrom(...prefixes), attributeName, attributeValue), { maxLength: 4 })
    .map((list) => new Map(list.map(([prefix, key, value]) => [`${prefix}${key}`, Buffer.from(value)])))

const acl = fc.option(
  fc
    .tuple(fc.integer({ min: 1, max: 70000 }), fc.integer({ min: 1, max: 70000 }))
    .map(([user, group]) => `user::rw-,user:${user}:r-x,group::r--,group:${group}:-wx,mask::rwx,other::---`),
  { nil: undefined, freq: 5 },
)

const sparse = fc
  .record({
    parts: fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 18 })), {
      maxLength: 40,
    }),
    tail: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.constant(2 ** 32)),
    version: fc.constantFrom('old' as const, '0.1' as const, '1.0' as const),
  })
  .map(({ parts, tail, version }) => {
    const segments: number[] = []
    let end = 0
    let stored = 0
    // GNU tar begins each part at a new block of the archive: all but the last have to fill theirs.
    parts.forEach(([hole, length], index) => {
      const bytes = length * 512 - (index === parts.length - 1 ? 300 : 0)
      segments.push(end + hole * 512, bytes)
      end += hole * 512 + bytes
      stored += bytes
    })
    const data = Buffer.alloc(stored)
    for (let i = 0; i < data.length; i++) data[i] = (i % 251) + 1
    return { data, sparse: { segments: [...segments, end + tail, 0], size: end + tail, version } }
  })

/** A tree as a flat list: each entry chooses its directory among those before it. */
const entry = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('file'),
      data: fc.uint8Array({ maxLength: 12_000 }),
      xattrs: attributes(['user.', 'trusted.']),
      acl,
      ...common,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('directory'),
      xattrs: attributes(['user.', 'trusted.']),
      ...common,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('symlink'),
      target: fc.oneof(
        fc.array(nameByte, { minLength: 1, maxLength: 61 }),
        fc.array(nameByte, { minLength: 300, maxLength: 4000 }),
      ),
      ...common,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('character', 'block'),
      major: fc.integer({ min: 0, max: 4095 }),
      minor: fc.integer({ min: 0, max: 1048575 }),
      xattrs: attributes(['trusted.']),
      ...common,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fifo'), ...common }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hardlink'), ...common }) },
  {
    weight: 1,
    arbitrary: sparse.chain((file) =>
      fc.record({
        kind: fc.constant('file'),
        data: fc.constant(file.data),
        sparse: fc.constant(file.sparse),
        ...common,
      }),
    ),
  },
)
const tree = fc.array(fc.record({ name, place: fc.nat(), entry }), { maxLength: 25 })

/** Lays generated entries out as members of an archive, below a directory of their own. */
function membersOf(number: number, entries: { name: Buffer; place: number; entry: object }[]): Member[] {
  const top = Buffer.from(`tree${number}`)
  const base = { mode: 0o755, uid: 0, gid: 0, seconds: 1, nanoseconds: 0 }
  const members: Member[] = [{ type: 'directory', path: top, ...base }]
  const directories = [top]
  const linkable: Buffer[] = []
  const taken = new Set<string>()
  for (const { name: own, place, entry: details } of entries) {
    const parent = directories[place % directories.length] as Buffer
    const path = Buffer.concat([parent, Buffer.from('/'), own])
    // GNU tar cannot extract names beyond PATH_MAX with its prefix.
    if (path.length > 3500 || taken.has(path.toString('latin1'))) continue
    const { kind, ...rest } = details as { kind: Member['type']; data?: Uint8Array; target?: number[] }
    const member = { ...rest, type: kind, path } as unknown as Member
    if (rest.data !== undefined) member.data = Buffer.from(rest.data)
    if (rest.target !== undefined) member.target = Buffer.from(rest.target)
    if (kind === 'hardlink') {
      const target = linkable[place % Math.max(1, linkable.length)]
      if (target === undefined) continue
      member.target = target
    } else if (kind !== 'directory') linkable.push(path)
    if (kind === 'directory') directories.push(path)
    if (kind === 'symlink') member.mode = 0o777
    taken.add(path.toString('latin1'))
    members.push(member)
  }
  return members
}

test(
  'generated trees are what GNU tar extracts, seen through the kernel',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 50, maxLength: 150 }), async (trees) => {
        await compare(encodeArchive(trees.flatMap((entries, number) => membersOf(number, entries))))
      }),
      {
        numRuns: process.env['SLIPWAY_LONG'] === undefined ? 20 : Number.MAX_SAFE_INTEGER,
        interruptAfterTimeLimit: searchTime(20),
        endOnFailure: true,
      },
    )
  },
  24 * 3600_000,
)

/** A tree with something of everything that each format has its own way to write. */
function makeSource(path: string, withAttributes: boolean): void {
  const file = (name: string, content: string | Buffer): void => writeFileSync(join(path, name), content)
  mkdirSync(join(path, 'deep', 'd'.repeat(120), 'e'.repeat(120)), { recursive: true })
  file(`deep/${'d'.repeat(120)}/${'e'.repeat(120)}/${'f'.repeat(200)}`, 'a long path')
  file('plain', 'plain')
  file('empty', '')
  file('large', Buffer.alloc(3_000_001, 'large'))
  linkSync(join(path, 'large'), join(path, 'second name'))
  linkSync(join(path, 'large'), join(path, 'g'.repeat(150)))
  symlinkSync('plain', join(path, 'short link'))
  symlinkSync('x'.repeat(250), join(path, 'long link'))
  symlinkSync('/etc/passwd', join(path, 'outside'))
  run('mknod', [join(path, 'null'), 'c', '1', '3'])
  run('mkfifo', [join(path, 'fifo')])
  chmodSync(join(path, 'plain'), 0o4755)
  lchownSync(join(path, 'empty'), 3_000_000, 4_000_000)
  const holes = openSync(join(path, 'sparse'), 'w')
  for (let i = 0; i < 60; i++) writeSync(holes, Buffer.alloc(4096, i + 1), 0, 4096, i * 65536)
  ftruncateSync(holes, 30_000_000)
  closeSync(holes)
  utimesSync(join(path, 'plain'), 12345.678, 12345.678)
  if (!withAttributes) return
  run('setfattr', ['-n', 'user.one', '-v', 'value', join(path, 'plain')])
  run('setfattr', ['-n', 'user.per%cent=equals', '-v', 'value', join(path, 'plain')])
  run('setfattr', [
    '-n',
    'security.capability',
    '-v',
    '0x0100000200200000000000000000000000000000',
    join(path, 'large'),
  ])
  run('setfacl', ['-m', 'u:1234:rwx,g:77:r', join(path, 'empty')])
  run('setfacl', ['-d', '-m', 'u:1234:rwx', join(path, 'deep')])
}

const formats: [name: string, options: string[]][] = [
  ['gnu', ['--format=gnu', '-S']],
  ['oldgnu', ['--format=oldgnu']],
  ['posix, sparse 0.0', ['--format=posix', '-S', '--sparse-version=0.0']],
  ['posix, sparse 0.1', ['--format=posix', '-S', '--sparse-version=0.1']],
  ['posix, sparse 1.0', ['--format=posix', '-S', '--sparse-version=1.0']],
  ['posix with attributes', ['--format=posix', '--xattrs', '--xattrs-include=*', '--acls']],
]

test.each(formats)('what GNU tar writes as %s reads back', async (name, options) => {
  const source = join(folder, 'source')
  rmSync(source, { recursive: true, force: true })
  mkdirSync(source)
  makeSource(source, name.endsWith('attributes'))
  const archive = join(folder, 'source.tar')
  run('tar', ['-cf', archive, '-C', source, '--numeric-owner', ...options, '.'])
  await compare(readFileSync(archive))
})

test('ustar and V7 read back what they can say', async () => {
  const source = join(folder, 'small')
  mkdirSync(join(source, 'p'.repeat(90)), { recursive: true })
  writeFileSync(join(source, 'p'.repeat(90), 'q'.repeat(90)), 'a name in two fields')
  writeFileSync(join(source, 'file'), 'file')
  for (const format of ['ustar', 'v7']) {
    const archive = join(folder, 'small.tar')
    const members = format === 'v7' ? ['file'] : ['.']
    run('tar', ['-cf', archive, '-C', source, `--format=${format}`, ...members])
    await compare(readFileSync(archive), 16)
  }
})

test('members that come twice are what GNU tar leaves', async () => {
  const base = { mode: 0o644, uid: 0, gid: 0, seconds: 5, nanoseconds: 0 }
  const file = (path: string, data: string): Member => ({
    type: 'file',
    path: Buffer.from(path),
    data: Buffer.from(data),
    ...base,
  })
  const directory = (path: string, mode: number): Member => ({
    type: 'directory',
    path: Buffer.from(path),
    ...base,
    mode,
  })
  const symlink = (path: string, target: string): Member => ({
    type: 'symlink',
    path: Buffer.from(path),
    target: Buffer.from(target),
    ...base,
  })
  const hardlink = (path: string, target: string): Member => ({
    type: 'hardlink',
    path: Buffer.from(path),
    target: Buffer.from(target),
    ...base,
  })
  await compare(
    encodeArchive([
      directory('top', 0o755),
      file('top/a', 'one'),
      file('top/a', 'two'),
      file('top/linked', 'kept'),
      hardlink('top/other', 'top/linked'),
      file('top/linked', 'new'),
      directory('top/tree', 0o755),
      file('top/tree', 'a file now'),
      file('top/b', 'goes'),
      directory('top/b', 0o711),
      file('top/b/inside', 'inside'),
      directory('top/b', 0o750),
      symlink('top/s', 'a'),
      symlink('top/s', 'b'),
      file('top/s', 'a file now'),
      hardlink('top/self', 'top/s'),
      hardlink('top/self', 'top/s'),
      directory('top', 0o751),
    ]),
    16,
  )
})

test('the same archive gives the same bytes, however it is cut up', async () => {
  const source = join(folder, 'again')
  mkdirSync(source)
  makeSource(source, true)
  const archive = join(folder, 'again.tar')
  run('tar', [
    '-cf',
    archive,
    '-C',
    source,
    '--numeric-owner',
    '--format=posix',
    '--xattrs',
    '--acls',
    '-S',
    '.',
  ])
  const bytes = readFileSync(archive)
  const sums: string[] = []
  for (const step of [bytes.length, 513, 70_001]) {
    const image = join(folder, 'again.img')
    rmSync(image, { force: true })
    const summary = await makeExt4(image, ext4Settings(64), (writer) => {
      const reader = new TarReader(fillFrom(writer))
      for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step))
      reader.finish()
    })
    setLength(image, summary.bytes)
    sums.push(createHash('sha256').update(readFileSync(image)).digest('hex'))
  }
  expect(new Set(sums).size).toBe(1)
})
