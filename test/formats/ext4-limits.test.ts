import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kernelsIn } from '../../src/main/convert/direct/kernels'
import { finishExt4 } from '../../src/main/disk/ext4/finish'
import { Ext4Writer, type Ext4Settings } from '../../src/main/disk/ext4/writer'
import { Outlet } from '../../src/main/disk/outlet'
import { Refusal } from '../../src/main/disk/refusal'
import type { Failure } from '../../src/shared/failure'
import { debugfs, ext4Settings, fsck, makeExt4, setLength } from './disk-file'

/** What a hostile or an odd tree can ask for too much of. */

let folder: string
let path: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-limits-'))
  path = join(folder, 'disk.img')
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** The failure that `work` leaves with; null when it does not. */
async function refusalOf(work: () => unknown): Promise<Failure | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return error.failure
  }
}

describe('inodes outnumber what the groups of a disk can hold', () => {
  const LINKS = 200_000
  const farm =
    (count: number) =>
    (writer: Ext4Writer): void => {
      const attributes = writer.defaults(0o777)
      for (let i = 0; i < count; i++) writer.symlink(`farm/${i % 100}/${i}`, attributes, `target of ${i}`)
    }
  const fitted: Ext4Settings = {
    ...ext4Settings(1),
    size: { freeShare: 0, freeBlocks: 1000, mostBlocks: 2 ** 28 },
  }

  test.each([
    ['a size made to measure', fitted],
    ['a fixed size', ext4Settings(900)],
  ])('%s has all of them', async (_, settings) => {
    const summary = await makeExt4(path, settings, farm(LINKS))
    setLength(path, summary.bytes)
    expect(fsck(path)).toBe('')
    // Ten reserved ones, lost+found, the farm and its hundred directories.
    expect(summary.inodes - summary.freeInodes).toBe(LINKS + 11 + 101)
    expect(debugfs(path, `stat farm/99/${LINKS - 1}`)).toContain(`Fast link dest: "target of ${LINKS - 1}"`)
  })

  test.each([
    [40_000, 100],
    [LINKS, 700],
  ])('%i of them on %i MiB are refused, with a size on which they fit', async (count, mebibytes) => {
    const failure = await refusalOf(() => makeExt4(path, ext4Settings(mebibytes), farm(count)))
    const sizeBytes = mebibytes * 2 ** 20
    expect(failure).toMatchObject({ code: 'size-too-small', facts: { sizeBytes } })
    if (failure?.code === 'size-too-small') expect(failure.facts.neededBytes).toBeGreaterThan(sizeBytes)
  })
})

test('links to links to links are followed no further than the kernel would', async () => {
  const outlet = new Outlet({ zeroed: true, write: () => Promise.resolve() })
  const writer = new Ext4Writer(ext4Settings(64), outlet)
  const attributes = writer.defaults(0o777)
  writer.symlink('s0', attributes, '.')
  for (let i = 1; i < 5; i++) writer.symlink(`s${i}`, attributes, `s${i - 1}/`.repeat(1000))
  writer.symlink('vmlinuz', attributes, 's4/x')
  writer.symlink('initrd.img', attributes, 's4/x')
  writer.symlink('boot', attributes, 's4')
  expect(kernelsIn(writer)).toEqual([])
  expect(await refusalOf(() => writer.wholeFile('s4/file', attributes, new Uint8Array()))).toMatchObject({
    code: 'tar-invalid',
  })
  // Forty in a row and forty beside each other are followed; one more is not.
  writer.wholeFile('end', attributes, Buffer.from('x'))
  writer.symlink('c0', attributes, 'end')
  for (let i = 1; i < 41; i++) writer.symlink(`c${i}`, attributes, `c${i - 1}`)
  expect(writer.tree.resolve('c39')).toBe(writer.tree.lookup('end'))
  expect(writer.tree.resolve('c40')).toBeNull()
  expect(writer.tree.resolve(`${'s0/'.repeat(40)}end`)).toBe(writer.tree.lookup('end'))
  expect(writer.tree.resolve(`${'s0/'.repeat(41)}end`)).toBeNull()
})

