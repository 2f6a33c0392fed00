import { ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'vite'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createReporter } from '../../src/main/cli/reporter'
import { runJob } from '../../src/main/cli/run-job'
import { keepAwake } from '../../src/main/cli/keep-awake'
import { ok } from '../../src/shared/failure'

let folder = ''
let log = ''
const path = process.env['PATH'] ?? ''

/** A program of this name, first in PATH, that notes its words and its end. */
async function pretend(name: string, rest: string): Promise<void> {
  const file = join(folder, name)
  await writeFile(file, `#!/bin/sh\necho "$$ $*" >> ${log}\n${rest}\necho ended >> ${log}\n`)
  await chmod(file, 0o755)
}
const noted = (): Promise<string> => readFile(log, 'utf8').catch(() => '')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-awake-'))
  log = join(folder, 'log')
  process.env['PATH'] = `${folder}:${path}`
})
beforeEach(() => rm(log, { force: true }))
afterAll(async () => {
  process.env['PATH'] = path
  await rm(folder, { recursive: true })
})

describe('while a drive is written', () => {
  /** What systemd-inhibit does but for the lock: it runs the program behind its options. */
  const inhibit = 'while [ "${1#--}" != "$1" ]; do shift; done\n"$@"'
  const words = '--what=sleep:idle --who=Slipway --why=A drive is being written cat'

  test('the computer is kept awake, and not longer', async () => {
    await pretend('systemd-inhibit', inhibit)
    const letSleep = keepAwake('linux')
    await expect.poll(noted).toContain(words)
    expect(await noted()).not.toContain('ended')
    letSleep()
    await expect.poll(noted).toContain('ended')
  })

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'it may sleep when the program is ended by %s',
    async (signal) => {
      await pretend('systemd-inhibit', inhibit)
      await build({
        configFile: false,
        logLevel: 'error',
        build: {
          ssr: resolve('src/main/cli/keep-awake.ts'),
          outDir: join(folder, 'out'),
          rolldownOptions: { output: { format: 'cjs', entryFileNames: 'keep-awake.cjs' } },
        },
      })
      const script = `require('${folder}/out/keep-awake.cjs').keepAwake('linux'); setInterval(() => {}, 1000)`
      const program = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
      await expect.poll(noted).toContain(words)
      program.kill(signal)
      await once(program, 'exit')
      await expect.poll(noted).toContain('ended')
    },
  )

  test('no sleep is no condition: without the program, or where it is refused', async () => {
    await pretend('systemd-inhibit', 'exit 1')
    const letSleep = keepAwake('linux')
    await expect.poll(noted).toContain(words)
    letSleep()
    process.env['PATH'] = join(folder, 'nothing')
    // A signal to a program that is not there would reach another one.
    const kill = vi.spyOn(ChildProcess.prototype, 'kill').mockReturnValue(false)
    keepAwake('linux')()
    keepAwake('darwin')()
    keepAwake('win32')()
    process.env['PATH'] = `${folder}:${path}`
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(kill).not.toHaveBeenCalled()
    kill.mockRestore()
  })

  test('on macOS by caffeinate, as long as this process', async () => {
    await pretend('caffeinate', 'trap "echo stopped >> $0.log; exit" TERM\nwhile :; do sleep 0.05; done')
    const letSleep = keepAwake('darwin')
    await expect.poll(noted).toContain(` -i -w ${process.pid}\n`)
    letSleep()
    await expect
      .poll(() => readFile(join(folder, 'caffeinate.log'), 'utf8').catch(() => ''))
      .toBe('stopped\n')
  })

  const silent = { write: () => true, isTTY: false } as unknown as NodeJS.WriteStream
  test.each([
    ['flash', true],
    ['build', false],
  ] as const)('a job of kind %s: %j', async (kind, isKeptAwake) => {
    await pretend('systemd-inhibit', inhibit)
    const run = async () => {
      if (isKeptAwake) await expect.poll(noted).toContain(words)
      return ok(null)
    }
    const work = { kind, title: '', diskId: null, locks: [], run }
    expect(await runJob(work, createReporter(true, silent, silent), () => 0)).toBe(0)
    if (isKeptAwake) await expect.poll(noted).toContain('ended')
    else expect(await noted()).toBe('')
  })
})
