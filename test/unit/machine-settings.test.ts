import { describe, expect, it } from 'vitest'
import { machineEdits, noEdits, type AddedEntry, type TreeEdits } from '../../src/main/convert/edits'
import { settingsEdits } from '../../src/main/convert/machine/machine-edits'
import type { InspectedImage } from '../../src/main/source/tree-source'
import type { Failure } from '../../src/shared/failure'
import {
  machineSettingsSchema,
  parsePublicKeys,
  plainMachineSettings,
  type MachineSettings,
} from '../../src/shared/machine'
import { blankFiles, preparedDebian, preparedSysvinit } from '../support/inspected'

const HASH =
  '$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1'
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3sXkzYk0Cq8m0fXvV2i1uY0bP1o8y3sHjvJgJr5X2l ada@desk'

function edits(
  machine: Partial<MachineSettings>,
  changes: Partial<InspectedImage> = {},
  image = preparedDebian,
): TreeEdits {
  const made = settingsEdits({ ...image, ...changes }, { ...plainMachineSettings, ...machine }, false)
  if (!made.ok) throw new Error(JSON.stringify(made.failure))
  return made.value
}
function failure(machine: Partial<MachineSettings>, changes: Partial<InspectedImage> = {}): Failure | null {
  const made = settingsEdits(
    { ...preparedDebian, ...changes },
    { ...plainMachineSettings, ...machine },
    false,
  )
  return made.ok ? null : made.failure
}
const entry = (tree: TreeEdits, path: string): AddedEntry | undefined =>
  tree.added.find((one) => one.path === path)
const text = (tree: TreeEdits, path: string): string =>
  Buffer.from(entry(tree, path)?.content ?? []).toString('utf8')
const target = (tree: TreeEdits, path: string): string | undefined => entry(tree, path)?.target
const paths = (tree: TreeEdits): string[] => tree.added.map(({ path }) => path)

describe('residue of a container', () => {
  const residue = machineEdits({
    hostname: 'kiosk',
    rootUuid: '0',
    init: 'systemd',
    resolved: true,
    masked: ['getty.target'],
    own: blankFiles,
  })

  it.each([
    '.dockerenv',
    'etc/resolv.conf',
    'etc/machine-id',
    'var/lib/dbus/machine-id',
    'usr/sbin/policy-rc.d',
    'etc/apt/apt.conf.d/docker-clean',
    'etc/apt/apt.conf.d/docker-no-languages',
    'etc/apt/apt.conf.d/docker-gzip-indexes',
    'etc/apt/apt.conf.d/docker-autoremove-suggests',
    'etc/dpkg/dpkg.cfg.d/docker-apt-speedup',
    'etc/dpkg/dpkg.cfg.d/docker',
    'var/lib/systemd/random-seed',
    'var/lib/systemd/credential.secret',
    'var/lib/urandom/random-seed',
    'etc/systemd/system/getty.target',
  ])('takes away %s', (path) => {
    expect(residue.removed).toContain(path)
  })

  it('leaves the folders that the kernel fills empty', () => {
    expect(residue.emptied.map(({ path, mode }) => `${path} ${mode.toString(8)}`)).toEqual([
      'dev 755',
      'proc 555',
      'sys 555',
      'run 755',
      'tmp 1777',
    ])
  })

  it('lets nothing ask at the first boot, and a new id be chosen', () => {
    expect(target(residue, 'etc/systemd/system/systemd-firstboot.service')).toBe('/dev/null')
    expect(entry(residue, 'etc/machine-id')?.content).toEqual(new Uint8Array())
    expect(target(residue, 'etc/resolv.conf')).toBe('../run/systemd/resolve/stub-resolv.conf')
    expect(target(residue, 'etc/mtab')).toBe('../proc/self/mounts')
  })
})

describe('Debian’s console-setup', () => {
  const machine = { hostname: 'kiosk', rootUuid: '0', resolved: true, masked: [] }
  const own = { ...blankFiles, present: ['/lib/systemd/system/console-setup.service'] }
  const path = 'etc/systemd/system/console-setup.service.d/slipway.conf'

  it('works in /tmp only after that was cleared', () => {
    expect(text(machineEdits({ ...machine, init: 'systemd', own }), path)).toMatch(
      /^#.*\n\[Unit\]\nAfter=systemd-tmpfiles-setup\.service\n$/,
    )
  })

  it('gets nothing where it is not there, or not started by systemd', () => {
    expect(paths(machineEdits({ ...machine, init: 'systemd', own: blankFiles }))).not.toContain(path)
    expect(paths(machineEdits({ ...machine, init: 'sysvinit', own }))).not.toContain(path)
  })
})

