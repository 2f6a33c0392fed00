import type { Configured } from './configured'

/**
 * Everything about block devices that the guards judge by, as plain data, so
 * that a machine can be recorded, built by a test, and judged without one.
 */

/** One entry of /sys/class/block (kernel Documentation/ABI/stable/sysfs-block). */
export interface BlockFacts {
  /** `8:16` */
  majorMinor: string
  sizeBytes: number
  removable: boolean
  readOnly: boolean
  /** null before Linux 5.15 and for partitions. */
  diskSequence: string | null
  /** Kernel name of the drive when this is a partition of it, else null. */
  partitionOf: string | null
  /** Byte offset on the drive when this is a partition, else null. */
  startBytes: number | null
  /** Kernel names of the devices below (dm, md, bcache) and above. */
  slaves: string[]
  holders: string[]
  /** Real path below /sys/devices, such as `pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host4/target4:0:0/4:0:0:0/block/sdb`. */
  sysPath: string
  /** Whether the kernel names a device behind it; nbd, zram, ram disks, dm and md have none. */
  hasDevice: boolean
  /** `MMC` (soldered) or `SD` for mmcblk devices, else null. */
  cardType: string | null
  /** File or device behind a loop device, else null. */
  backingFile: string | null
}

export interface MachineState {
  /** What `lsblk --json` printed with LSBLK_COLUMNS. */
  lsblk: string
  /** Mount tables as of /proc/<pid>/mountinfo; each is complete by itself (one per mount namespace that was read). */
  mountTables: string[]
  /** /proc/swaps */
  swaps: string
  /** By kernel name. */
  blocks: Record<string, BlockFacts>
  /** Links of /dev/disk/by-id to kernel names. */
  byId: Record<string, string>
  /** Mount sources that are links (`/dev/disk/by-uuid/…`, `/dev/mapper/…`), to kernel names. */
  links: Record<string, string>
  /** /sys/fs/btrfs/<uuid>/devices: file systems in use and all their devices. */
  btrfs: Record<string, string[]>
  /** Pools that are imported, from /proc/spl/kstat/zfs. */
  zfsPools: string[]
  /** Pools of ZFS volumes by kernel name (`zd0`), from the links in /dev/zvol. */
  zvols: Record<string, string>
  /** Volume group of each LVM physical volume by kernel name; only root can know it. */
  volumeGroups: Record<string, string>
  /** Whether lsblk could know file systems, labels and ids: from udev, or because this is root. */
  contentsReadable: boolean
  configured: Configured
}
