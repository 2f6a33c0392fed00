import type { ImageFacts } from '../../shared/image'
import type { MachineFacts } from '../source/machine-facts'
import { fstab, hostFiles } from './machine/own-files'
import { textFile } from './machine/text'

/**
 * What changes between the tree that the engine exports and the tree on the
 * disk: residue of the container out, boot configuration in. Applied while the
 * tar stream passes, by both engines alike, so that no file of a mounted,
 * hostile tree is ever opened by name afterwards.
 *
 * Paths have no leading slash. They are strings of bytes (latin1), as in tar.
 */
export interface AddedEntry {
  path: string
  kind: 'file' | 'directory' | 'symlink'
  /** Permission bits. */
  mode: number
  /** A file's bytes; absent for the others. */
  content?: Uint8Array
  /** A symlink's target. */
  target?: string
  /** Numbers of user and group; root's when absent. */
  owner?: { user: number; group: number }
  /** Left out where the tree has anything under this path (`followLinks`). */
  unlessThere?: true
}

export interface TreeEdits {
  /** Entries that do not come over, with all below them. */
  removed: readonly string[]
  /** Directories that are there and empty, root's own, whatever the image has in their place; a symlink stays. */
  emptied: readonly { path: string; mode: number }[]
  /** Entries put at the end; whatever the image had under the same path is left out. */
  added: readonly AddedEntry[]
}

/** Leaves a tree as it is. */
export const noEdits: TreeEdits = { removed: [], emptied: [], added: [] }

/** What a tree is being made into. */
export interface MachineIdentity {
  hostname: string
  /** UUID of the root file system, for fstab. */
  rootUuid: string
  init: NonNullable<ImageFacts['init']>['kind']
  /** True when the image has systemd-resolved and an init that starts it. */
  resolved: boolean
  /** Units of systemd that the image has masked because it was made for containers. */
  masked: readonly string[]
  /** What the image itself says, which stays. */
  own: Pick<MachineFacts['files'], 'hostname' | 'hosts' | 'fstab' | 'hasResolver' | 'present'>
}

/**
 * What would be the same on every machine of an image, or is only right in a
 * container: ids, keys and seeds; the policy that starts no service
 * (invoke-rc.d(8)); what images leave out to be small, and dpkg's
 * force-unsafe-io, which a power cut turns into broken packages (docker-library, debuerreotype).
 */
const residue = [
  '.dockerenv',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/urandom/random-seed',
  'usr/sbin/policy-rc.d',
  ...['clean', 'no-languages', 'gzip-indexes', 'autoremove-suggests'].map(
    (name) => `etc/apt/apt.conf.d/docker-${name}`,
  ),
  'etc/dpkg/dpkg.cfg.d/docker-apt-speedup',
  'etc/dpkg/dpkg.cfg.d/docker',
]

/** Made anew by systemd, or by D-Bus' start script of other inits (dbus-uuidgen(1)). */
const machineIds = ['etc/machine-id', 'var/lib/dbus/machine-id']

/** What the kernel and the machine's own file systems are mounted on, with the modes that systemd gives them (file-hierarchy(7)). */
const mountPoints = [
  { path: 'dev', mode: 0o755 },
  { path: 'proc', mode: 0o555 },
  { path: 'sys', mode: 0o555 },
  { path: 'run', mode: 0o755 },
  { path: 'tmp', mode: 0o1777 },
]

/**
 * Debian's console-setup works out the keymap and the font again at a start after which its own copies are not newer
 * than their settings (console-setup.sh). An export has whole seconds, so that this is the first start of most
 * machines; and meanwhile systemd clears /tmp (tmpfiles.d/tmp.conf), its half-made keymap too, if nothing says which
 * of them comes first: the unit then fails (setupcon, `tempfile`).
 */
const consoleAfterClearing = textFile('etc/systemd/system/console-setup.service.d/slipway.conf', [
  '# The clearing of /tmp would take the keymap away that is being made in it.',
  '[Unit]',
  'After=systemd-tmpfiles-setup.service',
])

/**
 * The residue of a container that must go on every distribution, and the
 * first-boot matters that replace it (docs/ARCHITECTURE.md, "From container
 * to machine"; systemd's machine-id(5), os-release(5), resolv.conf(5)).
 * @param machine what is being made
 */
export function machineEdits(machine: MachineIdentity): TreeEdits {
  const { own, hostname } = machine
  const added: AddedEntry[] = [
    ...hostFiles(own, hostname),
    fstab(own.fstab, machine.rootUuid),
    // A link to /proc/mounts is what the engine leaves; libmount wants the process's own (mount(8)).
    { path: 'etc/mtab', kind: 'symlink', mode: 0o777, target: '../proc/self/mounts' },
  ]
  const removed = [
    ...residue,
    // Nobody knows whether an init that is not known would make new ones.
    ...(machine.init === 'unknown' ? [] : machineIds),
    // A blank one keeps systemd from making its link (tmpfiles.d(5)).
    ...(own.hasResolver ? [] : ['etc/resolv.conf']),
    ...machine.masked.map((unit) => `etc/systemd/system/${unit}`),
  ]
  if (machine.init === 'systemd') {
    // "uninitialized" would start the first-boot questions (systemd-firstboot(1)); an empty file only makes a new id.
    added.push({ path: 'etc/machine-id', kind: 'file', mode: 0o444, content: new Uint8Array() })
    // It would wait for answers at the console.
    added.push({
      path: 'etc/systemd/system/systemd-firstboot.service',
      kind: 'symlink',
      mode: 0o777,
      target: '/dev/null',
    })
    if (own.present.includes('/lib/systemd/system/console-setup.service')) added.push(consoleAfterClearing)
  }
  if (machine.resolved && !own.hasResolver) {
    added.push({
      path: 'etc/resolv.conf',
      kind: 'symlink',
      mode: 0o777,
      target: '../run/systemd/resolve/stub-resolv.conf',
    })
  }
  return { removed, emptied: mountPoints, added }
}

/**
 * Joins edits; later additions win over earlier ones of the same path.
 * @param parts edits in their order
 */
export function joinEdits(...parts: TreeEdits[]): TreeEdits {
  const added = new Map<string, AddedEntry>()
  for (const part of parts) for (const entry of part.added) added.set(entry.path, entry)
  return {
    removed: parts.flatMap((part) => part.removed),
    emptied: parts.flatMap((part) => part.emptied),
    added: [...added.values()],
  }
}