describe('an image that is left alone', () => {
  const hostKeys = ['rsa', 'dsa', 'ecdsa', 'ed25519'].flatMap((type) => [
    `etc/ssh/ssh_host_${type}_key`,
    `etc/ssh/ssh_host_${type}_key.pub`,
  ])

  it('only gets new keys', () => {
    expect(paths(edits({}))).toEqual([
      'etc/slipway/boot',
      'etc/systemd/system/slipway-boot.service',
      'etc/systemd/system/multi-user.target.wants/slipway-boot.service',
    ])
    expect(edits({}).removed).toEqual(hostKeys)
    expect(edits({}, { equipment: [] })).toEqual(noEdits)
  })

  it.each<[string, Partial<InspectedImage>]>([
    ['whose init is not known', { init: { kind: 'unknown', path: '/sbin/init' } }],
    ['with sysvinit and no inittab', { init: { kind: 'sysvinit', path: '/sbin/init' } }],
    ['without the program that makes keys', { files: { ...preparedDebian.files, present: [] } }],
  ])('keeps the keys that nothing would make anew: one %s', (_, changes) => {
    expect(edits({}, changes)).toEqual(noEdits)
  })

  it('keeps its machine ids where nothing is known to make new ones', () => {
    const image = { hostname: 'x', rootUuid: '0', resolved: false, masked: [], own: blankFiles }
    expect(machineEdits({ ...image, init: 'sysvinit' }).removed).toContain('etc/machine-id')
    expect(machineEdits({ ...image, init: 'unknown' }).removed).not.toContain('etc/machine-id')
    expect(machineEdits({ ...image, init: 'unknown' }).removed).not.toContain('var/lib/dbus/machine-id')
  })
})

