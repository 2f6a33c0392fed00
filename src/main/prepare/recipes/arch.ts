import type { Recipe } from '../recipe'

/** Arch, with mkinitcpio and systemd-networkd. Written from facts, not booted. */
export const arch: Recipe = {
  family: 'arch',
  packages(purpose) {
    switch (purpose) {
      case 'kernel':
        return ['linux']
      case 'initramfs':
        return ['mkinitcpio']
      case 'init':
        return ['systemd-sysvcompat']
      case 'hardware':
        return ['base', 'e2fsprogs', 'kbd', 'iproute2']
      case 'ssh':
        return ['openssh']
      case 'sudo':
        return ['sudo']
      case 'wifi':
        return ['wpa_supplicant', 'wireless-regdb']
      case 'timeZone':
        return ['tzdata']
      case 'keyboard':
        return ['kbd']
      case 'grow':
        return ['util-linux', 'e2fsprogs']
      case 'locale':
        return ['glibc']
      case 'firmware':
        return ['linux-firmware', 'amd-ucode', 'intel-ucode']
      case 'network':
        return []
    }
  },
  install: (packages) => [
    // Its images leave the descriptions of languages out, which come with the C library: that is unpacked again.
    ...(packages.includes('glibc') ? ["RUN sed -i '/^NoExtract.*i18n/d' /etc/pacman.conf"] : []),
    `RUN pacman -Syu --noconfirm ${packages.includes('glibc') ? '' : '--needed '}\\`,
    ...packages.map((name) => `      ${name} \\`),
    ' && pacman -Scc --noconfirm',
  ],
  finish: () => [
    // With `autodetect` the RAM disk would have the drivers of this machine alone.
    "RUN sed -i '/^HOOKS=/s/ autodetect//' /etc/mkinitcpio.conf && mkinitcpio -P",
  ],
}
