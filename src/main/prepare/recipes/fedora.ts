import type { Recipe } from '../recipe'

/** Its packages only recommend one another, and those for Intel's Wi-Fi have other names in each release (linux-firmware.spec). */
const firmware = ['linux-firmware', "'iwl*-firmware'", 'microcode_ctl']

/** Fedora, RHEL and its kin, with dracut and NetworkManager. Written from facts, not booted. */
export const fedora: Recipe = {
  family: 'fedora',
  packages(purpose) {
    switch (purpose) {
      case 'kernel':
        return ['kernel', 'kernel-modules', 'kernel-modules-extra']
      case 'initramfs':
        return ['dracut']
      case 'init':
        return ['systemd', 'systemd-udev', 'passwd']
      case 'hardware':
        return ['e2fsprogs', 'kbd', 'iproute']
      case 'network':
        return ['NetworkManager']
      case 'ssh':
        return ['openssh-server']
      case 'sudo':
        return ['sudo']
      case 'wifi':
        return ['NetworkManager-wifi', 'wpa_supplicant', 'wireless-regdb']
      case 'timeZone':
        return ['tzdata']
      case 'locale':
        return ['glibc-locale-source']
      case 'keyboard':
        return ['kbd']
      case 'grow':
        return ['util-linux', 'e2fsprogs']
      case 'firmware':
        return firmware
    }
  },
  install(packages, image) {
    const manager = image.packageManager === 'microdnf' ? 'microdnf' : 'dnf'
    const steps = [
      ['--setopt=install_weak_deps=0', packages.filter((name) => !firmware.includes(name))],
      ['--setopt=install_weak_deps=1', packages.filter((name) => firmware.includes(name))],
    ] as const
    return steps
      .filter(([, names]) => names.length > 0)
      .flatMap(([option, names]) => [
        `RUN ${manager} install -y ${option} \\`,
        ...names.map((name) => `      ${name} \\`),
        ` && ${manager} clean all`,
      ])
  },
  finish: () => [
    // A container's kernel package leaves kernel and RAM disk out of /boot; hostonly would fit this machine alone.
    'RUN version="$(ls /usr/lib/modules | tail -n 1)" \\',
    ' && cp "/usr/lib/modules/$version/vmlinuz" "/boot/vmlinuz-$version" \\',
    ' && dracut --force --no-hostonly --no-hostonly-cmdline "/boot/initramfs-$version.img" "$version"',
    // An export has no SELinux labels: nothing could run if they were enforced before they are made.
    "RUN if [ -e /etc/selinux/config ]; then sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config && touch /.autorelabel; fi",
  ],
}
