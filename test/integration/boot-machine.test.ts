import { execa } from 'execa'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildWork } from '../../src/main/convert/build'
import { setDirectWorker } from '../../src/main/convert/engines'
import { findEngine, ownSurroundings, type Engine } from '../../src/main/docker/connect'
import { imageSource } from '../../src/main/docker/source'
import { setHelperPaths } from '../../src/main/elevation/helper-client'
import { createJobManager } from '../../src/main/jobs/manager'
import { openScope } from '../../src/main/jobs/scope'
import { openLibrary } from '../../src/main/library/library'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import type { DiskRecord } from '../../src/shared/disk'
import { defaultBuildSettings } from '../../src/shared/image'
import { testEngine } from '../support/engine'
import { serialConsole, type SerialConsole } from '../support/serial'

const OUT = resolve(import.meta.dirname, '../../out')
const IMAGE = 'slipway-boot-test:1'
/** cap_net_raw+ep as the kernel keeps it (linux/capability.h, vfs_cap_data, revision 2). */
const CAPABILITY = 'pack("V5",0x02000001,0x2000,0,0,0)'
/** Files of /usr with owners, modes, links and whole seconds; times below a second are not exported. */
const LIST_FILES =
  "find /usr -xdev ! -type d -printf '%P %y %m %U %G %n %s %T@ %l\\n' | sed 's/\\(\\.[0-9]*\\) / /' | LC_ALL=C sort | sha256sum"
const READ_CAPABILITY =
  'perl -e \'($p,$n,$v)=("/usr/local/bin/capable","security.capability","\\0"x64); $s=syscall(191,$p,$n,$v,64); print unpack("H*",substr($v,0,$s))\''

const scope = openScope()
let engine: Engine
let host = ''
let folder = ''

beforeAll(async () => {
  setHelperPaths({ executable: process.execPath, helper: join(OUT, 'helper/helper.cjs') })
  setDirectWorker(join(OUT, 'direct/direct.cjs'))
  const tests = await testEngine()
  host = tests.host
  scope.defer(() => tests.stop())
  const found = await findEngine({ ...ownSurroundings(), environment: { DOCKER_HOST: tests.host } })
  if (!found.ok) throw new Error(found.failure.code)
  engine = found.value
  folder = await mkdtemp(join(tmpdir(), 'slipway-boot-'))
  scope.defer(() => rm(folder, { recursive: true, force: true }))
  // The HOWTO's machine, with a file that has a capability and another name.
  const dockerfile = [
    `FROM ${tests.howtoImage}`,
    // In one layer: a file that a later layer changes loses its other names (overlayfs.rst, "Non-standard behavior").
    'RUN cp /bin/true /usr/local/bin/capable && \\',
    `perl -e '($p,$n,$v)=("/usr/local/bin/capable","security.capability",${CAPABILITY}); syscall(188,$p,$n,$v,20,0)==0 or die $!' && \\`,
    'ln /usr/local/bin/capable /usr/local/bin/second-name',
  ].join('\n')
  await execa('docker', ['-H', tests.host, 'build', '--network', 'host', '-q', '-t', IMAGE, '-'], {
    input: dockerfile,
  })
  scope.defer(async () => {
    await execa('docker', ['-H', tests.host, 'rmi', IMAGE])
  })
})
afterAll(() => scope.close())

async function inContainer(command: string): Promise<string> {
  const words = ['-H', host, 'run', '--rm', '--network', 'none', IMAGE]
  const { stdout } = await execa('docker', [...words, 'sh', '-c', command])
  return stdout.trim()
}

async function build(name: 'kernel' | 'direct'): Promise<DiskRecord> {
  const jobs = createJobManager()
  const started = jobs.start(
    buildWork({
      source: imageSource(engine.docker, IMAGE),
      settings: {
        ...defaultBuildSettings,
        engine: name,
        kernelArguments: 'console=tty0 console=ttyS0',
      },
      outputPath: join(folder, `${name}.img`),
      library: openLibrary(join(folder, 'library'), () => undefined),
    }),
  )
  if (!started.ok) throw new Error(started.failure.code)
  const ending = await started.value.ending
  if (ending.state !== 'succeeded') throw new Error(JSON.stringify(ending))
  return ending.value
}

/** The machine answers as the container does, and as a machine should. */
async function checkMachine(console: SerialConsole): Promise<void> {
  const state = await console.run('systemctl is-system-running --wait', 300_000)
  // Which unit failed, and its last words: a boot that fails now and then is seen once.
  const failed = await console.run('systemctl --failed --no-legend --plain | cut -d" " -f1')
  expect(
    failed === ''
      ? ''
      : await console.run(`journalctl -b --no-pager -n 20 -u ${failed.split('\n').join(' -u ')}`),
  ).toBe('')
  expect(state).toBe('running')
  // The image's own unit, in the order that keeps its keymap from being cleared away.
  expect(await console.run('systemctl show -P After console-setup.service')).toContain(
    'systemd-tmpfiles-setup.service',
  )
  expect(await console.run('uname -r')).toBe(await inContainer('basename /lib/modules/*'))
  expect(await console.run('hostname')).toBe('slipway-boot-test')
  expect(await console.run('systemd-detect-virt --container')).toBe('none')
  const [source, options = ''] = (await console.run('findmnt -no SOURCE,OPTIONS /')).split(/\s+/)
  expect(source).toMatch(/^\/dev\//)
  expect(options.split(',')).toContain('rw')
  const uuid = await console.run('findmnt -no UUID /')
  expect(await console.run('cat /proc/cmdline')).toContain(`root=UUID=${uuid} `)
  const ask = 'exec 3<>/dev/tcp/127.0.0.1/80; printf "HEAD / HTTP/1.0\\r\\n\\r\\n" >&3; head -n1 <&3'
  expect(await console.run(ask)).toBe('HTTP/1.1 200 OK')
  expect(await console.run('grep -c . /etc/machine-id; stat -c %s /etc/machine-id')).toBe('1\n33')
  expect(await console.run(READ_CAPABILITY)).toBe(await inContainer(READ_CAPABILITY))
  expect(await console.run(READ_CAPABILITY)).toMatch(/^01000002/)
  expect(await console.run('stat -c %h /usr/local/bin/second-name')).toBe('2')
  expect(await console.run(LIST_FILES)).toBe(await inContainer(LIST_FILES))
}

describe.each([
  ['kernel', 'bios'],
  ['direct', 'uefi'],
] as const)('a disk of the %s engine', (engineName, firmware) => {
  let machine: Machine | null = null

  test(`boots under ${firmware} to a login, and is the container's tree as a machine`, async () => {
    const disk = await build(engineName)
    expect(disk.firmware).toContain(firmware)
    const started = await startMachine({
      diskPath: disk.path,
      firmware,
      signal: new AbortController().signal,
      log: () => undefined,
    })
    if (!started.ok) throw new Error(JSON.stringify(started.failure))
    machine = started.value
    const console = serialConsole(machine)
    await console.logIn(400_000)
    await checkMachine(console)
  })

  afterAll(async () => {
    await machine?.stop()
  })
})
