import { useState } from 'react'
import { chainOf, type BuildSettings, type ChainLinkName, type ImageFacts } from '../../../shared/image'
import type { HostState } from '../../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../../shared/job'
import { formatBytes } from '../../../shared/sentences'
import { Button } from '../../ui/button'
import { FailureNotice } from '../../ui/notice'
import { EmptyPage, Page } from '../../ui/page'
import { formatAge, useNow } from '../../words'
import { BuildBar } from './build-bar'
import { Chain } from './chain'
import { LinkPanel } from './link-panel'
import { useInspection } from './use-inspection'

export interface ImagePageProps {
  imageId: string
  /** What the list calls it, until the inspection answers. */
  name: string
  settings: BuildSettings
  onSettings: (settings: BuildSettings) => void
  host: HostState | undefined
  /** The last build of this image that was begun here. */
  job: JobSnapshot | null
  onStarted: (jobId: string) => void
  onShowDisk: (diskId: string) => void
}

/** An image is built into a disk: its chain, the chosen link, and the one button. */
export function ImagePage(props: ImagePageProps) {
  const [chosen, setChosen] = useState<ChainLinkName | null>(null)
  const occasion = props.job === null ? 0 : isActive(props.job) ? 1 : 2
  const { inspection, failure, again } = useInspection(props.imageId, occasion)
  const now = useNow()
  if (failure !== null && inspection === null) {
    return (
      <EmptyPage title={props.name}>
        <FailureNotice failure={failure} actions={<Button onPress={again}>Try again</Button>} />
      </EmptyPage>
    )
  }
  if (inspection === null) {
    return (
      <EmptyPage title={props.name}>
        <p role="status">Looking into the image.</p>
      </EmptyPage>
    )
  }
  const { facts, estimate } = inspection
  const links = chainOf(
    facts,
    props.settings,
    props.host?.engines[props.settings.engine].firmware ?? ['bios'],
  )
  const name = chosen ?? links.find(({ state }) => state === 'wrong')?.name ?? 'disk'
  return (
    <Page
      title={facts.name}
      facts={factsLine(facts, now)}
      footer={<BuildBar {...props} facts={facts} estimate={estimate} />}
    >
      <Chain links={links} chosen={name} onChoose={setChosen}>
        <LinkPanel
          name={name}
          facts={facts}
          settings={props.settings}
          onChange={props.onSettings}
          neededBytes={estimate.neededBytes}
          defaultBytes={estimate.defaultBytes}
          host={props.host}
        />
      </Chain>
    </Page>
  )
}

function factsLine(facts: ImageFacts, now: number): string {
  return [
    facts.distribution?.prettyName ?? 'Unknown distribution',
    facts.architecture,
    formatBytes(facts.sizeBytes),
    `made ${formatAge(facts.createdAt, now)}`,
  ].join(', ')
}
