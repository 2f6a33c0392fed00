import { constants } from 'node:fs'
import { access, copyFile, chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine, type Machine, type MachineOptions } from '../../src/main/preview/machine'
import { writeTinyDisk } from '../support/tiny-disk'

let folder = ''
let disk = ''
let lines: string[] = []
const never = new AbortController().signal
const path = process.env['PATH'] ?? ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  disk = join(folder, 'disk.img')
  await writeTinyDisk(disk, 'tiny login: ')
  const program = join(folder, 'qemu-system-x86_64')
  await copyFile(resolve('test/support/pretend-qemu.cjs'), program)
  await chmod(program, 0o755)
})
afterEach(async () => {
  process.env['PATH'] = path
  lines = []
  const left = (await readdir(tmpdir())).filter((name) => name.startsWith(`slipway-preview-${process.pid}-`))
  expect(left).toEqual([])
})
afterAll(() => rm(folder, { recursive: true }))

async function start(options: Partial<MachineOptions>): Promise<Machine> {
  const log = (line: string): void => void lines.push(line)
  const machine = await startMachine({
    diskPath: disk,
    firmware: 'bios',
    memoryBytes: 256 * 2 ** 20,
    signal: never,
    log,
    ...options,
  })
  if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
  return machine.value
}

describe('with a QEMU that lies about KVM', () => {
  const lyingStart = (lie: string): Promise<Machine> => {
    process.env['PATH'] = `${folder}:${path}`
    process.env['PRETEND_KVM'] = lie
    return start({ accelerators: ['kvm', 'tcg'] })
  }

  test('a crash at the start', async () => {
    const machine = await lyingStart('abort')
    expect(machine.accelerator).toBe('tcg')
    expect(lines).toEqual([
      expect.stringMatching(/^kvm does not work on this host \(.*SIGABRT.*\): starting again with tcg$/),
    ])
    expect(machine.fallback).toEqual({ from: 'kvm', detail: expect.stringContaining('SIGABRT') as string })
    expect(await machine.stop()).toEqual({ reason: 'stopped' })
  })

  test('no sign of life', async () => {
    const machine = await lyingStart('no-life')
    expect(machine.accelerator).toBe('tcg')
    expect(lines).toEqual([
      'kvm does not work on this host (no sign of life within 15 seconds): starting again with tcg',
    ])
    await machine.stop()
  })

  test('an internal error after the start', async () => {
    const machine = await lyingStart('internal-error')
    expect([machine.accelerator, machine.fallback]).toEqual(['kvm', null])
    await new Promise<void>((resolveRestart) => machine.onRestart(resolveRestart))
    expect(machine.accelerator).toBe('tcg')
    expect(lines).toEqual([
      'kvm failed (the machine stopped with an internal error): starting again with tcg',
    ])
    expect(machine.fallback).toEqual({
      from: 'kvm',
      detail: 'the machine stopped with an internal error',
    })
    await machine.stop()
  })

  test('a machine that stands still after its first screen', async () => {
    const machine = await lyingStart('still')
    expect(machine.accelerator).toBe('kvm')
    await new Promise<void>((resolveRestart) => machine.onRestart(resolveRestart))
    expect(machine.accelerator).toBe('tcg')
    expect(lines).toEqual([
      'kvm failed (the firmware read nothing of the disk within 15 seconds): starting again with tcg',
    ])
    await machine.stop()
  })

  test.each([
    ['locked', 'Failed to get "write" lock'],
    ['killed', 'QEMU was ended by SIGKILL'],
  ])('%s: what is no fault of the accelerator is not tried again, nor said of it', async (lie, words) => {
    await expect(lyingStart(lie)).rejects.toThrow(JSON.stringify(words).slice(1, -1))
    expect(lines).toEqual([])
  })

  test('a stop while it is being started again', async () => {
    const machine = await lyingStart('internal-error')
    await expect.poll(() => lines.length, { interval: 5 }).toBe(1)
    expect(await machine.stop()).toEqual({ reason: 'stopped' })
  })

  test('a cancel before any sign of life', async () => {
    process.env['PATH'] = `${folder}:${path}`
    process.env['PRETEND_KVM'] = 'no-life'
    const abort = new AbortController()
    setTimeout(() => {
      abort.abort(new Error('cancelled'))
    }, 1000)
    const before = Date.now()
    await expect(start({ accelerators: ['kvm', 'tcg'], signal: abort.signal })).rejects.toThrow('cancelled')
    expect(Date.now() - before).toBeLessThan(10_000)
  })
})

test('a real QEMU that crashes is replaced, and the replacement boots', async () => {
  const machine = await start({ accelerators: ['tcg', 'tcg', 'tcg'] })
  const restarted = new Promise<void>((resolveRestart) => machine.onRestart(resolveRestart))
  const first = machine.processId
  process.kill(first, 'SIGABRT')
  await restarted
  expect(machine.processId).not.toBe(first)
  expect(await watchBoot(machine, { timeoutMilliseconds: 60_000, signal: never })).toMatchObject({
    outcome: 'login',
  })
  // It has read its disk, so that it is not given up for standing still.
  await new Promise((resolveWait) => setTimeout(resolveWait, 10_000))
  expect(lines).toHaveLength(1)
  await machine.stop()
})

test('with what this host has, the machine boots; an accelerator that was given up is told', async () => {
  const machine = await start({})
  const verdict = await watchBoot(machine, { timeoutMilliseconds: 60_000, signal: never })
  const { accelerator } = machine
  await machine.stop()
  expect(verdict.outcome).toBe('login')
  const hasDevice = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (accelerator === 'kvm') expect([hasDevice, lines]).toEqual([true, []])
  else expect(lines).toEqual([expect.stringContaining(hasDevice ? 'kvm' : 'No KVM')])
})
