import type { ImageFacts } from '../../../shared/image'
import type { PackagePurpose, Recipe } from '../recipe'

/** The number of a Debian release; testing and sid, which have none, count as newer than all. */
function releaseOf(image: ImageFacts): number {
  return Number.parseInt(image.distribution?.version ?? '', 10) || Number.POSITIVE_INFINITY
}

const keepsSysvinit = ({ init }: ImageFacts): boolean => init?.kind === 'sysvinit'

/** What Debian and Ubuntu have in common. Recommended packages are left out, so all that matters is named. */
export function aptPackages(purpose: PackagePurpose, image: ImageFacts): readonly string[] {
  switch (purpose) {
    case 'kernel':
      return []
    case 'initramfs':
      return ['initramfs-tools', 'zstd']
    case 'init':
      return ['systemd-sysv', 'libpam-systemd', 'dbus']
    case 'hardware':
      return ['udev', 'kmod', 'kbd', 'console-setup', 'iproute2', 'e2fsprogs']
    case 'network':
      return ['iproute2']
    case 'ssh':
      return ['openssh-server']
    case 'sudo':
      return ['sudo']
    case 'wifi':
      return ['wpasupplicant', 'wireless-regdb']
    case 'timeZone':
      return ['tzdata']
    case 'locale':
      return ['locales']
    case 'keyboard':
      return keepsSysvinit(image) ? ['console-setup', 'kbd'] : ['console-setup', 'console-setup-linux', 'kbd']
    case 'grow':
      return ['fdisk', 'e2fsprogs']
  }
}

/** apt's instructions. The lists go again in the same layer. */
export function aptInstall(packages: readonly string[]): string[] {
  return [
    'ARG DEBIAN_FRONTEND=noninteractive',
    'RUN apt-get update \\',
    ' && apt-get install --yes --no-install-recommends \\',
    ...packages.map((name) => `      ${name} \\`),
    ' && rm -rf /var/lib/apt/lists/*',
  ]
}

/** Debian from 11 on. An image with sysvinit keeps it. */
export const debian: Recipe = {
  family: 'debian',
  packages(purpose, image) {
    const common = aptPackages(purpose, image)
    switch (purpose) {
      case 'kernel':
        // Debian calls the architectures as Go does, amd64 and arm64.
        return [`linux-image-${image.architecture}`]
      case 'hardware':
        return [...common, 'firmware-linux-free']
      case 'network':
        if (keepsSysvinit(image)) {
          // The client of ISC is no longer kept up after Debian 12.
          return [...common, 'ifupdown', releaseOf(image) < 13 ? 'isc-dhcp-client' : 'dhcpcd-base']
        }
        // Before 12 it is part of systemd's own package.
        return releaseOf(image) < 12 ? common : [...common, 'systemd-resolved']
      default:
        return common
    }
  },
  install: aptInstall,
  finish: () => [],
}
