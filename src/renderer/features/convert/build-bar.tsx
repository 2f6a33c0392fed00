import { bootObstacle, type BootObstacle } from '../../../shared/bootable'
import { pathForFormat } from '../../../shared/disk'
import { useState } from 'react'
import type { ChainLinkName } from '../../../shared/chain'
import type { Failure } from '../../../shared/failure'
import {
  bootableArchitectures,
  engineRuns,
  unmetSettings,
  type BuildSettings,
  type EngineArchitectures,
  type ImageFacts,
} from '../../../shared/image'
import type { CallValue, HostState } from '../../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../../shared/job'
import { recipeObstacle } from '../../../shared/recipe'
import { formatBytes } from '../../../shared/amounts'
import { describeFailure } from '../../../shared/sentences'
import { useCall } from '../../api/api'
import { Button, LinkButton } from '../../ui/button'
import { Copyable } from '../../ui/copy-menu'
import { Checkbox } from '../../ui/field'
import { FailureNotice } from '../../ui/notice'
import { plural } from '../../words'
import type { MachineError } from '../machine/rules'
import { linkTitles } from './chain'
import styles from './convert.module.css'
import { familyNames, type PreparationState } from './preparation'
import { argumentsError, sizeError } from './disk-settings'

/** What keeps a disk from being built, and the link where it can be mended, if there is one. */
export interface Obstacle {
  words: string
  link: ChainLinkName | null
}

/** An image of which a disk is to be built straight onto drives. */
export interface ImageToWrite {
  name: string
  settings: BuildSettings
  /** Bytes that a drive must hold; a lower bound when `isSizeKnown` is false. */
  sizeBytes: number
  isSizeKnown: boolean
}

/** Why no disk can be built now, or null when one can. */
export function buildObstacle(
  facts: ImageFacts,
  settings: BuildSettings,
  neededBytes: number,
  host: HostState | undefined,
  runs: EngineArchitectures | null,
  errors: readonly MachineError[],
): Obstacle | null {
  const wrongArchitecture = architectureObstacle(facts, settings, runs)
  if (wrongArchitecture !== null) return wrongArchitecture
  const lacking = settings.boot && settings.preparation === null ? lack(facts, settings) : null
  if (lacking !== null) return lacking
  if (settings.preparation?.dockerfile?.trim() === '') {
    return { words: 'The Dockerfile of the preparation is empty.', link: null }
  }
  if (settings.boot && settings.preparation?.dockerfile === null) {
    const impossible = recipeObstacle(facts, settings.machine)
    if (impossible !== null) return obstacleOf(impossible, settings)
  }
  const tooSmall = sizeError(settings, neededBytes)
  if (tooSmall !== null) return { words: tooSmall, link: 'disk' }
  const wrongArguments = argumentsError(settings)
  if (wrongArguments !== null) return { words: wrongArguments, link: 'kernel' }
  const [error] = errors
  if (error !== undefined) return { words: error.sentence, link: error.link }
  const ability = host?.engines[settings.engine]
  if (ability?.firmware.length === 0) {
    return {
      words: `Missing on this computer: ${ability.missing.join(', ')}. See Disk, “How it is built”.`,
      link: 'disk',
    }
  }
  return null
}

/** What the image lacks where nothing adds it, or null. */
function lack(facts: ImageFacts, settings: BuildSettings): Obstacle | null {
  const missing: string[] = []
  if (facts.kernel === null) missing.push('a kernel')
  else if (facts.initramfs === null) missing.push('an initial RAM disk')
  if (facts.init === null) missing.push('an init system')
  if (missing.length > 0) {
    return {
      words: `Cannot be built yet: the image lacks ${missing.join(' and ')}.`,
      link: facts.kernel === null || facts.initramfs === null ? 'kernel' : 'init',
    }
  }
  const [setting] = unmetSettings(facts, settings.machine)
  if (setting === undefined) return null
  return obstacleOf({ code: 'setting-unmet', facts: { image: facts.name, setting } }, settings)
}

