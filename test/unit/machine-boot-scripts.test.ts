import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settingsEdits } from '../../src/main/convert/machine/machine-edits'
import type { InspectedImage } from '../../src/main/source/tree-source'
import { plainMachineSettings, type MachineSettings } from '../../src/shared/machine'
import { preparedSysvinit } from '../support/inspected'

const MIB = 1024 * 1024
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-scripts-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** A script of the machine, as it would lie there. */
function script(path: string, machine: Partial<MachineSettings>, image: InspectedImage): string {
  const made = settingsEdits(image, { ...plainMachineSettings, ...machine }, false)
  if (!made.ok) throw new Error(made.failure.code)
  const found = made.value.added.find((entry) => entry.path === path)
  return Buffer.from(found?.content ?? []).toString()
}

/** Puts other programs in the place of those that need a machine, and answers the environment that has them. */
function pretend(programs: Record<string, string>): { PATH: string } {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
}

describe('the swap file', () => {
  const image = { ...preparedSysvinit, equipment: [] }

  /** Runs the boot script with other programs in the place of those that need a machine. */
  function boot(programs: Record<string, string>): { status: number | null; output: string; left: boolean } {
    const env = pretend({
      mkswap: 'exit 0',
      swapon: 'exit 0',
      sync: 'exit 0',
      fallocate: 'exit 1',
      ...programs,
    })
    const text = script('etc/slipway/boot', { swapBytes: 16 * MIB }, image)
    const { status, stdout } = spawnSync('sh', ['-c', text.replaceAll('/swapfile', `${folder}/swapfile`)], {
      env,
      encoding: 'utf8',
    })
    return { status, output: stdout, left: existsSync(join(folder, 'swapfile.new')) }
  }
  const free = (kibibytes: number): string =>
    `echo "Filesystem 1024-blocks Used Available Capacity Mounted on"; echo "/dev/root 900000 1 ${kibibytes} 1% /"`

  it('is made where there is room, by writing where nothing else can', () => {
    expect(boot({ df: free(16 * 1024) })).toMatchObject({ status: 0, left: false })
    expect(readFileSync(join(folder, 'swapfile')).length).toBe(16 * MIB)
  })

  it('takes nothing where there is none, and says so', () => {
    const { status, output, left } = boot({ df: free(16 * 1024 - 1) })
    expect({ status, left }).toEqual({ status: 1, left: false })
    expect(output).toContain(`no room for a swap file of ${16 * MIB} bytes: ${16 * 1024 - 1} KiB are free`)
    expect(existsSync(join(folder, 'swapfile'))).toBe(false)
  })

  it('leaves nothing half made', () => {
    expect(boot({ df: free(1e6), mkswap: 'exit 1' })).toMatchObject({ status: 1, left: false })
    expect(existsSync(join(folder, 'swapfile'))).toBe(false)
  })
})

