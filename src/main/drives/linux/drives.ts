import { displayName, type Drive, type Volume } from '../../../shared/drive'
import { ancestryOf, type Ancestry, type Devices } from './ancestry'
import { configuredParts } from './configured'
import { contentsOf } from './contents'
import type { BlockFacts, MachineState } from './machine-state'
import type { LsblkNode } from './parse'
import { isOfSystem } from './system-folders'

/** What the running system needs beyond its own mounts. */
export interface Needed {
  /** Real paths (no symbolic links): the source file, the Docker data root, the running program. */
  paths: readonly string[]
  /** Device numbers of files as stat(2) gives them, `8:17`, each with the path it is shown as. */
  files: readonly { device: string; path: string }[]
}

/** Buses whose removable flag says that the bay is hot-swappable (libata's external ports), not that the drive is a stick. */
const internalBuses = new Set(['sata', 'ata', 'nvme', 'sas', 'fc', 'iscsi', 'virtio', 'emmc'])

/**
 * All whole drives of a machine, the unsuitable ones included.
 * Throws (zod, SyntaxError) when the state holds no lsblk JSON.
 * @param state the machine as read or recorded
 * @param needed what else the drives must not take from the running system
 */
export function drivesOf(state: MachineState, needed: Needed): Drive[] {
  const ancestry = ancestryOf(state)
  const uses = systemUses(state, ancestry, needed)
  return Object.entries(state.blocks)
    .filter(([, facts]) => facts.partitionOf === null)
    .map(([name, facts]) => driveOf(name, facts, state, ancestry, uses))
    .sort((a, b) => a.device.localeCompare(b.device, 'en', { numeric: true }))
}

interface SystemUse {
  path: string
  devices: Devices
}

function systemUses(state: MachineState, ancestry: Ancestry, needed: Needed): SystemUse[] {
  const mounted = ancestry.mounts.filter(({ mount }) => isOfSystem(mount.mountpoint))
  // A mount table that cannot be read proves nothing about any drive.
  const isBlind = !mounted.some(({ mount }) => mount.mountpoint === '/')
  const blind: SystemUse[] = isBlind ? [{ path: '/', devices: { names: new Set(), unknown: 'all' } }] : []
  const inUse = [
    ...mounted.map(({ mount, devices }) => ({ path: mount.mountpoint, devices })),
    ...ancestry.swaps.map(({ path, devices }) => ({ path: `swap ${path}`, devices })),
  ]
  return [
    ...blind,
    ...inUse,
    ...configuredUses(state, ancestry, inUse),
    ...needed.paths.map((path) => ({ path, devices: ancestry.ofPath(path) })),
    ...needed.files.map(({ device, path }) => ({ path, devices: ancestry.ofDeviceNumber(device) })),
  ]
}

/**
 * What the system was told to use. Where one of the devices that a name fits is in use, that one is meant, and not the
 * copy of it on a stick; where none is, each may be.
 */
function configuredUses(state: MachineState, ancestry: Ancestry, inUse: readonly SystemUse[]): SystemUse[] {
  return configuredParts(state.configured).flatMap(({ path, spec }) => {
    const found = ancestry.ofSpecification(spec)
    const isInUse = [...found.keys()].some((name) => inUse.some(({ devices }) => devices.names.has(name)))
    return isInUse ? [] : [...found.values()].map((devices) => ({ path, devices }))
  })
}

function driveOf(
  name: string,
  facts: BlockFacts,
  state: MachineState,
  ancestry: Ancestry,
  uses: SystemUse[],
): Drive {
  const node = ancestry.nodes.get(name)
  const parts = Object.keys(state.blocks).filter((other) => state.blocks[other]?.partitionOf === name)
  const own = new Set([name, ...parts])
  const holders = holdersOf(own, state, ancestry)
  const mounts = ancestry.mounts.filter(({ devices }) => devices.names.has(name))
  const swapping = ancestry.swaps.some(({ devices }) => devices.names.has(name))
  const inUse = holders.length > 0 || mounts.length > 0 || swapping
  const isMeant = ({ names, unknown }: Devices): boolean =>
    names.has(name) || unknown === 'all' || (unknown === 'in-use' && inUse)
  const bus = busOf(name, facts, node)
  return {
    device: `/dev/${name.replaceAll('!', '/')}`,
    majorMinor: facts.majorMinor,
    sizeBytes: facts.sizeBytes,
    vendor: node?.vendor ?? '',
    model: node?.model ?? '',
    serial: node?.serial ?? '',
    wwn: node?.wwn ?? '',
    bus,
    port: portOf(facts.sysPath),
    diskSequence: facts.diskSequence,
    byId: Object.keys(state.byId)
      .filter((link) => state.byId[link] === name)
      .sort(),
    ...contentsOf([...own], state, ancestry.nodes),
    type: typeOf(name, facts, node),
    readOnly: facts.readOnly,
    removable: facts.removable && !internalBuses.has(bus),
    volumes: volumesOf(name, parts, state, ancestry),
    mountpoints: shown(mounts.map(({ mount }) => mount.mountpoint)),
    systemPaths: shown(uses.filter(({ devices }) => isMeant(devices)).map(({ path }) => path)),
    holders,
  }
}

