import { execa } from 'execa'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { encodeHeader } from '../../src/main/convert/tar-blocks'
import { runHelperJob, setHelperPaths, type SendData } from '../../src/main/elevation/helper-client'
import { ok, type Result } from '../../src/shared/failure'
import type { KernelBuildRequest } from '../../src/shared/helper-protocol'
import { bundleForNode } from '../support/bundle'
import {
  checkFileSystem,
  DISK_UUID,
  eventually,
  loopsOf,
  makeDiskFile,
  makeFolder,
  processesNaming,
} from '../support/elevation'
import { silentContext } from '../support/job-context'

const MIB = 1024 * 1024
const END = Buffer.alloc(1024)

let folder = ''
let helper = ''
let disk = ''
let canary = ''

beforeAll(async () => {
  ;({ folder, helper } = await makeFolder())
  disk = join(folder, 'disk.img')
  canary = join(folder, 'canary')
  await mkdir(canary)
  await writeFile(join(canary, 'victim'), 'untouched')
})
afterEach(async () => {
  expect(await eventually(async () => (await loopsOf(disk)).length === 0)).toBe(true)
  expect(await eventually(async () => (await processesNaming(helper)).length === 0)).toBe(true)
  await rm(disk, { force: true })
})
afterAll(() => rm(folder, { recursive: true }))

async function runJob(
  feed: (send: SendData) => Promise<Result<null>>,
  program = helper,
): Promise<Result<null>> {
  setHelperPaths({ executable: process.execPath, helper: program })
  await makeDiskFile(disk)
  const request: KernelBuildRequest = {
    type: 'build',
    path: disk,
    sizeBytes: 200 * MIB,
    fileSystemUuid: DISK_UUID,
    label: 'slipway',
    diskSignature: 7,
    kernelPath: '/vmlinuz',
    initramfsPath: '/initrd.img',
    kernelArguments: '',
  }
  return runHelperJob(silentContext(), request, feed)
}

/** Gives the helper a tar as it is: the filter on our side is not what protects the host. */
const buildRaw = (...blocks: Buffer[]): Promise<Result<null>> =>
  runJob(async (send) => {
    await send(0, Buffer.concat([...blocks, END]))
    return ok(null)
  })

const entry = (path: string, type: string, linkPath = ''): Buffer =>
  encodeHeader({ path, linkPath, type, sizeBytes: 0, mode: 0o755, time: 0 })
const file = (path: string, text = 'HOSTILE'): Buffer => {
  const header = encodeHeader({
    path,
    linkPath: '',
    type: '0',
    sizeBytes: text.length,
    mode: 0o4755,
    time: 0,
  })
  return Buffer.concat([header, Buffer.from(text.padEnd(512, '\0'))])
}
const boot = entry('boot/', '5')

/** All names, kinds, modes, owners, times and contents of what must not be touched. */
async function outside(): Promise<string> {
  const listed = await execa('find', [canary, '-printf', '%P %y %m %U %n %i %T@ %C@\\n'])
  const names = await readdir(folder)
  const host = await execa('stat', [
    '-c',
    '%n %i %Y %Z %s',
    '/etc/passwd',
    '/etc',
    '/',
    '/usr',
    '/usr/bin',
    '/dev',
  ])
  return [
    listed.stdout,
    names.sort().join(' '),
    host.stdout,
    await readFile(join(canary, 'victim'), 'utf8'),
  ].join('\n')
}

