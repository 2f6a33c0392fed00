import { fail, ok, type Result } from '../../../shared/failure'
import { unmetSettings } from '../../../shared/image'
import type { MachineSettings } from '../../../shared/machine'
import type { InspectedImage } from '../../source/tree-source'
import { joinEdits, noEdits, type TreeEdits } from '../edits'
import { serialPortOf } from '../boot-files'
import { accountEdits } from './accounts'
import { applicationFiles, workingFolder } from './application'
import { bootScript } from './boot-script'
import { localeEdits } from './locale'
import { networkEdits } from './network'
import { startEdits } from './start'
import { wantedBy } from './systemd'
import { linkTo } from './text'

/**
 * What the chosen settings change in the tree. Pure: computed from the small
 * files that inspection brought, and applied while the disk is written.
 * @param image what the image has, prepared where it was
 * @param machine what was chosen
 * @param hasSerialConsole whether a boot entry has its console on the serial port
 * @returns `setting-unmet`, `setting-invalid`, or `not-supported` for an init that cannot do what was chosen
 */
export function settingsEdits(
  image: InspectedImage,
  machine: MachineSettings,
  hasSerialConsole: boolean,
): Result<TreeEdits> {
  const [unmet] = unmetSettings(image, machine)
  if (unmet !== undefined) return fail('setting-unmet', { image: image.name, setting: unmet })
  const accounts = accountEdits(image, machine)
  if (!accounts.ok) return accounts
  const network = networkEdits(image, machine)
  if (!network.ok) return network
  const application = machine.runCommand ? applicationFiles(image) : ok([])
  if (!application.ok) return application
  const script = bootScript(image, machine)
  const isSystemd = image.init?.kind === 'systemd'
  const things = {
    bootScript: script.added.length > 0,
    application: application.value.length > 0 && !isSystemd,
    // Systemd does it by itself.
    serialLogin: hasSerialConsole && !isSystemd,
    serialPort: serialPortOf(image.architecture),
  }
  const started = Object.values<unknown>(things).includes(true) ? startEdits(image, things) : ok([])
  const isNeeded =
    things.application || machine.growRoot || machine.swapBytes !== null || machine.locale !== null
  if (!started.ok && isNeeded) return started
  return ok(
    joinEdits(
      // First: a home that is the same folder is its user's.
      { ...noEdits, added: machine.runCommand ? workingFolder(image) : [] },
      accounts.value,
      network.value,
      localeEdits(machine),
      // An image whose init starts nothing of ours keeps its serial line and its keys to itself.
      started.ok ? script : noEdits,
      {
        ...noEdits,
        added: [...application.value, ...(started.ok ? started.value : []), ...sshServer(image, machine)],
      },
    ),
  )
}

/** Packages of Debian enable it when they are installed; others leave that to the administrator. */
function sshServer(image: InspectedImage, { sshServer }: MachineSettings): TreeEdits['added'] {
  if (!sshServer) return []
  if (image.init?.kind === 'openrc') return [linkTo('etc/runlevels/default/sshd', '/etc/init.d/sshd')]
  if (image.init?.kind !== 'systemd') return []
  const unit = image.files.present.includes('/lib/systemd/system/ssh.service')
    ? 'ssh.service'
    : 'sshd.service'
  return [wantedBy(unit, 'multi-user.target')]
}
