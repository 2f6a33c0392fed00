import { describe, expect, it } from 'vitest'
import { watchBuild } from '../../src/main/prepare/build-image'
import { contextTar } from '../../src/main/prepare/context-tar'
import { proposeDockerfile, type Proposal } from '../../src/main/prepare/propose'
import { withLabels } from '../../src/main/prepare/stage-labels'
import type { ImageFacts, RecipeFamily } from '../../src/shared/image'
import { plainMachineSettings, type MachineSettings } from '../../src/shared/machine'
import { recipeOf } from '../../src/shared/recipe'
import { preparedDebian } from '../support/inspected'

/** An image with an application alone. */
const bare: ImageFacts = {
  ...preparedDebian,
  ...{ kernel: null, initramfs: null, init: null, equipment: ['zoneinfo'] },
  missing: ['kernel', 'initramfs', 'init', 'login', 'network'],
}

function proposal(changes: Partial<ImageFacts>, machine: Partial<MachineSettings> = {}): Proposal {
  const made = proposeDockerfile({ ...bare, ...changes }, { ...plainMachineSettings, ...machine })
  if (!made.ok) throw new Error(JSON.stringify(made.failure))
  return made.value
}
const alpine = (changes: Partial<ImageFacts>): Partial<ImageFacts> => ({
  distribution: release('alpine', '3.20'),
  packageManager: 'apk',
  recipe: { family: 'alpine', proven: false },
  init: { kind: 'busybox', path: '/sbin/init' },
  missing: ['kernel', 'initramfs', 'login', 'network'],
  ...changes,
})
const release = (id: string, version: string): ImageFacts['distribution'] => ({ id, version, prettyName: id })

