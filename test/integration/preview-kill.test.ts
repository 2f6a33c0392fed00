import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMachine, type Machine, type MachineOptions } from '../../src/main/preview/machine'
import { sweepWorkspaces } from '../../src/main/preview/workspace'
import { bundleForNode } from '../support/bundle'
import { writeTinyDisk } from '../support/tiny-disk'

/** Milliseconds after which something left behind counts as left behind; the clean-up takes a few. */
const GRACE = 10_000
const RUNS = 20

let folder = ''
let disk = ''
const hash = (): string => createHash('sha256').update(readFileSync(disk)).digest('hex')
let before = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  disk = join(folder, 'disk.img')
  await writeTinyDisk(disk, 'tiny login: ')
  before = hash()
  await bundleForNode(resolve('test/support/preview-process.ts'), folder, 'preview-process')
})
afterAll(async () => {
  expect(hash()).toBe(before)
  await rm(folder, { recursive: true })
})

/** Command lines of processes that are alive (not zombies, whose command line is empty) and name this text. */
function processesNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'latin1')
        return line.includes(text) ? [line.replaceAll('\0', ' ')] : []
      } catch {
        return []
      }
    })
}

async function eventually(holds: () => boolean): Promise<void> {
  const until = Date.now() + GRACE
  while (!holds()) {
    if (Date.now() > until) return
    await new Promise((wake) => setTimeout(wake, 20))
  }
}

const foldersOf = async (pid: number): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`slipway-preview-${pid}-`))

/** A process that starts a machine and holds it. */
function startProcess(path = process.env['PATH'] ?? ''): { child: ChildProcess; running: Promise<void> } {
  const child = spawn(process.execPath, [join(folder, 'preview-process.cjs'), disk], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: path },
  })
  const running = new Promise<void>((wake) => {
    child.stdout.once('data', () => wake())
  })
  return { child, running }
}

async function expectNothingOf(pid: number): Promise<void> {
  const name = `slipway-preview-${pid}-`
  const left = (): string[] => [
    ...processesNaming(name),
    ...readdirSync(tmpdir()).filter((entry) => entry.startsWith(name)),
  ]
  await eventually(() => left().length === 0)
  expect(left()).toEqual([])
}

test(`${RUNS} times, our process is killed at a random moment: no QEMU, no socket, no overlay stays`, async () => {
  // Moments up to a little after a machine runs, however long this computer takes for it.
  const begun = performance.now()
  const first = startProcess()
  const gone = new Promise((wake) => first.child.once('exit', wake))
  await first.running
  const startTime = performance.now() - begun
  first.child.kill('SIGKILL')
  await gone
  await expectNothingOf(first.child.pid ?? 0)
  let sawQemu = 0
  for (let run = 0; run < RUNS; run++) {
    const { child } = startProcess()
    const pid = child.pid ?? 0
    const ended = new Promise((wake) => child.once('exit', wake))
    await new Promise((wake) => setTimeout(wake, Math.random() * 1.2 * startTime))
    if (processesNaming(`slipway-preview-${pid}-`).some((line) => line.includes('qemu-system'))) sawQemu++
    child.kill('SIGKILL')
    await ended
    await expectNothingOf(pid)
  }
  // The moments were not all before QEMU.
  expect(sawQemu).toBeGreaterThan(0)
})

test('the same where the kernel has no parent-death signal for us', async () => {
  // A PATH with all that is needed, but for setpriv.
  const programs = join(folder, 'programs')
  await mkdir(programs)
  for (const name of ['xargs', 'rm', 'kill', 'qemu-img', 'qemu-system-x86_64']) {
    const found = ['/usr/bin', '/bin'].map((place) => join(place, name)).find(existsSync)
    if (found === undefined) throw new Error(`no ${name} on this machine`)
    await symlink(found, join(programs, name))
  }
  for (let run = 0; run < 3; run++) {
    const { child, running } = startProcess(programs)
    const pid = child.pid ?? 0
    const ended = new Promise((wake) => child.once('exit', wake))
    await running
    expect(processesNaming(`slipway-preview-${pid}-`).some((line) => line.includes('qemu-system'))).toBe(true)
    child.kill('SIGKILL')
    await ended
    await expectNothingOf(pid)
  }
})

