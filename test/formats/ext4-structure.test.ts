import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Refusal } from '../../src/main/disk/refusal'
import type { Ext4Writer } from '../../src/main/disk/ext4/writer'
import { debugfs, ext4Settings, fsck, makeExt4, setLength } from './disk-file'
import { run, withMount } from './tree-compare'

let folder: string
let mountPoint: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-ext4-'))
  mountPoint = join(folder, 'mount')
  mkdirSync(mountPoint)
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Makes a file system, checks it with e2fsck and answers its path. */
async function checked(mebibytes: number, fill: (writer: Ext4Writer) => void): Promise<string> {
  const path = join(folder, 'test.img')
  rmSync(path, { force: true })
  const summary = await makeExt4(path, ext4Settings(mebibytes), fill)
  setLength(path, summary.bytes)
  expect(fsck(path)).toBe('')
  return path
}

describe('an empty file system of any size', () => {
  test.each([2, 7, 8, 64, 128, 129, 500, 1024, 1025, 5000, 65536, 2 ** 19])('%i MiB', async (mebibytes) => {
    const path = join(folder, 'empty.img')
    const summary = await makeExt4(path, ext4Settings(mebibytes), () => undefined)
    setLength(path, summary.bytes)
    expect(fsck(path)).toBe('')
    expect(summary.bytes).toBeGreaterThan(mebibytes * 1024 * 1024 * 0.99 - 2 ** 20)
    rmSync(path)
  })
})

test('a directory of 20,000 names has a tree that e2fsck agrees with', async () => {
  const path = await checked(256, (writer) => {
    for (let i = 0; i < 20000; i++) {
      const name = Buffer.from(`file ${i} ${'é'.repeat(i % 40)}`).toString('latin1')
      writer.wholeFile(`many/${name}`, writer.defaults(0o644), new Uint8Array())
    }
  })
  expect(debugfs(path, 'htree_dump many')).toContain('Indirect levels: 0')
})

test('a directory of long names has two levels', async () => {
  const path = await checked(512, (writer) => {
    for (let i = 0; i < 9000; i++) {
      writer.symlink(`deep/${String(i).padStart(255, 'x')}`, writer.defaults(0o777), 'target')
    }
  })
  expect(debugfs(path, 'htree_dump deep')).toContain('Indirect levels: 1')
})

test('extents of a file with many holes take several levels', async () => {
  const path = await checked(256, (writer) => {
    for (const [name, count] of Object.entries({ five: 5, many: 3000 })) {
      const segments = Array.from({ length: count }, (_, i) => [i * 8192, 10]).flat()
      writer.file(name, writer.defaults(0o644), count * 8192, segments)
      for (let i = 0; i < count; i++) {
        const bytes = Buffer.from(String(i).padStart(10))
        writer.data(bytes, 0, bytes.length)
      }
      writer.endFile()
    }
  })
  expect(debugfs(path, 'ex many')).toMatch(/1\/ 2/)
  expect(debugfs(path, 'cat many').length).toBe(3000 * 8192)
  expect(debugfs(path, 'cat many').slice(2999 * 8192, 2999 * 8192 + 10)).toBe('      2999')
})

test('files of one, four and five extents', async () => {
  const path = await checked(2048, (writer) => {
    const piece = Buffer.alloc(2 ** 20)
    for (const mebibytes of [128, 512, 513]) {
      writer.file(`${mebibytes}`, writer.defaults(0o644), mebibytes * 2 ** 20, null)
      for (let i = 0; i < mebibytes; i++) writer.data(piece, 0, piece.length)
      writer.endFile()
    }
  })
  for (const mebibytes of [128, 512, 513]) {
    expect(debugfs(path, `stat ${mebibytes}`)).toContain(`Size: ${mebibytes * 2 ** 20}`)
  }
})

test('a huge sparse file keeps its size, and its last byte', async () => {
  const size = 15 * 2 ** 40
  const path = await checked(64, (writer) => {
    writer.file('huge', writer.defaults(0o644), size, [size - 1, 1])
    writer.data(Buffer.from('x'), 0, 1)
    writer.endFile()
    writer.file('hole', writer.defaults(0o644), 2 ** 33, [])
    writer.endFile()
  })
  expect(debugfs(path, 'stat huge')).toContain(`Size: ${size}`)
  expect(debugfs(path, 'stat hole')).toMatch(/Size: 8589934592[^]*Blockcount: 0/)
  await withMount(path, 0, 64 * 2 ** 20, mountPoint, (root) => {
    const handle = openSync(join(root, 'huge'), 'r')
    const bytes = Buffer.alloc(10)
    // The last byte, and nothing but zeroes and the end around it.
    expect(readSync(handle, bytes, 0, 10, size - 5)).toBe(5)
    closeSync(handle)
    expect(bytes.toString('latin1', 0, 5)).toBe('\0\0\0\0x')
  })
})

// e2fsck needs minutes and gigabytes for so much: the kernel and debugfs are asked instead.
test('16 TiB are mounted, and what is in them is read', async () => {
  const path = join(folder, 'vast.img')
  const mebibytes = 2 ** 24 - 1
  const summary = await makeExt4(path, ext4Settings(mebibytes), (writer) => {
    writer.wholeFile('d/file', writer.defaults(0o640), Buffer.from('content'))
  })
  setLength(path, summary.bytes)
  await withMount(path, 0, summary.bytes, mountPoint, (root) => {
    expect(readFileSync(join(root, 'd/file'), 'utf8')).toBe('content')
    const { blocks, bsize, bfree, ffree } = statfsSync(root)
    // The kernel's own count leaves out its tables.
    expect(blocks * bsize).toBeGreaterThan(summary.bytes * 0.98)
    expect(bfree * bsize).toBe(summary.freeBytes)
    expect(ffree).toBe(summary.freeInodes)
  })
  // Each group's descriptor has the checksum that debugfs takes of it, and says what the summary says.
  const groups = debugfs(path, 'show_super_stats')
  expect(groups).not.toContain('checksum is bad')
  const free = [...groups.matchAll(/(\d+) free blocks?, /g)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  )
  expect(free * 4096).toBe(summary.freeBytes)
  rmSync(path)
})