describe('accounts', () => {
  it('sets root’s password, none, or a lock', () => {
    const root = (kind: MachineSettings['rootPassword']): string =>
      text(edits({ rootPassword: kind }), 'etc/shadow').split('\n')[0] ?? ''
    expect(root({ kind: 'hash', hash: HASH })).toBe(`root:${HASH}:20000:0:99999:7:::`)
    expect(root({ kind: 'empty' })).toBe('root::20000:0:99999:7:::')
    expect(root({ kind: 'locked' })).toBe('root:*:20000:0:99999:7:::')
    expect(entry(edits({}), 'etc/shadow')).toBeUndefined()
  })

  it('keeps shadow readable for its group alone', () => {
    const tree = edits({ rootPassword: { kind: 'locked' } })
    expect(entry(tree, 'etc/shadow')).toMatchObject({ mode: 0o640, owner: { user: 0, group: 42 } })
    expect(entry(tree, 'etc/gshadow')).toMatchObject({ mode: 0o640, owner: { user: 0, group: 42 } })
    expect(entry(tree, 'etc/passwd')).toMatchObject({ mode: 0o644, owner: { user: 0, group: 0 } })
  })

  it('makes a user with free ids, a home of his own, keys and sudo', () => {
    const tree = edits({ user: { name: 'ada', passwordHash: HASH, sudo: true }, sshKeys: [KEY] })
    const owner = { user: 1001, group: 1001 }
    expect(text(tree, 'etc/passwd')).toContain('\nada:x:1001:1001::/home/ada:/bin/bash\n')
    expect(text(tree, 'etc/group')).toContain('\nada:x:1001:\n')
    expect(text(tree, 'etc/group')).toContain('\nsudo:x:27:ada\n')
    expect(text(tree, 'etc/group')).toContain('\naudio:x:29:bob,ada\n')
    expect(text(tree, 'etc/shadow')).toContain(`\nada:${HASH}:`)
    expect(entry(tree, 'home/ada')).toMatchObject({ kind: 'directory', mode: 0o700, owner })
    expect(entry(tree, 'home/ada/.ssh')).toMatchObject({ kind: 'directory', mode: 0o700, owner })
    expect(entry(tree, 'home/ada/.ssh/authorized_keys')).toMatchObject({ mode: 0o600, owner })
    expect(text(tree, 'home/ada/.ssh/authorized_keys')).toBe(`${KEY}\n`)
    expect(text(tree, 'etc/sudoers.d/slipway')).toBe('ada ALL=(ALL:ALL) ALL\n')
    expect(entry(tree, 'etc/sudoers.d/slipway')?.mode).toBe(0o440)
  })

  it('asks nobody for a password whom it gave none', () => {
    const tree = edits({ user: { name: 'ada', passwordHash: null, sudo: true } })
    expect(text(tree, 'etc/shadow')).toContain('\nada:*:')
    expect(text(tree, 'etc/sudoers.d/slipway')).toBe('ada ALL=(ALL:ALL) NOPASSWD: ALL\n')
  })

  it('asks a user for the password that the image gave him', () => {
    const sudo = (password: string): string => {
      const shadow = { text: `bob:${password}:20000:0:99999:7:::\n`, mode: 0o640 }
      const files = { ...preparedDebian.files, shadow }
      return text(
        edits({ user: { name: 'bob', passwordHash: null, sudo: true } }, { files }),
        'etc/sudoers.d/slipway',
      )
    }
    expect(sudo(HASH)).toBe('bob ALL=(ALL:ALL) ALL\n')
    for (const none of ['', '!', '*', `!${HASH}`])
      expect(sudo(none)).toBe('bob ALL=(ALL:ALL) NOPASSWD: ALL\n')
  })

  it('gives a new home what the image has for new ones', () => {
    const skeleton = [
      { path: '.profile', text: 'umask 022\n', mode: 0o644 },
      { path: '.config/app/settings', text: '\xff', mode: 0o600 },
    ]
    const tree = edits(
      { user: { name: 'ada', passwordHash: null, sudo: false } },
      { files: { ...preparedDebian.files, skeleton } },
    )
    const owner = { user: 1001, group: 1001 }
    expect(paths(tree).filter((path) => path.startsWith('home/'))).toEqual([
      ...['home/ada', 'home/ada/.config', 'home/ada/.config/app'],
      ...['home/ada/.profile', 'home/ada/.config/app/settings'],
    ])
    expect(entry(tree, 'home/ada/.config')).toMatchObject({ kind: 'directory', owner })
    expect(entry(tree, 'home/ada/.config/app/settings')).toMatchObject({
      mode: 0o600,
      owner,
      content: Buffer.from([0xff]),
    })
    const again = edits(
      { user: { name: 'bob', passwordHash: null, sudo: false } },
      { files: { ...preparedDebian.files, skeleton } },
    )
    expect(paths(again)).not.toContain('home/bob/.profile')
  })

  it.each([
    ['/', '.ssh'],
    ['', '.ssh'],
    ['/srv/home//', 'srv/home/.ssh'],
    ['/../../x', 'x/.ssh'],
  ])('keeps keys of a home %j inside the tree', (home, folder) => {
    const passwd = { text: `root:x:0:0::${home}:/bin/sh\n`, mode: 0o644 }
    const tree = edits({ sshKeys: [KEY] }, { files: { ...preparedDebian.files, passwd } })
    expect(paths(tree)).toEqual(expect.arrayContaining([folder, `${folder}/authorized_keys`]))
  })

  it('gives an image without accounts a root', () => {
    const files = { ...preparedDebian.files, passwd: null, shadow: null, group: null, gshadow: null }
    const tree = edits(
      { runCommand: true },
      { files, applications: { ...preparedDebian.applications, user: '4711' } },
    )
    expect(text(tree, 'etc/passwd')).toBe(
      'root:x:0:0:root:/root:/bin/sh\nslipway-app:x:4711:0::/:/usr/sbin/nologin\n',
    )
    expect(text(tree, 'etc/group')).toBe('root:x:0:\n')
    expect(entry(tree, 'etc/shadow')).toBeUndefined()
  })

  it('takes a user whom the image has as he is', () => {
    const tree = edits({ user: { name: 'bob', passwordHash: HASH, sudo: false }, sshKeys: [KEY] })
    expect(text(tree, 'etc/passwd').match(/^bob:/gm)).toHaveLength(1)
    expect(entry(tree, 'home/bob')).toBeUndefined()
    expect(entry(tree, 'home/bob/.ssh')?.owner).toEqual({ user: 1000, group: 1000 })
    expect(text(tree, 'etc/shadow')).toContain(`\nbob:${HASH}:`)
  })

  it('names the number as which the image runs', () => {
    const applications = { ...preparedDebian.applications, user: '4711:12' }
    const tree = edits({ runCommand: true }, { applications })
    expect(text(tree, 'etc/passwd')).toContain('\nslipway-app:x:4711:12::/:/usr/sbin/nologin\n')
    expect(text(tree, 'etc/group')).toContain('\nslipway-app:x:12:\n')
    expect(paths(edits({ runCommand: true }))).not.toContain('etc/passwd')
  })

  it('gives root the keys where there is no user', () => {
    expect(text(edits({ sshKeys: [KEY] }), 'root/.ssh/authorized_keys')).toBe(`${KEY}\n`)
  })
})

