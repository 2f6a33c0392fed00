import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyEdits } from '../../src/main/convert/direct/boot'
import { fillFrom } from '../../src/main/convert/direct/fill'
import { machineEdits, type TreeEdits } from '../../src/main/convert/edits'
import { followLinks } from '../../src/main/convert/follow-links'
import { TarReader } from '../../src/main/convert/tar/reader'
import { filterTar } from '../../src/main/convert/tar-filter'
import { fileBlob } from '../../src/main/source/archive/blobs'
import { indexedFiles } from '../../src/main/source/archive/files'
import { indexLayers } from '../../src/main/source/archive/index-layers'
import type { TreeFiles } from '../../src/main/source/tree-files'
import { makeTar, type Member } from '../support/daemon'
import { blankFiles } from '../support/inspected'
import { debugfs, ext4Settings, fsck, makeExt4, UUID } from './disk-file'

/*
 * What both engines make of the same tree and edits: one has the filtered tar extracted by GNU tar, the other writes
 * the file system itself. A listing is `path kind mode content-or-target`.
 */

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-trees-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const edits = machineEdits({
  ...{ hostname: 'kiosk', rootUuid: UUID, init: 'systemd', resolved: true },
  ...{ masked: ['getty.target'], own: blankFiles },
})

/** By the tar that goes to the kernel engine's helper. */
async function byTar(tar: Buffer, wanted: TreeEdits): Promise<string> {
  const root = mkdtempSync(join(folder, 'root-'))
  async function* source(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(tar)
  }
  const pieces: Buffer[] = []
  for await (const piece of filterTar(source(), wanted, 1_700_000_000)) pieces.push(Buffer.from(piece))
  execFileSync('tar', ['-x', '-p', '-C', root], { input: Buffer.concat(pieces) })
  return root
}

/** By the direct engine's file system, taken out of it again. */
async function byWriter(tar: Buffer, wanted: TreeEdits): Promise<string> {
  const image = join(mkdtempSync(join(folder, 'image-')), 'root.img')
  await makeExt4(image, ext4Settings(64), (writer) => {
    const reader = new TarReader(fillFrom(writer))
    reader.push(tar)
    reader.finish()
    applyEdits(writer, wanted)
  })
  expect(fsck(image)).toBe('')
  const root = `${image}.tree`
  mkdirSync(root)
  debugfs(image, `rdump / ${root}`)
  rmSync(join(root, 'lost+found'), { recursive: true })
  // rdump leaves the sticky bit out.
  const mode = /Mode: +(\d+)/.exec(debugfs(image, 'stat /tmp'))?.[1]
  if (mode !== undefined) chmodSync(join(root, 'tmp'), Number.parseInt(mode, 8))
  return root
}

function listing(root: string): string[] {
  const found = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %l\\n'], { cwd: root })
  return found
    .toString()
    .trim()
    .split('\n')
    .map((line) => {
      const [path = '', kind = '', mode = '', target = ''] = line.split(' ')
      // What a symlink's mode is, is nobody's concern.
      if (kind === 'l') return `${path} l ${target}`
      return kind === 'f'
        ? `${path} f ${mode} ${readFileSync(join(root, path), 'latin1')}`
        : `${path} d ${mode}`
    })
    .sort()
}

async function filesOf(tar: Buffer): Promise<TreeFiles> {
  const path = join(mkdtempSync(join(folder, 'tar-')), 'machine.tar')
  writeFileSync(path, tar)
  const signal = AbortSignal.timeout(60_000)
  const layer = { blob: await fileBlob(path), part: 'it', diffId: null }
  return indexedFiles(await indexLayers([layer], false, path, signal), path, signal)
}

async function bothWays(members: readonly Member[], wanted = edits): Promise<string[]> {
  const tar = makeTar(members)
  const settled = await followLinks(await filesOf(tar), wanted)
  if (!settled.ok) throw new Error(JSON.stringify(settled.failure))
  const direct = listing(await byWriter(tar, settled.value))
  expect(listing(await byTar(tar, settled.value))).toEqual(direct)
  return direct
}

const mountPoints = ['dev d 755', 'proc d 555', 'run d 755', 'sys d 555', 'tmp d 1777']
const etc: Member = { name: 'etc', type: '5' }

