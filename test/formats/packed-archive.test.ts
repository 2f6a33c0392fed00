import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readlink, statfs, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { createJobManager, type JobManager } from '../../src/main/jobs/manager'
import { unpackingWork } from '../../src/main/jobs/unpacking'
import { fileBlob } from '../../src/main/source/archive/blobs'
import { unpackArchive } from '../../src/main/source/archive/unpack'
import { openedArchives, type OpenedArchives } from '../../src/main/source/opened'
import { describeTar, layerOf, newDockerSave, packed, tarOf } from '../support/image-archives'
import { archiveFolder, expected, image, old, paths, treeOf } from '../support/archive-folder'

const signal = new AbortController().signal
const { inFile, path: folder } = archiveFolder()

describe('an archive that is packed as a whole', () => {
  test.each(['gzip', 'zstd', 'xz'] as const)('by %s gives the same', async (packing) => {
    for (const bytes of [tarOf(old.files, old.links), tarOf(newDockerSave([image]))]) {
      const path = await inFile(packed(bytes, packing))
      expect(await treeOf(path)).toEqual(await treeOf(await inFile(bytes)))
    }
  })

  /** What this process has open of files that have no name any more. */
  const nameless = async (): Promise<string[]> => {
    const links = (await readdir('/proc/self/fd')).map((fd) =>
      readlink(`/proc/self/fd/${fd}`).catch(() => ''),
    )
    return (await Promise.all(links)).filter((link) => link.includes('slipway-unpack-'))
  }

  /** What was opened, where the window shows the unpacking as a job. */
  const openedIn = (jobs: JobManager): OpenedArchives =>
    openedArchives(
      () => undefined,
      (path, run) => jobs.start(unpackingWork(path, run)),
    )
  const idsOf = async (archives: OpenedArchives, path: string): Promise<string[]> => {
    const ids = await archives.open(path)
    if (!ids.ok) throw new Error(ids.failure.code)
    return ids.value ?? []
  }
  /** An archive whose unpacking takes half a second: only half of each byte says something. */
  const large = (): Buffer => {
    const layer = Buffer.from(randomBytes(40_000_000).toString('hex'))
    return gzipSync(tarOf(newDockerSave([{ names: ['large:1'], layers: [layer] }])), { level: 1 })
  }

  test('is unpacked by a job that tells how much of the file was read, and leaves when it is done', async () => {
    const jobs = createJobManager()
    const seen: string[] = []
    const fractions: number[] = []
    jobs.subscribe(([job]) => {
      if (job === undefined) return
      seen.push(`${job.kind} ${job.title} ${job.state === 'running' ? job.phase : job.state}`)
      if (job.state === 'running') fractions.push(job.fraction ?? -1)
    })
    const path = await inFile(large())
    const archives = openedIn(jobs)
    await idsOf(archives, path)
    const title = basename(path)
    // Gone at once: what it came to is shown by whoever opened it.
    expect([...new Set(seen)]).toEqual([`open ${title} queued`, `open ${title} unpack`])
    expect(fractions.length).toBeGreaterThan(1)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(fractions[0]).toBe(0)
    expect(fractions.at(-1)).toBeLessThanOrEqual(1)
    expect(jobs.list()).toEqual([])
    // Nothing is to be waited for in one that is not packed, or holds no images.
    seen.length = 0
    await idsOf(archives, await inFile(tarOf(newDockerSave([image]))))
    await idsOf(archives, await inFile(packed(layerOf(['x=1']), 'gzip')))
    expect(seen).toEqual([])
    for (const { id } of archives.list()) archives.close(id)
  })

  test('leaves what was opened as it was when it is cancelled', async () => {
    const jobs = createJobManager()
    const archives = openedIn(jobs)
    const path = await inFile(packed(tarOf(newDockerSave([image])), 'gzip'))
    const ids = await idsOf(archives, path)
    const before = await nameless()
    await writeFile(path, large())
    const end = jobs.subscribe(([job]) => {
      if (job?.state === 'running') jobs.cancel(job.id)
    })
    expect(await archives.open(path)).toEqual({ ok: true, value: null })
    end()
    expect(jobs.list()).toMatchObject([{ state: 'cancelled' }])
    expect(archives.list()).toMatchObject([{ id: ids[0], names: ['app:1'] }])
    expect(await nameless()).toEqual(before)
    archives.close(ids[0] ?? '')
  })

  test('is unpacked once at a time', async () => {
    const archives = openedIn(createJobManager())
    const path = await inFile(large())
    const both = await Promise.all([archives.open(path), archives.open(path)])
    expect(both.map((one) => (one.ok ? 'opened' : one.failure.code)).toSorted()).toEqual(['busy', 'opened'])
    expect(archives.list()).toHaveLength(1)
    for (const { id } of archives.list()) archives.close(id)
  })

  test('that is broken is answered, and no job stays', async () => {
    const jobs = createJobManager()
    const path = await inFile(large().subarray(0, 5_000_000))
    expect(await openedIn(jobs).open(path)).toMatchObject({ ok: false, failure: { code: 'archive-invalid' } })
    expect(jobs.list()).toEqual([])
  })

  test('is kept without a name as long as it is opened or read, and then gone', async () => {
    const before = (await nameless()).length
    const path = await inFile(packed(tarOf(newDockerSave([image])), 'gzip'))
    const archives = openedIn(createJobManager())
    const [id = ''] = await idsOf(archives, path)
    expect((await nameless()).length).toBe(before + 1)
    const [link = ''] = (await nameless()).slice(-1)
    expect(link).toMatch(/ \(deleted\)$/)
    const source = archives.source(id)
    if (source === null) throw new Error('no source')
    const cleanUps: (() => unknown)[] = []
    const inspected = await source.inspect(signal)
    if (!inspected.ok) throw new Error(inspected.failure.code)
    const prepared = await source.prepareExport(inspected.value, {
      signal,
      defer: (cleanUp) => cleanUps.push(cleanUp),
      progress: () => undefined,
    })
    if (!prepared.ok) throw new Error(prepared.failure.code)
    // Taken off the list while a disk is built from it.
    archives.close(id)
    const stream = await prepared.value.open()
    if (!stream.ok) throw new Error(stream.failure.code)
    expect(paths(await describeTar(stream.value))).toEqual(expected)
    expect((await nameless()).length).toBe(before + 1)
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
    expect((await nameless()).length).toBe(before)
  })

  test('is given up where there is no room, before and while it is unpacked', async () => {
    const small = join(folder(), 'small')
    await mkdir(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=90m', 'tmpfs', small])
    try {
      for (const [name, bytes] of [
        ['at once', randomBytes(40_000_000)],
        ['on the way', gzipSync(Buffer.alloc(60_000_000))],
      ] as const) {
        const blob = await fileBlob(await inFile(bytes))
        const unpacking = unpackArchive(blob, 'x', signal, () => undefined, small)
        await expect(unpacking, name).rejects.toMatchObject({
          failure: { code: 'archive-no-room', facts: { folder: small } },
        })
        expect(await readdir(small)).toEqual([])
        expect((await statfs(small)).bfree).toBe((await statfs(small)).blocks)
      }
    } finally {
      execFileSync('umount', [small])
    }
  })

  test('ends when it is cancelled', async () => {
    const blob = await fileBlob(await inFile(gzipSync(randomBytes(20_000_000))))
    const before = (await nameless()).length
    const controller = new AbortController()
    const unpacking = unpackArchive(blob, 'x', controller.signal, () => undefined)
    // The file is there, and its thread begins.
    await expect.poll(async () => (await nameless()).length, { interval: 2 }).toBe(before + 1)
    controller.abort()
    await expect(unpacking).rejects.toThrow(/abort/i)
    expect((await nameless()).length).toBe(before)
  })
})
