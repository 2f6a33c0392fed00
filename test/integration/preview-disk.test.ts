import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { decodeMbr, LINUX_TYPE } from '../../src/main/disk/mbr'
import { watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine } from '../../src/main/preview/machine'
import type { BootOutcome } from '../../src/shared/proof'

/** A disk with the HOWTO's Debian, made by whoever runs this test. */
const disk = process.env['SLIPWAY_TEST_HOWTO_DISK']

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer)
  return hash.digest('hex')
}

test.skipIf(disk === undefined)("the HOWTO's Debian boots to its login on the screen", async () => {
  const diskPath = disk ?? ''
  const before = await hashOf(diskPath)
  const { signal } = new AbortController()
  const machine = await startMachine({ diskPath, firmware: 'bios', signal, log: () => undefined })
  if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
  try {
    const verdict = await watchBoot(machine.value, { timeoutMilliseconds: 300_000, signal })
    expect(verdict).toMatchObject({ outcome: 'login', failedUnits: [] })
    await machine.value.powerDown()
    expect(await machine.value.ended).toEqual({ reason: 'powered-off' })
  } finally {
    await machine.value.stop()
  }
  expect(await hashOf(diskPath)).toBe(before)
})

/** A loader's configuration that makes the boot fail, what it comes to, and a row that must be on the screen. */
const broken: readonly (readonly [BootOutcome, string, string, RegExp])[] = [
  ['boot-loader-prompt', 'no kernel', 'KERNEL /nothing', /^boot:/],
  // The framebuffer of mode 791 has the kernel's own font from the first row on.
  [
    'kernel-panic',
    'no initramfs',
    'KERNEL /vmlinuz\nAPPEND rw root=/dev/sdq1 vga=791',
    /Kernel panic - not syncing: VFS/,
  ],
  [
    'initramfs-shell',
    'no root file system',
    'KERNEL /vmlinuz\nAPPEND rw root=UUID=00000000-0000-0000-0000-000000000001 initrd=/initrd.img',
    /^\(initramfs\)/,
  ],
]

test.skipIf(disk === undefined).each(broken)('%s: %s', async (outcome, _name, configuration, row) => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  const execute = promisify(execFile)
  try {
    const copy = join(folder, 'disk.img')
    const text = join(folder, 'syslinux.cfg')
    await execute('cp', ['--sparse=always', disk ?? '', copy])
    await writeFile(text, `DEFAULT linux\nLABEL linux\n${configuration}\n`)
    const sector = Buffer.alloc(512)
    const file = await open(copy)
    await file.read(sector, 0, 512, 0)
    await file.close()
    const root = decodeMbr(sector)?.find(({ type }) => type === LINUX_TYPE)
    const partition = `${copy}?offset=${(root?.start ?? 0) * 512}`
    await execute('debugfs', ['-w', '-R', 'rm /boot/syslinux.cfg', partition])
    await execute('debugfs', ['-w', '-R', `write ${text} /boot/syslinux.cfg`, partition])
    const { signal } = new AbortController()
    const machine = await startMachine({ diskPath: copy, firmware: 'bios', signal, log: () => undefined })
    if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
    const verdict = await watchBoot(machine.value, { timeoutMilliseconds: 400_000, signal })
    await machine.value.stop()
    expect(verdict).toMatchObject({ outcome, seenOn: 'screen' })
    expect(verdict.lines).toContainEqual(expect.stringMatching(row))
  } finally {
    await rm(folder, { recursive: true })
  }
})
