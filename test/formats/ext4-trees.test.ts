import fc from 'fast-check'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
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
import { search } from './duration'
import { ext4Settings, fsck, makeExt4, setLength } from './disk-file'
import { encodeArchive, type Member } from './tar-members'
import { describeTree, run, withMount, withScratch } from './tree-compare'
import { membersOf, tree } from './tree-generator'
import { differencesFromSource, differencesInDebugfs } from './tree-source'

/** Whole trees against two oracles: GNU tar's extraction, and the kernel that mounts what we wrote. */

let folder: string
/** Of trees to be packed: on a file system of the disk, which takes every attribute. */
let sources: string

beforeAll(() => {
  // In memory where there is such a folder: thousands of small files are made and removed.
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'slipway-trees-'))
  sources = mkdtempSync(join(tmpdir(), 'slipway-sources-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(sources, { recursive: true })
})

/** The root of these archives has no member of its own: tar leaves it as it was made. */
function withoutRoot(lines: string[]): string[] {
  return lines.filter((line) => !line.startsWith('. |'))
}

/** Writes a disk from an archive, checks it and mounts it for a look. */
async function written(
  archive: Buffer,
  mebibytes: number,
  look: (root: string, image: string) => void,
): Promise<void> {
  const mountPoint = join(folder, 'mount')
  const image = join(folder, 'disk.img')
  rmSync(image, { force: true })
  mkdirSync(mountPoint, { recursive: true })
  const summary = await makeExt4(image, ext4Settings(mebibytes), (writer) => {
    const reader = new TarReader(fillFrom(writer))
    // Chunks of an odd length put every border somewhere else each time.
    for (let at = 0; at < archive.length; at += 70_001) reader.push(archive.subarray(at, at + 70_001))
    reader.finish()
  })
  setLength(image, summary.bytes)
  expect(fsck(image)).toBe('')
  await withMount(image, 0, summary.bytes, mountPoint, (path) => look(path, image))
}

/**
 * Extracts with GNU tar, writes a disk from the same archive, and compares.
 * @param rawAcls whether ACLs are attributes: with an option of its own for their text GNU tar leaves those out
 * @param look what else there is to see while the disk is mounted
 */
async function compare(
  archive: Buffer,
  mebibytes = 256,
  rawAcls = false,
  look: (root: string, image: string) => void = () => undefined,
): Promise<void> {
  const tar = join(folder, 'archive.tar')
  writeFileSync(tar, archive)
  const options = [
    '--xattrs',
    '--xattrs-include=*',
    ...(rawAcls ? [] : ['--acls']),
    '--numeric-owner',
    '--warning=no-timestamp',
    '--delay-directory-restore',
  ]
  let extracted: string[] = []
  await withScratch(folder, (path) => {
    run('tar', ['-xpf', tar, '-C', path, ...options])
    extracted = withoutRoot(describeTree(path))
  })
  await written(archive, mebibytes, (path, image) => {
    expect(withoutRoot(describeTree(path))).toEqual(extracted)
    look(path, image)
  })
}

/** Trees whose entries debugfs is asked for one by one, of each run. */
const ASKED = 10

test(
  'generated trees are what GNU tar extracts, what the kernel and debugfs read, and what they were made from',
  async () => {
    let trees = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(tree, { minLength: 100, maxLength: 150 }),
        fc.boolean(),
        async (generated, rawAcls) => {
          trees += generated.length
          const members = generated.map((entries, number) => membersOf(number, entries, rawAcls))
          const all = members.flat()
          await compare(encodeArchive(all), 384, rawAcls, (root, image) => {
            expect(differencesFromSource(root, all)).toEqual([])
            expect(differencesInDebugfs(image, root, members.slice(0, ASKED).flat())).toEqual([])
          })
        },
      ),
      { ...search(20), endOnFailure: true },
    )
    expect(trees).toBeGreaterThanOrEqual(2000)
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
  const source = join(sources, 'source')
  rmSync(source, { recursive: true, force: true })
  mkdirSync(source)
  makeSource(source, name.endsWith('attributes'))
  const archive = join(folder, 'source.tar')
  run('tar', ['-cf', archive, '-C', source, '--numeric-owner', ...options, '.'])
  await compare(readFileSync(archive))
})

/** bsdtar writes attributes and ACLs in forms of its own; its ustar has no room for them, nor for long targets. */
const bsdFormats: [name: string, options: string[], withAttributes: boolean][] = [
  ['pax', ['--format=pax', '--xattrs', '--acls'], true],
  [
    'pax, attributes in its own form',
    ['--format=pax', '--xattrs', '--acls', '--options=xattrheader=LIBARCHIVE'],
    true,
  ],
  ['gnutar', ['--format=gnutar'], false],
]

test.each(bsdFormats)(
  'what bsdtar writes as %s is what it was made from',
  async (_, options, withAttributes) => {
    const source = join(sources, 'source')
    rmSync(source, { recursive: true, force: true })
    mkdirSync(source)
    makeSource(source, withAttributes)
    const archive = join(folder, 'source.tar')
    run('bsdtar', ['-cf', archive, '-C', source, '--numeric-owner', ...options, '.'])
    // Only PAX has fractions of a second.
    const described = (root: string): string[] =>
      withoutRoot(describeTree(root)).map((line) =>
        withAttributes ? line : line.replace(/(mtime \d+)\d{9}/, '$1'),
      )
    await written(readFileSync(archive), 256, (root) => expect(described(root)).toEqual(described(source)))
  },
)

test('ustar and V7 read back what they can say', async () => {
  const source = join(sources, 'small')
  mkdirSync(join(source, 'p'.repeat(90)), { recursive: true })
  writeFileSync(join(source, 'p'.repeat(90), 'q'.repeat(90)), 'a name in two fields')
  writeFileSync(join(source, 'file'), 'file')
  for (const format of ['ustar', 'v7']) {
    const archive = join(folder, 'small.tar')
    const members = format === 'v7' ? ['file'] : ['.']
    run('tar', ['-cf', archive, '-C', source, `--format=${format}`, ...members])
    await compare(readFileSync(archive), 16)
  }
  const archive = join(folder, 'small.tar')
  run('bsdtar', ['-cf', archive, '-C', source, '--format=ustar', '.'])
  await compare(readFileSync(archive), 16)
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
  const source = join(sources, 'again')
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