test('65,000 names of one file, and not one more; more directories in one than links can count', async () => {
  const path = await checked(1024, (writer) => {
    const attributes = writer.defaults(0o755)
    writer.wholeFile('one', attributes, Buffer.from('one'))
    for (let i = 1; i < 65_000; i++) writer.link(`farm/${i}`, 'one')
    for (let i = 0; i < 65_010; i++) writer.directory(`many/${i}`, attributes)
    for (let i = 0; i < 64_998; i++) writer.directory(`most/${i}`, attributes)
    expect(() => writer.link('one more', 'one')).toThrow(Refusal)
  })
  expect(debugfs(path, 'stat one')).toContain('Links: 65000')
  expect(debugfs(path, 'stat farm/64999')).toContain('Links: 65000')
  // dir_nlink: 1 stands for many
  expect(debugfs(path, 'stat many')).toMatch(/Links: 1 /)
  expect(debugfs(path, 'stat most')).toMatch(/Links: 65000 /)
})

test('a chain of 50,000 directories', async () => {
  const path = await checked(512, (writer) => {
    writer.wholeFile(`${'d/'.repeat(50_000)}end`, writer.defaults(0o644), Buffer.from('the end'))
  })
  // No path is long enough for it; inodes are numbered as they come.
  expect(debugfs(path, 'cat <50012>')).toBe('the end')
})

test('sockets are sockets to the kernel', async () => {
  const path = await checked(16, (writer) => {
    const xattrs = [{ name: 'trusted.a', value: Buffer.from('b') }]
    writer.device('s', { ...writer.defaults(0o4640), uid: 7, gid: 70_000, xattrs }, 'socket', 0, 0)
  })
  await withMount(path, 0, 16 * 2 ** 20, mountPoint, (root) => {
    const stat = lstatSync(join(root, 's'))
    expect([stat.isSocket(), stat.mode & 0o7777, stat.uid, stat.gid]).toEqual([true, 0o4640, 7, 70_000])
    expect(run('getfattr', ['-h', '-d', '-m', '-', 's'], root)).toContain('trusted.a="b"')
  })
})

test('what comes twice is replaced, with all below it, and its blocks are free again', async () => {
  const path = await checked(64, (writer) => {
    const attributes = writer.defaults(0o644)
    const big = [{ name: 'user.big', value: Buffer.alloc(3000, 1) }]
    writer.wholeFile('a', attributes, Buffer.alloc(100_000, 1))
    writer.wholeFile('a', attributes, Buffer.from('new'))
    writer.wholeFile('tree/b/c', { ...attributes, xattrs: big }, Buffer.alloc(50_000, 2))
    writer.symlink('tree/link', attributes, 'x'.repeat(200))
    writer.wholeFile('tree', attributes, Buffer.from('now a file'))
    writer.wholeFile('linked', attributes, Buffer.from('kept'))
    writer.link('second', 'linked')
    writer.wholeFile('linked', attributes, Buffer.from('other'))
    writer.directory('d', { ...attributes, xattrs: big })
    writer.wholeFile('d/inside', attributes, Buffer.from('inside'))
    writer.directory('d', writer.defaults(0o700))
    writer.directory('second-dir', attributes)
    writer.symlink('second-dir', attributes, 'd')
    writer.wholeFile('second-dir/through', attributes, Buffer.from('through a link'))
  })
  expect(debugfs(path, 'cat a')).toBe('new')
  expect(debugfs(path, 'cat tree')).toBe('now a file')
  expect(debugfs(path, 'cat second')).toBe('kept')
  expect(debugfs(path, 'cat linked')).toBe('other')
  expect(debugfs(path, 'cat d/inside')).toBe('inside')
  expect(debugfs(path, 'cat d/through')).toBe('through a link')
  expect(debugfs(path, 'stat d')).toMatch(/Mode: {2}0700/)
})

test('a disk that is too small is refused with the size that it has', async () => {
  const path = join(folder, 'small.img')
  const filled = makeExt4(path, ext4Settings(4), (writer) => {
    writer.wholeFile('big', writer.defaults(0o644), Buffer.alloc(5 * 2 ** 20))
  })
  await expect(filled).rejects.toThrow(Refusal)
})

test('a size made to measure leaves the free room that was asked for', async () => {
  const path = join(folder, 'fitted.img')
  for (const [freeShare, freeBlocks] of [
    [0, 0],
    [0, 1000],
    [0.5, 1000],
    [0, 100_000],
  ] as const) {
    const size = { freeShare, freeBlocks, mostBlocks: 2 ** 26 }
    const settings = { ...ext4Settings(1), size }
    const summary = await makeExt4(path, settings, (writer) => {
      for (let i = 0; i < 50; i++)
        writer.wholeFile(`f${i}`, writer.defaults(0o644), Buffer.alloc(2 ** 20, i + 1))
    })
    setLength(path, summary.bytes)
    expect(fsck(path)).toBe('')
    const wanted = 50 * 2 ** 20 * freeShare + freeBlocks * 4096
    expect(summary.freeBytes).toBeGreaterThanOrEqual(wanted)
    expect(summary.freeBytes).toBeLessThan(wanted + 2 ** 22)
    rmSync(path)
  }
})
