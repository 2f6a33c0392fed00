import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import { serialConsole } from '../support/serial'

/**
 * Years in the life of a machine, in one boot and a second: its root grows online to a larger drive, its kernel is
 * upgraded by apt, and it starts again into the new one, under Secure Boot, from a virtio disk. By hand, because it
 * takes minutes: SLIPWAY_TEST_UPGRADE_DISK is a disk of upgrade/Dockerfile built with
 * `--kernel-arguments 'console=tty0 console=ttyS0'`.
 */
const disk = process.env['SLIPWAY_TEST_UPGRADE_DISK'] ?? ''
const GIB = 1024 ** 3

let folder = ''
let machine: Machine | null = null
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
})
afterAll(async () => {
  await machine?.stop()
  await rm(folder, { recursive: true })
})

test('the root grows online, apt upgrades the kernel, and the machine starts into it', async () => {
  // A drive of 12 GiB that begins with the disk; what is written to it stays for the second start.
  const drive = join(folder, 'drive.qcow2')
  await promisify(execFile)('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'raw',
    '-b',
    disk,
    drive,
    '12G',
  ])
  const started = await startMachine({
    diskPath: drive,
    firmware: 'secure-boot',
    attachment: 'virtio',
    keepChanges: true,
    signal: new AbortController().signal,
    log: console.log,
  })
  if (!started.ok) throw new Error(JSON.stringify(started.failure))
  machine = started.value
  const console_ = serialConsole(machine)
  await console_.logIn(400_000)
  const before = await console_.run('uname -r')
  console.log('kernel before:', before)
  expect(await console_.run('dmesg | grep -ci "secure boot enabled"')).not.toBe('0')

  const source = await console_.run('findmnt -no SOURCE /')
  console.log('root:', source)
  const partition = /(\d+)$/.exec(source)?.[1] ?? ''
  console.log(await console_.run(`growpart ${source.replace(/p?\d+$/, '')} ${partition}`))
  console.log(await console_.run(`resize2fs ${source}`, 300_000))
  const bytes = Number(await console_.run('df -B1 --output=size / | tail -1'))
  console.log('root after:', bytes)
  expect(bytes).toBeGreaterThan(11 * GIB)

  console.log(
    await console_.run(
      'DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-download --with-new-pkgs upgrade 2>&1 | tail -25',
      900_000,
    ),
  )
  expect(await console_.run('readlink /vmlinuz')).not.toContain(before)
  await console_.run('sync')
  machine.writeSerial(Buffer.from('systemctl reboot\r'))
  await console_.waitFor(/Welcome to|Linux version|login: $/, 300_000)
  const again = serialConsole(machine)
  await again.logIn(400_000)
  const after = await again.run('uname -r')
  console.log('kernel after:', after)
  expect(after).not.toBe(before)
  expect(await again.run('dmesg | grep -ci "secure boot enabled"')).not.toBe('0')
  expect(await again.run('systemctl --failed --no-legend')).toBe('')
  expect(Number(await again.run('df -B1 --output=size / | tail -1'))).toBeGreaterThan(11 * GIB)
})
