import { useEffect, useMemo, useState } from 'react'
import { chainOf, type ChainLink, type ChainLinkName } from '../../../shared/chain'
import {
  buildSettingsSchema,
  swapRoom,
  type BuildSettings,
  type EngineArchitectures,
  type ImageFacts,
} from '../../../shared/image'
import type { HostState } from '../../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../../shared/job'
import { initOfRecipe } from '../../../shared/recipe'
import { formatBytes } from '../../../shared/amounts'
import { useApi } from '../../api/api'
import { Button } from '../../ui/button'
import { FailureNotice } from '../../ui/notice'
import { EmptyPage, Page } from '../../ui/page'
import { formatAge, useNow } from '../../words'
import { machineErrors, type MachineError } from '../machine/rules'
import { BuildBar, type ImageToWrite } from './build-bar'
import { Chain } from './chain'
import { initNames, LinkPanel } from './link-panel'
import {
  canWriteDockerfile,
  emptyDockerfile,
  familyNames,
  needsPreparation,
  settingsFor,
  useProposal,
} from './preparation'
import { PreparationSheet } from './preparation-sheet'
import { useInspection, type Inspection } from './use-inspection'

/** Milliseconds without a change before the settings are saved. */
const PAUSE = 400

export interface ImagePageProps {
  imageId: string
  /** What the list calls it, until the inspection answers. */
  name: string
  /** What was chosen here, or null while nothing was: then the saved settings hold, else the image's own. */
  settings: BuildSettings | null
  onSettings: (change: (before: BuildSettings | null) => BuildSettings) => void
  host: HostState | undefined
  /** What the engine can run, once it is known. */
  runs: EngineArchitectures | null
  /** The last build of this image that was begun here. */
  job: JobSnapshot | null
  onStarted: (jobId: string) => void
  onShowDisk: (diskId: string) => void
  onWrite: (image: ImageToWrite) => void
}

/** An image is built into a disk: its chain, the chosen link, and the one button. */
export function ImagePage(props: ImagePageProps) {
  const occasion = props.job === null ? 0 : isActive(props.job) ? 1 : 2
  const { inspection, failure, again } = useInspection(props.imageId, occasion)
  if (inspection !== null) return <InspectedImage {...props} inspection={inspection} />
  return (
    <EmptyPage title={props.name}>
      {failure === null ? (
        <p role="status">Looking into the image.</p>
      ) : (
        <FailureNotice failure={failure} actions={<Button onPress={again}>Try again</Button>} />
      )}
    </EmptyPage>
  )
}

function InspectedImage(props: ImagePageProps & { inspection: Inspection }) {
  const { facts, saved } = props.inspection
  const now = useNow()
  const [chosen, setChosen] = useState<ChainLinkName | null>(null)
  const [showsPreparation, setShowsPreparation] = useState(false)
  const settings = useMemo(() => settingsFor(facts, props.settings ?? saved), [facts, props.settings, saved])
  const isNeeded = needsPreparation(facts, settings)
  const { proposal, failure } = useProposal(
    props.imageId,
    settings.machine,
    isNeeded && facts.recipe !== null && settings.preparation !== null,
  )
  useSaved(props.imageId, props.settings)
  const change = (changed: (before: BuildSettings) => BuildSettings): void =>
    props.onSettings((before) => changed(before ?? settings))

  const swap = swapRoom(settings)
  const estimate = {
    ...props.inspection.estimate,
    neededBytes: props.inspection.estimate.neededBytes + swap.neededBytes,
    defaultBytes: props.inspection.estimate.defaultBytes + swap.defaultBytes,
  }
  const errors = machineErrors(settings.machine)
  const links = withErrors(
    chainOf(facts, settings, props.host?.engines[settings.engine].firmware ?? ['bios'], props.runs),
    facts,
    errors,
    settings.preparation !== null && settings.sizeBytes === null,
  )
  const name = chosen ?? links.find(({ state }) => state === 'wrong')?.name ?? 'disk'
  const isOwn = isNeeded && canWriteDockerfile(facts)
  const preparation = { isNeeded, isOwn, proposal, failure, onShow: () => setShowsPreparation(true) }
  return (
    <Page
      title={facts.name}
      facts={factsLine(facts, now)}
      actions={facts.file === null ? undefined : <CloseFile imageId={props.imageId} />}
      footer={
        <BuildBar
          {...props}
          settings={settings}
          facts={facts}
          estimate={estimate}
          errors={errors}
          preparation={preparation}
          onChoose={setChosen}
          onProve={(prove) => change((before) => ({ ...before, prove }))}
        />
      }
    >
      <Chain links={links} chosen={name} onChoose={setChosen}>
        <LinkPanel
          name={name}
          facts={facts}
          settings={settings}
          onChange={(changed) => change(() => changed)}
          onMachine={(changed) => change((before) => ({ ...before, machine: changed(before.machine) }))}
          errors={errors}
          preparation={preparation}
          neededBytes={estimate.neededBytes}
          defaultBytes={estimate.defaultBytes}
          host={props.host}
        />
      </Chain>
      {(isOwn || proposal !== null) && (
        <PreparationSheet
          imageName={facts.name}
          proposal={proposal}
          proposed={proposal?.dockerfile ?? emptyDockerfile(facts, settings.machine)}
          preparation={settings.preparation}
          onChange={(preparation) => change((before) => ({ ...before, preparation }))}
          isOpen={showsPreparation}
          onClose={() => setShowsPreparation(false)}
        />
      )}
    </Page>
  )
}

/** Saves what was chosen for the next time, once nothing changes and all of it can be used. */
function useSaved(imageId: string, settings: BuildSettings | null): void {
  const call = useApi()
  useEffect(() => {
    if (settings === null || !buildSettingsSchema.safeParse(settings).success) return
    // Preparing anew is for this once.
    const { preparation } = settings
    const kept = { ...settings, preparation: preparation === null ? null : { ...preparation, anew: false } }
    const timer = setTimeout(() => void call('saveSettings', { imageId, settings: kept }), PAUSE)
    return () => {
      clearTimeout(timer)
    }
  }, [call, imageId, settings])
}

/** The chain with what is to be mended in the settings, and with what a preparation will bring by name. */
function withErrors(
  links: readonly ChainLink[],
  facts: ImageFacts,
  errors: readonly MachineError[],
  isSizedLater: boolean,
): (ChainLink & { words?: string })[] {
  return links.map((link) => {
    if (errors.some((error) => error.link === link.name)) {
      return { ...link, state: 'wrong', words: 'needs a change' }
    }
    if (link.name === 'disk' && isSizedLater) return { ...link, value: { kind: 'text', text: 'made to fit' } }
    const isMade = link.state === 'added' || link.state === 'lacking'
    if (!isMade || link.value.kind !== 'none' || facts.recipe === null) return link
    const { family } = facts.recipe
    const text = link.name === 'init' ? initNames[initOfRecipe(family)] : `from ${familyNames[family]}`
    return { ...link, value: { kind: 'text', text } }
  })
}

function factsLine(facts: ImageFacts, now: number): string {
  return [
    facts.distribution?.prettyName ?? 'Unknown distribution',
    facts.architecture,
    formatBytes(facts.sizeBytes),
    `made ${formatAge(facts.createdAt, now)}`,
    ...(facts.file === null ? [] : [`from the file ${facts.file}`]),
  ].join(', ')
}

/** Takes what was opened from a file off the list. */
function CloseFile({ imageId }: { imageId: string }) {
  const call = useApi()
  return <Button onPress={() => void call('closeArchive', { imageId })}>Close file</Button>
}
