import {
  bootableArchitectures,
  defaultDiskBytes,
  engineRuns,
  swapRoom,
  type BuildSettings,
  type EngineArchitectures,
  type ImageFacts,
} from './image'
import type { MachineSettings } from './machine'
import { replacesInit } from './recipe'

export const chainLinkNames = ['disk', 'partition', 'bootloader', 'kernel', 'init', 'applications'] as const
export type ChainLinkName = (typeof chainLinkNames)[number]

/**
 * Why a link is as it is, where that is not plain: no boot loader for the architecture; an engine that cannot run the
 * image's programs; a Dockerfile of the person's own, of which nobody knows what it adds; nobody can log in; no network.
 */
export type ChainNote = 'architecture' | 'engine' | 'own-dockerfile' | 'login' | 'network' | 'login-network'

/**
 * `has`: the image brings it. `added`: Slipway adds it. `lacking`: it boots, and something that most people want is
 * not there. `wrong`: it is missing and nothing adds it, or it cannot be used.
 */
export interface ChainLink {
  name: ChainLinkName
  state: 'has' | 'added' | 'lacking' | 'wrong'
  note: ChainNote | null
  /** A short value for display under the link: `2.1 GB` is made by the window, so sizes travel as bytes. */
  value: { kind: 'bytes'; bytes: number } | { kind: 'text'; text: string } | { kind: 'none' }
}

/** What most people want of a machine and a disk boots without. */
export type Comfort = 'login' | 'network'

/**
 * What a machine of an image will lack although it boots.
 * @param facts what the image has
 * @param machine what was chosen
 */
export function lacksOf(facts: ImageFacts, machine: MachineSettings): Comfort[] {
  const hasNetwork = facts.network !== null || machine.network.kind !== 'keep' || machine.wifi !== null
  return [
    ...(canLogIn(facts, machine) ? [] : (['login'] as const)),
    ...(hasNetwork ? [] : (['network'] as const)),
  ]
}

function canLogIn({ users, equipment }: ImageFacts, machine: MachineSettings): boolean {
  const { rootPassword, user, sshKeys } = machine
  const hasServer = machine.sshServer || equipment.includes('sshd')
  return (
    rootPassword.kind === 'empty' ||
    rootPassword.kind === 'hash' ||
    (user?.passwordHash ?? null) !== null ||
    (sshKeys.length > 0 && hasServer) ||
    users.some(
      ({ name, hasPassword, hasKeys }) =>
        (hasPassword && (name !== 'root' || rootPassword.kind === 'keep')) || (hasKeys && hasServer),
    )
  )
}

/**
 * The HOWTO's chain for one image.
 * @param facts what the image has
 * @param settings what was chosen
 * @param firmware for which the chosen engine's disks boot; empty where it lacks its boot loaders
 * @param runs what the engine that would prepare the image can run; null when there is none or it is not known
 * @returns the six links in their order
 */
export function chainOf(
  facts: ImageFacts,
  settings: BuildSettings,
  firmware: readonly ('bios' | 'uefi')[],
  runs: EngineArchitectures | null,
): ChainLink[] {
  const { preparation } = settings
  const text = (value: string): ChainLink['value'] => ({ kind: 'text', text: value })
  const applications = [...facts.applications.entrypoint, ...facts.applications.command].join(' ')
  const isKnown = bootableArchitectures.some((name) => name === facts.architecture)
  const part = (isThere: boolean): Pick<ChainLink, 'state' | 'note'> => {
    if (isThere) return { state: 'has', note: null }
    if (preparation === null) return { state: 'wrong', note: null }
    if (runs !== null && engineRuns(runs, facts.architecture) === false) {
      return { state: 'wrong', note: 'engine' }
    }
    return { state: 'added', note: facts.recipe === null ? 'own-dockerfile' : null }
  }
  const init = part(facts.init !== null && !replacesInit(facts))
  const lacks = lacksOf(facts, settings.machine)
  const [lack] = lacks
  const isInitThere = facts.init !== null && !replacesInit(facts)
  return [
    {
      ...{ name: 'disk', state: 'added', note: null },
      value: {
        kind: 'bytes',
        bytes: settings.sizeBytes ?? defaultDiskBytes(facts.sizeBytes) + swapRoom(settings).defaultBytes,
      },
    },
    { name: 'partition', state: 'added', note: null, value: text(settings.table.toUpperCase()) },
    isKnown && firmware.length > 0
      ? { name: 'bootloader', state: 'added', note: null, value: text(firmware.join(' + ').toUpperCase()) }
      : {
          ...{ name: 'bootloader', state: 'wrong' },
          note: isKnown ? null : 'architecture',
          value: isKnown ? { kind: 'none' } : text(`none for ${facts.architecture}`),
        },
    {
      name: 'kernel',
      ...part(facts.kernel !== null && facts.initramfs !== null),
      value: facts.kernel === null ? { kind: 'none' } : text(facts.kernel.version),
    },
    {
      name: 'init',
      ...(init.state === 'wrong' || lack === undefined
        ? init
        : ({ state: 'lacking', note: lacks.length > 1 ? 'login-network' : lack } as const)),
      value: isInitThere && facts.init !== null ? text(facts.init.kind) : { kind: 'none' },
    },
    {
      ...{ name: 'applications', state: 'has', note: null },
      value: applications === '' ? { kind: 'none' } : text(applications),
    },
  ]
}
