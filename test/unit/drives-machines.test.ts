import { describe, expect, test } from 'vitest'
import { drivesOf, type Needed } from '../../src/main/drives/linux/drives'
import type { MachineState } from '../../src/main/drives/linux/machine-state'
import { checkDrive, type Drive, type DriveAllowance, type RefusalReason } from '../../src/shared/drive'
import {
  GB,
  machine,
  nvmeMounts,
  nvmeRoot,
  sataDisk,
  usbStick,
  type Block,
  type MachineDescription,
} from '../support/machine'

interface Row {
  name: string
  machine: MachineDescription
  needed?: Partial<Needed>
  allowance?: Partial<DriveAllowance>
  /** Reasons by drive; an empty list says that it may be written. */
  verdicts: Record<string, RefusalReason[]>
}

const nvme = { '/dev/nvme0n1': ['system', 'not-removable', 'mounted', 'large'] as RefusalReason[] }
const root = (blocks: Block[], mounts: string[] = []): MachineDescription => ({
  blocks: [nvmeRoot(), ...blocks],
  mounts: [...nvmeMounts, ...mounts],
})
const mmc = (name: string, changes: Partial<Block> = {}): Block => ({
  name,
  tran: 'mmc',
  size: 32 * GB,
  sys: `platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/${name}`,
  ...changes,
})

