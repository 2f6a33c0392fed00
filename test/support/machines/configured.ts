import { sataDisk, usbStick, type MachineDescription } from '../machine'
import { crypt, lvm, root, zfsMember, type Row } from './row'

/** Everything that a person can allow. */
const allowed = { unmount: true, expert: true }

/** A second stick of which something is configured, beside one of which nothing is. */
function withStick(
  part: { uuid?: string; label?: string; partUuid?: string; partLabel?: string; fs?: string },
  changes: Partial<MachineDescription>,
): MachineDescription {
  const one = usbStick('sdb', { within: [{ name: 'sdb1', fs: 'ext4', ...part }] })
  const other = usbStick('sdc', {
    within: [{ name: 'sdc1', fs: 'ext4', uuid: 'other', label: 'OTHER', partUuid: 'other-01' }],
  })
  return { ...root([one, other]), ...changes }
}

/** Two sticks with physical volumes, of which no volume is active. */
function withInactiveGroups(volumeGroups: Record<string, string>): MachineDescription {
  const sticks = ['sdb', 'sdc'].map((name) =>
    usbStick(name, { within: [{ name: `${name}1`, fs: 'LVM2_member', uuid: `pv-${name}` }] }),
  )
  return { ...root(sticks), volumeGroups }
}

const refused: Row['verdicts'] = { '/dev/sdb': ['system'], '/dev/sdc': [] }

