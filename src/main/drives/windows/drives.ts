import { z } from 'zod'
import type { Drive, Volume } from '../../../shared/drive'
import type { Needed } from '../linux/drives'

const text = z.string().catch('')
/** What cannot be read counts against a drive. */
const danger = z.boolean().catch(true)
const size = z.number().nonnegative().catch(0)
/** PowerShell 5 writes some arrays as `{value: […], Count: n}`, and what is empty as null. Anything else is refused. */
const paths = z.preprocess(
  (value) => (typeof value === 'object' && value !== null && 'value' in value ? value.value : (value ?? [])),
  z.array(z.string()),
)

/** What the script in `index.ts` prints: properties of MSFT_Disk, MSFT_Partition and MSFT_Volume (Windows Storage Management API). */
export const windowsStateSchema = z.object({
  disks: z.array(
    z.object({
      Number: z.number().int().nonnegative(),
      Manufacturer: text,
      Model: text,
      FriendlyName: text,
      SerialNumber: text,
      UniqueId: text,
      Path: text,
      Location: text,
      Size: size,
      /** A name as Get-Disk shows it, or the number of MSFT_Disk. */
      BusType: z.union([z.string(), z.number()]).catch(''),
      IsSystem: danger,
      IsBoot: danger,
      BootFromDisk: z.boolean().nullable().catch(null),
      IsClustered: z.boolean().nullable().catch(null),
      IsReadOnly: danger,
    }),
  ),
  partitions: z.array(
    z.object({
      DiskNumber: z.number(),
      PartitionNumber: z.number(),
      Offset: size,
      Size: size,
      GptType: text,
      MbrType: z.number().nullable().catch(null),
      AccessPaths: paths,
    }),
  ),
  volumes: z.array(
    z.object({
      Path: text,
      FileSystemLabel: text,
      FileSystem: text,
      Size: size,
      SizeRemaining: z.number().nullable().catch(null),
    }),
  ),
  /** Folders and files that the running system needs: its own folder, the page files. */
  systemPaths: paths,
})
export type WindowsState = z.infer<typeof windowsStateSchema>

/** MSFT_Disk, BusType. */
const busNumbers: Record<number, string> = {
  7: 'USB',
  8: 'RAID',
  9: 'iSCSI',
  10: 'SAS',
  11: 'SATA',
  12: 'SD',
  13: 'MMC',
  14: 'Virtual',
  15: 'File Backed Virtual',
  16: 'Spaces',
  17: 'NVMe',
}
/** As the guards know them. MMC is what is soldered in, and stays a built-in drive. */
const buses: Record<string, string> = { usb: 'usb', sd: 'mmc', mmc: 'emmc' }
const virtualBuses = ['virtual', 'file backed virtual', 'spaces', 'iscsi', 'raid']
/** Members of Storage Spaces and of dynamic disks (winioctl.h: PARTITION_SPACES_GUID, PARTITION_LDM_*_GUID). */
const memberTypes: Record<string, string> = {
  '{e75caf8f-f680-4cee-afa3-b001e56efc2d}': 'a storage pool',
  '{af9b60a0-1431-4f62-bc68-3311714a69ad}': 'a dynamic disk',
  '{5808c8aa-7e8f-42e0-85d2-e1e90434cfb3}': 'a dynamic disk',
}
/** winioctl.h: PARTITION_LDM. */
const MBR_DYNAMIC = 0x42

/**
 * The whole drives of a Windows machine, as the guards judge them. Pure, and not yet proven on hardware.
 * @param state what PowerShell said
 * @param needed paths whose drives must not be written
 */
export function windowsDrives(state: WindowsState, needed: Needed): Drive[] {
  const kept = [...state.systemPaths, ...needed.paths, ...needed.files.map(({ path }) => path)]
  const isDevicePath = (path: string): boolean => path.startsWith('\\\\?\\Volume')
  const everyMount = state.partitions.flatMap(({ AccessPaths }) =>
    AccessPaths.filter((path) => !isDevicePath(path)),
  )
  return state.disks.map((disk) => {
    const parts = state.partitions.filter(({ DiskNumber }) => DiskNumber === disk.Number)
    const device = `\\\\.\\PhysicalDrive${disk.Number}`
    const bus = (
      typeof disk.BusType === 'number' ? (busNumbers[disk.BusType] ?? '') : disk.BusType
    ).toLowerCase()
    const volumes = parts.map((part): Volume => {
      const volume = state.volumes.find(({ Path }) => part.AccessPaths.includes(Path))
      const remaining = volume?.SizeRemaining ?? null
      return {
        device: `${device} partition ${part.PartitionNumber}`,
        label: volume === undefined || volume.FileSystemLabel === '' ? null : volume.FileSystemLabel,
        fileSystem: volume === undefined || volume.FileSystem === '' ? null : volume.FileSystem,
        sizeBytes: part.Size,
        startBytes: part.Offset,
        usedBytes: volume === undefined || remaining === null ? null : volume.Size - remaining,
        mountpoints: part.AccessPaths.filter((path) => !isDevicePath(path)),
      }
    })
    const mountpoints = volumes.flatMap((volume) => volume.mountpoints)
    const isSystem = disk.IsSystem || disk.IsBoot || disk.BootFromDisk === true
    return {
      device,
      majorMinor: '',
      sizeBytes: disk.Size,
      vendor: disk.Manufacturer.trim(),
      model: (disk.Model === '' ? disk.FriendlyName : disk.Model).trim(),
      serial: disk.SerialNumber.trim(),
      wwn: disk.UniqueId.trim(),
      bus: buses[bus] ?? bus,
      port: [disk.Location, disk.Path].join(' ').trim(),
      diskSequence: null,
      byId: [],
      layout: '',
      contents: null,
      type: virtualBuses.includes(bus) ? 'virtual' : 'disk',
      readOnly: disk.IsReadOnly,
      // Get-Disk does not tell; the guards take USB and SD for what is plugged in.
      removable: false,
      volumes,
      mountpoints,
      systemPaths: [
        ...(isSystem ? [mountpoints[0] ?? device] : []),
        ...kept.filter((path) => mountpoints.includes(mountOf(path, everyMount) ?? '')),
      ],
      holders: [
        ...(disk.IsClustered === true ? ['a cluster'] : []),
        ...parts.flatMap(({ GptType, MbrType }) => {
          const member = MbrType === MBR_DYNAMIC ? 'a dynamic disk' : memberTypes[GptType.toLowerCase()]
          return member === undefined ? [] : [member]
        }),
      ],
    }
  })
}

/** The access path that a path is on: the longest that it begins with; case does not matter. */
function mountOf(path: string, mounts: readonly string[]): string | undefined {
  const around = mounts.filter((mount) => path.toLowerCase().startsWith(mount.toLowerCase()))
  return around.sort((a, b) => b.length - a.length)[0]
}