/** lsblk calls everything without a driver of its own a disk: network, compressed and plain memory, floppy. */
function typeOf(name: string, facts: BlockFacts, node: LsblkNode | undefined): string {
  const type = node?.type ?? ''
  if (/^fd\d+$/.test(name)) return 'floppy'
  return type === 'disk' && !facts.hasDevice ? name.replace(/\d+$/, '') : type
}

function busOf(name: string, facts: BlockFacts, node: LsblkNode | undefined): string {
  if (facts.cardType === 'MMC') return 'emmc'
  if (facts.cardType !== null) return 'mmc'
  if (name.startsWith('loop')) return 'loop'
  if (/\/usb\d+\//.test(facts.sysPath)) return 'usb'
  if (facts.sysPath.includes('/virtio')) return 'virtio'
  return node?.transport ?? ''
}

/** The sysfs path without SCSI host numbers, which count up with every plugging; the unit tells a card reader's slots apart. */
function portOf(sysPath: string): string {
  return sysPath
    .replace(/\/block\/.*$/, '')
    .replace(/\/host\d+\/.*target\d+:\d+:\d+\/\d+:(\d+:\d+:\d+)$/, '/$1')
}

/** Names of what holds the drive or a partition: dm, md and bcache devices, loop devices on it, imported pools. */
function holdersOf(own: Set<string>, state: MachineState, ancestry: Ancestry): string[] {
  const names: string[] = []
  for (const other of Object.keys(state.blocks)) {
    if (own.has(other)) continue
    if ([...ancestry.below(other)].some((below) => own.has(below))) {
      names.push(ancestry.nodes.get(other)?.name ?? other)
    }
  }
  const running = runningVolumeGroups(ancestry)
  for (const name of own) {
    const node = ancestry.nodes.get(name)
    if (node?.fileSystem === 'zfs_member') {
      // A member without a readable name, such as a cache, may be of any pool.
      names.push(...state.zfsPools.filter((pool) => node.label === null || node.label === pool))
    }
    const group = state.volumeGroups[name]
    if (group !== undefined && running.has(group)) names.push(group)
  }
  return unique(names)
}

/** Volume groups with an active volume, whose device is named group-volume, dashes within doubled (lvm2, libdm, dm_build_dm_name). */
function runningVolumeGroups(ancestry: Ancestry): Set<string> {
  const volumes = [...ancestry.nodes.values()].filter(({ type }) => type === 'lvm')
  return new Set(volumes.map(({ name }) => (/^(?:[^-]|--)+/.exec(name)?.[0] ?? name).replaceAll('--', '-')))
}

/** The partitions in their order, or the whole drive where a file system lies on it directly. */
function volumesOf(drive: string, parts: string[], state: MachineState, ancestry: Ancestry): Volume[] {
  const names = parts.length > 0 || !ancestry.nodes.get(drive)?.fileSystem ? parts : [drive]
  return names
    .map((name) => volumeOf(name, state, ancestry))
    .sort((a, b) => (a.startBytes ?? 0) - (b.startBytes ?? 0))
}

function volumeOf(name: string, state: MachineState, ancestry: Ancestry): Volume {
  const facts = state.blocks[name]
  const node = ancestry.nodes.get(name)
  const label = node?.label ?? node?.partLabel ?? null
  const mounts = ancestry.mounts.filter(({ devices }) => devices.names.has(name))
  return {
    device: `/dev/${name.replaceAll('!', '/')}`,
    label: label === null ? null : displayName(label),
    fileSystem: node?.fileSystem ?? null,
    sizeBytes: facts?.sizeBytes ?? 0,
    startBytes: facts?.startBytes ?? null,
    usedBytes: node?.usedBytes ?? null,
    mountpoints: shown(mounts.map(({ mount }) => mount.mountpoint)),
  }
}

/** Paths for people: whoever mounts a drive chooses a part of the name. */
function shown(paths: string[]): string[] {
  return unique(paths.map(displayName))
}

function unique(texts: string[]): string[] {
  return [...new Set(texts)]
}
