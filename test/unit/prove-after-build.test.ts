import type { BrowserWindow } from 'electron'
import { beforeEach, expect, test, vi } from 'vitest'
import type { Previews } from '../../src/main/app/previews'
import { buildWork, tcpPorts } from '../../src/main/convert/build'
import { createHandlers, type Services } from '../../src/main/ipc/handlers'
import { createJobManager, type JobManager } from '../../src/main/jobs/manager'
import type { Library } from '../../src/main/library/library'
import type { TreeSource } from '../../src/main/source/tree-source'
import { bootObstacle } from '../../src/shared/bootable'
import type { DiskRecord } from '../../src/shared/disk'
import { fail, ok, type Result } from '../../src/shared/failure'
import { defaultBuildSettings } from '../../src/shared/image'
import type { ListedDisk } from '../../src/shared/ipc/contract'

vi.mock('electron', () => ({ clipboard: {}, dialog: {}, shell: {} }))
vi.mock('../../src/main/convert/build', async (original) => ({
  ...(await original<typeof import('../../src/main/convert/build')>()),
  buildWork: vi.fn<typeof buildWork>(),
}))

const disk: ListedDisk = {
  ...{ id: 'disk-1', path: '/tmp/slipway-none/a.img', name: 'a.img', present: true },
  ...{ sizeBytes: 1, builtAt: 0, source: { image: 'a', digest: '' } },
  ...{ engine: 'direct', format: 'raw', table: 'mbr', firmware: ['bios'], secureBoot: false },
  ...{ architecture: 'amd64', ports: [], proofs: [] },
}
const prove = vi.fn<Previews['prove']>()
beforeEach(() => {
  prove.mockReset().mockReturnValue(ok({ jobId: 'proof-1' }))
})

/** Builds a disk through the window's handler, by a build that comes to this, and answers the jobs there are then. */
async function build(
  built: Result<DiskRecord>,
  found: Result<ListedDisk>,
  asked: boolean,
): Promise<ReturnType<JobManager['list']>> {
  vi.mocked(buildWork).mockReturnValue({
    ...{ kind: 'build', title: 'a.img', diskId: 'disk-1', locks: [] },
    run: () => Promise.resolve(built),
  })
  const jobs = createJobManager()
  const handlers = createHandlers({
    window: null as unknown as BrowserWindow,
    engine: { images: () => [] },
    archives: { list: () => [], source: () => ({}) as TreeSource },
    library: { find: () => Promise.resolve(found) } as unknown as Library,
    previews: { prove },
    jobs,
  } as unknown as Services)
  const settings = { ...defaultBuildSettings, prove: asked }
  expect(await handlers.buildDisk({ imageId: 'image', settings })).toMatchObject({ ok: true })
  await expect.poll(() => jobs.list().some(({ state }) => state === 'queued')).toBe(false)
  // The proof follows the ending by a few turns.
  await new Promise((resolve) => setTimeout(resolve, 20))
  return jobs.list()
}

test('a built disk is booted when that was asked for', async () => {
  await build(ok(disk), ok(disk), true)
  expect(prove.mock.calls).toEqual([[disk]])
})

test('it is not when nobody asked, and not when there is none', async () => {
  await build(ok(disk), ok(disk), false)
  await build(fail('image-gone', { image: 'a' }), ok(disk), true)
  expect(prove).not.toHaveBeenCalled()
})

test.each<[string, Result<ListedDisk>, Result<{ jobId: string }>, string]>([
  ['the disk is gone already', ok({ ...disk, present: false }), ok({ jobId: '' }), 'disk-missing'],
  ['it is not on the list', fail('not-found', { what: 'disk' }), ok({ jobId: '' }), 'not-found'],
  ['it is being booted', ok(disk), fail('busy', { what: 'proof:a' }), 'busy'],
])('a proof that cannot begin is a failed proof, for people to see: %s', async (_, found, proof, code) => {
  prove.mockReturnValue(proof)
  const jobs = await build(ok(disk), found, true)
  expect(jobs).toMatchObject([
    { kind: 'build', state: 'succeeded' },
    { kind: 'proof', state: 'failed', title: 'a.img', diskId: 'disk-1', failure: { code } },
  ])
})

test('a disk is deleted only when no job has it', async () => {
  const remove = vi.fn<Library['remove']>(() => Promise.resolve(ok(null)))
  const jobs = createJobManager()
  const library = { find: () => Promise.resolve(ok(disk)), remove } as unknown as Library
  const handlers = createHandlers({ library, jobs } as unknown as Services)
  let end: (result: Result<null>) => void = () => undefined
  const run = (): Promise<Result<null>> => new Promise((resolve) => (end = resolve))
  const proof = jobs.start({ kind: 'proof', title: 'a.img', diskId: disk.id, locks: [], run })
  if (!proof.ok) throw new Error(proof.failure.code)
  const forEver = (): Promise<never> => new Promise(() => undefined)
  jobs.start({ kind: 'proof', title: 'b.img', diskId: 'disk-2', locks: [], run: forEver })
  expect(await handlers.deleteDisk({ diskId: disk.id })).toEqual(fail('busy', { what: `file:${disk.path}` }))
  expect(remove).not.toHaveBeenCalled()
  jobs.cancel(proof.value.id)
  expect(await handlers.deleteDisk({ diskId: disk.id })).toMatchObject({ ok: false })
  end(ok(null))
  await proof.value.ending
  expect(await handlers.deleteDisk({ diskId: disk.id })).toEqual(ok(null))
})

test('what keeps a disk from being booted here', () => {
  const installed = { amd64: ['bios', 'uefi'] as const, arm64: [] }
  expect(bootObstacle(disk, installed)).toBeNull()
  expect(bootObstacle(disk, undefined)).toBeNull()
  expect(bootObstacle({ ...disk, format: 'qcow2' }, installed)).toBeNull()
  expect(bootObstacle({ ...disk, format: 'zst' }, installed)).toBe('packed')
  expect(bootObstacle({ ...disk, firmware: [] }, installed)).toBe('data')
  expect(bootObstacle({ ...disk, architecture: 'arm64' }, installed)).toBe('qemu-missing')
})

test('the ports that an image exposes by TCP', () => {
  expect(tcpPorts(['80/tcp', '53/udp', '443/tcp', '9/sctp', '80', 'tcp', '8080/tcp '])).toEqual([80, 443])
  expect(tcpPorts([])).toEqual([])
})
