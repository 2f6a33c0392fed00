import type { BrowserWindow } from 'electron'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createPreviews, type Previews } from '../../src/main/app/previews'
import { createJobManager, type JobManager } from '../../src/main/jobs/manager'
import type { Library } from '../../src/main/library/library'
import { startMachine } from '../../src/main/preview/machine'
import { fail, ok, type Result } from '../../src/shared/failure'
import type { ListedDisk } from '../../src/shared/ipc/contract'
import type { MachineChoice } from '../../src/shared/preview'
import { pretendMachine } from '../support/pretend-machine'

vi.mock('electron', () => ({ clipboard: {}, dialog: {}, shell: {} }))
vi.mock('../../src/main/preview/machine')

const keeping: MachineChoice = {
  ...{ firmware: 'bios', attachment: 'usb', memoryBytes: 2 ** 30, processors: 2, keepChanges: true },
}
const reading = { ...keeping, keepChanges: false }
const invalidate = vi.fn<Library['invalidate']>()
let disk: ListedDisk
let jobs: JobManager
let previews: Previews
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  disk = {
    ...{ id: 'disk-1', path: join(folder, 'a.img'), name: 'a.img', present: true },
    ...{ sizeBytes: 4, builtAt: 0, source: { image: 'a', digest: '' } },
    ...{ engine: 'direct', format: 'raw', table: 'mbr', firmware: ['bios'], secureBoot: false },
    ...{ architecture: 'amd64', ports: [], proofs: [] },
  }
  await writeFile(disk.path, 'disk')
  invalidate.mockReset().mockResolvedValue(ok(null))
  jobs = createJobManager()
  const library = { invalidate } as unknown as Library
  previews = createPreviews({ webContents: null } as unknown as BrowserWindow, jobs, library, () => undefined)
  vi.mocked(startMachine).mockReset()
})
afterEach(async () => {
  await jobs.close()
  await rm(folder, { recursive: true })
})

/** Starts a machine on the disk, and stops it. */
async function startAndStop(choice: MachineChoice): Promise<void> {
  const started = await previews.start(disk, choice)
  if (started.ok) await previews.stop(started.value.previewId)
}

test('what was proven is forgotten when a machine that keeps its changes has started, and only then', async () => {
  const failure = fail('preview-failed', { detail: 'Failed to get "write" lock' })
  vi.mocked(startMachine).mockResolvedValueOnce(failure)
  expect(await previews.start(disk, keeping)).toEqual(failure)
  vi.mocked(startMachine).mockResolvedValueOnce(ok(pretendMachine(['Loading'])))
  await startAndStop(reading)
  expect(invalidate).not.toHaveBeenCalled()
  vi.mocked(startMachine).mockResolvedValueOnce(ok(pretendMachine(['Loading'])))
  await startAndStop(keeping)
  expect(invalidate).toHaveBeenCalledExactlyOnceWith(disk.id)
})

test('a proof and a machine that keeps its changes shut each other out', async () => {
  const busy = (kind: string): Result<never> => fail('busy', { what: `${kind}:${disk.path}` })
  vi.mocked(startMachine).mockImplementation(() => Promise.resolve(ok(pretendMachine(['Loading']))))
  expect((await previews.start(disk, keeping)).ok).toBe(true)
  expect(previews.prove(disk)).toEqual(busy('proof'))
  expect(await previews.start(disk, keeping)).toEqual(busy('file'))
  await jobs.close()
  expect(previews.prove(disk).ok).toBe(true)
  expect(await previews.start(disk, keeping)).toEqual(busy('proof'))
  expect((await previews.start(disk, reading)).ok).toBe(true)
})
