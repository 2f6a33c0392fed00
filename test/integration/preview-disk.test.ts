import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeMbr, LINUX_TYPE } from '../../src/main/disk/mbr'
import { watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine } from '../../src/main/preview/machine'
import type { BootOutcome } from '../../src/shared/proof'

/** Bytes; enough for the kernel and its initial RAM disk, and quick to clear. */
const MEMORY = 512 * 2 ** 20

/** A disk with the HOWTO's Debian, made by whoever runs this test. */
const disk = process.env['SLIPWAY_TEST_HOWTO_DISK']

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer)
  return hash.digest('hex')
}

const execute = promisify(execFile)
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A copy of the disk, and what e2fsprogs calls its root file system. */
async function copyOfDisk(): Promise<{ copy: string; root: string }> {
  const copy = join(folder, 'disk.img')
  await execute('cp', ['--sparse=always', disk ?? '', copy])
  const sector = Buffer.alloc(512)
  const file = await open(copy)
  await file.read(sector, 0, 512, 0)
  await file.close()
  const root = decodeMbr(sector)?.find(({ type }) => type === LINUX_TYPE)
  return { copy, root: `${copy}?offset=${(root?.start ?? 0) * 512}` }
}

/** Puts a text under a path of the file system, in place of what is there. */
async function putFile(root: string, path: string, text: string): Promise<void> {
  const source = join(folder, 'text')
  await writeFile(source, text)
  await execute('debugfs', ['-w', '-R', `rm ${path}`, root])
  await execute('debugfs', ['-w', '-R', `write ${source} ${path}`, root])
}

const brokenUnit = `[Unit]
Description=Slipway's broken unit
[Service]
Type=oneshot
ExecStart=/bin/false
`

test.skipIf(disk === undefined)(
  'the HOWTO’s Debian boots to its login, and its failed unit is named',
  async () => {
    const { copy, root } = await copyOfDisk()
    await putFile(root, '/etc/systemd/system/broken.service', brokenUnit)
    const wants = '/etc/systemd/system/multi-user.target.wants/broken.service'
    await execute('debugfs', ['-w', '-R', `symlink ${wants} /etc/systemd/system/broken.service`, root])
    const before = await hashOf(copy)
    const { signal } = new AbortController()
    const options = { firmware: 'bios', attachment: 'sata', memoryBytes: MEMORY, signal } as const
    const machine = await startMachine({ diskPath: copy, ...options, log: () => undefined })
    if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
    try {
      const verdict = await watchBoot(machine.value, { timeoutMilliseconds: 300_000, signal })
      expect(verdict.outcome).toBe('login')
      expect(verdict.failedUnits).toEqual([expect.stringContaining('broken.service')])
      await machine.value.powerDown()
      expect(await machine.value.ended).toEqual({ reason: 'powered-off' })
    } finally {
      await machine.value.stop()
    }
    expect(await hashOf(copy)).toBe(before)
  },
)

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
  [
    'emergency-shell',
    'emergency mode',
    'KERNEL /vmlinuz\nAPPEND ROOT rw systemd.unit=emergency.target initrd=/initrd.img',
    /emergency mode|maintenance/,
  ],
]

test.skipIf(disk === undefined).each(broken)('%s: %s', async (outcome, _name, configuration, row) => {
  const { copy, root } = await copyOfDisk()
  const { stdout } = await execute('debugfs', ['-R', 'cat /boot/syslinux.cfg', root])
  const rootWord = /root=UUID=\S+/.exec(stdout)?.[0] ?? ''
  const text = `DEFAULT linux\nLABEL linux\n${configuration.replace('ROOT', rootWord)}\n`
  await putFile(root, '/boot/syslinux.cfg', text)
  const { signal } = new AbortController()
  const options = { firmware: 'bios', memoryBytes: MEMORY, signal } as const
  const machine = await startMachine({ diskPath: copy, ...options, log: () => undefined })
  if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
  const verdict = await watchBoot(machine.value, { timeoutMilliseconds: 400_000, signal })
  await machine.value.stop()
  expect(verdict).toMatchObject({ outcome, seenOn: 'screen' })
  expect(verdict.lines).toContainEqual(expect.stringMatching(row))
})
