import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

describe('the swap file', () => {
  const image = { ...preparedSysvinit, equipment: [] }

  /** Runs the boot script with other programs in the place of those that need a machine. */
  function boot(programs: Record<string, string>): { status: number | null; output: string; left: boolean } {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    const all = { mkswap: 'exit 0', swapon: 'exit 0', sync: 'exit 0', fallocate: 'exit 1', ...programs }
    for (const [name, text] of Object.entries(all)) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
      chmodSync(join(bin, name), 0o755)
    }
    const text = script('etc/slipway/boot', { swapBytes: 16 * MIB }, image)
    const { status, stdout } = spawnSync('sh', ['-c', text.replaceAll('/swapfile', `${folder}/swapfile`)], {
      env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
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
