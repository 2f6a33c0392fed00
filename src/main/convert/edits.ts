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
}

export interface TreeEdits {
  /** Entries that do not come over, with all below them. */
  removed: readonly string[]
  /** Directories that come over empty. */
  emptied: readonly string[]
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
  /** True when the image has systemd: resolv.conf links to the resolver's own where it has one. */
  systemd: boolean
  /** True when the image has systemd-resolved. */
  resolved: boolean
  /** Units of systemd that the image has masked because it was made for containers. */
  masked: readonly string[]
}

/**
 * What would be the same on every machine of an image, or is only right in a
 * container: ids, keys and seeds; the policy that starts no service
 * (invoke-rc.d(8)); what images leave out to be small, and dpkg's
 * force-unsafe-io, which a power cut turns into broken packages (docker-library, debuerreotype).
 */
const residue = [
  '.dockerenv',
  'etc/resolv.conf',
  'etc/machine-id',
  'var/lib/dbus/machine-id',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/urandom/random-seed',
  ...['rsa', 'dsa', 'ecdsa', 'ed25519'].flatMap((type) => [
    `etc/ssh/ssh_host_${type}_key`,
    `etc/ssh/ssh_host_${type}_key.pub`,
  ]),
  'usr/sbin/policy-rc.d',
  ...['clean', 'no-languages', 'gzip-indexes', 'autoremove-suggests'].map(
    (name) => `etc/apt/apt.conf.d/docker-${name}`,
  ),
  'etc/dpkg/dpkg.cfg.d/docker-apt-speedup',
  'etc/dpkg/dpkg.cfg.d/docker',
]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/**
 * The residue of a container that must go on every distribution, and the
 * first-boot matters that replace it (docs/ARCHITECTURE.md, "From container
 * to machine"; systemd's machine-id(5), os-release(5), resolv.conf(5)).
 * @param machine what is being made
 */
export function machineEdits(machine: MachineIdentity): TreeEdits {
  const added: AddedEntry[] = [
    { path: 'etc/hostname', kind: 'file', mode: 0o644, content: bytes(`${machine.hostname}\n`) },
    {
      path: 'etc/hosts',
      kind: 'file',
      mode: 0o644,
      content: bytes(
        `127.0.0.1 localhost\n127.0.1.1 ${machine.hostname}\n::1 localhost ip6-localhost ip6-loopback\n`,
      ),
    },
    {
      path: 'etc/fstab',
      kind: 'file',
      mode: 0o644,
      content: bytes(`UUID=${machine.rootUuid} / ext4 errors=remount-ro 0 1\n`),
    },
    // A link to /proc/mounts is what the engine leaves; libmount wants the process's own (mount(8)).
    { path: 'etc/mtab', kind: 'symlink', mode: 0o777, target: '../proc/self/mounts' },
  ]
  const removed = [...residue, ...machine.masked.map((unit) => `etc/systemd/system/${unit}`)]
  if (machine.systemd) {
    // "uninitialized" would start the first-boot questions (systemd-firstboot(1)); an empty file only makes a new id.
    added.push({ path: 'etc/machine-id', kind: 'file', mode: 0o444, content: new Uint8Array() })
    // It would wait for answers at the console.
    added.push({
      path: 'etc/systemd/system/systemd-firstboot.service',
      kind: 'symlink',
      mode: 0o777,
      target: '/dev/null',
    })
  }
  if (machine.resolved) {
    added.push({
      path: 'etc/resolv.conf',
      kind: 'symlink',
      mode: 0o777,
      target: '../run/systemd/resolve/stub-resolv.conf',
    })
  }
  return { removed, emptied: ['dev', 'proc', 'sys', 'run', 'tmp'], added }
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