test.each(['file', 'symlink', 'device', 'link'] as const)(
  'a lost+found that is a %s is refused',
  async (kind) => {
    const adding = makeExt4(path, ext4Settings(16), (writer) => {
      const attributes = writer.defaults(0o644)
      writer.wholeFile('a', attributes, Buffer.from('x'))
      if (kind === 'file') writer.wholeFile('lost+found', attributes, new Uint8Array())
      else if (kind === 'symlink') writer.symlink('lost+found', attributes, 'a')
      else if (kind === 'device') writer.device('lost+found', attributes, 'fifo', 0, 0)
      else writer.link('lost+found', 'a')
    })
    const reason = 'a lost+found that is no directory'
    expect(await refusalOf(() => adding)).toMatchObject({ code: 'tar-invalid', facts: { reason } })
  },
)

test('a lost+found of the archive, and what is in it, is the one of the disk', async () => {
  const summary = await makeExt4(path, ext4Settings(16), (writer) => {
    writer.directory('lost+found', writer.defaults(0o711))
    writer.wholeFile('lost+found/found', writer.defaults(0o600), Buffer.from('x'))
    writer.directory('d/lost+found', writer.defaults(0o700))
    writer.wholeFile('d', writer.defaults(0o600), Buffer.from('x'))
  })
  setLength(path, summary.bytes)
  expect(fsck(path)).toBe('')
  expect(debugfs(path, 'stat lost+found')).toMatch(/Inode: 11 [^]*Mode: {2}0711/)
  expect(debugfs(path, 'cat lost+found/found')).toBe('x')
})

test.each([
  ['the year 1', -62135596800],
  ['the year 30000', 884541340800],
])('a disk that was made in %s has the nearest time that its tables can say', async (_, time) => {
  const summary = await makeExt4(path, { ...ext4Settings(16), time }, (writer) => {
    writer.wholeFile('a', writer.defaults(0o644), Buffer.from('x'))
  })
  setLength(path, summary.bytes)
  const superblock = debugfs(path, 'show_super_stats -h')
  expect(superblock).toMatch(
    time < 0 ? /Last checked: +Thu Jan {2}1 00:00:00 1970/ : /Last checked: +Sun Feb {2}7 06:28:15 2106/,
  )
  expect(debugfs(path, 'stat a')).toMatch(
    time < 0 ? /crtime: 0x80000000:00000000/ : /crtime: 0x7fffffff:00000003/,
  )
})

test('no more than a few writes are under way, whatever has to be zeroed', async () => {
  let running = 0
  let most = 0
  const outlet = new Outlet({
    zeroed: false,
    write: async (bytes) => {
      running += bytes.length
      most = Math.max(most, running)
      await new Promise((done) => setImmediate(done))
      running -= bytes.length
    },
  })
  const writer = new Ext4Writer(ext4Settings(4096), outlet)
  for (let i = 0; i < 30_000; i++) writer.symlink(`d/${i}`, writer.defaults(0o777), 'x')
  await finishExt4(writer)
  await outlet.finish()
  expect(outlet.bytesWritten).toBeGreaterThan(64 * 2 ** 20)
  expect(most).toBeLessThan(8 * 2 ** 20)
})

test('giving up is heard while tables are made', async () => {
  const outlet = new Outlet({ zeroed: true, write: () => Promise.resolve() })
  const writer = new Ext4Writer(ext4Settings(4096), outlet)
  for (let i = 0; i < 300_000; i++) writer.symlink(`d/${i % 5000}/${i}`, writer.defaults(0o777), 'x')
  const controller = new AbortController()
  const reason = new Error('given up')
  const finishing = finishExt4(writer, controller.signal).catch((error: unknown) => error)
  setTimeout(() => controller.abort(reason), 50)
  expect(await finishing).toBe(reason)
})