/** No boot loaders for the image's architecture, or an engine that cannot run it to prepare it. */
function architectureObstacle(
  facts: ImageFacts,
  { boot, preparation }: BuildSettings,
  runs: EngineArchitectures | null,
): Obstacle | null {
  const { name: image, architecture } = facts
  if (boot && !bootableArchitectures.some((known) => known === architecture)) {
    const supported = bootableArchitectures.join(' and ')
    const failure = { code: 'image-architecture', facts: { image, architecture, supported } } as const
    return { words: describeFailure(failure).happened, link: 'bootloader' }
  }
  if (preparation === null || runs === null || engineRuns(runs, architecture) !== false) return null
  return {
    words: `Cannot be prepared here: the image is for ${architecture} computers, and Docker runs on one for ${runs.own}, which cannot run its programs.`,
    link: 'kernel',
  }
}

/** A failure that is known before, with the link of the setting that it is about. */
function obstacleOf(failure: Failure, { machine }: BuildSettings): Obstacle {
  const words = describeFailure(failure).happened
  if (failure.code === 'init-unknown') {
    const isRoom = machine.growRoot || machine.swapBytes !== null
    return { words, link: isRoom ? 'disk' : machine.locale === null ? 'applications' : 'init' }
  }
  const setting =
    failure.code.startsWith('setting-') && 'setting' in failure.facts ? failure.facts.setting : ''
  return { words, link: setting === 'grow' ? 'disk' : setting === 'firmware' ? 'kernel' : 'init' }
}

/** Why the disk cannot be booted when it is built, in a few words, or null when it can. */
function proofObstacle(
  facts: ImageFacts,
  { format, boot }: BuildSettings,
  host: HostState | undefined,
): string | null {
  const architecture = facts.architecture === 'arm64' ? 'arm64' : 'amd64'
  const firmware: ('bios' | 'uefi')[] = boot ? ['uefi'] : []
  const obstacle = bootObstacle({ format, firmware, architecture }, host?.qemu.firmware)
  return obstacle === null ? null : noProofWords[obstacle]
}

const noProofWords: Record<BootObstacle, string> = {
  data: 'Nothing on a data disk boots.',
  packed: 'Not of a packed disk.',
  'qemu-missing': 'QEMU is not installed.',
}

