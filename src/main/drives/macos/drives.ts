import { z } from 'zod'
import type { Drive, Volume } from '../../../shared/drive'
import type { Needed } from '../linux/drives'

const text = z.string().catch('')
const flag = z.boolean().catch(false)
const size = z.number().nonnegative().catch(0)

const partSchema = z.object({
  DeviceIdentifier: z.string(),
  Content: text,
  Size: size,
  VolumeName: text,
  MountPoint: text,
  /** Snapshots that are mounted in place of their volume, as the system's own is. */
  MountedSnapshots: z.array(z.object({ SnapshotMountPoint: text })).catch([]),
  CapacityInUse: z.number().nullable().catch(null),
})
const diskSchema = partSchema.extend({
  Partitions: z.array(partSchema).catch([]),
  /** Of a container of APFS, which is a disk of its own: its volumes, and the partitions that it lies on. */
  APFSVolumes: z.array(partSchema).catch([]),
  APFSPhysicalStores: z.array(z.object({ DeviceIdentifier: z.string() })).catch([]),
})

/** `diskutil list -plist` (diskutil(8)). */
export const diskutilListSchema = z.object({ AllDisksAndPartitions: z.array(diskSchema) })
export type DiskutilList = z.infer<typeof diskutilListSchema>

/** `diskutil info -plist diskN` of a whole disk: what is used of it. */
export const diskutilInfoSchema = z.object({
  DeviceIdentifier: z.string(),
  DeviceTreePath: text,
  MediaName: text,
  BusProtocol: text,
  VirtualOrPhysical: text,
  Internal: z.boolean().catch(true),
  RemovableMedia: flag,
  WritableMedia: flag,
  TotalSize: size,
})
export type DiskutilInfo = z.infer<typeof diskutilInfoSchema>

/** Names of buses as the guards know them. */
const buses: Record<string, string> = { USB: 'usb', 'Secure Digital': 'mmc' }
/** Parts of what is put together of several: nobody's to write by themselves. */
const memberContents = /^Apple_(CoreStorage|RAID|RAID_Offline|LVG|LVM)/
/** Where the running system is mounted (hier(7)). Others' drives are below /Volumes. */
const systemMount =
  /^\/($|System\/|private\/|Users(\/|$)|Library(\/|$)|Applications(\/|$)|usr(\/|$)|opt(\/|$))/

/**
 * The whole drives of a Mac, as the guards judge them. Pure, and not yet proven on hardware. A container of APFS is
 * a disk of its own to macOS; what is mounted of it counts for the drive that it lies on.
 * @param list what `diskutil list -plist` says
 * @param infos what `diskutil info -plist` says of each whole disk; one without is left out, for it cannot be judged
 * @param needed paths whose drives must not be written
 */
export function macosDrives(list: DiskutilList, infos: readonly DiskutilInfo[], needed: Needed): Drive[] {
  const disks = list.AllDisksAndPartitions
  const containersOf = (names: ReadonlySet<string>): DiskutilList['AllDisksAndPartitions'] =>
    disks.filter(({ APFSPhysicalStores }) =>
      APFSPhysicalStores.some(({ DeviceIdentifier }) => names.has(DeviceIdentifier)),
    )
  const all = disks.flatMap((disk) => [disk, ...disk.Partitions, ...disk.APFSVolumes])
  const everyMount = all.flatMap(mountsOf)
  const neededMounts = new Set(
    [...needed.paths, ...needed.files.map(({ path }) => path)].flatMap((path) => mountOf(path, everyMount)),
  )

  return infos.flatMap((info): Drive[] => {
    const disk = disks.find(({ DeviceIdentifier }) => DeviceIdentifier === info.DeviceIdentifier)
    // A container is shown as what lies on its drive.
    if (disk === undefined || disk.APFSPhysicalStores.length > 0) return []
    const own = new Set([disk.DeviceIdentifier, ...disk.Partitions.map((part) => part.DeviceIdentifier)])
    const containers = containersOf(own)
    const parts = [
      ...(disk.Partitions.length === 0 && disk.VolumeName !== '' ? [disk] : disk.Partitions),
      ...containers.flatMap(({ APFSVolumes }) => APFSVolumes),
    ]
    const mountpoints = [disk, ...parts].flatMap(mountsOf).filter(isFirst)
    const isVirtual = info.VirtualOrPhysical === 'Virtual' || info.BusProtocol === 'Disk Image'
    return [
      {
        device: `/dev/${disk.DeviceIdentifier}`,
        majorMinor: '',
        sizeBytes: info.TotalSize,
        vendor: '',
        model: info.MediaName,
        // diskutil tells none; the place in the device tree is what names the slot.
        serial: '',
        wwn: '',
        bus: buses[info.BusProtocol] ?? info.BusProtocol.toLowerCase(),
        port: info.DeviceTreePath,
        diskSequence: null,
        byId: [],
        layout: '',
        contents: null,
        type: isVirtual ? 'virtual' : 'disk',
        readOnly: !info.WritableMedia,
        removable: info.RemovableMedia && !info.Internal,
        volumes: parts.map(volumeOf),
        mountpoints,
        systemPaths: mountpoints.filter((path) => systemMount.test(path) || neededMounts.has(path)),
        holders: [disk, ...disk.Partitions].flatMap(({ Content }) =>
          memberContents.test(Content) ? [Content] : [],
        ),
      },
    ]
  })
}

function mountsOf({ MountPoint, MountedSnapshots }: z.infer<typeof partSchema>): string[] {
  return [MountPoint, ...MountedSnapshots.map((one) => one.SnapshotMountPoint)].filter((path) => path !== '')
}

/** The mount point that a path is on: the longest that it begins with. */
function mountOf(path: string, mounts: readonly string[]): string[] {
  const around = mounts.filter((mount) => mount === '/' || `${path}/`.startsWith(`${mount}/`))
  return around.sort((a, b) => b.length - a.length).slice(0, 1)
}

function isFirst(path: string, index: number, paths: readonly string[]): boolean {
  return paths.indexOf(path) === index
}

function volumeOf(part: z.infer<typeof partSchema>): Volume {
  return {
    device: `/dev/${part.DeviceIdentifier}`,
    label: part.VolumeName === '' ? null : part.VolumeName,
    fileSystem: part.Content === '' ? null : part.Content,
    sizeBytes: part.Size,
    startBytes: null,
    usedBytes: part.CapacityInUse,
    mountpoints: mountsOf(part),
  }
}
