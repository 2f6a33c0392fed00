import { GB, sataDisk, usbStick } from '../machine'
import { crypt, lvm, mmc, root, zfsMember, type Row } from './row'

export const held: Row[] = [
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
