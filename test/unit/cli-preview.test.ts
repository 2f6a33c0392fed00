import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { parseCommand } from '../../src/main/cli/arguments'
import { runPreview } from '../../src/main/cli/preview'
import { createReporter } from '../../src/main/cli/reporter'
import type { Library } from '../../src/main/library/library'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import { fail, ok, type Result } from '../../src/shared/failure'
import { pretendMachine } from '../support/pretend-machine'

vi.mock('../../src/main/preview/machine')

const library = {
  find: () => Promise.resolve(ok({ architecture: 'amd64', firmware: ['bios'] })),
  invalidate: vi.fn(() => Promise.resolve(ok(null))),
  addProof: vi.fn(() => Promise.resolve(ok(null))),
}
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  await writeFile(join(folder, 'a.img'), Buffer.concat([Buffer.alloc(510), Buffer.from('55aa', 'hex')]))
  library.invalidate.mockClear()
  library.addProof.mockClear()
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Runs `slipway preview` on a disk of the list, and answers what it says with --json. */
async function preview(flag: string, started: Result<Machine>): Promise<unknown> {
  vi.mocked(startMachine).mockResolvedValueOnce(started)
  const parsed = parseCommand(['preview', join(folder, 'a.img'), flag, '--json'])
  if (!parsed.ok || parsed.command.name !== 'preview') throw new Error(JSON.stringify(parsed))
  let told = ''
  const stdout = { write: (text: string) => (told += text) }
  await runPreview(
    parsed.command,
    library as unknown as Library,
    createReporter(true, stdout, { write: () => true }),
  )
  return JSON.parse(told)
}

const killed = { reason: 'failed', detail: 'QEMU was ended by SIGKILL' } as const

test('a QEMU that failed is kept as no proof', async () => {
  const machine = pretendMachine(['Loading'], { ended: Promise.resolve(killed) })
  expect(await preview('--until-login', ok(machine))).toMatchObject({
    failure: { code: 'preview-failed', facts: { detail: killed.detail } },
  })
  expect(library.addProof).not.toHaveBeenCalled()
})

test('what was proven is forgotten when a machine that keeps its changes has started, and only then', async () => {
  await preview('--keep-changes', fail('preview-failed', { detail: 'Failed to get "write" lock' }))
  expect(library.invalidate).not.toHaveBeenCalled()
  await preview(
    '--keep-changes',
    ok(pretendMachine([], { ended: Promise.resolve({ reason: 'powered-off' }) })),
  )
  expect(library.invalidate).toHaveBeenCalledTimes(1)
})

test('the failure of a machine that keeps its changes does not call the disk unchanged', async () => {
  expect(
    await preview('--keep-changes', ok(pretendMachine([], { ended: Promise.resolve(killed) }))),
  ).toMatchObject({ failure: { facts: { changesKept: true } } })
  const full = { reason: 'no-space', folder } as const
  expect(
    await preview('--keep-changes', ok(pretendMachine([], { ended: Promise.resolve(full) }))),
  ).toMatchObject({ failure: { code: 'preview-no-room', facts: { folder, changesKept: true } } })
})
