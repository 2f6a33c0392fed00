import { execFile } from 'node:child_process'
import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import { serialConsole } from '../support/serial'

/**
 * Years in the life of a machine, in one boot and a second: its root grows online to a larger drive, its kernel is
 * upgraded by apt, and it starts again into the new one, under BIOS and under Secure Boot, from a virtio disk. By hand, because it
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

test.each(['bios', 'secure-boot'] as const)(
  '%s: the root grows online, apt upgrades the kernel, and the machine starts into it',
  async (firmware) => {
    // A drive of 12 GiB that begins with the disk; what is written to it stays for the second start.
    const drive = join(folder, `${firmware}.img`)
    await promisify(execFile)('cp', ['--sparse=always', disk, drive])
    await truncate(drive, 12 * GIB)
    const started = await startMachine({
      diskPath: drive,
      firmware,
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
    const secure = firmware === 'secure-boot'
    expect((await console_.run('dmesg | grep -ci "secure boot enabled"')) !== '0').toBe(secure)

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
        'DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 --no-download --with-new-pkgs upgrade 2>&1',
        // Making the initial RAM disk alone took more than twelve minutes of a processor under emulation.
        1_800_000,
      ),
    )
    expect(await console_.run('readlink /vmlinuz')).not.toContain(before)
    await console_.run('sync')
    // What the console said before the reset is forgotten with it, so that the next login is the next boot's.
    const reset = new Promise((resolve) => machine?.onReset(resolve))
    machine.writeSerial(Buffer.from('systemctl reboot\r'))
    await reset
    const again = serialConsole(machine)
    await again.logIn(400_000)
    const after = await again.run('uname -r')
    console.log('kernel after:', after)
    expect(after).not.toBe(before)
    expect((await again.run('dmesg | grep -ci "secure boot enabled"')) !== '0').toBe(secure)
    expect(await again.run('systemctl --failed --no-legend')).toBe('')
    expect(Number(await again.run('df -B1 --output=size / | tail -1'))).toBeGreaterThan(11 * GIB)
    await machine.stop()
  },
)
