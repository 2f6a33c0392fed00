import { expect, test, vi } from 'vitest'
import { createReporter } from '../../src/main/cli/reporter'
import { runJob } from '../../src/main/cli/run-job'
import { runHelperJob } from '../../src/main/elevation/helper-client'
import { writeDrives } from '../../src/main/flash/flash'
import { fail, type Result } from '../../src/shared/failure'
import type { TargetState } from '../../src/shared/helper-protocol'
import type { JobTarget } from '../../src/shared/job'
import { drivesOf } from '../../src/main/drives/linux/drives'
import { machine, usbStick } from '../support/machine'

vi.mock('../../src/main/elevation/helper-client', () => ({ runHelperJob: vi.fn<typeof runHelperJob>() }))
vi.mock('../../src/main/cli/keep-awake', () => ({ keepAwake: () => () => undefined }))

const drives = drivesOf(machine({ blocks: [usbStick('sdb'), usbStick('sdc')], mounts: [] }), {
  paths: [],
  files: [],
})
const written: TargetState = {
  state: 'write',
  bytesDone: 0,
  bytesTotal: null,
  stalled: false,
  failure: null,
}
const refused: TargetState = {
  ...written,
  state: 'failed',
  failure: { code: 'drive-refused', facts: { device: '/dev/sdb', reasons: ['in-use'] } },
}
const lost = fail('engine-lost', { detail: 'socket hang up' })
const blank = 'The drive is blank at its beginning and holds no usable disk.'
const severalBlank =
  'Drives that were begun and not finished are blank at their beginning and hold no usable disk.'

/** What the terminal says of a write to so many drives, with a helper that goes this way. */
async function said(
  count: number,
  helper: typeof runHelperJob,
): Promise<{ text: string; targets: readonly JobTarget[] }> {
  vi.mocked(runHelperJob).mockImplementation(helper)
  const targets = drives
    .slice(0, count)
    .map((drive) => ({ drive, confirmation: drive.model, unmount: false, expert: null }))
  let text = ''
  let told: readonly JobTarget[] = []
  const output = { write: (more: string) => (text += more) }
  const data = {
    ...({ sizeBytes: 512, isSizeKnown: true, dataBytes: null, order: 'any' } as const),
    needed: { paths: [], files: [] },
    send: () => Promise.resolve(lost),
    fractionRead: () => 0,
  }
  const run = (context: Parameters<typeof writeDrives>[0]): Promise<Result<null>> => {
    const targetsOf = (now: JobTarget[]): void => {
      told = now
      context.targets?.(now)
    }
    return writeDrives({ ...context, targets: targetsOf }, { targets, verify: true, eject: false }, data)
  }
  const work = { kind: 'flash', title: '', diskId: null, locks: [], run } as const
  await runJob(work, createReporter(false, output, output), () => 0)
  return { text, targets: told }
}

/** As Ctrl-C. */
const interrupt = (): void => {
  process.listeners('SIGINT').at(-1)?.('SIGINT')
}
const sendNothing = (): Promise<void> => Promise.resolve()

test('what fails before a drive is begun takes nothing from it', async () => {
  const { text, targets } = await said(1, (_context, _request, _feed, onTargets) => {
    onTargets?.([written])
    return Promise.resolve(lost)
  })
  expect(targets).toMatchObject([{ isBegun: false }])
  expect(text).toContain('No disk was made, and nothing is left behind.')
  expect(text).not.toContain('blank')
})

test('what fails when a drive was begun says what became of it', async () => {
  const { text, targets } = await said(1, (_context, _request, feed) => feed(sendNothing))
  expect(targets).toMatchObject([{ isBegun: true }])
  expect(text).toContain(`The connection to Docker broke: socket hang up.\n${blank}\n`)
  expect(text).not.toContain('nothing is left behind')
})

test('a cancel says so too', async () => {
  const cancelled = (begins: boolean) =>
    said(1, async (_context, _request, feed) => {
      if (begins) await feed(sendNothing)
      interrupt()
      return lost
    })
  expect((await cancelled(true)).text).toContain(`Cancelled. ${blank}`)
  expect((await cancelled(false)).text).toContain('Cancelled. What was begun was taken away again.')
})

test('of several drives one that was refused is not begun, and one that is done is finished', async () => {
  const some = await said(2, (_context, _request, feed, onTargets) => {
    onTargets?.([refused, written])
    return feed(sendNothing)
  })
  expect(some.targets).toMatchObject([{ isBegun: false }, { isBegun: true }])
  expect(some.text).toContain(severalBlank)
  const done = await said(2, async (_context, _request, feed, onTargets) => {
    onTargets?.([refused, written])
    await feed(sendNothing)
    onTargets?.([refused, { ...written, state: 'done' }])
    return fail('internal', { detail: 'a mistake' })
  })
  expect(done.text).not.toContain('blank')
})
