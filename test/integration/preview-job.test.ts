import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createJobManager, type StartedJob } from '../../src/main/jobs/manager'
import { watchBoot } from '../../src/main/preview/boot-watch'
import type { Machine } from '../../src/main/preview/machine'
import { runPreview } from '../../src/main/preview/preview-job'
import { writeTinyDisk } from '../support/tiny-disk'

let folder = ''
const jobs = createJobManager()
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  await writeTinyDisk(join(folder, 'login.img'), 'tiny login: ')
  await writeTinyDisk(join(folder, 'off.img'), 'good night', 'power-off')
})
afterEach(async () => {
  const left = (await readdir(tmpdir())).filter((name) => name.startsWith(`slipway-preview-${process.pid}-`))
  expect(left).toEqual([])
})
afterAll(async () => {
  await jobs.close()
  await rm(folder, { recursive: true })
})

/** Starts a preview job. `machine` resolves when it runs. */
function preview(
  disk: string,
  firmware: 'bios' | 'uefi' = 'bios',
): { job: StartedJob<null>; machine: Promise<Machine> } {
  let announce: (machine: Machine) => void = () => undefined
  const machine = new Promise<Machine>((resolve) => (announce = resolve))
  const job = jobs.start({
    kind: 'preview',
    title: disk,
    diskId: null,
    locks: [],
    run: (context) => runPreview(context, { diskPath: join(folder, disk), firmware, onMachine: announce }),
  })
  if (!job.ok) throw new Error(JSON.stringify(job.failure))
  return { job: job.value, machine }
}

test('a machine that is stopped is a preview that succeeded', async () => {
  const { job, machine } = preview('login.img')
  const running = await machine
  expect(jobs.list().find(({ id }) => id === job.id)).toMatchObject({ state: 'running', phase: 'run' })
  await running.stop()
  expect(await job.ending).toEqual({ state: 'succeeded', value: null })
})

test('so is one that switches itself off', async () => {
  const { job } = preview('off.img')
  expect(await job.ending).toEqual({ state: 'succeeded', value: null })
})

test('a cancelled preview is over when its machine is gone', async () => {
  const { job, machine } = preview('login.img')
  const { processId } = await machine
  jobs.cancel(job.id)
  expect(await job.ending).toEqual({ state: 'cancelled' })
  expect(() => process.kill(processId, 0)).toThrow('ESRCH')
})

test('a QEMU that was killed is a failure', async () => {
  const { job, machine } = preview('login.img')
  process.kill((await machine).processId, 'SIGKILL')
  expect(await job.ending).toEqual({
    state: 'failed',
    failure: { code: 'preview-failed', facts: { detail: 'QEMU was ended by SIGKILL' } },
  })
})

test('a disk that is gone is a failure', async () => {
  expect(await preview('none.img').job.ending).toEqual({
    state: 'failed',
    failure: { code: 'disk-missing', facts: { path: join(folder, 'none.img') } },
  })
})

test('UEFI: a disk without a loader leaves the firmware at its shell', async () => {
  const { job, machine } = preview('login.img', 'uefi')
  const limits = { timeoutMilliseconds: 120_000, signal: new AbortController().signal }
  expect(await watchBoot(await machine, limits)).toMatchObject({ outcome: 'no-bootable-device' })
  await (await machine).stop()
  expect(await job.ending).toEqual({ state: 'succeeded', value: null })
})
