import { GB, nvmeRoot, sataDisk, usbStick } from '../machine'
import { crypt, lvm, root, type Row } from './row'

export const stacked: Row[] = [
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