test('a process that stops its machine ends by itself, with nothing left to wait for', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(folder, 'preview-process.cjs'),
    disk,
    'stop',
  ])
  expect(stdout).toBe('running\nstopped\n')
})

async function start(options: Partial<MachineOptions>): Promise<Machine> {
  const { signal } = new AbortController()
  const machine = await startMachine({
    diskPath: disk,
    firmware: 'bios',
    memoryBytes: 256 * 2 ** 20,
    signal,
    log: () => undefined,
    ...options,
  })
  if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
  return machine.value
}

test('QEMU killed at a random moment: the machine ends and says why, nothing stays', async () => {
  for (let run = 0; run < RUNS; run++) {
    const machine = await start({ accelerators: ['tcg'] })
    await new Promise((wake) => setTimeout(wake, Math.random() * 500))
    process.kill(machine.processId, 'SIGKILL')
    expect(await machine.ended).toEqual({ reason: 'failed', detail: 'QEMU was ended by SIGKILL' })
    expect(await foldersOf(process.pid)).toEqual([])
    expect(processesNaming(`slipway-preview-${process.pid}-`)).toEqual([])
  }
})

test('a start that is cancelled leaves nothing', async () => {
  for (let run = 0; run < 5; run++) {
    const abort = new AbortController()
    setTimeout(() => {
      abort.abort(new Error('cancelled by the test'))
    }, Math.random() * 300)
    const outcome = start({ signal: abort.signal }).then(
      // It was quicker than the cancel.
      (machine) => machine.stop().then(() => 'started'),
      (error: unknown) => String(error),
    )
    expect(['started', 'Error: cancelled by the test']).toContain(await outcome)
    expect(await foldersOf(process.pid)).toEqual([])
    expect(processesNaming(`slipway-preview-${process.pid}-`)).toEqual([])
  }
})

test('folders of dead processes are swept, those of living ones and strangers are not', async () => {
  const dead = spawn(process.execPath, ['-e', ''])
  await new Promise((wake) => dead.once('exit', wake))
  const place = (name: string): string => join(tmpdir(), name)
  const old = place(`slipway-preview-${dead.pid ?? 0}-0123456789ab`)
  const mine = place(`slipway-preview-${process.pid}-0123456789ab`)
  const other = place(`slipway-preview-${dead.pid ?? 0}-notes`)
  for (const path of [old, mine, other]) await mkdir(path)
  await writeFile(join(old, 'overlay.qcow2'), 'x')
  try {
    await sweepWorkspaces()
    expect([existsSync(old), existsSync(mine), existsSync(other)]).toEqual([false, true, true])
  } finally {
    for (const path of [old, mine, other]) await rm(path, { recursive: true, force: true })
  }
})

/** Local addresses on which a process listens for TCP, as the kernel prints them (proc(5), /proc/net/tcp). */
async function listeningAddresses(pid: number): Promise<string[]> {
  const sockets = new Set<string>()
  for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined) sockets.add(inode)
  }
  const addresses: string[] = []
  for (const table of ['tcp', 'tcp6']) {
    for (const line of (await readFile(`/proc/${pid}/net/${table}`, 'utf8')).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      // 0A is LISTEN.
      if (state === '0A' && sockets.has(inode)) addresses.push(local)
    }
  }
  return addresses
}

test('screen, serial port and control open no TCP port; a forwarded port is on the loopback address', async () => {
  const plain = await start({ accelerators: ['tcg'] })
  expect(await listeningAddresses(plain.processId)).toEqual([])
  await plain.stop()
  // Port 0: one that is free.
  const forwarding = await start({ accelerators: ['tcg'], ports: [{ hostPort: 0, guestPort: 80 }] })
  const addresses = await listeningAddresses(forwarding.processId)
  const [forward] = forwarding.forwards
  await forwarding.stop()
  expect(addresses).toHaveLength(1)
  // 127.0.0.1, as a little-endian number.
  expect(addresses[0]).toMatch(/^0100007F:/)
  // The port that QEMU tells is the one on which it listens.
  expect(forward?.guestPort).toBe(80)
  expect(addresses[0]?.split(':')[1]).toBe(forward?.hostPort.toString(16).toUpperCase().padStart(4, '0'))
})