/** What is a part of the system though nothing of it is mounted. */
export const configured: Row[] = [
  {
    name: 'a /boot that is mounted for updates alone',
    machine: withStick({ uuid: 'B007-1' }, { fstab: ['UUID=b007-1 /boot ext4 noauto 0 2'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the same by its label, in quotes',
    machine: withStick({ label: 'BOOT' }, { fstab: ['LABEL="BOOT" /boot ext4 noauto 0 2'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the same by the id of its partition',
    machine: withStick({ partUuid: 'abcd-01' }, { fstab: ['PARTUUID=abcd-01 /boot/efi vfat noauto 0 2'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the same by the name of its partition',
    machine: withStick({ partLabel: 'ESP' }, { fstab: ['PARTLABEL=ESP /efi vfat noauto 0 2'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the same by a link that udev would have made',
    machine: withStick({ uuid: 'u1' }, { fstab: ['/dev/disk/by-uuid/u1 /boot ext4 noauto 0 2'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the same by its device',
    machine: withStick({}, { fstab: ['# /dev/sdc1 /boot ext4', '/dev/sdb1\t/boot\text4\tnoauto\t0\t2'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'swap that is off',
    machine: withStick({ uuid: 'u1', fs: 'swap' }, { fstab: ['UUID=u1 none swap noauto 0 0'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the memory of a sleeping machine',
    machine: withStick({ uuid: 'u1', fs: 'swap' }, { commandLine: 'ro quiet resume=UUID=u1' }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'a root that the kernel was told and that something else covers',
    machine: {
      ...withStick({ partUuid: 'r-02' }, { commandLine: 'root=PARTUUID=r-02/PARTNROFF=0 overlay' }),
      mounts: ['rootfs / tmpfs'],
    },
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'a disk that is unlocked at each start',
    machine: withStick({ uuid: 'u1', fs: 'crypto_LUKS' }, { crypttab: ['data UUID=u1 none luks'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'one that dracut or Arch’s hook unlocks',
    machine: withStick({ uuid: 'u1' }, { commandLine: 'rd.luks.uuid=luks-u1 cryptdevice=UUID=none:root' }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'one that is unlocked for a /home that is mounted by hand',
    machine: withStick(
      { uuid: 'u1' },
      {
        fstab: ['/dev/mapper/home /home ext4 noauto 0 2'],
        crypttab: ['home UUID=u1 none luks,noauto'],
      },
    ),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the stick with the key to it',
    machine: withStick({ label: 'KEYS' }, { crypttab: ['data UUID=gone /key:LABEL=KEYS luks'] }),
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'a stick that fstab mounts for a person, and one that crypttab unlocks by hand',
    machine: withStick(
      { uuid: 'u1' },
      {
        fstab: ['/dev/sdb1 /media/usb0 auto rw,user,noauto 0 0', 'LABEL=OTHER /mnt/more ext4 noauto 0 0'],
        crypttab: ['backup UUID=other none luks,noauto'],
      },
    ),
    verdicts: { '/dev/sdb': [], '/dev/sdc': [] },
  },
  {
    name: 'a copy of the running system on a stick: the one that is in use is meant',
    machine: {
      blocks: [
        sataDisk('sda', { within: [{ name: 'sda1', fs: 'ext4', uuid: 'u1' }] }),
        usbStick('sdb', { within: [{ name: 'sdb1', fs: 'ext4', uuid: 'u1' }] }),
      ],
      mounts: ['/dev/sda1 / ext4'],
      fstab: ['UUID=u1 / ext4 errors=remount-ro 0 1'],
      commandLine: 'root=UUID=u1 resume=UUID=u1 resume_offset=34816',
    },
    verdicts: { '/dev/sda': ['system', 'not-removable', 'mounted'], '/dev/sdb': [] },
  },
  {
    name: 'a logical volume, unlocked and not mounted',
    machine: {
      ...root([
        usbStick('sdb', {
          within: [
            { name: 'sdb1', fs: 'crypto_LUKS', within: [crypt('dm-0', 'luks', [lvm('dm-1', 'vg-var')])] },
          ],
        }),
      ]),
      fstab: ['/dev/mapper/vg-var /var ext4 noauto 0 2'],
    },
    allowance: allowed,
    verdicts: { '/dev/sdb': ['system', 'in-use'] },
  },
  {
    name: 'a /home in a volume group that is not active, by both of its names',
    machine: {
      ...withInactiveGroups({ sdb1: 'my-data', sdc1: 'other' }),
      fstab: ['/dev/mapper/my--data-home /home ext4 noauto 0 2', '/dev/my-data/swap none swap noauto 0 0'],
    },
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the same by the one of them that fstab seldom has',
    machine: {
      ...withInactiveGroups({ sdb1: 'vg', sdc1: 'other' }),
      fstab: ['/dev/vg/boot /boot ext4 noauto 0 2'],
    },
    allowance: allowed,
    verdicts: refused,
  },
  {
    name: 'the same where nobody can tell the groups: every physical volume may be of it',
    machine: { ...withInactiveGroups({}), fstab: ['/dev/mapper/vg-boot /boot ext4 noauto 0 2'] },
    allowance: allowed,
    verdicts: { '/dev/sdb': ['system'], '/dev/sdc': ['system'] },
  },
  {
    name: 'an unlocked disk that is closed now has no group’s name, and takes no stick of another group',
    machine: {
      ...withInactiveGroups({ sdb1: 'my', sdc1: 'other' }),
      fstab: ['/dev/mapper/cryptboot /boot ext4 noauto'],
    },
    verdicts: { '/dev/sdb': [], '/dev/sdc': [] },
  },
  {
    name: 'a volume group that only a person mounts',
    machine: {
      ...withInactiveGroups({ sdb1: 'vg', sdc1: 'other' }),
      fstab: ['/dev/mapper/vg-films /media/films ext4 noauto,user 0 0'],
    },
    verdicts: { '/dev/sdb': [], '/dev/sdc': [] },
  },
  {
    name: 'a /boot on an array that is stopped: every member of one may be of it',
    machine: {
      ...root([
        usbStick('sdb', { within: [{ name: 'sdb1', fs: 'linux_raid_member' }] }),
        usbStick('sdc', {
          within: [
            { name: 'sdc1', fs: 'linux_raid_member', within: [{ name: 'md127', type: 'raid1', fs: 'ext4' }] },
          ],
        }),
        usbStick('sdd'),
      ]),
      fstab: ['/dev/md0 /boot ext4 noauto 0 2'],
    },
    allowance: allowed,
    verdicts: { '/dev/sdb': ['system'], '/dev/sdc': ['in-use'], '/dev/sdd': [] },
  },
  {
    name: 'swap on a volume of a ZFS pool',
    machine: {
      ...root([
        usbStick('sdb', { within: [zfsMember('sdb1', 'tank')] }),
        usbStick('sdc', { within: [zfsMember('sdc1', 'backup')] }),
        { name: 'zd0' },
      ]),
      swaps: ['/dev/zd0'],
      zvols: { zd0: 'tank' },
    },
    allowance: allowed,
    verdicts: { '/dev/sdb': ['system'], '/dev/sdc': [] },
  },
  {
    name: '/home on a partition of a ZFS volume whose pool nobody tells: every member may be it',
    machine: {
      ...root([
        usbStick('sdb', { within: [zfsMember('sdb1', 'tank')] }),
        usbStick('sdc'),
        { name: 'zd16', within: [{ name: 'zd16p1', fs: 'ext4' }] },
      ]),
      mounts: [...root([]).mounts, '/dev/zd16p1 /home ext4'],
    },
    allowance: allowed,
    verdicts: { '/dev/sdb': ['system'], '/dev/sdc': [] },
  },
  {
    name: 'a layer of the system in a folder with a colon, a comma and a blank in its name',
    machine: {
      ...root([usbStick('sdb'), usbStick('sdc')]),
      mounts: [
        '/dev/nvme0n1p2 / ext4',
        '/dev/sdb1 /mnt/a:b,c\\040d ext4',
        'overlay /usr overlay rw,lowerdir=/usr:/mnt/a\\134:b\\054c\\040d/usr',
      ],
    },
    allowance: allowed,
    verdicts: refused,
  },
]