describe('a Dockerfile for an image', () => {
  it('names it by its id, and is root', () => {
    const { dockerfile } = proposal({ name: 'web:1\nRUN rm -rf /' })
    expect(dockerfile.split('\n').slice(0, 3)).toEqual([
      '# Makes web:1?RUN rm -rf / bootable. The image itself stays as it is.',
      `FROM ${bare.id}`,
      'USER root',
    ])
  })

  it('adds kernel, initial RAM disk and init to a Debian', () => {
    const { adds } = proposal({})
    expect(adds).toEqual(
      expect.arrayContaining([
        'linux-image-amd64',
        'initramfs-tools',
        'zstd',
        'systemd-sysv',
        'dbus',
        'udev',
        'kbd',
      ]),
    )
    expect(adds).not.toContain('openssh-server')
  })

  it('adds the kernel of the image’s architecture', () => {
    expect(proposal({ architecture: 'arm64' }).adds).toContain('linux-image-arm64')
  })

  it('adds nothing to an image that has it all', () => {
    const made = proposal({ ...preparedDebian })
    expect(made.adds).toEqual([])
    expect(made.dockerfile.trim().split('\n')).toHaveLength(2)
  })

  it('adds what settings need, and nothing of the settings themselves', () => {
    const hash = '$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm'
    const made = proposal(preparedDebian, {
      rootPassword: { kind: 'hash', hash },
      wifi: { name: 'secret name', key: 'ab'.repeat(32) },
    })
    expect(made.adds).toEqual([])
    const lacking = proposal(
      { ...preparedDebian, equipment: [] },
      {
        user: { name: 'ada', passwordHash: hash, sudo: true },
        sshServer: true,
        wifi: { name: 'secret name', key: 'ab'.repeat(32) },
        locale: 'de_DE.UTF-8',
      },
    )
    expect(lacking.adds).toEqual(
      expect.arrayContaining(['openssh-server', 'sudo', 'wpasupplicant', 'locales', 'systemd-resolved']),
    )
    expect(lacking.adds).not.toContain('linux-image-amd64')
    expect(lacking.dockerfile).not.toMatch(/secret name|abab|\$6\$|ada/)
  })

  it('keeps sysvinit, with a network of its own', () => {
    const { adds } = proposal(
      {
        init: { kind: 'sysvinit', path: '/sbin/init' },
        // udev brings it along, and nobody starts it.
        equipment: ['systemd-networkd', 'systemd-resolved'],
        missing: ['kernel', 'initramfs', 'network'],
      },
      { network: { kind: 'dhcp' } },
    )
    expect(adds).toEqual(expect.arrayContaining(['linux-image-amd64', 'ifupdown', 'isc-dhcp-client']))
    expect(adds.join(' ')).not.toContain('systemd')
  })

  it('knows in which release the resolver became a package', () => {
    const dhcp = { network: { kind: 'dhcp' as const } }
    const adds = (id: string, version: string, family: RecipeFamily): string[] =>
      proposal({ distribution: release(id, version), recipe: { family, proven: false } }, dhcp).adds
    expect(adds('debian', '11', 'debian')).not.toContain('systemd-resolved')
    expect(adds('debian', '12', 'debian')).toContain('systemd-resolved')
    expect(adds('debian', '', 'debian')).toContain('systemd-resolved')
    expect(adds('ubuntu', '22.04', 'ubuntu')).not.toContain('systemd-resolved')
    expect(adds('ubuntu', '24.04', 'ubuntu')).toContain('systemd-resolved')
    expect(adds('ubuntu', '24.04', 'ubuntu')).toContain('linux-image-generic')
  })

  it.each([
    ['alpine', 'alpine', 'apk', ['linux-lts', 'openrc', 'mkinitfs'], /rc-update add networking boot/],
    [
      'fedora',
      'fedora',
      'dnf',
      ['kernel-modules-extra', 'dracut'],
      /dracut --force --no-hostonly --no-hostonly-cmdline/,
    ],
    ['rocky', 'fedora', 'microdnf', ['kernel'], /microdnf install/],
    ['arch', 'arch', 'pacman', ['linux', 'mkinitcpio'], /s\/ autodetect\/\//],
    ['opensuse-leap', 'opensuse', 'zypper', ['kernel-default'], /hostonly_cmdline="no"/],
  ] as const)('has one for %s, which nobody has booted', (id, family, packageManager, packages, words) => {
    const distribution = release(id, '1')
    const recipe = recipeOf(distribution, packageManager)
    expect(recipe).toEqual({ family, proven: false })
    const made = proposal({ distribution, packageManager, recipe })
    expect(made.adds).toEqual(expect.arrayContaining([...packages]))
    expect(made.dockerfile).toMatch(words)
  })

  it.each(['busybox', 'unknown'] as const)('brings OpenRC to an Alpine whose init is %s', (kind) => {
    // What Alpine's images have: BusyBox as /sbin/init, whose inittab calls the OpenRC that they leave out.
    const made = proposal(alpine({ init: { kind, path: '/sbin/init' } }), { growRoot: true })
    expect(made.adds).toEqual(expect.arrayContaining(['openrc', 'busybox-openrc']))
    expect(made.dockerfile).toContain('ln -sf /bin/busybox /sbin/init')
    const kept = proposal(alpine({ init: { kind: 'openrc', path: '/sbin/init' } }))
    expect(kept.adds).not.toContain('openrc')
  })

  it('brings systemd to a Debian whose init starts no machine, with what goes along with it', () => {
    const { adds } = proposal(
      { init: { kind: 'unknown', path: '/sbin/init' }, missing: ['kernel', 'initramfs', 'network'] },
      { network: { kind: 'dhcp' }, growRoot: true },
    )
    expect(adds).toEqual(expect.arrayContaining(['systemd-sysv', 'systemd-resolved', 'systemd-timesyncd']))
  })

  it.each(['debian', 'ubuntu'] as const)('leaves %s the service that keeps its time', (family) => {
    const recipe = { family, proven: true }
    expect(proposal({ recipe }).adds).toContain('systemd-timesyncd')
    // apt would take chrony away, for the two cannot be installed together.
    const own = proposal({ recipe, equipment: ['zoneinfo', 'time-daemon'] })
    expect(own.adds).not.toContain('systemd-timesyncd')
  })

  it('keeps OpenRC on Debian, with a network of its own', () => {
    const { adds } = proposal(
      { init: { kind: 'openrc', path: '/sbin/init' }, missing: ['kernel', 'initramfs', 'network'] },
      { network: { kind: 'dhcp' } },
    )
    expect(adds).toContain('ifupdown')
    expect(adds.join(' ')).not.toContain('systemd')
  })

  it.each([
    [{ locale: 'de_DE.UTF-8' }, 'locale'],
    [{ keyboard: 'de' }, 'keyboard'],
  ] as const)('says before that no package of Alpine brings %j', (machine, setting) => {
    const made = proposeDockerfile({ ...bare, ...alpine({}) }, { ...plainMachineSettings, ...machine })
    expect(made).toMatchObject({ failure: { code: 'setting-unavailable', facts: { setting } } })
    expect(proposal(alpine({}), { locale: 'C.UTF-8' }).adds).toContain('linux-lts')
  })

  it('says before that an init of an unknown kind, which boots and is kept, can start nothing', () => {
    const image = { ...preparedDebian, init: { kind: 'unknown' as const, path: '/sbin/init' } }
    const asked = (machine: Partial<MachineSettings>) =>
      proposeDockerfile(image, { ...plainMachineSettings, ...machine })
    expect(asked({ growRoot: true })).toMatchObject({ failure: { code: 'init-unknown' } })
    expect(asked({ runCommand: true })).toMatchObject({ failure: { code: 'init-unknown' } })
    expect(asked({ sshServer: true }).ok).toBe(true)
    const fedora = { ...image, recipe: { family: 'fedora' as const, proven: false } }
    const network = { ...plainMachineSettings, network: { kind: 'dhcp' as const } }
    expect(proposeDockerfile({ ...fedora, equipment: [] }, network)).toMatchObject({
      failure: { code: 'setting-unavailable', facts: { setting: 'network' } },
    })
  })

  it('unpacks what Arch’s images leave out of the C library when a language is chosen', () => {
    const changes = {
      distribution: release('arch', ''),
      recipe: { family: 'arch' as const, proven: false },
    }
    const { dockerfile } = proposal(changes, { locale: 'de_DE.UTF-8' })
    expect(dockerfile).toMatch(/^RUN sed -i '\/\^NoExtract\.\*i18n\/d' \/etc\/pacman.conf$/m)
    expect(dockerfile).toMatch(/pacman -Syu --noconfirm \\\n/)
    expect(proposal(changes).dockerfile).toContain('--needed')
  })

  it('adds firmware for real hardware where it is chosen, from the part of the archive that has it', () => {
    const adds = (changes: Partial<ImageFacts>) => proposal(changes, { deviceFirmware: true })
    const twelve = adds({})
    expect(twelve.adds).toEqual(
      expect.arrayContaining(['firmware-linux-nonfree', 'firmware-iwlwifi', 'intel-microcode']),
    )
    expect(twelve.dockerfile).toMatch(/sed -i -E[^]*non-free-firmware[^]*apt-get update/)
    expect(adds({ architecture: 'arm64' }).adds).not.toContain('intel-microcode')
    const eleven = adds({ distribution: release('debian', '11') }).dockerfile
    expect(eleven).toContain('& non-free/')
    expect(eleven).not.toContain('non-free-firmware')
    expect(proposal({}).dockerfile).not.toMatch(/non-?free/)
    expect(proposal({ ...preparedDebian, equipment: [] }, { deviceFirmware: true }).adds).toContain(
      'firmware-realtek',
    )
    const fedora = { recipe: { family: 'fedora' as const, proven: false }, packageManager: 'dnf' as const }
    expect(adds(fedora).dockerfile).toMatch(/install_weak_deps=1 \\\n {6}linux-firmware/)
  })

  it('has none for an unknown distribution, or without a package manager', () => {
    expect(recipeOf(release('plan9', '4'), 'apt')).toBeNull()
    expect(recipeOf(release('debian', '12'), null)).toBeNull()
    expect(recipeOf(null, 'apt')).toBeNull()
    const made = proposeDockerfile({ ...bare, recipe: null }, plainMachineSettings)
    expect(made).toMatchObject({ ok: false, failure: { code: 'recipe-missing' } })
  })
})

describe('the builder’s answer', () => {
  function watch(...events: object[]) {
    const lines: string[] = []
    const watcher = watchBuild((line) => lines.push(line))
    const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\r\n`).join(''))
    // Wherever the network cuts it.
    for (let at = 0; at < bytes.length; at += 7) watcher.push(bytes.subarray(at, at + 7))
    return { lines, failure: watcher.failure() }
  }

  it('is put together into lines', () => {
    const { lines, failure } = watch(
      { stream: 'Step 1/2 : FROM x\n' },
      { stream: ' 10%\r 50%\r100%' },
      { stream: '\n' },
      { stream: '\u001b[91mred\u001b[0m\n' },
    )
    expect(lines).toEqual(['Step 1/2 : FROM x', '100%', 'red'])
    expect(failure).toBeNull()
  })

  it.each([
    ['E: Unable to fetch: Temporary failure resolving archive.example.org', 'network'],
    ['WARNING: fetching: temporary error (try again later)', 'network'],
    ['Curl error (6): Could not resolve hostname', 'network'],
    ['error: failed retrieving file core.db from mirror', 'network'],
    ['write error: No space left on device', 'space'],
    ["E: You don't have enough free space in /var/cache/apt/archives/.", 'space'],
    ['exec /bin/sh: exec format error', 'architecture'],
    ['E: Unable to locate package linux-image-amd64', 'step'],
  ])('%s is for want of: %s', (line, reason) => {
    const { failure } = watch(
      { stream: 'Step 2/3 : RUN apt-get update\n' },
      { stream: `${line}\n` },
      { error: 'returned a non-zero code: 100', errorDetail: { code: 100, message: 'returned 100' } },
    )
    expect(failure).toEqual({ reason, step: 'RUN apt-get update', output: line })
  })

  it('is asked with an archive of whole blocks', () => {
    const tar = contextTar('Dockerfile', 'FROM a\n')
    expect(tar.length).toBe(4 * 512)
    expect(tar.toString('latin1', 512, 519)).toBe('FROM a\n')
  })
})

describe('the labels of a build', () => {
  /** With an `L` for each label. */
  const labelled = (...lines: string[]): string[] =>
    withLabels(lines.join('\n'), { a: '1' }).replaceAll('LABEL a="1"', 'L').split('\n')

  it('are in every stage', () => {
    expect(withLabels('FROM a AS b\nRUN x\n  from c\n', { 'slipway.prepared': '1' })).toBe(
      'FROM a AS b\nLABEL slipway.prepared="1"\nRUN x\n  from c\nLABEL slipway.prepared="1"\n',
    )
    expect(labelled('FROM a\r', 'RUN x')).toEqual(['FROM a\r', 'L', 'RUN x'])
  })

  it.each([
    ['a step that goes on', ['RUN python3 -c "\\', 'from app import db; \\', 'db.create()"', 'USER a']],
    ['one with comments and blank lines in it', ['RUN x \\ ', '# why', '', '  # why \\', 'from a', 'USER a']],
    ['a here-document', ['RUN <<EOF cat && python3 <<-"PY"', 'from a', 'EOF', '\tfrom b', '\tPY', 'USER a']],
    ['a copied one', ['COPY <<a.txt /b/', 'from a', ' a.txt', 'from b', 'a.txt', 'USER a']],
  ])('are not put into %s', (_, lines) => {
    expect(labelled('FROM a', ...lines, 'FROM b')).toEqual(['FROM a', 'L', ...lines, 'FROM b', 'L'])
  })

  it('come after all of a FROM', () => {
    expect(labelled('FROM \\', '  a \\', '  AS b', 'RUN x')).toEqual([
      ...['FROM \\', '  a \\', '  AS b', 'L', 'RUN x'],
    ])
  })

  it('heed the character that continues a line', () => {
    const lines = ['# syntax=docker/dockerfile:1', '#escape = `', 'FROM a']
    expect(labelled(...lines, 'RUN x `', 'from b', 'RUN y \\', 'FROM c')).toEqual([
      ...[...lines, 'L', 'RUN x `', 'from b', 'RUN y \\', 'FROM c', 'L'],
    ])
  })

  it('take for no here-document what only looks like one', () => {
    expect(labelled('RUN cat "<<EOF" \'<<EOF\' <<<a b<<EOF', 'FROM a')).toContain('L')
    expect(labelled('CMD cat <<EOF', 'FROM a')).toContain('L')
  })
})
