import { useEffect, useState } from 'react'
import type { Failure } from '../../../shared/failure'
import {
  defaultSettingsFor,
  equippedSettings,
  isBootable,
  unmetSettings,
  type BuildSettings,
  type ImageFacts,
  type RecipeFamily,
} from '../../../shared/image'
import type { CallValue } from '../../../shared/ipc/contract'
import { machineSettingsSchema, type MachineSettings } from '../../../shared/machine'
import { useApi } from '../../api/api'

/** What a derived image would be made by, and what it adds. */
export type Proposal = CallValue<'proposeDockerfile'>

/** How it stands with the preparation of an image. */
export interface PreparationState {
  isNeeded: boolean
  /** There is no recipe: the Dockerfile is the person's own. */
  isOwn: boolean
  proposal: Proposal | null
  failure: Failure | null
  /** Shows the Dockerfile. */
  onShow: () => void
}

/** Milliseconds without a change before a new Dockerfile is asked for. */
const PAUSE = 250

export const familyNames: Record<RecipeFamily, string> = {
  debian: 'Debian',
  ubuntu: 'Ubuntu',
  alpine: 'Alpine',
  fedora: 'Fedora',
  arch: 'Arch',
  opensuse: 'openSUSE',
}

/** Whether an image cannot become the chosen disk as it is. A data disk is not a machine, and needs nothing. */
export function needsPreparation(facts: ImageFacts, { boot, machine }: BuildSettings): boolean {
  return boot && (!isBootable(facts) || unmetSettings(facts, machine).length > 0)
}

/**
 * The settings that an image's page works with: those chosen, with a
 * preparation exactly where one is needed and there is a recipe for it, or a Dockerfile of the person's own.
 * @param facts what the image has
 * @param chosen what was chosen now or before, or null
 */
export function settingsFor(facts: ImageFacts, chosen: BuildSettings | null): BuildSettings {
  const settings = chosen ?? defaultSettingsFor(facts)
  const dockerfile = settings.preparation?.dockerfile ?? null
  const isPossible = facts.recipe !== null || (dockerfile !== null && canWriteDockerfile(facts))
  if (!needsPreparation(facts, settings) || !isPossible) return { ...settings, preparation: null }
  const anew = settings.preparation?.anew ?? false
  return {
    ...settings,
    preparation: { dockerfile: dockerfile === null ? null : fromImage(dockerfile, facts.id), anew },
  }
}

/** Whether only a Dockerfile of the person's own could prepare an image. */
export function canWriteDockerfile({ recipe, file }: ImageFacts): boolean {
  return recipe === null && file === null
}

/**
 * What a person begins with where there is no recipe: a Dockerfile that says what it is for and does nothing yet.
 * @param facts what the image has
 * @param machine what was chosen
 */
export function emptyDockerfile(facts: ImageFacts, machine: MachineSettings): string {
  const parts = { kernel: 'a kernel', initramfs: 'an initial RAM disk', init: 'an init system' }
  const lacks = facts.missing.flatMap((part) => (part in parts ? [parts[part as keyof typeof parts]] : []))
  const needs = unmetSettings(facts, machine).map((name) => equippedSettings[name][0].join(' and '))
  return [
    '# Slipway has no recipe for this image. Write below what installs its parts.',
    ...(lacks.length === 0 ? [] : [`# It lacks: ${lacks.join(', ')}.`]),
    ...(needs.length === 0 ? [] : [`# Your settings need: ${needs.join(', ')}.`]),
    '# Slipway looks for /boot/vmlinuz-VERSION, /boot/initrd.img-VERSION and /sbin/init.',
    '# No files of this computer are there. Those of another image come by:',
    '#   COPY --from=IMAGE /PATH /PATH',
    `FROM ${facts.id}`,
    'USER root',
    '',
  ].join('\n')
}

/** A Dockerfile that was changed for an earlier image of the same name names that one's id: it is for this one now. */
function fromImage(dockerfile: string, id: string): string {
  return dockerfile.replace(/^FROM sha256:[0-9a-f]{64}/m, `FROM ${id}`)
}

/** Packages of the proposal that an edited Dockerfile does not name. */
export function leftOut(proposal: Proposal, dockerfile: string): string[] {
  const words = new Set(dockerfile.split(/[\s\\;&|=]+/))
  return proposal.adds.filter((name) => !words.has(name))
}

/**
 * Asks for the Dockerfile that adds to an image what it and the settings lack.
 * @param imageId the image
 * @param machine what was chosen; while something in it cannot be used, the last answer stays
 * @param isNeeded whether to ask at all
 * @returns the answer, or the failure, both null until there is one
 */
export function useProposal(
  imageId: string,
  machine: MachineSettings,
  isNeeded: boolean,
): { proposal: Proposal | null; failure: Failure | null } {
  const call = useApi()
  const [proposal, setProposal] = useState<Proposal | null>(null)
  const [failure, setFailure] = useState<Failure | null>(null)
  const asked = isNeeded && machineSettingsSchema.safeParse(machine).success ? JSON.stringify(machine) : null
  useEffect(() => {
    if (asked === null) return
    let current = true
    const ask = async (): Promise<void> => {
      const answer = await call('proposeDockerfile', {
        imageId,
        machine: JSON.parse(asked) as MachineSettings,
      })
      if (!current) return
      setProposal((before) => (answer.ok ? answer.value : before))
      setFailure(answer.ok ? null : answer.failure)
    }
    const timer = setTimeout(() => void ask(), PAUSE)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [call, imageId, asked])
  return isNeeded ? { proposal, failure } : { proposal: null, failure: null }
}
