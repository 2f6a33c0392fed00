import { fail, type Failure } from './failure'
import {
  isBootable,
  unmetSettings,
  type EquippedSetting,
  type ImageFacts,
  type initKinds,
  type RecipeFamily,
} from './image'
import type { MachineSettings } from './machine'

type InitKind = (typeof initKinds)[number]

/** What is known of a family's recipe without asking for its packages. */
interface Family {
  /** Which distributions it is for (os-release(5), `ID`). */
  distributions: readonly string[]
  /** What installs its packages. */
  packageManagers: readonly NonNullable<ImageFacts['packageManager']>[]
  /** `VERSION_ID`s of docs/booted.json; empty stands for a rolling release. */
  proven: readonly string[]
  /** The init that it installs. */
  init: InitKind
  /** The inits of an image that does not boot whose place it takes: its packages do not work with them. */
  replaces: readonly InitKind[]
  /** Settings that none of its packages can fulfil. */
  cannot: readonly EquippedSetting[]
  /** Whether it has a network for an init that is not systemd. */
  hasIfupdown: boolean
}

const systemdAlone = {
  init: 'systemd',
  replaces: ['sysvinit', 'openrc', 'busybox', 'unknown'],
  cannot: [],
  hasIfupdown: false,
} as const

const families: Record<RecipeFamily, Family> = {
  debian: {
    distributions: ['debian'],
    packageManagers: ['apt'],
    proven: ['11', '12', '13', ''],
    init: 'systemd',
    replaces: ['busybox', 'unknown'],
    cannot: [],
    hasIfupdown: true,
  },
  ubuntu: { distributions: ['ubuntu'], packageManagers: ['apt'], proven: ['24.04'], ...systemdAlone },
  alpine: {
    distributions: ['alpine'],
    packageManagers: ['apk'],
    proven: [],
    init: 'openrc',
    // Its images have BusyBox as /sbin/init, with an inittab that calls an OpenRC which they leave out.
    replaces: ['busybox', 'sysvinit', 'unknown'],
    // musl has no locales but C.UTF-8 (wiki.musl-libc.org, "Functional differences from glibc"), and BusyBox loads keymaps of its own kind.
    cannot: ['locale', 'keyboard'],
    hasIfupdown: true,
  },
  fedora: {
    distributions: ['fedora', 'rhel', 'centos', 'rocky', 'almalinux', 'ol'],
    packageManagers: ['dnf', 'microdnf'],
    proven: [],
    ...systemdAlone,
  },
  arch: {
    distributions: ['arch', 'archarm', 'manjaro'],
    packageManagers: ['pacman'],
    proven: [],
    ...systemdAlone,
  },
  opensuse: {
    distributions: ['opensuse-leap', 'opensuse-tumbleweed', 'opensuse-slowroll', 'sles'],
    packageManagers: ['zypper'],
    proven: [],
    ...systemdAlone,
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

/**
 * Whether the recipe's init takes the place of the image's own. One that boots keeps what it has.
 * @param facts what the image has
 */
export function replacesInit(facts: ImageFacts): boolean {
  const { recipe, init } = facts
  if (recipe === null || init === null || isBootable(facts)) return false
  return families[recipe.family].replaces.includes(init.kind)
}

/** What a recipe brings as init. */
export function initOfRecipe(family: RecipeFamily): InitKind {
  return families[family].init
}

/**
 * Why an image cannot become the chosen machine although its recipe prepares it; known before minutes are spent on it.
 * @param facts what the image has
 * @param machine what was chosen
 * @returns `setting-unavailable`, `init-unknown`, or null when nothing is known against it
 */
export function recipeObstacle(facts: ImageFacts, machine: MachineSettings): Failure | null {
  const { name, recipe } = facts
  if (recipe === null) return null
  const { cannot, hasIfupdown } = families[recipe.family]
  const isReplaced = facts.init === null || replacesInit(facts)
  const init = isReplaced ? initOfRecipe(recipe.family) : facts.init?.kind
  const setting = unmetSettings(facts, machine).find(
    (one) => cannot.includes(one) || (one === 'network' && init !== 'systemd' && !hasIfupdown),
  )
  if (setting !== undefined) return fail('setting-unavailable', { image: name, setting }).failure
  if (init === 'unknown' && isStartedAtBoot(machine)) {
    return fail('init-unknown', { image: name, path: facts.init?.path ?? '' }).failure
  }
  return null
}

/** Whether something of the settings is done by a program that the machine's init has to start. */
function isStartedAtBoot({ growRoot, swapBytes, locale, runCommand }: MachineSettings): boolean {
  return growRoot || swapBytes !== null || locale !== null || runCommand
}