const plain: Row[] = [
  {
    name: 'root on NVMe, a stick that is not mounted',
    machine: root([usbStick('sdb')]),
    verdicts: { ...nvme, '/dev/sdb': [] },
  },
  {
    name: 'a stick that the desktop mounted',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /media/ada/PHOTOS vfat']),
    verdicts: { ...nvme, '/dev/sdb': ['mounted'] },
  },
  {
    name: 'the same, with unmounting allowed',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /run/media/ada/PHOTOS vfat']),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'a stick without partition table, its file system mounted',
    machine: root([usbStick('sdb', { fs: 'vfat', within: [] })], ['/dev/sdb /mnt vfat']),
    verdicts: { '/dev/sdb': ['mounted'] },
  },
  {
    name: 'a stick that only another mount namespace has mounted',
    machine: {
      ...root([usbStick('sdb')]),
      otherMounts: ['/dev/nvme0n1p2 / ext4', '/dev/sdb1 /media/x vfat'],
    },
    verdicts: { '/dev/sdb': ['mounted'] },
  },
  {
    name: 'a stick mounted by NTFS-3G, whose file system has no device number of its own',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /media/ada/NTFS fuse.ntfs']),
    verdicts: { '/dev/sdb': ['mounted'] },
  },
  {
    name: 'a write-protected stick',
    machine: root([usbStick('sdb', { ro: true })]),
    verdicts: { '/dev/sdb': ['read-only'] },
  },
  {
    name: 'a stick too small for a disk of 4 GB',
    machine: root([usbStick('sdb', { size: 3 * GB })]),
    verdicts: { '/dev/sdb': ['too-small'] },
  },
  {
    name: 'a USB disk of 4 TB',
    machine: root([usbStick('sdb', { size: 4000 * GB, rm: false })]),
    verdicts: { '/dev/sdb': ['large'] },
  },
  {
    name: 'the same for an expert',
    machine: root([usbStick('sdb', { size: 4000 * GB, rm: false })]),
    allowance: { expert: true },
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'two identical sticks, one of them mounted',
    machine: root([usbStick('sdb'), usbStick('sdc')], ['/dev/sdc1 /media/ada/PHOTOS vfat']),
    verdicts: { '/dev/sdb': [], '/dev/sdc': ['mounted'] },
  },
  {
    name: 'a card reader with one card in four slots',
    machine: root([
      usbStick('sdb', { size: 0, within: [] }),
      usbStick('sdc', { size: 0, within: [] }),
      usbStick('sdd'),
      usbStick('sde', { size: 0, within: [] }),
    ]),
    verdicts: {
      '/dev/sdb': ['no-medium'],
      '/dev/sdc': ['no-medium'],
      '/dev/sdd': [],
      '/dev/sde': ['no-medium'],
    },
  },
  {
    name: 'an SD card in a built-in reader',
    machine: root([mmc('mmcblk0', { card: 'SD' })]),
    verdicts: { '/dev/mmcblk0': [] },
  },
  {
    name: 'soldered eMMC beside a root on NVMe, with its boot areas',
    machine: root([
      mmc('mmcblk0', { card: 'MMC' }),
      mmc('mmcblk0boot0', { card: 'MMC', ro: true, size: 4_194_304 }),
      mmc('mmcblk0boot1', { card: 'MMC', ro: false, size: 8 * GB }),
    ]),
    verdicts: {
      '/dev/mmcblk0': ['not-removable'],
      '/dev/mmcblk0boot0': ['type', 'not-removable', 'read-only', 'too-small'],
      '/dev/mmcblk0boot1': ['type', 'not-removable'],
    },
  },
  {
    name: 'the boot areas of eMMC for an expert',
    machine: root([mmc('mmcblk0boot1', { card: 'MMC' })]),
    allowance: { expert: true },
    verdicts: { '/dev/mmcblk0boot1': ['type'] },
  },
  {
    name: 'a hot-swap bay, which the kernel calls removable',
    machine: root([sataDisk('sda', { rm: true })]),
    verdicts: { '/dev/sda': ['not-removable'] },
  },
  {
    name: 'an internal SATA disk for an expert',
    machine: root([sataDisk('sda')]),
    allowance: { expert: true },
    verdicts: { '/dev/sda': [] },
  },
  {
    name: 'a second NVMe drive, unused',
    machine: root([{ ...nvmeRoot(), name: 'nvme1n1', size: 64 * GB, within: [] }]),
    verdicts: { '/dev/nvme1n1': ['not-removable'] },
  },
  {
    name: 'things that lsblk calls disks and that are none',
    machine: root([
      { name: 'zram0' },
      { name: 'nbd0' },
      { name: 'ram0' },
      { name: 'fd0', rm: true },
      { name: 'rbd0' },
      { name: 'mtdblock0' },
    ]),
    allowance: { expert: true },
    verdicts: {
      '/dev/zram0': ['type'],
      '/dev/nbd0': ['type'],
      '/dev/ram0': ['type'],
      '/dev/fd0': ['type'],
      '/dev/rbd0': ['type'],
      '/dev/mtdblock0': ['type'],
    },
  },
  {
    name: 'an optical drive on USB',
    machine: root([usbStick('sr0', { type: 'rom', within: [] })]),
    verdicts: { '/dev/sr0': ['type'] },
  },
  {
    name: 'a loop device, with and without the test switch',
    machine: root([{ name: 'loop0', type: 'loop', backing: '/srv/a.img' }]),
    verdicts: { '/dev/loop0': ['type', 'not-removable'] },
  },
  {
    name: 'a loop device under the test switch',
    machine: root([{ name: 'loop0', type: 'loop', backing: '/srv/a.img' }]),
    allowance: { loopTargets: true },
    verdicts: { '/dev/loop0': [] },
  },
]

