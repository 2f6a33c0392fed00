import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Accelerator } from '../../src/main/preview/arguments'
import { findQemu } from '../../src/main/preview/find'
import { awaitLife, awaitReading, prepareFiles, takePicture } from '../../src/main/preview/launch'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import type { QmpEvent } from '../../src/main/preview/qmp'
import { startSession, type Session } from '../../src/main/preview/session'
import { ok } from '../../src/shared/failure'

// What becomes of a machine when its QEMU does this or that; QEMU itself has its own tests.
vi.mock('../../src/main/preview/find')
vi.mock('../../src/main/preview/session')
vi.mock('../../src/main/preview/launch', async (original) => ({
  ...(await original<typeof import('../../src/main/preview/launch')>()),
  prepareFiles: vi.fn<typeof prepareFiles>(),
  awaitLife: vi.fn<typeof awaitLife>(),
  awaitReading: vi.fn<typeof awaitReading>(),
  takePicture: vi.fn<typeof takePicture>(),
}))

let folder = ''
let diskPath = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  diskPath = join(folder, 'a.img')
  await writeFile(diskPath, 'disk')
  vi.mocked(findQemu).mockResolvedValue(ok({ system: 'qemu-system', image: 'qemu-img' }))
  const disk = { path: diskPath, format: 'raw', isOverlay: false } as const
  vi.mocked(prepareFiles)
    .mockReset()
    .mockResolvedValue(ok({ disk, firmware: { kind: 'bios' } }))
  vi.mocked(awaitLife).mockResolvedValue(null)
  vi.mocked(awaitReading).mockResolvedValue(null)
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** A run of QEMU that answers every command with success. */
interface PretendSession {
  session: Session
  tell: (event: QmpEvent) => void
  exit: (words: string) => void
}

function pretendSession(): PretendSession {
  let exit: (words: string) => void = () => undefined
  const exited = new Promise<string>((resolve) => (exit = resolve))
  let tell: (event: QmpEvent) => void = () => undefined
  const session = {
    pid: 1,
    qmp: {
      // Of all that is asked, only the status is looked at.
      execute: () => Promise.resolve(ok({ status: 'running' })),
      onEvent: (listener: (event: QmpEvent) => void) => {
        tell = listener
        return () => undefined
      },
      close: () => undefined,
    },
    serial: new Socket(),
    exited,
    stop() {
      exit('QEMU ended with exit code 0')
      return Promise.resolve()
    },
  }
  return { session, tell: (event) => tell(event), exit }
}

async function start(
  { session }: PretendSession,
  choice: { keepChanges?: boolean; accelerators?: Accelerator[] } = {},
): Promise<Machine> {
  vi.mocked(startSession).mockResolvedValueOnce(ok(session))
  const started = await startMachine({
    diskPath,
    firmware: 'bios',
    accelerators: ['tcg'],
    ...choice,
    signal: new AbortController().signal,
    log: () => undefined,
  })
  if (!started.ok) throw new Error(started.failure.code)
  return started.value
}

test.each([true, false])(
  'the folder that is full is the one that is written to (keeps: %s)',
  async (keepChanges) => {
    const qemu = pretendSession()
    const machine = await start(qemu, { keepChanges })
    qemu.tell({ name: 'BLOCK_IO_ERROR', data: { nospace: true } })
    expect(await machine.ended).toEqual({ reason: 'no-space', folder: keepChanges ? folder : tmpdir() })
  },
)

test('a machine that ends while its screen is read is no mistake of ours', async () => {
  const machine = await start(pretendSession())
  const textMode = { width: 720, height: 400, pixels: Buffer.alloc(720 * 400 * 3) }
  vi.mocked(takePicture).mockResolvedValue(ok(textMode))
  // The memory was saved to a folder that is gone, with the machine.
  expect(await machine.readScreenText()).toMatchObject({ ok: false, failure: { code: 'preview-failed' } })
  await machine.stop()
})

test('a machine that cannot be started again ends', async () => {
  const qemu = pretendSession()
  const machine = await start(qemu, { accelerators: ['kvm', 'tcg'] })
  vi.mocked(prepareFiles).mockRejectedValueOnce(new Error('ENOSPC: no space left on device'))
  qemu.exit('QEMU was ended by SIGSEGV')
  expect(await machine.ended).toMatchObject({
    reason: 'failed',
    detail: expect.stringContaining('ENOSPC') as string,
  })
  await machine.stop()
})
