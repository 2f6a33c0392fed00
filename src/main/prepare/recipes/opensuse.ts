import type { Recipe } from '../recipe'

/** openSUSE and SLES, with dracut and NetworkManager. Written from facts, not booted. */
export const opensuse: Recipe = {
  family: 'opensuse',
  packages(purpose) {
    switch (purpose) {
      case 'kernel':
        return ['kernel-default']
      case 'initramfs':
        return ['dracut']
      case 'init':
        return ['systemd-sysvinit', 'udev', 'dbus-1']
      case 'hardware':
        return ['e2fsprogs', 'kbd', 'iproute2']
      case 'network':
        return ['NetworkManager']
      case 'ssh':
        return ['openssh-server']
      case 'sudo':
        return ['sudo']
      case 'wifi':
        return ['wpa_supplicant', 'wireless-regdb']
      case 'timeZone':
        return ['timezone']
      case 'locale':
        return ['glibc-i18ndata']
      case 'keyboard':
        return ['kbd']
      case 'grow':
        return ['util-linux', 'e2fsprogs']
      case 'firmware':
        return ['kernel-firmware-all', 'ucode-amd', 'ucode-intel']
    }
  },
  install: (packages) => [
    'RUN zypper --non-interactive install --no-recommends \\',
    ...packages.map((name) => `      ${name} \\`),
    ' && zypper clean --all',
  ],
  finish: () => [
    // Both have to be said: a RAM disk for this machine alone would not find the stick (dracut.conf(5)).
    `RUN printf 'hostonly="no"\\nhostonly_cmdline="no"\\n' > /etc/dracut.conf.d/10-slipway.conf && dracut --force --regenerate-all`,
  ],
}