const system: Row[] = [
  {
    name: 'root on SATA',
    machine: {
      blocks: [sataDisk('sda', { within: [{ name: 'sda1', fs: 'ext4' }] }), usbStick('sdb')],
      mounts: ['/dev/sda1 / ext4'],
    },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': [] },
  },
  {
    name: 'root on a USB disk: everything was allowed, and it is still refused',
    machine: { blocks: [usbStick('sda'), usbStick('sdb')], mounts: ['/dev/sda1 / ext4'] },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': [] },
  },
  {
    name: 'root on an SD card (Raspberry Pi)',
    machine: {
      blocks: [
        mmc('mmcblk0', { card: 'SD', within: [{ name: 'mmcblk0p1' }, { name: 'mmcblk0p2' }] }),
        usbStick('sda'),
      ],
      mounts: ['/dev/mmcblk0p2 / ext4', '/dev/mmcblk0p1 /boot/firmware vfat'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/mmcblk0': ['system'], '/dev/sda': [] },
  },
  {
    name: 'root on eMMC',
    machine: {
      blocks: [mmc('mmcblk0', { card: 'MMC', within: [{ name: 'mmcblk0p1' }] })],
      mounts: ['/dev/mmcblk0p1 / ext4'],
    },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/mmcblk0': ['system'] },
  },
  {
    name: 'root by /dev/root, as an initramfs-less kernel shows it',
    machine: {
      blocks: [usbStick('sda')],
      mounts: ['/dev/root / ext4'],
      links: { '/dev/root': 'sda1' },
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'] },
  },
  {
    name: 'only /home on a USB disk',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /home ext4']),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'only the EFI partition on a USB stick',
    machine: {
      blocks: [sataDisk('sda', { within: [{ name: 'sda1' }] }), usbStick('sdb')],
      mounts: ['/dev/sda1 / ext4', '/dev/sdb1 /boot/efi vfat'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'only a folder below /var on a USB disk',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /var/lib/libvirt ext4']),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'a folder whose name only begins like one of the system',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /various vfat']),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'a swap partition on a stick',
    machine: { ...root([usbStick('sdb')]), swaps: ['/dev/sdb1'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'a swap file on a stick',
    machine: { ...root([usbStick('sdb')], ['/dev/sdb1 /mnt/more ext4']), swaps: ['/mnt/more/swapfile'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'swap in memory',
    machine: { ...root([{ name: 'zram0', size: 4 * GB }, usbStick('sdb')]), swaps: ['/dev/zram0'] },
    verdicts: { '/dev/zram0': ['system', 'type', 'not-removable'], '/dev/sdb': [] },
  },
  {
    name: 'the disk file lies on the stick itself',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /media/ada/PHOTOS vfat']),
    needed: { paths: ['/media/ada/PHOTOS/disk.img'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'the disk file lies on another stick',
    machine: root([usbStick('sdb'), usbStick('sdc')], ['/dev/sdc1 /media/ada/PHOTOS vfat']),
    needed: { paths: ['/media/ada/PHOTOS/disk.img'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': [], '/dev/sdc': ['system'] },
  },
  {
    name: 'the disk file, known by its device number alone',
    machine: root([usbStick('sdb')]),
    needed: { files: [{ device: '8:5', path: '/somewhere/disk.img' }] },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'the Docker data root on a USB disk',
    machine: root([usbStick('sdb', { size: 100 * GB })], ['/dev/sdb1 /mnt/docker ext4']),
    needed: { paths: ['/mnt/docker'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'a folder of the system mounted over by a stick, the stick mounted over again',
    machine: root([usbStick('sdb'), usbStick('sdc')], ['/dev/sdb1 /mnt vfat', '/dev/sdc1 /mnt vfat']),
    needed: { paths: ['/mnt/disk.img'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': [], '/dev/sdc': ['system'] },
  },
]

const crypt = (name: string, label: string, within: Block[] = []): Block => ({
  name,
  type: 'crypt',
  label,
  within,
})
const lvm = (name: string, label: string, within: Block[] = []): Block => ({
  name,
  type: 'lvm',
  label,
  within,
})

const stacked: Row[] = [
  {
    name: 'root on LUKS on LVM on a USB disk',
    machine: {
      blocks: [
        usbStick('sda', {
          within: [
            { name: 'sda1', fs: 'LVM2_member', within: [lvm('dm-0', 'vg-root', [crypt('dm-1', 'root')])] },
          ],
        }),
      ],
      mounts: ['/dev/mapper/root / ext4'],
    },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system', 'in-use'] },
  },
  {
    name: '/home on LVM on LUKS on a USB disk, all of which drivelist calls neither system nor mounted',
    machine: root(
      [
        usbStick('sdb', {
          within: [
            { name: 'sdb1', fs: 'crypto_LUKS', within: [crypt('dm-0', 'luks', [lvm('dm-1', 'vg-home')])] },
          ],
        }),
      ],
      ['/dev/mapper/vg-home /home ext4'],
    ),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system', 'in-use'] },
  },
  {
    name: 'a LUKS stick, opened and mounted',
    machine: root(
      [usbStick('sdb', { within: [{ name: 'sdb1', fs: 'crypto_LUKS', within: [crypt('dm-0', 'luks-1')] }] })],
      ['/dev/mapper/luks-1 /media/ada/SECRET ext4'],
    ),
    verdicts: { '/dev/sdb': ['in-use', 'mounted'] },
  },
  {
    name: 'a LUKS stick, opened and not mounted',
    machine: root([
      usbStick('sdb', { within: [{ name: 'sdb1', fs: 'crypto_LUKS', within: [crypt('dm-0', 'luks-1')] }] }),
    ]),
    allowance: { unmount: true, expert: true },
    verdicts: { '/dev/sdb': ['in-use'] },
  },
  {
    name: 'a LUKS stick, closed',
    machine: root([usbStick('sdb', { within: [{ name: 'sdb1', fs: 'crypto_LUKS' }] })]),
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'an LVM volume group over two USB disks, one volume mounted',
    machine: root(
      [
        usbStick('sdb', { within: [{ name: 'sdb1', fs: 'LVM2_member', within: [lvm('dm-0', 'vg-data')] }] }),
        usbStick('sdc', { within: [{ name: 'sdc1', fs: 'LVM2_member', within: [lvm('dm-0', 'vg-data')] }] }),
        usbStick('sdd'),
      ],
      ['/dev/mapper/vg-data /mnt/data ext4'],
    ),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['in-use'], '/dev/sdc': ['in-use'], '/dev/sdd': [] },
  },
  {
    name: 'root on a mirror of two disks (md)',
    machine: {
      blocks: ['sda', 'sdb'].map((name) =>
        sataDisk(name, {
          within: [
            {
              name: `${name}1`,
              fs: 'linux_raid_member',
              within: [{ name: 'md0', type: 'raid1', fs: 'ext4' }],
            },
          ],
        }),
      ),
      mounts: ['/dev/md0 / ext4'],
    },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system', 'in-use'], '/dev/sdb': ['system', 'in-use'] },
  },
  {
    name: 'an array that runs and is not mounted, on whole USB disks',
    machine: root(
      ['sdb', 'sdc'].map((name) =>
        usbStick(name, { fs: 'linux_raid_member', within: [{ name: 'md127', type: 'raid0' }] }),
      ),
    ),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['in-use'], '/dev/sdc': ['in-use'], '/dev/md127': ['type', 'not-removable'] },
  },
  {
    name: 'multipath: two paths to one disk',
    machine: root(
      ['sda', 'sdb'].map((name) =>
        sataDisk(name, { tran: 'fc', within: [{ name: 'dm-0', type: 'mpath', label: 'mpatha' }] }),
      ),
    ),
    allowance: { expert: true },
    verdicts: { '/dev/sda': ['in-use'], '/dev/sdb': ['in-use'] },
  },
  {
    name: 'bcache: root on a disk with a cache on NVMe',
    machine: {
      blocks: [
        sataDisk('sda', { within: [{ name: 'bcache0', type: 'disk', fs: 'ext4' }] }),
        { ...nvmeRoot(), size: 64 * GB, within: [{ name: 'bcache0', type: 'disk' }] },
      ],
      mounts: ['/dev/bcache0 / ext4'],
    },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system', 'in-use'], '/dev/nvme0n1': ['system', 'in-use'] },
  },
  {
    name: 'root in a loop file on a USB stick (a live system)',
    machine: {
      blocks: [
        usbStick('sda', { within: [{ name: 'sda1', fs: 'iso9660' }] }),
        { name: 'loop0', type: 'loop', backing: '/run/live/medium/live/filesystem.squashfs' },
        usbStick('sdb'),
      ],
      mounts: [
        'overlay / overlay rw,lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw,workdir=/run/live/overlay/work',
        '/dev/sda1 /run/live/medium iso9660',
        '/dev/loop0 /run/live/rootfs/filesystem.squashfs squashfs',
        'tmpfs /run/live/overlay tmpfs',
      ],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': [] },
  },
  {
    name: 'root in a file of another system on a USB disk',
    machine: {
      blocks: [usbStick('sda'), { name: 'loop0', type: 'loop', fs: 'ext4', backing: '/host/root.disk' }],
      mounts: ['/dev/loop0 / ext4', '/dev/sda1 /host fuse.ntfs'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'] },
  },
  {
    name: 'a live system whose layers are out of sight: what is in use is the system',
    machine: {
      blocks: [
        usbStick('sda', { within: [{ name: 'sda1', fs: 'iso9660' }] }),
        { name: 'loop0', type: 'loop', backing: '/mnt/iso/casper/filesystem.squashfs' },
        usbStick('sdb'),
      ],
      mounts: [
        '/cow / overlay rw,lowerdir=/filesystem.squashfs,upperdir=/cow/upper',
        '/dev/sda1 /mnt/iso iso9660',
      ],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': [] },
  },
  {
    name: 'a disk image on a stick, attached as a loop device',
    machine: root(
      [usbStick('sdb'), { name: 'loop0', type: 'loop', backing: '/media/ada/PHOTOS/other.img' }],
      ['/dev/sdb1 /media/ada/PHOTOS vfat', '/dev/loop0 /mnt ext4'],
    ),
    verdicts: { '/dev/sdb': ['mounted'] },
  },
  {
    name: 'a loop device on the stick itself',
    machine: root([usbStick('sdb'), { name: 'loop0', type: 'loop', backing: '/dev/sdb' }]),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['in-use'] },
  },
  {
    name: 'a container whose layers lie on a USB disk',
    machine: root(
      [usbStick('sdb', { size: 100 * GB })],
      [
        '/dev/sdb1 /mnt/layers ext4',
        'overlay /run/box/merged overlay rw,lowerdir=/mnt/layers/1:/mnt/layers/2',
      ],
    ),
    verdicts: { '/dev/sdb': ['mounted'] },
  },
  {
    name: 'an encrypted home by a FUSE file system over a folder on a stick',
    machine: root(
      [usbStick('sdb')],
      ['/dev/sdb1 /mnt/store ext4', '/mnt/store/cipher /home/ada fuse.gocryptfs'],
    ),
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
]

const btrfsMember = (name: string, uuid: string): Block => ({ name, fs: 'btrfs', uuid })
const zfsMember = (name: string, label?: string): Block => ({
  name,
  fs: 'zfs_member',
  ...(label === undefined ? {} : { label }),
})

const many: Row[] = [
  {
    name: 'one btrfs as / and /home: both mounts have anonymous device numbers',
    machine: {
      blocks: [usbStick('sda', { within: [btrfsMember('sda1', 'u1')] }), usbStick('sdb')],
      mounts: ['/dev/sda1 / btrfs rw,subvol=/@', '/dev/sda1 /home btrfs rw,subvol=/@home'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': [] },
  },
  {
    name: 'btrfs over two disks, of which mounts name one',
    machine: {
      blocks: [
        usbStick('sda', { within: [btrfsMember('sda1', 'u1')] }),
        usbStick('sdb', { within: [btrfsMember('sdb1', 'u1')] }),
        usbStick('sdc', { within: [btrfsMember('sdc1', 'u2')] }),
      ],
      mounts: ['/dev/sda1 / btrfs'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': ['system'], '/dev/sdc': [] },
  },
  {
    name: 'the same where lsblk knows no file systems and the kernel does',
    machine: {
      blocks: [usbStick('sda'), usbStick('sdb'), usbStick('sdc')],
      mounts: ['/dev/sda1 / btrfs'],
      btrfs: { u1: ['sda1', 'sdb1'] },
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': ['system'], '/dev/sdc': [] },
  },
  {
    name: 'a second disk of a mounted btrfs that is not the system',
    machine: {
      ...root([usbStick('sdb'), usbStick('sdc')], ['/dev/sdb1 /mnt/data btrfs']),
      btrfs: { u1: ['sdb1', 'sdc1'] },
    },
    verdicts: { '/dev/sdb': ['mounted'], '/dev/sdc': ['mounted'] },
  },
  {
    name: 'root on ZFS over a mirror; the pool of a stick is exported',
    machine: {
      blocks: [
        sataDisk('sda', { within: [zfsMember('sda1', 'rpool')] }),
        sataDisk('sdb', { within: [zfsMember('sdb1', 'rpool')] }),
        usbStick('sdc', { within: [zfsMember('sdc1', 'backup')] }),
      ],
      mounts: ['rpool/ROOT/debian / zfs'],
      zfsPools: ['rpool'],
    },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system', 'in-use'], '/dev/sdb': ['system', 'in-use'], '/dev/sdc': [] },
  },
  {
    name: 'a pool on a stick, imported with nothing mounted',
    machine: { ...root([usbStick('sdb', { within: [zfsMember('sdb1', 'backup')] })]), zfsPools: ['backup'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['in-use'] },
  },
  {
    name: 'root on ZFS whose members have no readable name: every member may be one',
    machine: {
      blocks: [usbStick('sda', { within: [zfsMember('sda1')] }), usbStick('sdb')],
      mounts: ['rpool/ROOT / zfs'],
      zfsPools: ['rpool'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system', 'in-use'], '/dev/sdb': [] },
  },
  {
    name: 'root on ZFS with no member to be seen: every drive may be one',
    machine: {
      blocks: [usbStick('sda'), usbStick('sdb')],
      mounts: ['rpool/ROOT / zfs'],
      zfsPools: ['rpool'],
    },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': ['system'] },
  },
  {
    name: 'root on bcachefs over two disks',
    machine: {
      blocks: [usbStick('sda'), usbStick('sdb'), usbStick('sdc')],
      mounts: ['/dev/sda1:/dev/sdb1 / bcachefs'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': ['system'], '/dev/sdc': [] },
  },
  {
    name: 'a machine without a drive of its own (root over the network)',
    machine: { blocks: [usbStick('sda')], mounts: ['server:/export/root / nfs4'] },
    verdicts: { '/dev/sda': [] },
  },
  {
    name: 'a system wholly in memory',
    machine: { blocks: [usbStick('sda')], mounts: ['rootfs / tmpfs'] },
    verdicts: { '/dev/sda': [] },
  },
  {
    name: 'a root of an unknown kind: what is mounted may be below it, what is not may be written',
    machine: { blocks: [usbStick('sda'), usbStick('sdb')], mounts: ['none / aufs', '/dev/sda1 /mnt vfat'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': [] },
  },
  {
    name: 'no readable mount table: nothing is known, nothing may be written',
    machine: { blocks: [usbStick('sda'), usbStick('sdb')], mounts: [] },
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': ['system'] },
  },
]

const held: Row[] = [
  {
    name: 'a physical volume of the running volume group on which no volume lies',
    machine: {
      ...root([
        sataDisk('sda', {
          within: [{ name: 'sda1', fs: 'LVM2_member', within: [lvm('dm-0', 'my--data-home')] }],
        }),
        usbStick('sdb', { within: [{ name: 'sdb1', fs: 'LVM2_member' }] }),
      ]),
      volumeGroups: { sda1: 'my-data', sdb1: 'my-data' },
    },
    allowance: { unmount: true, expert: true },
    verdicts: { '/dev/sda': ['in-use'], '/dev/sdb': ['in-use'] },
  },
  {
    name: 'a physical volume of a group that is not active, beside one that is',
    machine: {
      ...root([
        sataDisk('sda', { within: [{ name: 'sda1', fs: 'LVM2_member', within: [lvm('dm-0', 'vg-home')] }] }),
        usbStick('sdb', { within: [{ name: 'sdb1', fs: 'LVM2_member' }] }),
      ]),
      volumeGroups: { sda1: 'vg', sdb1: 'vg-home' },
    },
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'a cache of an imported pool, which has no readable name',
    machine: { ...root([usbStick('sdb', { within: [zfsMember('sdb1')] })]), zfsPools: ['tank'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['in-use'] },
  },
  {
    name: 'a member without a name while no pool is imported',
    machine: root([usbStick('sdb', { within: [zfsMember('sdb1')] })]),
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'an array that was stopped',
    machine: root([usbStick('sdb', { within: [{ name: 'sdb1', fs: 'linux_raid_member' }] })]),
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'a replicated disk (DRBD) over a USB disk',
    machine: root([usbStick('sdb', { within: [{ name: 'drbd0', type: 'disk' }] })]),
    allowance: { unmount: true, expert: true },
    verdicts: { '/dev/sdb': ['in-use'], '/dev/drbd0': ['type'] },
  },
  {
    name: 'encrypted swap on a stick',
    machine: {
      ...root([usbStick('sdb', { within: [{ name: 'sdb1', within: [crypt('dm-0', 'cswap')] }] })]),
      swaps: ['/dev/mapper/cswap'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system', 'in-use'] },
  },
  {
    name: 'encrypted swap on an array of two USB disks',
    machine: {
      ...root(
        ['sdb', 'sdc'].map((name) =>
          usbStick(name, {
            within: [
              {
                name: `${name}1`,
                fs: 'linux_raid_member',
                within: [{ name: 'md1', type: 'raid1', within: [crypt('dm-0', 'cswap')] }],
              },
            ],
          }),
        ),
      ),
      swaps: ['/dev/mapper/cswap'],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system', 'in-use'], '/dev/sdc': ['system', 'in-use'] },
  },
  {
    name: 'a live system that keeps its changes on a second stick',
    machine: {
      blocks: [
        usbStick('sda', { within: [{ name: 'sda1', fs: 'iso9660' }] }),
        usbStick('sdb', { within: [{ name: 'sdb1', fs: 'ext4', label: 'persistence' }] }),
        { name: 'loop0', type: 'loop', backing: '/run/live/medium/live/filesystem.squashfs' },
        usbStick('sdc'),
      ],
      mounts: [
        'overlay / overlay rw,lowerdir=/run/live/rootfs/0/,upperdir=/run/live/persistence/sdb1/rw,workdir=/run/live/persistence/sdb1/work',
        '/dev/sda1 /run/live/medium iso9660',
        '/dev/loop0 /run/live/rootfs/0 squashfs',
        '/dev/sdb1 /run/live/persistence/sdb1 ext4',
      ],
    },
    allowance: { unmount: true },
    verdicts: { '/dev/sda': ['system'], '/dev/sdb': ['system'], '/dev/sdc': [] },
  },
  {
    name: 'root in a virtual machine, with a second virtual disk',
    machine: {
      blocks: [
        {
          name: 'vda',
          sys: 'pci0000:00/0000:00:05.0/virtio2/block/vda',
          within: [{ name: 'vda1', fs: 'ext4' }],
        },
        { name: 'vdb', sys: 'pci0000:00/0000:00:06.0/virtio3/block/vdb' },
      ],
      mounts: ['/dev/vda1 / ext4'],
    },
    verdicts: { '/dev/vda': ['system', 'not-removable', 'mounted'], '/dev/vdb': ['not-removable'] },
  },
  {
    name: 'a solid state disk in a USB enclosure, which the kernel does not call removable',
    machine: root([usbStick('sdb', { rm: false, size: 120 * GB })]),
    verdicts: { '/dev/sdb': [] },
  },
  {
    name: 'the replay-protected area of eMMC',
    machine: root([mmc('mmcblk0rpmb', { card: 'MMC' })]),
    allowance: { expert: true },
    verdicts: { '/dev/mmcblk0rpmb': ['type'] },
  },
]

const asked: Row[] = [
  {
    name: 'the Docker data root on LVM on LUKS on a USB disk',
    machine: root(
      [
        usbStick('sdb', {
          within: [
            { name: 'sdb1', fs: 'crypto_LUKS', within: [crypt('dm-0', 'luks', [lvm('dm-1', 'vg-docker')])] },
          ],
        }),
      ],
      ['/dev/mapper/vg-docker /mnt/engine ext4'],
    ),
    needed: { paths: ['/mnt/engine/docker'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system', 'in-use'] },
  },
  {
    name: 'the Docker data root on a btrfs over two USB disks, of which the mount names one',
    machine: root(
      [
        usbStick('sdb', { within: [btrfsMember('sdb1', 'u1')] }),
        usbStick('sdc', { within: [btrfsMember('sdc1', 'u1')] }),
      ],
      ['/dev/sdb1 /mnt/engine btrfs'],
    ),
    needed: { paths: ['/mnt/engine'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'], '/dev/sdc': ['system'] },
  },
  {
    name: 'Slipway itself, run from a stick',
    machine: root([usbStick('sdb'), usbStick('sdc')], ['/dev/sdb1 /media/ada/TOOLS ext4']),
    needed: { paths: ['/media/ada/TOOLS/slipway/slipway'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'], '/dev/sdc': [] },
  },
  {
    name: 'the list of disks in a home that is a file on a stick',
    machine: root(
      [usbStick('sdb'), { name: 'loop0', type: 'loop', fs: 'ext4', backing: '/mnt/keys/ada.home' }],
      ['/dev/sdb1 /mnt/keys vfat', '/dev/loop0 /people/ada ext4'],
    ),
    needed: { paths: ['/people/ada/.local/share/slipway/disks'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: 'the disk file on a btrfs of a stick, whose device number no mount table tells',
    machine: root(
      [usbStick('sdb', { within: [btrfsMember('sdb1', 'u1')] })],
      ['/dev/sdb1 /mnt/images btrfs'],
    ),
    needed: { paths: ['/mnt/images/a.img'], files: [{ device: '0:199', path: '/mnt/images/a.img' }] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
  {
    name: '/var as a link to a folder on a USB disk',
    machine: root([usbStick('sdb')], ['/dev/sdb1 /mnt/big ext4']),
    needed: { paths: ['/mnt/big/var'] },
    allowance: { unmount: true },
    verdicts: { '/dev/sdb': ['system'] },
  },
]

const everything: Partial<DriveAllowance> = { expert: true, unmount: true, loopTargets: true }
const none: DriveAllowance = { unmount: false, expert: false, loopTargets: false }

function judged(
  row: Row,
  allowance: DriveAllowance,
): Map<string, { drive: Drive; reasons: RefusalReason[] }> {
  const drives = drivesOf(machine(row.machine), { paths: [], files: [], ...row.needed })
  return new Map(
    drives.map((drive) => [drive.device, { drive, reasons: checkDrive(drive, 4 * GB, allowance) }] as const),
  )
}

describe.each([
  ['one drive beside the system', plain],
  ['the system on any kind of drive', system],
  ['what is stacked on drives', stacked],
  ['file systems without a device of their own', many],
  ['what else holds a drive', held],
  ['what was asked to be kept', asked],
])('%s', (_, rows) => {
  test.each(rows)('$name', (row) => {
    const verdicts = judged(row, { ...none, ...row.allowance })
    for (const [device, reasons] of Object.entries(row.verdicts)) {
      expect(verdicts.get(device)?.reasons, device).toEqual(reasons)
    }
  })
})

/** What lies on what is told three times; on some machine one of the three is silent. */
test.each<[string, (state: MachineState) => void]>([
  ['lsblk', (state) => (state.lsblk = withoutNesting(state.lsblk))],
  ['the slaves', (state) => Object.values(state.blocks).forEach((facts) => (facts.slaves = []))],
  ['the holders', (state) => Object.values(state.blocks).forEach((facts) => (facts.holders = []))],
])('without the word of %s, stacked drives are refused as before', (_, silence) => {
  for (const row of stacked) {
    const state = machine(row.machine)
    silence(state)
    const found = drivesOf(state, { paths: [], files: [], ...row.needed })
    for (const [device, reasons] of Object.entries(row.verdicts)) {
      const drive = found.find((one) => one.device === device)
      const verdict = drive && checkDrive(drive, 4 * GB, { ...none, ...row.allowance })
      expect(verdict, `${row.name}: ${device}`).toEqual(reasons)
    }
  }
})

interface Nested {
  children?: Nested[]
}

/** lsblk as a list, in which every device stands by itself. */
function withoutNesting(json: string): string {
  const flatten = ({ children = [], ...node }: Nested): Nested[] => [node, ...children.flatMap(flatten)]
  const { blockdevices } = JSON.parse(json) as { blockdevices: Nested[] }
  return JSON.stringify({ blockdevices: blockdevices.flatMap(flatten) })
}

test('no allowance ever opens the way to a drive of the system', () => {
  let seen = 0
  for (const row of [...plain, ...system, ...stacked, ...many, ...held, ...asked]) {
    for (const { drive, reasons } of judged(row, { ...none, ...everything }).values()) {
      if (drive.systemPaths.length === 0) continue
      seen += 1
      expect(reasons[0], `${row.name}: ${drive.device}`).toBe('system')
    }
  }
  expect(seen).toBeGreaterThan(60)
})
