import type { ImageFacts } from '../../../shared/image'
import type { PackagePurpose, Recipe } from '../recipe'

/** The number of a Debian release; testing and sid, which have none, count as newer than all. */
function releaseOf(image: ImageFacts): number {
  return Number.parseInt(image.distribution?.version ?? '', 10) || Number.POSITIVE_INFINITY
}

/** Whether the machine will have an init that does not start systemd's units. */
const isWithoutSystemd = ({ init }: ImageFacts): boolean => init !== null && init.kind !== 'systemd'

/** Corrections of processors, which the initial RAM disk brings to them. */
export const microcode = ({ architecture }: ImageFacts): readonly string[] =>
  architecture === 'amd64' ? ['amd64-microcode', 'intel-microcode'] : []

/** Debian's packages of firmware by makers of network adapters; graphics and others come by the first. */
const firmware = [
  'firmware-linux-nonfree',
  'firmware-amd-graphics',
  'firmware-atheros',
  'firmware-brcm80211',
  'firmware-iwlwifi',
  'firmware-realtek',
]

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
      return [
        ...['udev', 'kmod', 'kbd', 'console-setup', 'iproute2', 'e2fsprogs'],
        // Few small computers keep the time while they are off, and certificates need it. One that the image has would be
        // removed for it: only one `time-daemon` can be installed (both packages' Conflicts).
        ...(isWithoutSystemd(image) || image.equipment.includes('time-daemon') ? [] : ['systemd-timesyncd']),
      ]
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
      return isWithoutSystemd(image)
        ? ['console-setup', 'kbd']
        : ['console-setup', 'console-setup-linux', 'kbd']
    case 'grow':
      return ['fdisk', 'e2fsprogs']
    case 'firmware':
      return []
  }
}

/**
 * apt's instructions. The lists go again in the same layer.
 * @param packages at least one
 * @param component of the archive that they need beyond `main`, for good: upgrades come from there, too
 */
export function aptInstall(packages: readonly string[], component: string | null = null): string[] {
  const sources = '/etc/apt/sources.list /etc/apt/sources.list.d/*'
  return [
    'ARG DEBIAN_FRONTEND=noninteractive',
    ...(component === null
      ? []
      : [
          // sources.list(5): lines that begin with `deb`, or paragraphs with `Components`.
          `RUN for file in ${sources}; do [ ! -f "$file" ] || sed -i -E \\`,
          `      '/^(deb|Components:) .*\\bmain\\b/{/ ${component}( |$)/!s/\\bmain\\b/& ${component}/}' "$file" || exit 1; done`,
        ]),
    'RUN apt-get update \\',
    ' && apt-get install --yes --no-install-recommends \\',
    ...packages.map((name) => `      ${name} \\`),
    ' && rm -rf /var/lib/apt/lists/*',
  ]
}

/** Debian from 11 on. An image with sysvinit or OpenRC keeps it. */
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
        if (isWithoutSystemd(image)) {
          // The client of ISC is no longer kept up after Debian 12.
          return [...common, 'ifupdown', releaseOf(image) < 13 ? 'isc-dhcp-client' : 'dhcpcd-base']
        }
        // Before 12 it is part of systemd's own package.
        return releaseOf(image) < 12 ? common : [...common, 'systemd-resolved']
      case 'firmware':
        return [...firmware, ...microcode(image)]
      default:
        return common
    }
  },
  install(packages, image) {
    const needsComponent = packages.some((name) => firmware.includes(name))
    // Firmware moved into a component of its own with Debian 12.
    const component = releaseOf(image) < 12 ? 'non-free' : 'non-free-firmware'
    return aptInstall(packages, needsComponent ? component : null)
  },
  finish: () => [],
}
