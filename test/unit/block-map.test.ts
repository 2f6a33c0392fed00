import { appendFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pathForFormat } from '../../src/shared/disk'
import { blockMapOf, blockMapPath, writeBlockMap } from '../../src/main/library/block-map'

let folder: string
let disk: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-map-'))
  disk = join(folder, 'a.img')
  await writeFile(disk, Buffer.alloc(8192))
})
afterEach(() => rm(folder, { recursive: true }))

const ranges = [
  { offset: 0, length: 4096 },
  { offset: 8000, length: 192 },
]

describe('blockMapOf', () => {
  it('answers what was written', async () => {
    await writeBlockMap(disk, await stat(disk, { bigint: true }), ranges)
    expect(await blockMapOf(disk, await stat(disk, { bigint: true }))).toEqual(ranges)
  })
  it('knows nothing of a disk that changed since, or that it never saw', async () => {
    expect(await blockMapOf(disk, await stat(disk, { bigint: true }))).toBeNull()
    const before = await stat(disk, { bigint: true })
    await writeBlockMap(disk, before, ranges)
    expect(await blockMapOf(disk, { ...before, mtimeNs: before.mtimeNs + 1n })).toBeNull()
    await appendFile(disk, 'more')
    expect(await blockMapOf(disk, { ...before, size: 8196n })).toBeNull()
  })
  it('takes no map that is broken or leads out of the disk', async () => {
    const stamp = await stat(disk, { bigint: true })
    await writeBlockMap(disk, stamp, [{ offset: 8000, length: 193 }])
    expect(await blockMapOf(disk, stamp)).toBeNull()
    await writeBlockMap(disk, stamp, [...ranges].reverse())
    expect(await blockMapOf(disk, stamp)).toBeNull()
    await writeFile(blockMapPath(disk), '{"sizeBytes":')
    expect(await blockMapOf(disk, stamp)).toBeNull()
  })
})

describe('pathForFormat', () => {
  it.each([
    ['/a/b.img', 'raw', '/a/b.img'],
    ['/a/b', 'raw', '/a/b'],
    ['/a/b.img', 'qcow2', '/a/b.qcow2'],
    ['/a/b.QCOW2', 'qcow2', '/a/b.QCOW2'],
    ['/a/b.vdi', 'raw', '/a/b.img'],
    ['/a/b.1', 'xz', '/a/b.1.xz'],
  ] as const)('%s as %s is %s', (path, format, expected) => {
    expect(pathForFormat(path, format)).toBe(expected)
  })
})
