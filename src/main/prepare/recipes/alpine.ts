import type { Recipe } from '../recipe'

/** The runlevels of OpenRC as Alpine's installer sets them (wiki.alpinelinux.org, "OpenRC"). */
const runlevels = {
  sysinit: ['devfs', 'dmesg', 'mdev', 'hwdrivers'],
  boot: [
    ...['hwclock', 'swap', 'hostname', 'sysctl', 'bootmisc', 'syslog'],
    ...['networking', 'root', 'localmount', 'fsck', 'modules'],
  ],
  shutdown: ['killprocs', 'mount-ro', 'savecache'],
}

/** Alpine, with OpenRC and mdev. Written from facts, not booted. */
export const alpine: Recipe = {
  family: 'alpine',
  packages(purpose) {
    switch (purpose) {
      case 'kernel':
        return ['linux-lts', 'linux-firmware-none']
      case 'initramfs':
        return ['mkinitfs']
      case 'init':
        return ['openrc', 'busybox-openrc', 'busybox-mdev-openrc']
      case 'hardware':
        return ['e2fsprogs', 'kbd-bkeymaps']
      case 'network':
        return ['ifupdown-ng']
      case 'ssh':
        return ['openssh-server']
      case 'sudo':
        return ['sudo']
      case 'wifi':
        return ['wpa_supplicant', 'wireless-regdb']
      case 'timeZone':
        return ['tzdata']
      case 'locale':
      case 'keyboard':
        // It has none (families in src/shared/recipe.ts).
        return []
      case 'grow':
        return ['sfdisk', 'partx', 'e2fsprogs-extra']
      case 'firmware':
        return ['linux-firmware']
    }
  },
  install: (packages) => ['RUN apk add --no-cache \\', `      ${packages.join(' \\\n      ')}`],
  finish: () => [
    // What the inittab of its images calls OpenRC from, in the place of any other init.
    'RUN ln -sf /bin/busybox /sbin/init',
    `RUN ${Object.entries(runlevels)
      .flatMap(([level, services]) => services.map((service) => `rc-update add ${service} ${level}`))
      .join(' \\\n && ')}`,
    // The drivers that a disk of an unknown machine may need.
    'RUN echo \'features="ata base ext4 keymap kms mmc nvme raid scsi usb virtio"\' > /etc/mkinitfs/mkinitfs.conf \\',
    ' && mkinitfs -o /boot/initramfs-lts "$(ls /lib/modules | tail -n 1)"',
  ],
}
