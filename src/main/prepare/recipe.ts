import type { EquippedSetting, ImageFacts, RecipeFamily } from '../../shared/image'

/** What packages are installed for: parts that an image may lack, settings of the machine, and what every machine has. */
export type PackagePurpose = 'kernel' | 'initramfs' | 'init' | 'hardware' | EquippedSetting

/** How images of one family of distributions become bootable: data, and the two ends of a Dockerfile. */
export interface Recipe {
  family: RecipeFamily
  /**
   * The packages for a purpose; empty where nothing is needed.
   * @param image what the image has: its release, and the init that it keeps
   */
  packages: (purpose: PackagePurpose, image: ImageFacts) => readonly string[]
  /**
   * The instructions that install packages, without FROM and USER.
   * @param packages at least one
   * @param image what the image has
   */
  install: (packages: readonly string[], image: ImageFacts) => readonly string[]
  /** Instructions afterwards, such as making the initial RAM disk for every machine instead of this one. */
  finish: (image: ImageFacts) => readonly string[]
}
