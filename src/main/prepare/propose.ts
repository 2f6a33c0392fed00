import { fail, ok, type Result } from '../../shared/failure'
import { isBootable, unmetSettings, type ImageFacts, type RecipeFamily } from '../../shared/image'
import type { MachineSettings } from '../../shared/machine'
import { recipeObstacle, replacesInit } from '../../shared/recipe'
import type { PackagePurpose, Recipe } from './recipe'
import { alpine } from './recipes/alpine'
import { arch } from './recipes/arch'
import { debian } from './recipes/debian'
import { fedora } from './recipes/fedora'
import { opensuse } from './recipes/opensuse'
import { ubuntu } from './recipes/ubuntu'

const recipes: Record<RecipeFamily, Recipe> = { debian, ubuntu, alpine, fedora, arch, opensuse }

/** A Dockerfile that adds to an image what it lacks. */
export interface Proposal {
  dockerfile: string
  family: RecipeFamily
  /** Whether machines of this family and release were booted (docs/BOOTED.md). */
  proven: boolean
  /** Names of packages. */
  adds: string[]
}

/**
 * Writes the Dockerfile for an image: what is missing between it and a
 * machine, and what the chosen settings need. Nothing of the settings is in
 * it but which packages they take. Pure.
 * @param image what the image has
 * @param machine what was chosen
 * @returns `recipe-missing` for a distribution that no recipe is for; `setting-unavailable` or `init-unknown` for what
 *   its recipe cannot do
 */
export function proposeDockerfile(image: ImageFacts, machine: MachineSettings): Result<Proposal> {
  if (image.recipe === null) {
    const distribution = image.distribution?.prettyName ?? ''
    return fail('recipe-missing', { image: image.name, distribution })
  }
  const obstacle = recipeObstacle(image, machine)
  if (obstacle !== null) return { ok: false, failure: obstacle }
  const { family, proven } = image.recipe
  const recipe = recipes[family]
  // Packages are for the init that the machine will have.
  const kept = replacesInit(image) ? { ...image, init: null } : image
  const adds = [...new Set(purposesOf(image, machine).flatMap((purpose) => recipe.packages(purpose, kept)))]
  const finish = isBootable(image) ? [] : recipe.finish(image)
  const lines = [
    `# Makes ${commentOf(image.name)} bootable. The image itself stays as it is.`,
    // By its id: its name may mean another image tomorrow.
    `FROM ${image.id}`,
    ...(adds.length + finish.length === 0 ? [] : ['USER root']),
    ...(adds.length === 0 ? [] : recipe.install(adds, kept)),
    ...finish,
  ]
  return ok({ dockerfile: `${lines.join('\n')}\n`, family, proven, adds })
}

function purposesOf(image: ImageFacts, machine: MachineSettings): PackagePurpose[] {
  const lacks = (part: ImageFacts['missing'][number]): boolean => image.missing.includes(part)
  const purposes: [PackagePurpose, boolean][] = [
    ['kernel', lacks('kernel')],
    ['initramfs', lacks('initramfs')],
    ['init', lacks('init') || replacesInit(image)],
    ['hardware', !isBootable(image)],
  ]
  return [
    ...purposes.flatMap(([purpose, isNeeded]) => (isNeeded ? [purpose] : [])),
    ...unmetSettings(image, machine),
  ]
}

/** Text that stays within a comment's line. */
function commentOf(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
