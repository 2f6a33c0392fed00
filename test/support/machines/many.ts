import { sataDisk, usbStick } from '../machine'
import { btrfsMember, root, zfsMember, type Row } from './row'

export const many: Row[] = [
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
