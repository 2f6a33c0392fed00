import { fail, ok, type Result } from '../../../shared/failure'
import type { InspectedImage } from '../../source/tree-source'
import type { AddedEntry } from '../edits'
import { APPLICATION_SCRIPT } from './application'
import { BOOT_SCRIPT } from './boot-script'
import { ownWantedBy } from './systemd'
import { linesOf, textFile } from './text'

/** What the image's init is to start. */
export interface StartedThings {
  bootScript: boolean
  /** The script of another init than systemd; systemd's units are their own. */
  application: boolean
  serialLogin: boolean
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
    case 'sysvinit':
    case 'busybox':
    case 'openrc':
      if (image.files.inittab === null) break
      return ok([inittab(image.files.inittab.text, image.files.inittab.mode, image.init.kind, things)])
    default:
  }
  const kind = image.init?.kind ?? 'none'
  return fail('not-supported', { what: `settings that are made at boot, in an image whose init is ${kind}` })
}

function bootUnit(): AddedEntry[] {
  return [
    textFile('etc/systemd/system/slipway-boot.service', [
      '[Unit]',
      'Description=New keys, room on the drive, swap and language',
      // sshd does not start without its keys.
      'Before=ssh.service sshd.service',
      '',
      '[Service]',
      'Type=oneshot',
      'RemainAfterExit=yes',
      `ExecStart=/bin/sh /${BOOT_SCRIPT}`,
    ]),
    ownWantedBy('slipway-boot.service', 'multi-user.target'),
  ]
}

/**
 * inittab(5): `id:runlevels:action:process`. Busybox has a terminal for the
 * id, and no runlevels (busybox, examples/inittab). Alpine's OpenRC is started by the latter.
 */
function inittab(
  text: string,
  mode: number,
  kind: 'sysvinit' | 'busybox' | 'openrc',
  things: StartedThings,
): AddedEntry {
  const isBusybox = kind === 'busybox' || /^::/m.test(text)
  const lines = linesOf(text)
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
    return used.includes('getty') && used.includes('ttyS0')
  })
  if (things.serialLogin && !hasSerialLogin) {
    const run = '/sbin/getty -L ttyS0 115200 vt100'
    lines.push(isBusybox ? `ttyS0::respawn:${run}` : `slws:2345:respawn:${run}`)
  }
  return { path: 'etc/inittab', kind: 'file', mode, content: Buffer.from(`${lines.join('\n')}\n`, 'latin1') }
}
