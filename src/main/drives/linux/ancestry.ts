import type { MachineState } from './machine-state'
import { overlayFolders, parseLsblk, parseMountinfo, parseSwaps, type LsblkNode, type Mount } from './parse'

/**
 * Which devices something lies on. `unknown` says that the answer may be
 * incomplete, and whose devices might be meant: then all of those count, for
 * a drive too many refused is an inconvenience and one too few is a loss.
 */
export interface Devices {
  /** Kernel names, everything below included, down to whole drives. */
  names: Set<string>
  unknown: 'none' | 'in-use' | 'all'
}

export interface Ancestry {
  nodes: Map<string, LsblkNode>
  /** Every line of every mount table, with the devices below it. */
  mounts: { mount: Mount; devices: Devices }[]
  /** Every swap area, with the devices below it. */
  swaps: { path: string; devices: Devices }[]
  /** Kernel names of what is right below a device: its drive, its slaves, the device of its backing file. */
  below(name: string): Set<string>
  /** The devices below a path of the running system; it must be a real path (no symbolic links). */
  ofPath(path: string): Devices
  /** The devices below the file system that has this device number (`8:17`), as stat(2) gives it. */
  ofDeviceNumber(majorMinor: string): Devices
  /** The devices that a configuration names (`UUID=…`, `/dev/…`), each with those below it, by kernel name. */
  ofSpecification(spec: string): Map<string, Devices>
}

/** File systems without a drive of this machine below them. */
const withoutDrive =
  /^(tmpfs|ramfs|rootfs|devtmpfs|hugetlbfs|proc|sysfs|devpts|cgroup2?|mqueue|debugfs|tracefs|securityfs|pstore|bpf|configfs|efivarfs|autofs|binfmt_misc|fusectl|selinuxfs|nsfs|rpc_pipefs|nfsd|nfs4?|cifs|smb3|ceph|9p|virtiofs|afs|fuse\.(sshfs|gvfsd-fuse|portal|rclone|lxcfs))$/

/** What the words of fstab(5) compare. */
const tags: Record<string, 'uuid' | 'label' | 'partUuid' | 'partLabel'> = {
  UUID: 'uuid',
  LABEL: 'label',
  PARTUUID: 'partUuid',
  PARTLABEL: 'partLabel',
}

