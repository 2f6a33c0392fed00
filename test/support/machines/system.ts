import { GB, sataDisk, usbStick } from '../machine'
import { mmc, root, type Row } from './row'

export const system: Row[] = [
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
