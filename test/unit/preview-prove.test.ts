import { renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { exitCodeOf } from '../../src/main/cli/reporter'
import { createJobManager } from '../../src/main/jobs/manager'
import {
  startMachine,
  type Machine,
  type MachineEnding,
  type MachineOptions,
} from '../../src/main/preview/machine'
import { proveDisk } from '../../src/main/preview/prove'
import { fail, ok, type Result } from '../../src/shared/failure'
import type { MachineFirmware, Proof } from '../../src/shared/proof'
import { pretendMachine } from '../support/pretend-machine'

// What is asked of machines, and not the machines: QEMU has its own tests.
vi.mock('../../src/main/preview/machine')

let folder = ''
let diskPath = ''
let log: string[] = []
let kept: Proof[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  diskPath = join(folder, 'disk.img')
  await writeFile(diskPath, 'disk')
  log = []
  kept = []
})
afterEach(async () => {
  vi.mocked(startMachine).mockReset()
  await rm(folder, { recursive: true })
})

/** A machine that shows this for ever, or until it ends. */
function showing(
  rows: string[],
  accelerator: Machine['accelerator'],
  changes: Partial<Machine> = {},
): Result<Machine> {
  return ok(pretendMachine(rows, { accelerator, ...changes }))
}

async function prove(
  firmware: MachineFirmware[],
  machineFor: (options: MachineOptions) => Result<Machine>,
): Promise<unknown> {
  vi.mocked(startMachine).mockImplementation((options) => Promise.resolve(machineFor(options)))
  const jobs = createJobManager((_id, line) => log.push(line))
  const started = jobs.start<Proof[]>({
    kind: 'proof',
    title: 'disk',
    diskId: null,
    locks: [],
    run: (context) =>
      proveDisk(context, {
        diskPath,
        firmware,
        architecture: 'amd64',
        attachment: 'usb',
        timeoutMilliseconds: 20,
        onProof: (proof) => {
          kept.push(proof)
          return Promise.resolve()
        },
      }),
  })
  if (!started.ok) throw new Error(started.failure.code)
  return started.value.ending
}

test('a disk that claims no firmware has nothing to prove', async () => {
  expect(await prove([], () => showing(['a login:'], 'tcg'))).toEqual({
    state: 'failed',
    failure: { code: 'disk-without-boot', facts: { path: diskPath } },
  })
})

test('firmware that is not installed is not passed over, unless something failed, which is worse', async () => {
  const missing = fail('tool-missing', { tool: 'OVMF', package: 'ovmf' })
  const untried = [{ firmware: 'uefi', tool: 'OVMF', package: 'ovmf' }]
  const machineFor =
    (row: string) =>
    ({ firmware }: MachineOptions): Result<Machine> =>
      firmware === 'uefi' ? missing : showing([row], 'tcg')
  expect(await prove(['uefi', 'bios'], machineFor('a login:'))).toEqual({
    state: 'failed',
    failure: {
      code: 'proof-incomplete',
      facts: { path: diskPath, boots: [{ firmware: 'bios', outcome: 'login' }], untried },
    },
  })
  expect(await prove(['bios', 'uefi'], machineFor('Kernel panic - not syncing'))).toEqual({
    state: 'failed',
    failure: {
      code: 'proof-failed',
      facts: { path: diskPath, boots: [{ firmware: 'bios', outcome: 'kernel-panic' }], untried },
    },
  })
  expect(await prove(['uefi'], machineFor(''))).toEqual({ state: 'failed', failure: missing.failure })
})

test('a picture proves nothing, and disproves nothing', async () => {
  const failure = {
    code: 'proof-incomplete' as const,
    facts: {
      path: diskPath,
      boots: [{ firmware: 'bios' as const, outcome: 'picture' as const }],
      untried: [],
    },
  }
  const picture: Machine['readScreenText'] = () =>
    Promise.resolve(ok({ rows: [], memoryRows: [], isPicture: true }))
  expect(await prove(['bios'], () => showing([], 'tcg', { readScreenText: picture }))).toEqual({
    state: 'failed',
    failure,
  })
  expect(exitCodeOf(failure)).toBe(4)
})

test('a machine that hung with an accelerator is booted once more without it, which is said', async () => {
  const machineFor = ({ accelerators }: MachineOptions): Result<Machine> =>
    accelerators === undefined ? showing(['Loading'], 'kvm') : showing(['a login:'], 'tcg')
  expect(await prove(['bios'], machineFor)).toMatchObject({
    state: 'succeeded',
    value: [{ outcome: 'login', accelerator: 'tcg' }],
  })
  expect(log).toContain('BIOS: nothing came with kvm: booting again with tcg')
  // An emulated one is believed.
  expect(await prove(['bios'], () => showing(['Loading'], 'tcg'))).toMatchObject({ state: 'failed' })
  expect(vi.mocked(startMachine)).toHaveBeenCalledTimes(3)
})

/** Puts another disk under the path that looks the same from outside. */
function replaceDisk(): void {
  const other = `${diskPath}.other`
  writeFileSync(other, 'DISK')
  utimesSync(other, 1e9, 1e9)
  renameSync(other, diskPath)
}

test.each([
  ['is another one by now', replaceDisk],
  ['was written to', () => utimesSync(diskPath, 2e9, 2e9)],
  ['is gone', () => rmSync(diskPath)],
])('a boot is no proof of a file that %s', async (_, happen) => {
  utimesSync(diskPath, 1e9, 1e9)
  const machineFor = (): Result<Machine> => {
    happen()
    return showing(['a login:'], 'tcg')
  }
  expect(await prove(['bios'], machineFor)).toEqual({
    state: 'failed',
    failure: { code: 'disk-missing', facts: { path: diskPath } },
  })
  expect(kept).toEqual([])
})

test.each<[MachineEnding, object]>([
  [
    { reason: 'failed', detail: 'QEMU was ended by SIGKILL' },
    { code: 'preview-failed', facts: { detail: 'QEMU was ended by SIGKILL' } },
  ],
  [
    { reason: 'no-space', folder: tmpdir() },
    { code: 'preview-no-room', facts: { changesKept: false } },
  ],
])('a QEMU that came to its end says nothing of the disk: %j', async (ending, failure) => {
  const machineFor = (): Result<Machine> => showing(['Loading'], 'tcg', { ended: Promise.resolve(ending) })
  expect(await prove(['bios', 'uefi'], machineFor)).toMatchObject({ state: 'failed', failure })
  expect(kept).toEqual([])
})

test('a machine that switched itself off has shown that the disk does not boot', async () => {
  const ended = Promise.resolve<MachineEnding>({ reason: 'powered-off' })
  const ending = await prove(['bios'], () => showing(['Loading'], 'tcg', { ended }))
  expect(ending).toMatchObject({ state: 'failed', failure: { code: 'proof-failed' } })
  expect(kept).toMatchObject([{ outcome: 'ended' }])
})