describe('the growing of the root', () => {
  const image: InspectedImage = { ...preparedSysvinit, equipment: ['sfdisk', 'resize2fs'] }
  const start = 2048
  const small = 100_000
  const large = 900_000
  const drive = (): string => join(folder, 'sys/devices/sda')
  const sectorsOf = (name: string): number => Number(readFileSync(join(folder, name), 'utf8'))

  /** A drive with the root on it, as sysfs and the image have it. */
  function machine(sectors: number): void {
    mkdirSync(join(drive(), 'sda1'), { recursive: true })
    mkdirSync(join(folder, 'sys/dev/block'), { recursive: true })
    symlinkSync(join(drive(), 'sda1'), join(folder, 'sys/dev/block/8:1'))
    writeFileSync(join(drive(), 'size'), `${sectors}\n`)
    writeFileSync(join(drive(), 'sda1/partition'), '1\n')
    writeFileSync(join(drive(), 'sda1/start'), `${start}\n`)
    writeFileSync(join(folder, 'mountinfo'), '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n')
    for (const name of ['table', 'filesystem']) writeFileSync(join(folder, name), `${small}\n`)
    mkdirSync(join(folder, 'slipway'))
    writeFileSync(join(folder, 'slipway/grow-root'), '')
  }

  /** One boot, at which the kernel takes the partition's size from the table. */
  function boot(programs: Record<string, string> = {}): {
    grown: number
    isMarked: boolean
    failed: boolean
  } {
    writeFileSync(join(drive(), 'sda1/size'), readFileSync(join(folder, 'table')))
    const env = pretend({
      sync: 'exit 0',
      sfdisk: `[ "$1" = --relocate ] || echo $(($(cat '${drive()}/size') - ${start})) > '${folder}/table'`,
      partx: `cp '${folder}/table' '${drive()}/sda1/size'`,
      resize2fs: `cp '${drive()}/sda1/size' '${folder}/filesystem'`,
      ...programs,
    })
    const text = script('etc/slipway/boot', { growRoot: true }, image)
      .replaceAll('/proc/self/mountinfo', `${folder}/mountinfo`)
      .replaceAll('/sys/dev/block', `${folder}/sys/dev/block`)
      .replaceAll('/etc/slipway', `${folder}/slipway`)
    const { status } = spawnSync('sh', ['-c', text], { env })
    const isMarked = existsSync(join(folder, 'slipway/grow-root'))
    return { grown: sectorsOf('filesystem'), isMarked, failed: status !== 0 }
  }
  const grown = { grown: large - start, isMarked: false, failed: false }

  it('takes the room behind it, once', () => {
    machine(large)
    expect(boot()).toEqual(grown)
    writeFileSync(join(drive(), 'size'), `${2 * large}\n`)
    expect(boot()).toEqual(grown)
  })

  it('waits for a drive that has room', () => {
    machine(start + small)
    expect(boot({ resize2fs: 'exit 1' })).toEqual({ grown: small, isMarked: true, failed: false })
    writeFileSync(join(drive(), 'size'), `${large}\n`)
    expect(boot()).toEqual(grown)
  })

  it.each([
    ['partx fails', { partx: 'exit 1' }],
    ['resize2fs fails', { resize2fs: 'exit 1' }],
    ['the power goes', { partx: 'kill -9 "$PPID"' }],
  ])('is completed at the next boot when %s half-way', (_what, programs) => {
    machine(large)
    expect(boot(programs)).toEqual({ grown: small, isMarked: true, failed: true })
    expect(sectorsOf('table')).toBe(large - start)
    expect(boot()).toEqual(grown)
  })
})

describe('interfaces of Alpine’s machines', () => {
  const image: InspectedImage = {
    ...preparedSysvinit,
    init: { kind: 'openrc', path: '/sbin/init' },
    packageManager: 'apk',
    files: {
      ...preparedSysvinit.files,
      interfaces: { text: 'auto lo\niface lo inet loopback\n', mode: 0o644 },
    },
  }

  /** A computer's interfaces as /sys/class/net has them: name, type, and what else is in their folder. */
  function written(machine: Partial<MachineSettings>, interfaces: [string, number, ...string[]][]): string {
    const net = join(folder, 'net')
    for (const [name, type, ...more] of interfaces) {
      mkdirSync(join(net, name), { recursive: true })
      writeFileSync(join(net, name, 'type'), `${type}\n`)
      for (const one of more) mkdirSync(join(net, name, one))
    }
    const text = script('etc/slipway/interfaces', machine, image)
    execFileSync('sh', ['-c', text, 'sh', net, join(folder, 'interfaces')])
    return readFileSync(join(folder, 'interfaces'), 'latin1')
  }
  const computer: [string, number, ...string[]][] = [
    ['docker0', 1],
    ['enp0s3', 1, 'device'],
    ['lo', 772],
    ['tunl0', 768, 'device'],
    ['usb0', 1, 'device'],
    ['wlp1s0', 1, 'device', 'phy80211'],
  ]

  it('are told by what they are, whatever their names', () => {
    const wifi = { name: 'x', key: 'ab'.repeat(32) }
    expect(written({ network: { kind: 'dhcp' }, wifi }, computer)).toBe(
      `auto lo
iface lo inet loopback

auto enp0s3
iface enp0s3 inet dhcp

auto usb0
iface usb0 inet dhcp

auto wlp1s0
iface wlp1s0 inet dhcp
    wpa-conf /etc/wpa_supplicant/slipway.conf
`,
    )
  })

  it('leave the radio alone where no Wi-Fi was chosen', () => {
    const network = {
      ...{ kind: 'static' as const, address: '192.168.1.2/24', gateway: '192.168.1.1' },
      nameservers: [],
    }
    const text = written({ network }, [
      ['eth0', 1, 'device'],
      ['wlan0', 1, 'device', 'wireless'],
    ])
    expect(text).toContain('iface eth0 inet static\n    address 192.168.1.2/24\n    gateway 192.168.1.1\n')
    expect(text).not.toContain('wlan0')
  })
})