/** Where the disk goes, how large it is, and the button that builds it. */
export function BuildBar(props: {
  imageId: string
  facts: ImageFacts
  settings: BuildSettings
  /** With what the settings add to it. */
  estimate: CallValue<'estimateBuild'>
  host: HostState | undefined
  runs: EngineArchitectures | null
  errors: readonly MachineError[]
  preparation: PreparationState
  /** Shows a link of the chain. */
  onChoose: (link: ChainLinkName) => void
  job: JobSnapshot | null
  onProve: (prove: boolean) => void
  onStarted: (jobId: string) => void
  onShowDisk: (diskId: string) => void
  onWrite: (image: ImageToWrite) => void
}) {
  const { imageId, settings, estimate, job, preparation } = props
  const isPrepared = settings.preparation !== null
  const [chosenPath, setChosenPath] = useState<string | null>(null)
  const choose = useCall('chooseDiskPath')
  const build = useCall('buildDisk')
  const noProof = proofObstacle(props.facts, settings, props.host)
  const isBuilding = job !== null && isActive(job)
  const obstacleTo = (wish: BuildSettings): Obstacle | null =>
    buildObstacle(props.facts, wish, estimate.neededBytes, props.host, props.runs, props.errors)
  const obstacle = obstacleTo(settings)
  // A drive has its own size, and root's own engine writes files alone.
  const straight: BuildSettings = {
    ...settings,
    ...{ engine: 'direct', sizeBytes: null, format: 'raw', prove: false },
  }
  const straightObstacle = obstacleTo(straight)
  const path = pathForFormat(chosenPath ?? estimate.outputPath, settings.format)
  const builtDisk = job?.state === 'succeeded' ? job.diskId : null

  const changePath = async (): Promise<void> => {
    const answer = await choose.run({ imageId })
    if (answer?.value != null) setChosenPath(answer.value)
    build.clear()
  }
  const start = async (): Promise<void> => {
    const proves = settings.prove && noProof === null
    const answer = await build.run({ imageId, settings: { ...settings, prove: proves } })
    if (answer !== null) {
      setChosenPath(null)
      props.onStarted(answer.value.jobId)
    }
  }
  // What stands against a preparation is said as an obstacle already.
  const failure = build.failure ?? choose.failure ?? (obstacle === null ? preparation.failure : null)
  const notes = [
    settings.preparation === null ? null : preparationNote(preparation, settings.preparation.anew),
    isPrepared && props.runs !== null && engineRuns(props.runs, props.facts.architecture) === null
      ? `The image is for ${props.facts.architecture}: where Docker cannot run its programs, preparing fails at once.`
      : null,
    isPrepared && settings.sizeBytes === null
      ? 'The disk is made to fit.'
      : `${formatBytes(settings.sizeBytes ?? estimate.defaultBytes)}.`,
    settings.engine === 'kernel' && props.host?.elevation.needed === true
      ? 'Asks for an administrator’s password.'
      : null,
  ].filter((note) => note !== null)
  const showLink = (link: ChainLinkName | null): void => {
    if (link !== null) props.onChoose(link)
  }
  return (
    <div className={styles.buildBar}>
      {failure !== null && (
        <FailureNotice
          failure={failure}
          actions={
            failure.code.startsWith('output-') || failure.code === 'no-space' ? (
              <Button onPress={() => void changePath()}>Choose another place…</Button>
            ) : undefined
          }
        />
      )}
      <div className={styles.buildRow}>
        <div className={styles.output}>
          <p className={styles.outputLine}>
            <Copyable label="Copy path" text={path} />
            <Button size="small" isDisabled={isBuilding || choose.pending} onPress={() => void changePath()}>
              Change…
            </Button>
          </p>
          {obstacle === null ? (
            <p id="build-note" className={styles.soft}>
              {notes.join(' ')}
              {isPrepared && (preparation.isOwn || preparation.proposal !== null) && (
                <>
                  {' '}
                  <LinkButton onPress={preparation.onShow}>Show how</LinkButton>
                </>
              )}
            </p>
          ) : (
            <p id="build-note" className={styles.obstacle}>
              {obstacle.words}
              {obstacle.link !== null && (
                <>
                  {' '}
                  <LinkButton onPress={() => showLink(obstacle.link)}>
                    Show {linkTitles[obstacle.link]}
                  </LinkButton>
                </>
              )}
            </p>
          )}
        </div>
        <Checkbox
          isSelected={settings.prove && noProof === null}
          isDisabled={noProof !== null}
          onChange={props.onProve}
          {...(noProof === null ? {} : { detail: noProof })}
        >
          Prove after build
        </Checkbox>
        {builtDisk !== null && <Button onPress={() => props.onShowDisk(builtDisk)}>Show the disk</Button>}
        <Button
          isDisabled={straightObstacle !== null || isBuilding}
          onPress={() =>
            props.onWrite({
              ...{ name: props.facts.name, settings: straight },
              ...{ sizeBytes: estimate.neededBytes, isSizeKnown: !isPrepared },
            })
          }
        >
          Write to a stick directly…
        </Button>
        <Button
          look="primary"
          isDisabled={obstacle !== null || isBuilding || build.pending}
          aria-describedby="build-note"
          onPress={() => void start()}
        >
          {isBuilding ? 'Building' : isPrepared ? 'Prepare and build disk' : 'Build disk'}
        </Button>
      </div>
    </div>
  )
}

function preparationNote({ proposal, isOwn }: PreparationState, anew: boolean): string {
  const begin = anew ? 'Prepares the image anew first' : 'Prepares the image first'
  if (isOwn) return `${begin}, by your Dockerfile.`
  if (proposal === null) return `${begin}.`
  const added = plural(proposal.adds.length, 'package', 'packages')
  const proof = proposal.proven ? '' : ' (unproven)'
  return `${begin}: ${added} of ${familyNames[proposal.family]}${proof}.`
}