describe('the network', () => {
  const NETWORK = 'etc/systemd/network/0-slipway-ethernet.network'

  it('is DHCP on whatever is Ethernet, by no name', () => {
    const tree = edits({ network: { kind: 'dhcp' } })
    expect(text(tree, NETWORK)).toBe('[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=yes\n')
    expect(paths(tree)).toContain('etc/systemd/system/multi-user.target.wants/systemd-networkd.service')
    expect(paths(tree)).toContain('etc/systemd/system/multi-user.target.wants/systemd-resolved.service')
    for (const { content } of tree.added) expect(Buffer.from(content ?? []).toString()).not.toContain('eth0')
  })

  it('is a fixed address', () => {
    const network = {
      kind: 'static' as const,
      address: '192.168.1.20/24',
      gateway: '192.168.1.1',
      nameservers: ['9.9.9.9', '2620:fe::fe'],
    }
    expect(text(edits({ network }), NETWORK)).toContain(
      '[Network]\nAddress=192.168.1.20/24\nGateway=192.168.1.1\nDNS=9.9.9.9\nDNS=2620:fe::fe\n',
    )
    const keyfile = text(
      edits({ network }, { network: 'NetworkManager', equipment: ['NetworkManager'] }),
      'etc/NetworkManager/system-connections/slipway-ethernet.nmconnection',
    )
    expect(keyfile).toContain('address1=192.168.1.20/24,192.168.1.1\ndns=9.9.9.9;\n')
    const old = edits({ network }, {}, preparedSysvinit)
    expect(text(old, 'etc/network/interfaces')).toContain(
      'iface ethernet inet static\n    address 192.168.1.20/24\n    gateway 192.168.1.1\n',
    )
    expect(text(old, 'etc/resolv.conf')).toBe('nameserver 9.9.9.9\nnameserver 2620:fe::fe\n')
  })

  it('comes before what the image has', () => {
    // systemd.network(5): of the files that fit, the first by name.
    const name = NETWORK.split('/').at(-1) ?? ''
    expect([name, '00-lan.network', '10-dhcp.network', 'a.network'].sort()[0]).toBe(name)
    const managed = edits({ network: { kind: 'dhcp' } }, { network: 'NetworkManager' })
    const keyfile = text(managed, 'etc/NetworkManager/system-connections/slipway-ethernet.nmconnection')
    expect(keyfile).toContain('type=ethernet\nautoconnect-priority=999\n')
    expect(keyfile).toContain('[ipv4]\nmethod=auto\n')
  })

  it('is NetworkManager’s for cables too, which Ubuntu keeps from it by a file that another of its name replaces', () => {
    const path = 'etc/NetworkManager/conf.d/10-globally-managed-devices.conf'
    const wired = edits({ network: { kind: 'dhcp' } }, { network: 'NetworkManager' })
    expect(text(wired, path)).toMatch(/^#[^\n]*\n$/)
    const wifi = edits({ wifi: { name: 'x', key: 'ab'.repeat(32) } }, { network: 'NetworkManager' })
    expect(paths(wifi)).not.toContain(path)
  })

  it('needs the resolver of what sets it up already, whatever else is there', () => {
    const changes: Partial<InspectedImage> = {
      ...{ network: 'systemd-networkd', hasResolved: false, equipment: ['systemd-networkd', 'ifup'] },
    }
    expect(failure({ network: { kind: 'dhcp' } }, changes)).toEqual({
      code: 'setting-unmet',
      facts: { image: 'web:1', setting: 'network' },
    })
    // Nothing sets it up yet: ifupdown can.
    const tree = edits({ network: { kind: 'dhcp' } }, { ...changes, network: null })
    expect(text(tree, 'etc/network/interfaces')).toContain('iface ethernet inet dhcp\n')
    expect(paths(tree)).not.toContain('etc/resolv.conf')
  })

  it('leaves the resolver alone where no name server was given', () => {
    const network = { kind: 'static', address: '10.0.0.2/8', gateway: null, nameservers: [] } as const
    const tree = edits({ network: { ...network, nameservers: [] } }, {}, preparedSysvinit)
    expect(paths(tree)).not.toContain('etc/resolv.conf')
  })

  it('keeps ifupdown’s other interfaces where only Wi-Fi was chosen', () => {
    const interfaces = { text: 'auto eth7\niface eth7 inet dhcp\n\n', mode: 0o600 }
    const files = { ...preparedSysvinit.files, interfaces }
    const tree = edits({ wifi: { name: 'x', key: 'ab'.repeat(32) } }, { files }, preparedSysvinit)
    expect(text(tree, 'etc/network/interfaces')).toMatch(
      /^auto eth7\niface eth7 inet dhcp\n\nmapping wl\*\n[^]*iface wireless inet dhcp\n {4}wpa-conf /,
    )
    // By name, as udev brings it up, an interface has no stanza but by a mapping.
    expect(text(tree, 'etc/network/interfaces')).toContain(
      'mapping wl*\n    script /etc/slipway/interface-mapping\n    map wireless\nallow-hotplug /wl*\n',
    )
    expect(entry(tree, 'etc/slipway/interface-mapping')?.mode).toBe(0o755)
    expect(entry(tree, 'etc/network/interfaces')?.mode).toBe(0o600)
  })

  it('is ifupdown’s where that is what the image has', () => {
    const tree = edits({ network: { kind: 'dhcp' } }, {}, preparedSysvinit)
    expect(text(tree, 'etc/network/interfaces')).toBe(
      `auto lo
iface lo inet loopback

mapping en* eth*
    script /etc/slipway/interface-mapping
    map ethernet
auto /en* /eth*
allow-hotplug /en* /eth*
iface ethernet inet dhcp
`,
    )
    expect(entry(tree, 'etc/slipway/interface-mapping')?.mode).toBe(0o755)
  })

  it('waits for interfaces that ifupdown does not see yet', () => {
    const path = 'etc/systemd/system/ifupdown-pre.service.d/slipway.conf'
    const changes: Partial<InspectedImage> = { network: 'ifupdown' }
    expect(text(edits({ network: { kind: 'dhcp' } }, changes), path)).toContain(
      'ExecStart=\nExecStart=-/bin/udevadm settle\n',
    )
    expect(paths(edits({ network: { kind: 'dhcp' } }, {}, preparedSysvinit))).not.toContain(path)
  })

  it('joins a Wi-Fi by its derived key, which only root can read', () => {
    const wifi = { name: 'Café "x"', key: 'ab'.repeat(32) }
    const tree = edits({ wifi })
    const configuration = entry(tree, 'etc/wpa_supplicant/slipway.conf')
    expect(configuration?.mode).toBe(0o600)
    expect(text(tree, 'etc/wpa_supplicant/slipway.conf')).toContain(
      `    ssid=${Buffer.from('Café "x"').toString('hex')}\n    psk=${'ab'.repeat(32)}\n`,
    )
    const managed = edits({ wifi }, { network: 'NetworkManager' })
    const path = 'etc/NetworkManager/system-connections/slipway-wifi.nmconnection'
    expect(entry(managed, path)?.mode).toBe(0o600)
    expect(text(managed, path)).toContain('ssid=67;97;102;195;169;32;34;120;34;\n')
  })

  it('says when the image has nothing that could', () => {
    expect(failure({ network: { kind: 'dhcp' } }, { equipment: ['systemd-networkd'] })).toEqual({
      code: 'setting-unmet',
      facts: { image: 'web:1', setting: 'network' },
    })
  })
})

describe('place and language', () => {
  it('sets zone, language and keyboard where Debian and systemd look', () => {
    const tree = edits({ timeZone: 'Europe/Berlin', locale: 'de_DE.UTF-8', keyboard: 'de' })
    expect(target(tree, 'etc/localtime')).toBe('/usr/share/zoneinfo/Europe/Berlin')
    expect(text(tree, 'etc/timezone')).toBe('Europe/Berlin\n')
    expect(text(tree, 'etc/locale.conf')).toBe('LANG=de_DE.UTF-8\n')
    expect(text(tree, 'etc/default/locale')).toBe('LANG=de_DE.UTF-8\n')
    expect(text(tree, 'etc/default/keyboard')).toContain('XKBLAYOUT="de"')
    expect(text(tree, 'etc/vconsole.conf')).toContain('KEYMAP=de\n')
    expect(tree.removed).toContain('etc/console-setup/cached_setup_keyboard.sh')
    expect(text(tree, 'etc/slipway/boot')).toContain('localedef -i de_DE -f UTF-8 de_DE.UTF-8')
  })

  it('makes no language that the C library has', () => {
    expect(text(edits({ locale: 'C.UTF-8' }), 'etc/slipway/boot')).not.toContain('localedef')
  })
})

describe('the first boot', () => {
  it('makes new keys before sshd starts', () => {
    const tree = edits({})
    expect(text(tree, 'etc/slipway/boot')).toContain('ssh-keygen -A')
    const unit = text(tree, 'etc/systemd/system/slipway-boot.service')
    const [, before = ''] = /^Before=(.*)$/m.exec(unit) ?? []
    expect(before.split(' ')).toEqual(
      expect.arrayContaining([
        ...['ssh.service', 'sshd.service', 'sshd-keygen@rsa.service', 'sshd-keygen@ecdsa.service'],
        ...['sshd-keygen@ed25519.service', 'sshdgenkeys.service'],
      ]),
    )
  })

  it('grows the root once', () => {
    const tree = edits({ growRoot: true })
    expect(text(tree, 'etc/slipway/boot')).toContain('resize2fs')
    expect(text(tree, 'etc/slipway/boot')).toContain('rm -f /etc/slipway/grow-root')
    expect(paths(tree)).toContain('etc/slipway/grow-root')
    expect(paths(edits({}))).not.toContain('etc/slipway/grow-root')
  })

  it('makes the swap file on the machine, not on the disk', () => {
    const tree = edits({ swapBytes: 64 * 1024 * 1024 })
    expect(text(tree, 'etc/slipway/boot')).toContain('fallocate -l 67108864 /swapfile.new')
    expect(paths(tree)).not.toContain('swapfile')
  })

  it('is run by sysvinit and busybox, too', () => {
    const old = text(edits({ growRoot: true }, {}, preparedSysvinit), 'etc/inittab')
    expect(old).toContain('1:2345:respawn:/sbin/getty 38400 tty1\nslwb::bootwait:/bin/sh /etc/slipway/boot\n')
    const inittab = { text: '::sysinit:/etc/rc\n::wait:/etc/rc.local\n', mode: 0o644 }
    const busybox = { init: { kind: 'busybox', path: '/sbin/init' } } as const
    const small = edits({ growRoot: true }, { ...busybox, files: { ...preparedDebian.files, inittab } })
    expect(text(small, 'etc/inittab')).toBe(
      '::sysinit:/etc/rc\n::wait:/bin/sh /etc/slipway/boot\n::wait:/etc/rc.local\n',
    )
    // Without one busybox has a start of its own, which stays.
    const bare = text(edits({}, busybox), 'etc/inittab')
    expect(bare).toMatch(/^::sysinit:\/etc\/init.d\/rcS\n[^]*::wait:\/bin\/sh \/etc\/slipway\/boot\n$/)
  })

  it.each([null, { text: '::sysinit:/sbin/openrc sysinit\n', mode: 0o644 }])(
    'is a service of OpenRC, with inittab %j',
    (inittab) => {
      const image = {
        init: { kind: 'openrc', path: '/sbin/init' },
        files: { ...preparedDebian.files, inittab },
      } as const
      const tree = edits({ runCommand: true }, image)
      for (const name of ['slipway-boot', 'slipway-application']) {
        expect(entry(tree, `etc/init.d/${name}`)?.mode).toBe(0o755)
        expect(target(tree, `etc/runlevels/default/${name}`)).toBe(`/etc/init.d/${name}`)
      }
      expect(text(tree, 'etc/init.d/slipway-boot')).toContain('before sshd ssh\n')
      expect(text(tree, 'etc/init.d/slipway-application')).toContain(
        'command_args=/etc/slipway/application\n',
      )
      expect(paths(tree)).not.toContain('etc/inittab')
    },
  )

  it('has a login on the serial port that the machine has', () => {
    const arm = settingsEdits({ ...preparedSysvinit, architecture: 'arm64' }, plainMachineSettings, true)
    expect(arm.ok && text(arm.value, 'etc/inittab')).toContain(
      'respawn:/sbin/getty -L ttyAMA0 115200 vt100\n',
    )
    const there = { text: '# getty ttyS0\nS0:23:respawn:/sbin/getty -L ttyS0 9600\n', mode: 0o644 }
    const files = { ...preparedSysvinit.files, inittab: there }
    const kept = settingsEdits({ ...preparedSysvinit, files }, plainMachineSettings, true)
    expect(kept.ok && text(kept.value, 'etc/inittab').match(/ttyS0/g)).toHaveLength(2)
    const files2 = { ...preparedDebian.files, present: ['/etc/init.d/agetty'] }
    const openrc = { ...preparedDebian, init: { kind: 'openrc', path: '/sbin/init' }, files: files2 } as const
    const service = settingsEdits(openrc, plainMachineSettings, true)
    expect(service.ok && target(service.value, 'etc/runlevels/default/agetty.ttyS0')).toBe(
      '/etc/init.d/agetty.ttyS0',
    )
  })

  it('says when it does not know the init', () => {
    expect(failure({ growRoot: true }, { init: { kind: 'unknown', path: '/sbin/init' } })?.code).toBe(
      'not-supported',
    )
  })
})

describe('settings that the image has no program for', () => {
  it.each([
    ['ssh', { sshServer: true }],
    ['sudo', { user: { name: 'ada', passwordHash: null, sudo: true } }],
    ['wifi', { wifi: { name: 'x', key: 'ab'.repeat(32) } }],
    ['timeZone', { timeZone: 'Europe/Berlin' }],
    ['locale', { locale: 'de_DE.UTF-8' }],
    ['keyboard', { keyboard: 'de' }],
    ['grow', { growRoot: true }],
  ] as const)('says it of %s', (setting, machine) => {
    const equipment = ['systemd-networkd', 'systemd-resolved'] as const
    expect(failure(machine, { equipment: [...equipment] })).toEqual({
      code: 'setting-unmet',
      facts: { image: 'web:1', setting },
    })
  })
})

describe('what is no setting', () => {
  const refuses = (changes: object): boolean =>
    !machineSettingsSchema.safeParse({ ...plainMachineSettings, ...changes }).success

  it.each(['-kiosk', 'kiosk.example', 'Kiosk', 'a'.repeat(64), 'kiosk\nroot', ''])(
    '%j as a host name',
    (hostname) => {
      expect(refuses({ hostname })).toBe(true)
    },
  )

  it('a password that is not a hash, of 1,000 characters or of one', () => {
    for (const hash of ['x'.repeat(1000), 'secret', `$6$${'x'.repeat(1000)}`, `${HASH}:0`]) {
      expect(refuses({ rootPassword: { kind: 'hash', hash } })).toBe(true)
    }
    expect(refuses({ rootPassword: { kind: 'hash', hash: HASH } })).toBe(false)
  })

  it('a key with options, a private one, or two lines', () => {
    for (const key of [`command="rm" ${KEY}`, '-----BEGIN OPENSSH PRIVATE KEY-----', `${KEY}\n${KEY}`]) {
      expect(refuses({ sshKeys: [key] })).toBe(true)
    }
    expect(parsePublicKeys(`# mine\n${KEY}\n\n`)).toEqual([KEY])
    expect(parsePublicKeys('-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n')).toBeNull()
    expect(parsePublicKeys('')).toBeNull()
  })
})