/** Builds the answers for a machine. Throws (zod, SyntaxError) when the state holds no lsblk JSON. */
export function ancestryOf(state: MachineState): Ancestry {
  const nodes = parseLsblk(state.lsblk)
  const tables = state.mountTables.map(parseMountinfo)
  const byNumber = new Map(Object.entries(state.blocks).map(([name, facts]) => [facts.majorMinor, name]))
  const byPath = new Map([...nodes.values()].map((node) => [node.path, node.kernelName]))
  const groups = btrfsGroups(state, nodes)

  const parents = new Map<string, Set<string>>()
  const addParent = (child: string, parent: string): void => {
    const known = parents.get(child) ?? new Set<string>()
    parents.set(child, known.add(parent))
  }
  for (const [name, facts] of Object.entries(state.blocks)) {
    if (facts.partitionOf !== null) addParent(name, facts.partitionOf)
    for (const slave of facts.slaves) addParent(name, slave)
    for (const holder of facts.holders) addParent(holder, name)
  }
  for (const node of nodes.values()) for (const child of node.children) addParent(child, node.kernelName)

  function named(path: string): string | null {
    const kernelName = path.replace(/^\/dev\//, '').replaceAll('/', '!')
    return state.links[path] ?? byPath.get(path) ?? (kernelName in state.blocks ? kernelName : null)
  }

  /** Adds a device and everything below it. `seen` are the mountpoints on the way, against going in circles. */
  function descend(name: string, into: Devices, seen: Set<string>): void {
    if (into.names.has(name)) return
    into.names.add(name)
    for (const member of groups.get(name) ?? []) descend(member, into, seen)
    for (const parent of parents.get(name) ?? []) descend(parent, into, seen)
    if (/^zd\d+$/.test(name)) descendPool(state.zvols[name] ?? null, into, seen)
    const backing = state.blocks[name]?.backingFile ?? null
    if (backing !== null) descendPath(backing, into, seen)
  }

  function descendPath(path: string, into: Devices, seen: Set<string>): void {
    const device = path.startsWith('/dev/') ? named(path) : null
    if (device !== null) descend(device, into, seen)
    else for (const table of tables) descendMount(mountOf(path, table), table, into, seen)
  }

  function descendMount(mount: Mount | null, table: Mount[], into: Devices, seen: Set<string>): void {
    const key = mount === null ? '' : `${tables.indexOf(table)} ${mount.majorMinor} ${mount.mountpoint}`
    if (mount === null || seen.has(key)) {
      widen(into, 'in-use')
      return
    }
    const inner = new Set(seen).add(key)
    const numbered = byNumber.get(mount.majorMinor)
    if (numbered !== undefined) descend(numbered, into, inner)
    else if (mount.type === 'zfs') descendPool(mount.source.split('/')[0] ?? '', into, inner)
    else if (mount.type === 'overlay') {
      const folders = overlayFolders(mount.superOptions)
      if (folders.length === 0) widen(into, 'in-use')
      for (const folder of folders) {
        descendMount(mountOf(folder, table), table, into, inner)
      }
    } else if (!withoutDrive.test(mount.type)) {
      // Anonymous device numbers (btrfs, bcachefs, FUSE, eCryptfs): the source names devices or folders.
      const paths = mount.source.split(':').filter((path) => path.startsWith('/'))
      if (paths.length === 0) widen(into, 'in-use')
      for (const path of paths) {
        const device = named(path)
        if (device !== null) descend(device, into, inner)
        else if (path.startsWith('/dev/')) widen(into, 'in-use')
        else descendMount(mountOf(path, table), table, into, inner)
      }
    }
  }

  /** ZFS hides its devices: what libblkid calls a member of the pool is one, or of no named pool may be one. */
  function descendPool(pool: string | null, into: Devices, seen: Set<string>): void {
    const members = [...nodes.values()].filter(
      ({ fileSystem, label }) =>
        fileSystem === 'zfs_member' && (pool === null || label === pool || label === null),
    )
    if (members.length === 0) widen(into, 'all')
    for (const member of members) descend(member.kernelName, into, seen)
  }

  /** Members of the volume group or array of which a volume or device is named that is not there: they are not started. */
  function membersOf(path: string): string[] {
    if (/^\/dev\/md(\d+$|\/)/.test(path)) {
      return membersBy((node) => node.fileSystem === 'linux_raid_member' && node.children.length === 0)
    }
    const group = volumeGroupOf(path)
    // A physical volume whose group nobody tells may be of this one.
    return membersBy(
      ({ fileSystem, kernelName }) =>
        group !== null && fileSystem === 'LVM2_member' && (state.volumeGroups[kernelName] ?? group) === group,
    )
  }

  function membersBy(isOne: (node: LsblkNode) => boolean): string[] {
    return [...nodes.values()].filter(isOne).map(({ kernelName }) => kernelName)
  }

  /** Kernel names of what a configuration names. */
  function specified(spec: string): string[] {
    const device = spec.startsWith('/') ? named(spec) : null
    if (device !== null) return [device]
    // Without udev there are no such links.
    const text = spec.replace(/^\/dev\/disk\/by-(\w+)\//, (_, tag: string) => `${tag}=`)
    const [, tag = '', value = ''] = /^(\w+)=(.+)$/.exec(text) ?? []
    const key = tags[tag.toUpperCase()]
    if (key === undefined) return membersOf(spec)
    const isSame = (found: string | null): boolean => found?.toLowerCase() === value.toLowerCase()
    return membersBy((node) => isSame(node[key]))
  }

  function collect(fill: (into: Devices) => void): Devices {
    const devices: Devices = { names: new Set(), unknown: 'none' }
    fill(devices)
    return devices
  }

  return {
    nodes,
    mounts: tables.flatMap((table) =>
      table.map((mount) => ({
        mount,
        devices: collect((into) => {
          descendMount(mount, table, into, new Set())
        }),
      })),
    ),
    swaps: parseSwaps(state.swaps).map((path) => ({
      path,
      devices: collect((into) => {
        descendPath(path, into, new Set())
      }),
    })),
    below(name) {
      const backing = state.blocks[name]?.backingFile ?? ''
      const device = backing.startsWith('/dev/') ? named(backing) : null
      return new Set([...(parents.get(name) ?? []), ...(device === null ? [] : [device])])
    },
    ofPath: (path) =>
      collect((into) => {
        descendPath(path, into, new Set())
      }),
    ofSpecification: (spec) =>
      new Map(
        specified(spec).map((name) => [
          name,
          collect((into) => {
            descend(name, into, new Set())
          }),
        ]),
      ),
    ofDeviceNumber: (majorMinor) =>
      collect((into) => {
        const name = byNumber.get(majorMinor)
        if (name !== undefined) descend(name, into, new Set())
        else {
          for (const table of tables) {
            const mount = table.find((one) => one.majorMinor === majorMinor)
            if (mount !== undefined) descendMount(mount, table, into, new Set())
          }
        }
      }),
  }
}

/**
 * The volume group of a logical volume's path: `/dev/GROUP/VOLUME`, or `/dev/mapper/GROUP-VOLUME` with dashes within
 * doubled (lvm2, libdm, dm_build_dm_name); null for other paths.
 */
function volumeGroupOf(path: string): string | null {
  const [, mapped] = /^\/dev\/mapper\/((?:[^-]|--)+)-[^-]/.exec(path) ?? []
  if (mapped !== undefined) return mapped.replaceAll('--', '-')
  return /^\/dev\/(?!(?:mapper|disk|md|cciss|zvol)\/)([^/]+)\/[^/]+$/.exec(path)?.[1] ?? null
}

/** Of several mounts on one another the last is the one that a path leads to. */
function mountOf(path: string, table: Mount[]): Mount | null {
  let best: Mount | null = null
  for (const mount of table) {
    const prefix = mount.mountpoint === '/' ? '/' : `${mount.mountpoint}/`
    if (path !== mount.mountpoint && !path.startsWith(prefix)) continue
    if (best === null || mount.mountpoint.length >= best.mountpoint.length) best = mount
  }
  return best
}

function widen(devices: Devices, to: 'in-use' | 'all'): void {
  if (devices.unknown !== 'all') devices.unknown = to
}

/**
 * The devices that share a btrfs: as the kernel says for those in use, and by
 * their common UUID. A mount names only one of them.
 */
function btrfsGroups(state: MachineState, nodes: Map<string, LsblkNode>): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  const join = (members: string[]): void => {
    for (const member of members) groups.set(member, [...(groups.get(member) ?? []), ...members])
  }
  Object.values(state.btrfs).forEach(join)
  const byUuid = new Map<string, string[]>()
  for (const node of nodes.values()) {
    if (node.fileSystem !== 'btrfs' || node.uuid === null) continue
    byUuid.set(node.uuid, [...(byUuid.get(node.uuid) ?? []), node.kernelName])
  }
  ;[...byUuid.values()].forEach(join)
  return groups
}