describe('what the machine mounts on', () => {
  test('is there where a tree lacks it', async () => {
    expect(await bothWays([etc])).toEqual(expect.arrayContaining(mountPoints))
  })

  test('is empty and has its mode, whatever the tree has there', async () => {
    const found = await bothWays([
      etc,
      { name: 'tmp', type: '5', mode: 0o700 },
      { name: 'tmp/left', content: 'x' },
      { name: 'dev', content: 'a file' },
      { name: 'kept', type: '1', target: 'dev' },
      { name: 'proc/1/cmdline', content: 'x' },
    ])
    expect(found).toEqual(expect.arrayContaining([...mountPoints, 'kept f 644 a file']))
    expect(found.filter((line) => /^(dev|proc|run|sys|tmp)\//.test(line))).toEqual([])
  })

  test('may be a symlink, as /run of old systems is', async () => {
    const found = await bothWays([etc, { name: 'run', type: '2', target: 'var/run' }])
    expect(found).toContain('run l var/run')
  })
})

describe('a tree with symlinks on the way', () => {
  const moved: Member[] = [
    { name: 'usr/etc/ssh/keep', content: 'x' },
    { name: 'usr/etc/machine-id', content: 'f'.repeat(32) },
    { name: 'usr/etc/systemd/system/getty.target', type: '2', target: '/dev/null' },
    { name: 'etc', type: '2', target: 'usr/etc' },
  ]

  test('has all changes where they lead', async () => {
    const found = await bothWays(moved)
    expect(found).toContain('etc l usr/etc')
    expect(found).toContain('usr/etc/hostname f 644 kiosk\n')
    expect(found).toContain('usr/etc/machine-id f 444 ')
    expect(found).toContain('usr/etc/mtab l /proc/self/mounts')
    expect(found).toContain('usr/etc/resolv.conf l /run/systemd/resolve/stub-resolv.conf')
    expect(found.some((line) => line.includes('getty.target'))).toBe(false)
  })

  test('is followed only inside itself', async () => {
    const up = '../'.repeat(12)
    const found = await bothWays([
      { name: 'inside/x', content: '' },
      { name: 'etc', type: '2', target: `${up}inside` },
    ])
    expect(found).toContain('inside/hostname f 644 kiosk\n')
  })

  test.each<[string, Member[]]>([
    ['leads nowhere', [{ name: 'etc', type: '2', target: 'nowhere' }]],
    ['is a circle', [{ name: 'etc', type: '2', target: 'etc' }]],
    [
      'leads to a file',
      [
        { name: 'file', content: '' },
        { name: 'etc', type: '2', target: 'file' },
      ],
    ],
    ['is a file', [{ name: 'etc', content: '' }]],
  ])('is refused before anything is written where /etc %s', async (_, members) => {
    expect(await followLinks(await filesOf(makeTar(members)), edits)).toEqual({
      ok: false,
      failure: { code: 'not-supported', facts: { what: 'an image whose /etc is no directory' } },
    })
  })

  test('gets a directory in the place of a file where that is what is added', async () => {
    const wanted: TreeEdits = {
      ...{ removed: [], emptied: [] },
      added: [
        { path: 'home/ada', kind: 'directory', mode: 0o700 },
        { path: 'home/ada/.profile', kind: 'file', mode: 0o644, content: Buffer.from('x') },
      ],
    }
    expect(await bothWays([{ name: 'home/ada', content: 'a file' }], wanted)).toEqual([
      'home d 755',
      'home/ada d 700',
      'home/ada/.profile f 644 x',
    ])
  })

  test('keeps what it has where something is added for want of it alone', async () => {
    const added = ['srv', 'var/app', 'way/in', 'way/new', 'nowhere/x', 'deep/down'].map(
      (path) => ({ path, kind: 'directory', mode: 0o755, unlessThere: true }) as const,
    )
    const members: Member[] = [
      { name: 'srv', type: '5', mode: 0o700 },
      { name: 'var/app', content: 'a file' },
      { name: 'real/in', type: '5', mode: 0o700 },
      { name: 'way', type: '2', target: 'real' },
      { name: 'nowhere', type: '2', target: 'missing' },
    ]
    expect(await bothWays(members, { removed: [], emptied: [], added })).toEqual([
      ...['deep d 755', 'deep/down d 755', 'nowhere l missing', 'real d 755', 'real/in d 700'],
      ...['real/new d 755', 'srv d 700', 'var d 755', 'var/app f 644 a file', 'way l real'],
    ])
  })
})
