import { fail, ok, type Result } from '../../../shared/failure'
import type { TextFile } from '../../source/machine-facts'
import type { InspectedImage } from '../../source/tree-source'
import type { AddedEntry } from '../edits'
import { APPLICATION_SCRIPT } from './application'
import { BOOT_SCRIPT } from './boot-script'
import { ownWantedBy } from './systemd'
import { linesOf, linkTo, textFile } from './text'

/** What the image's init is to start. */
export interface StartedThings {
  bootScript: boolean
  /** The script of another init than systemd; systemd's units are their own. */
  application: boolean
  serialLogin: boolean
  /** The first serial port's name. */
  serialPort: string
}

/**
 * Has the image's init start what was added.
 * @param image what the image has
 * @param things at least one of them
 * @returns `not-supported` for an init that Slipway does not know
 */
export function startEdits(image: InspectedImage, things: StartedThings): Result<AddedEntry[]> {
  switch (image.init?.kind) {
    case 'systemd':
      // Systemd's getty generator starts a login on every console of the kernel's command line.
      return ok(things.bootScript ? bootUnit() : [])
    case 'openrc':
      return ok(openrcServices(image, things))
    case 'busybox':
      return ok([inittab(image.files.inittab ?? busyboxDefault, 'busybox', things)])
    case 'sysvinit':
      if (image.files.inittab === null) break
      return ok([inittab(image.files.inittab, 'sysvinit', things)])
    default:
  }
  const kind = image.init?.kind ?? 'none'
  return fail('not-supported', { what: `settings that are made at boot, in an image whose init is ${kind}` })
}

/** sshd does not start without its keys; those of Fedora and Arch have units that would make them at the same time. */
const afterKeys = [
  'ssh.service',
  'sshd.service',
  ...['rsa', 'ecdsa', 'ed25519'].map((type) => `sshd-keygen@${type}.service`),
  'sshdgenkeys.service',
].join(' ')

function bootUnit(): AddedEntry[] {
  return [
    textFile('etc/systemd/system/slipway-boot.service', [
      '[Unit]',
      'Description=New keys, room on the drive, swap and language',
      `Before=${afterKeys}`,
      '',
      '[Service]',
      'Type=oneshot',
      'RemainAfterExit=yes',
      `ExecStart=/bin/sh /${BOOT_SCRIPT}`,
    ]),
    ownWantedBy('slipway-boot.service', 'multi-user.target'),
  ]
}

/** Services of the default runlevel (openrc-run(8), supervise-daemon(8)), whichever program is the init. */
function openrcServices(image: InspectedImage, things: StartedThings): AddedEntry[] {
  const service = (name: string, lines: string[]): AddedEntry[] => [
    textFile(`etc/init.d/${name}`, ['#!/sbin/openrc-run', '# Written by Slipway.', ...lines], 0o755),
    linkTo(`etc/runlevels/default/${name}`, `/etc/init.d/${name}`),
  ]
  const { inittab: table, present } = image.files
  const isBySystem = things.serialLogin && table === null && present.includes('/etc/init.d/agetty')
  return [
    ...(things.bootScript
      ? service('slipway-boot', [
          'description="New keys, room on the drive, swap and language"',
          'depend() {',
          '    after localmount',
          // Debian's name of it is ssh.
          '    before sshd ssh',
          '}',
          'start() {',
          '    ebegin "$description"',
          `    /bin/sh /${BOOT_SCRIPT}`,
          '    eend $?',
          '}',
        ])
      : []),
    ...(things.application
      ? service('slipway-application', [
          'description="What the image runs (its ENTRYPOINT and CMD)"',
          'supervisor=supervise-daemon',
          'command=/bin/sh',
          `command_args=/${APPLICATION_SCRIPT}`,
          'respawn_delay=5',
          // It is tried for as long as the machine runs.
          'respawn_max=0',
          'depend() {',
          '    after net localmount slipway-boot',
          '}',
        ])
      : []),
    // Logins are started from inittab, or by services where openrc-init is the init.
    ...(things.serialLogin && table !== null
      ? [inittab(table, 'openrc', { ...things, bootScript: false, application: false })]
      : []),
    ...(isBySystem
      ? [
          linkTo(`etc/init.d/agetty.${things.serialPort}`, 'agetty'),
          linkTo(
            `etc/runlevels/default/agetty.${things.serialPort}`,
            `/etc/init.d/agetty.${things.serialPort}`,
          ),
        ]
      : []),
  ]
}

/** What busybox does without an inittab, which it would no longer do with one (busybox, init/init.c, `parse_inittab`). */
const busyboxDefault = {
  text: [
    '::sysinit:/etc/init.d/rcS',
    '::askfirst:-/bin/sh',
    ...['tty2', 'tty3', 'tty4'].map((terminal) => `${terminal}::askfirst:-/bin/sh`),
    '::ctrlaltdel:/sbin/reboot',
    '::shutdown:/sbin/swapoff -a',
    '::shutdown:/bin/umount -a -r',
    '::restart:/sbin/init',
    '',
  ].join('\n'),
  mode: 0o644,
}

/**
 * inittab(5): `id:runlevels:action:process`. Busybox has a terminal for the
 * id, and no runlevels (busybox, examples/inittab).
 */
function inittab(
  { text, mode }: TextFile,
  kind: 'sysvinit' | 'busybox' | 'openrc',
  things: StartedThings,
): AddedEntry {
  const lines = linesOf(text)
  const isBusybox = kind === 'busybox' || lines.some((line) => line.startsWith('::'))
  if (things.bootScript) {
    const run = `/bin/sh /${BOOT_SCRIPT}`
    // Runs after what mounts the disks (`sysinit`), and is waited for by what starts services (`wait`, runlevels).
    if (isBusybox) {
      const before = lines.findIndex((line) => line.startsWith('::wait:'))
      lines.splice(before < 0 ? lines.length : before, 0, `::wait:${run}`)
    } else lines.push(`slwb::bootwait:${run}`)
  }
  if (things.application) {
    const run = `/bin/sh /${APPLICATION_SCRIPT}`
    lines.push(isBusybox ? `::respawn:${run}` : `slwa:2345:respawn:${run}`)
  }
  const hasSerialLogin = lines.some((line) => {
    const [used = ''] = line.split('#', 1)
    return used.includes('getty') && used.includes(things.serialPort)
  })
  if (things.serialLogin && !hasSerialLogin) {
    const run = `/sbin/getty -L ${things.serialPort} 115200 vt100`
    lines.push(isBusybox ? `${things.serialPort}::respawn:${run}` : `slws:2345:respawn:${run}`)
  }
  return { path: 'etc/inittab', kind: 'file', mode, content: Buffer.from(`${lines.join('\n')}\n`, 'latin1') }
}