describe('a hostile image', () => {
  test.each<[string, (canary: string) => Buffer[], string | null]>([
    [
      'a link to outside and a file through it',
      (to) => [boot, entry('etc', '2', to), file('etc/planted')],
      'tool-failed',
    ],
    [
      'the same with ..',
      (to) => [boot, entry('etc', '2', `../../../../..${to}`), file('etc/planted')],
      'tool-failed',
    ],
    [
      'links in a chain',
      (to) => [boot, entry('a', '2', '/'), entry('b', '2', `a${to}`), file('b/planted')],
      'tool-failed',
    ],
    ['an absolute name', (to) => [boot, file(`${to}/planted`)], null],
    ['a name with ..', (to) => [boot, file(`../../../../..${to}/planted`)], 'tool-failed'],
    [
      'a hard link to outside, then written to',
      (to) => [boot, entry('x', '1', `${to}/victim`), file('x')],
      'tool-failed',
    ],
    [
      'a hard link by ..',
      (to) => [boot, entry('x', '1', `../../../../..${to}/victim`), file('x')],
      'tool-failed',
    ],
    ['a file over a link', (to) => [boot, entry('x', '2', `${to}/victim`), file('x')], null],
    [
      'a directory over a link',
      (to) => [boot, entry('x', '2', to), entry('x/', '5'), file('x/planted')],
      null,
    ],
    ['/boot as a link to outside', (to) => [entry('boot', '2', to)], 'not-supported'],
    [
      '/boot as a link within',
      () => [entry('usr/lib/boot/', '5'), entry('boot', '2', 'usr/lib/boot')],
      'not-supported',
    ],
    ['no /boot', () => [entry('etc/', '5')], 'not-supported'],
    ['ldlinux.sys as a link', (to) => [boot, entry('boot/ldlinux.sys', '2', `${to}/victim`)], null],
    ['ldlinux.c32 as a link', (to) => [boot, entry('boot/ldlinux.c32', '2', `${to}/victim`)], null],
    ['ldlinux.sys as a directory', () => [boot, entry('boot/ldlinux.sys/', '5')], 'tool-failed'],
    ['a device in place of the sandbox’s', () => [boot, entry('../dev/disk', '3')], 'tool-failed'],
    [
      'a file over the sandbox’s programs',
      () => [boot, file('../usr/bin/extlinux'), file('../lib/x')],
      'tool-failed',
    ],
    ['the root as a link', (to) => [boot, entry('./', '2', to), file('planted')], 'tool-failed'],
  ])('touches nothing outside: %s', async (_, make, code) => {
    await rm(disk, { force: true })
    await makeDiskFile(disk)
    const before = await outside()
    await rm(disk)
    const built = await buildRaw(...make(canary))
    expect(await outside()).toBe(before)
    expect(built.ok ? null : built.failure.code).toBe(code)
    if (built.ok) await checkFileSystem(disk)
  })

  test('cannot be a tar without end: what is no tar fails', async () => {
    expect(await buildRaw(Buffer.alloc(MIB, 'no tar'))).toMatchObject({
      ok: false,
      failure: { code: 'tool-failed' },
    })
  })

  test('whose stream breaks off is no disk', async () => {
    const built = await runJob(async (send) => {
      await send(0, Buffer.concat([boot, file('etc/x').subarray(0, 700)]))
      return ok(null)
    })
    expect(built).toMatchObject({ ok: false, failure: { code: 'tool-failed' } })
  })

  test('whose stream has a gap is refused', async () => {
    const built = await runJob(async (send) => {
      await send(0, boot)
      await send(1024, END)
      return ok(null)
    })
    expect(built).toMatchObject({ ok: false, failure: { code: 'helper-protocol' } })
  })

  test('whose reading fails ends with that failure', async () => {
    const failure = { code: 'engine-lost', facts: { detail: 'gone' } } as const
    const built = await runJob(async (send) => {
      await send(0, boot)
      return { ok: false, failure }
    })
    expect(built).toEqual({ ok: false, failure })
  })
})

describe('the sandbox that handles images', () => {
  /** Runs programs as tar runs: each one's exit code, and the last one's output. */
  async function probe(commands: string[][]): Promise<{ exitCodes: (number | null)[]; output: string }> {
    await bundleForNode(resolve('test/support/sandbox-process.ts'), folder, 'sandbox')
    await makeDiskFile(disk)
    const words = ['--mount', '--propagation', 'slave', process.execPath, join(folder, 'sandbox.cjs')]
    const { stdout } = await execa('unshare', [...words, disk, JSON.stringify(commands)])
    await rm(join(folder, 'sandbox.cjs'))
    return JSON.parse(stdout) as { exitCodes: (number | null)[]; output: string }
  }

  test('has programs and libraries in it, and nothing else of the host', async () => {
    const trees = ['bin', 'lib', 'lib32', 'lib64', 'libx32', 'sbin']
    const { exitCodes, output } = await probe([
      ['/usr/bin/find', '/', '-maxdepth', '2', '-not', '-path', '/*/*/*'],
    ])
    expect(exitCodes).toEqual([0])
    const names = output.trim().split('\n')
    const top = names.filter((name) => /^\/[^/]+$/.test(name) && !trees.includes(name.slice(1)))
    expect(top.sort()).toEqual(['/dev', '/machine', '/usr'])
    expect(names.filter((name) => name.startsWith('/dev/'))).toEqual(['/dev/disk'])
  })

  test('lets nothing be read, written, mounted or reached outside', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { exitCodes } = await probe([
      ['/usr/bin/true'],
      ['/usr/bin/cat', join(canary, 'victim')],
      ['/usr/bin/touch', '/planted'],
      ['/usr/bin/touch', '/usr/planted'],
      ['/usr/bin/mount', '-t', 'tmpfs', 'tmpfs', '/machine'],
      ['/usr/sbin/chroot', '/usr', '/bin/true'],
      ['/usr/bin/bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`],
    ])
    server.close()
    expect(exitCodes[0]).toBe(0)
    expect(exitCodes.slice(1).filter((code) => code === 0)).toEqual([])
  })
})

