import type { ImageFacts, RecipeFamily } from './image'

/** Which distributions a family's recipe is for (os-release(5), `ID`), what installs its packages, and which releases were booted (docs/BOOTED.md). */
const families: Record<
  RecipeFamily,
  {
    distributions: readonly string[]
    packageManagers: readonly NonNullable<ImageFacts['packageManager']>[]
    /** `VERSION_ID`s of docs/booted.json; empty stands for a rolling release. */
    proven: readonly string[]
  }
> = {
  debian: { distributions: ['debian'], packageManagers: ['apt'], proven: ['11', '12', '13', ''] },
  ubuntu: { distributions: ['ubuntu'], packageManagers: ['apt'], proven: [] },
  alpine: { distributions: ['alpine'], packageManagers: ['apk'], proven: [] },
  fedora: {
    distributions: ['fedora', 'rhel', 'centos', 'rocky', 'almalinux', 'ol'],
    packageManagers: ['dnf', 'microdnf'],
    proven: [],
  },
  arch: { distributions: ['arch', 'archarm', 'manjaro'], packageManagers: ['pacman'], proven: [] },
  opensuse: {
    distributions: ['opensuse-leap', 'opensuse-tumbleweed', 'opensuse-slowroll', 'sles'],
    packageManagers: ['zypper'],
    proven: [],
  },
}

/**
 * The recipe that makes images of a distribution bootable.
 * @param distribution what os-release says
 * @param packageManager what was found
 * @returns null when there is none
 */
export function recipeOf(
  distribution: ImageFacts['distribution'],
  packageManager: ImageFacts['packageManager'],
): ImageFacts['recipe'] {
  if (distribution === null || packageManager === null) return null
  const found = (Object.keys(families) as RecipeFamily[]).find((family) =>
    families[family].distributions.includes(distribution.id),
  )
  if (found === undefined || !families[found].packageManagers.includes(packageManager)) return null
  return { family: found, proven: families[found].proven.includes(distribution.version) }
}
