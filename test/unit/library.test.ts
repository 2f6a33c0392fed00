import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  diskIdOf,
  libraryFolder,
  openLibrary,
  readSidecar,
  sidecarPath,
  type Library,
} from '../../src/main/library/library'
import type { DiskRecord } from '../../src/shared/disk'
import type { MachineFirmware, Proof } from '../../src/shared/proof'

let folder: string
let log: string[]
let library: Library

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-library-'))
  log = []
  library = openLibrary(join(folder, 'data'), (line) => log.push(line))
})
afterEach(() => rm(folder, { recursive: true }))

async function makeDisk(name: string, builtAt = 1): Promise<DiskRecord> {
  const path = join(folder, name)
  await writeFile(path, 'disk')
  return {
    id: diskIdOf(path),
    path,
    sizeBytes: 4,
    builtAt,
    source: { image: 'a:1', digest: 'sha256:00' },
    engine: 'kernel',
    format: 'raw',
    table: 'mbr',
    firmware: ['bios'],
    secureBoot: false,
    architecture: 'amd64',
    ports: [],
    proofs: [],
  }
}

describe('openLibrary', () => {
  it('lists what was added, newest first, across instances', async () => {
    expect(await library.list()).toEqual([])
    const [old, young] = [await makeDisk('old.img', 1), await makeDisk('young.img', 2)]
    await Promise.all([library.add(old), library.add(young)])
    const other = openLibrary(join(folder, 'data'), () => undefined)
    const names = (await other.list()).map((disk) => [disk.name, disk.present])
    expect(names).toEqual([
      ['young.img', true],
      ['old.img', true],
    ])
    await library.add({ ...old, builtAt: 3 })
    expect((await library.list()).map((disk) => disk.name)).toEqual(['old.img', 'young.img'])
  })

  it('sees that a file has gone or is another one', async () => {
    const disk = await makeDisk('a.img')
    await library.add(disk)
    await truncate(disk.path, 5)
    expect(await library.find(disk.id)).toMatchObject({ ok: true, value: { present: false } })
    expect(await library.remove(disk.id)).toMatchObject({ ok: false, failure: { code: 'disk-missing' } })
    expect(await readFile(disk.path, 'latin1')).toBe('disk\0')
    await rm(disk.path)
    expect(await library.list()).toMatchObject([{ present: false }])
  })

  it('forgets without deleting and removes with deleting', async () => {
    const [kept, gone] = [await makeDisk('kept.img'), await makeDisk('gone.img')]
    await library.add(kept)
    await library.add(gone)
    expect((await library.forget(kept.id)).ok).toBe(true)
    expect((await library.remove(gone.id)).ok).toBe(true)
    expect(await library.list()).toEqual([])
    expect((await readdir(folder)).sort()).toEqual(['data', 'kept.img', 'kept.img.slipway.json'])
    for (const answer of [await library.forget(kept.id), await library.remove('../../etc')]) {
      expect(answer).toMatchObject({ ok: false, failure: { code: 'not-found' } })
    }
  })

  const proofOf = async (disk: DiskRecord, firmware: MachineFirmware): Promise<Proof> => {
    const { mtimeMs, size } = await stat(disk.path)
    return {
      firmware,
      outcome: 'login',
      at: 5,
      milliseconds: 38_000,
      attachment: 'usb',
      accelerator: 'tcg',
      failedUnits: [],
      lines: ['a login:'],
      picture: false,
      file: { modifiedAt: mtimeMs, sizeBytes: size },
    }
  }

  it('notes proofs in both places, one for each firmware, with their pictures', async () => {
    const disk = await makeDisk('a.img')
    await library.add(disk)
    const [bios, uefi] = [await proofOf(disk, 'bios'), await proofOf(disk, 'uefi')]
    await library.addProof(disk.id, { ...bios, outcome: 'hang' }, null)
    await library.addProof(disk.id, uefi, null)
    await library.addProof(disk.id, bios, Buffer.from('picture'))
    const proofs = [uefi, { ...bios, picture: true }]
    expect(await library.list()).toMatchObject([{ proofs }])
    expect(await readSidecar(disk.path)).toEqual({ ...disk, proofs })
    expect(await library.readPicture(disk.id, 'bios')).toEqual({ ok: true, value: Buffer.from('picture') })
    expect(await library.readPicture(disk.id, 'uefi')).toEqual({ ok: true, value: null })
    await library.remove(disk.id)
    expect(await readdir(folder)).toEqual(['data'])
  })

  it('loses no proof when window and terminal note theirs at the same moment, nor for a lock of a dead one', async () => {
    const disk = await makeDisk('a.img')
    const [first, second] = [library, openLibrary(join(folder, 'data'), (line) => log.push(line))]
    await first.add(disk)
    const lock = join(folder, 'data', `.${disk.id}.lock`)
    await mkdir(lock)
    await utimes(lock, 1, 1)
    for (let round = 0; round < 10; round++) {
      await first.invalidate(disk.id)
      await Promise.all([
        first.addProof(disk.id, await proofOf(disk, 'bios'), null),
        second.addProof(disk.id, await proofOf(disk, 'uefi'), null),
        second.addProof(disk.id, await proofOf(disk, 'secure-boot'), null),
      ])
      const found = await first.find(disk.id)
      expect(found.ok && found.value.proofs.map(({ firmware }) => firmware).sort()).toEqual([
        'bios',
        'secure-boot',
        'uefi',
      ])
    }
    expect((await readdir(join(folder, 'data'))).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('holds a proof for exactly the file that was booted', async () => {
    const disk = await makeDisk('a.img')
    await library.add(disk)
    await library.addProof(disk.id, await proofOf(disk, 'bios'), null)
    expect(await library.find(disk.id)).toMatchObject({ value: { proofs: [{ firmware: 'bios' }] } })
    await writeFile(disk.path, 'kiss')
    expect(await library.find(disk.id)).toMatchObject({ value: { present: true, proofs: [] } })
  })

  it('forgets what holds for the file as it is before it is written to', async () => {
    const disk = await makeDisk('a.img')
    await library.add(disk)
    await library.addProof(disk.id, await proofOf(disk, 'bios'), Buffer.from('picture'))
    await writeFile(`${disk.path}.files.sha256`, 'list')
    await library.invalidate(disk.id)
    expect(await library.list()).toMatchObject([{ proofs: [] }])
    expect((await readdir(folder)).sort()).toEqual(['a.img', 'a.img.slipway.json', 'data'])
  })

  it('passes over what is broken and says so', async () => {
    const disk = await makeDisk('a.img')
    await library.add(disk)
    const data = join(folder, 'data')
    await writeFile(join(data, `${'0'.repeat(32)}.json`), '{')
    await writeFile(join(data, `${'1'.repeat(32)}.json`), '{"id": 1}')
    // A record under another one's name would let a deletion meet the wrong file.
    await writeFile(join(data, `${'2'.repeat(32)}.json`), JSON.stringify(disk))
    await writeFile(join(data, 'readme.txt'), 'hello')
    expect(await library.list()).toHaveLength(1)
    expect(log).toHaveLength(2)
  })

  it('believes of a sidecar what it says, but not where', async () => {
    const disk = await makeDisk('a.img')
    const moved = join(folder, 'moved.img')
    await writeFile(sidecarPath(moved), JSON.stringify(disk))
    expect(await readSidecar(moved)).toEqual({ ...disk, path: moved, id: diskIdOf(moved) })
    await writeFile(sidecarPath(moved), 'nonsense')
    expect(await readSidecar(moved)).toBeNull()
    expect(await readSidecar(join(folder, 'none'))).toBeNull()
  })

  it('takes a disk in whose folder nothing more can be written', async () => {
    const disk = await makeDisk('a.img')
    await mkdir(sidecarPath(disk.path))
    await library.add(disk)
    expect(await library.list()).toHaveLength(1)
    expect(log[0]).toContain('no record beside')
  })

  it('tells of disks that another process adds, and of files that go', async () => {
    const listener = vi.fn<(disks: { name: string; present: boolean }[]) => void>()
    const end = library.subscribe(listener)
    try {
      await expect.poll(() => listener.mock.lastCall).toEqual([[]])
      const disk = await makeDisk('a.img')
      await openLibrary(join(folder, 'data'), () => undefined).add(disk)
      await expect.poll(() => listener.mock.lastCall?.[0]).toMatchObject([{ present: true }])
      await rm(disk.path)
      await expect.poll(() => listener.mock.lastCall?.[0]).toMatchObject([{ present: false }])
    } finally {
      end()
    }
  })
})

it('follows the XDG base directories', () => {
  expect(libraryFolder({ XDG_DATA_HOME: '/x' })).toBe('/x/slipway/disks')
  expect(libraryFolder({ XDG_DATA_HOME: 'relative' })).toMatch(/\/\.local\/share\/slipway\/disks$/)
})
