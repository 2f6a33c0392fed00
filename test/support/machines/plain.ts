import { GB, nvmeRoot, sataDisk, usbStick } from '../machine'
import { mmc, nvme, root, type Row } from './row'

export const plain: Row[] = [
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
    name: 'a built-in card reader with no card, as some drivers show it, beside the stick',
    machine: root([mmc('mmcblk0', { card: 'SD', size: 0 }), usbStick('sdb')]),
    verdicts: { '/dev/mmcblk0': ['no-medium'], '/dev/sdb': [] },
  },
  {
    name: 'a hot-swap bay for an expert: its disk is not mounted and may be written',
    machine: root([sataDisk('sda', { rm: true })]),
    allowance: { expert: true },
    verdicts: { '/dev/sda': [] },
  },
  {
    name: 'a hot-swap bay that holds /home, for an expert',
    machine: root(
      [sataDisk('sda', { rm: true, within: [{ name: 'sda1', fs: 'ext4' }] })],
      ['/dev/sda1 /home ext4'],
    ),
    allowance: { expert: true, unmount: true },
    verdicts: { '/dev/sda': ['system'] },
  },
  {
    name: 'a drive that claims by its name and label to be the system, and one that claims to be none',
    machine: root([
      usbStick('sdb', {
        vendor: 'nvme0n1\u202e',
        model: '/dev/nvme0n1"; rm -rf / #',
        within: [{ name: 'sdb1', fs: 'ext4', label: '/' }],
      }),
      sataDisk('sda', { vendor: 'USB', model: 'Flash Disk\u0000', tran: 'sata' }),
    ]),
    verdicts: { '/dev/sdb': [], '/dev/sda': ['not-removable'] },
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
