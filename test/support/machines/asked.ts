import { usbStick } from '../machine'
import { btrfsMember, crypt, lvm, root, type Row } from './row'

export const asked: Row[] = [
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
