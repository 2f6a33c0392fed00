import { useEffect, useRef } from 'react'
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components'
import type { HostState, ListedDisk } from '../../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../../shared/job'
import { phaseTitle } from '../../../shared/sentences'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { BackIcon, ConsoleIcon, PlayIcon, PowerIcon, ScreenIcon, StopIcon } from '../../ui/icons'
import { FailureNotice } from '../../ui/notice'
import { EmptyPage, Page } from '../../ui/page'
import { defaultChoice } from './machine-choice'
import styles from './preview.module.css'
import { Screen } from './screen'
import { SerialConsole } from './serial-console'
import { usePreviews, type PreviewSession } from './sessions'

/**
 * A disk's machine, running inside the window. It starts when the page is
 * opened for a disk that has no machine yet.
 * @param job the newest preview of this disk, or null
 */
export function PreviewPage(props: {
  disk: ListedDisk
  host: HostState | undefined
  job: JobSnapshot | null
  onBack: () => void
}) {
  const { disk, job } = props
  const previews = usePreviews()
  const session = previews.sessions.findLast(({ diskId }) => diskId === disk.id)
  const start = useCall('startPreview')
  const stop = useCall('stopPreview')
  const powerDown = useCall('powerDownPreview')
  const cancel = useCall('cancelJob')

  const startMachine = async (): Promise<void> => {
    if (session !== undefined) previews.drop(session.previewId)
    const answer = await start.run({ diskId: disk.id, choice: defaultChoice(disk, props.host) })
    if (answer !== null) previews.open({ ...answer.value, diskId: disk.id })
  }
  const wasOpened = useRef(false)
  useEffect(() => {
    if (wasOpened.current) return
    wasOpened.current = true
    if (session === undefined && (job === null || !isActive(job))) void startMachine()
  })

  const isRunning = job !== null && isActive(job)
  const isOver = !isRunning && !start.pending
  const failure =
    start.failure ?? stop.failure ?? powerDown.failure ?? (job?.state === 'failed' ? job.failure : null)
  return (
    <Page
      back={
        <span className={styles.back}>
          <Button look="quiet" size="small" icon={<BackIcon />} onPress={props.onBack}>
            Back to the disk
          </Button>
        </span>
      }
      title={disk.name}
      facts={<span role="status">{stateWords(job, start.pending)} The file stays as it was built.</span>}
      actions={
        isOver ? (
          <Button look="primary" icon={<PlayIcon />} onPress={() => void startMachine()}>
            Start again
          </Button>
        ) : (
          <>
            <Button
              icon={<PowerIcon />}
              isDisabled={session === undefined}
              onPress={() => session && void powerDown.run({ previewId: session.previewId })}
            >
              Power off
            </Button>
            <Button
              icon={<StopIcon />}
              isDisabled={job === null}
              onPress={() => {
                if (session !== undefined) void stop.run({ previewId: session.previewId })
                else if (job !== null) void cancel.run({ jobId: job.id })
              }}
            >
              Stop
            </Button>
          </>
        )
      }
    >
      {failure !== null && <FailureNotice failure={failure} />}
      {session === undefined ? (
        <NoSession isRunning={isRunning} isStarting={start.pending} />
      ) : (
        <Machine key={session.previewId} session={session} isRunning={!isOver} />
      )}
    </Page>
  )
}

function Machine({ session, isRunning }: { session: PreviewSession; isRunning: boolean }) {
  return (
    <Tabs className={styles.tabs ?? ''}>
      <TabList className={styles.tabList ?? ''} aria-label="Views of the machine">
        <Tab id="screen" className={styles.tab ?? ''}>
          <ScreenIcon />
          Screen
        </Tab>
        <Tab id="serial" className={styles.tab ?? ''}>
          <ConsoleIcon />
          Serial console
        </Tab>
      </TabList>
      <TabPanel id="screen" className={styles.panel ?? ''}>
        <Screen session={session} isRunning={isRunning} />
      </TabPanel>
      <TabPanel id="serial" className={styles.panel ?? ''}>
        <SerialConsole session={session} />
      </TabPanel>
    </Tabs>
  )
}

/** The screen cannot be had: nothing was started yet, or it belongs to a window that was reloaded. */
function NoSession({ isRunning, isStarting }: { isRunning: boolean; isStarting: boolean }) {
  if (isStarting) return <EmptyPage title="Starting the machine">{null}</EmptyPage>
  if (!isRunning) return null
  return (
    <EmptyPage title="This machine runs without its screen">
      <p>The window was loaded anew since it was started. Stop it and start it again to see it.</p>
    </EmptyPage>
  )
}

function stateWords(job: JobSnapshot | null, isStarting: boolean): string {
  if (isStarting || job?.state === 'queued') return 'Starting the machine.'
  switch (job?.state) {
    case 'running':
      return `${phaseTitle(job.phase)}.`
    case 'cancelling':
      return 'Stopping.'
    case 'failed':
      return 'The preview failed.'
    case 'succeeded':
    case 'cancelled':
      return 'The machine is off.'
    case undefined:
      return 'The machine is off.'
  }
}
