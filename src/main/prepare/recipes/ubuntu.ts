import type { Recipe } from '../recipe'
import { aptInstall, aptPackages, microcode } from './debian'

/** Ubuntu. Its `linux-image-virtual` would boot in a virtual machine alone. */
export const ubuntu: Recipe = {
  family: 'ubuntu',
  packages(purpose, image) {
    const common = aptPackages(purpose, image)
    switch (purpose) {
      case 'kernel':
        return ['linux-image-generic']
      case 'firmware':
        return ['linux-firmware', ...microcode(image)]
      case 'network': {
        // Since 23.10 it is a package of its own.
        const isOwnPackage = Number.parseFloat(image.distribution?.version ?? '') >= 23.1
        return isOwnPackage ? [...common, 'systemd-resolved'] : common
      }
      default:
        return common
    }
  },
  install: (packages) => aptInstall(packages),
  finish: () => [],
}