describe('a helper that is none', () => {
  /** A program in the helper's place, which gets the directory as its argument. */
  async function impostor(body: string): Promise<string> {
    const path = join(folder, 'impostor.cjs')
    const frames = `const net = require('node:net'), fs = require('node:fs')
const socket = net.connect(process.argv[2] + '/socket')
const say = (message) => {
  const body = Buffer.from(JSON.stringify(message)), head = Buffer.alloc(5)
  head.writeUInt32BE(body.length + 1); head[4] = 1
  socket.write(Buffer.concat([head, body]))
}
socket.on('close', () => process.exit(0))
`
    await writeFile(path, frames + body)
    return path
  }
  const neverFed = (): Promise<Result<null>> => {
    throw new Error('data was sent to an impostor')
  }

  test('is not given the job without the right proof', async () => {
    const program = await impostor(`let heard = ''
socket.on('data', (chunk) => { heard += chunk; fs.writeFileSync(__dirname + '/heard', heard)
  say({ type: 'ready', proof: 'a'.repeat(64) }) })
say({ type: 'hello', nonce: 'b'.repeat(64) })`)
    expect(await runJob(neverFed, program)).toMatchObject({ ok: false, failure: { code: 'helper-protocol' } })
    const heard = await readFile(join(folder, 'heard'), 'utf8')
    expect(heard).toContain('welcome')
    expect(heard).not.toContain('build')
    await rm(join(folder, 'heard'))
    await rm(program)
  })

  test.each([
    ['says something unknown', `say({ type: 'sudo' })`, 'helper-protocol'],
    ['goes without a word', 'process.exit(0)', 'helper-lost'],
    ['hangs up', 'socket.end()', 'helper-lost'],
  ])('that %s ends the job', async (_, body, code) => {
    const program = await impostor(body)
    expect(await runJob(neverFed, program)).toMatchObject({ ok: false, failure: { code } })
    await rm(program)
  })
})

describe('the helper by itself', () => {
  const start = (...words: string[]): Promise<number | undefined> =>
    execa(process.execPath, [helper, ...words], { reject: false }).then((ended) => ended.exitCode)

  /** A meeting place as the unprivileged side makes it, with nobody listening. */
  async function meetingPlace(mode: number, secretMode: number, bytes = 32): Promise<string> {
    const place = join(folder, 'place')
    await rm(place, { recursive: true, force: true })
    await mkdir(place, { mode })
    await execa('chmod', [mode.toString(8), place])
    await writeFile(join(place, 'secret'), Buffer.alloc(bytes), { mode: secretMode })
    await execa('chmod', [secretMode.toString(8), join(place, 'secret')])
    return place
  }
  afterEach(() => rm(join(folder, 'place'), { recursive: true, force: true }))

  test('ends when nobody listens, and the secret is gone', async () => {
    const place = await meetingPlace(0o700, 0o600)
    expect(await start(place)).toBe(1)
    expect(await readdir(place)).toEqual([])
  })

  test.each([
    ['a directory that others may enter', 0o755, 0o600, 32],
    ['a secret that others may read', 0o700, 0o644, 32],
    ['a secret of another length', 0o700, 0o600, 31],
  ])('does not trust %s', async (_, mode, secretMode, bytes) => {
    const place = await meetingPlace(mode, secretMode, bytes)
    expect(await start(place)).toBe(1)
    expect(await readdir(place)).toEqual(['secret'])
  })

  test('takes no other arguments', async () => {
    const place = await meetingPlace(0o700, 0o600)
    expect(await start(place, '--anything')).toBe(1)
    expect(await readdir(place)).toEqual(['secret'])
  })
})
