import { useEffect, useRef, useState } from 'react'
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components'
import type { HostState, ListedDisk } from '../../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../../shared/job'
import type { MachineChoice, PreviewState } from '../../../shared/preview'
import { firmwareTitles, outcomeTexts, phaseTitle } from '../../../shared/sentences'
import { useApi, useCall, useTopic } from '../../api/api'
import { Button } from '../../ui/button'
import { cx } from '../../ui/cx'
import {
  BackIcon,
  ConsoleIcon,
  FullScreenIcon,
  MachineIcon,
  PasteIcon,
  PictureIcon,
  PlayIcon,
  PowerIcon,
  ResetIcon,
  ScreenIcon,
  StopIcon,
} from '../../ui/icons'
import { FailureNotice } from '../../ui/notice'
import { EmptyPage, Page } from '../../ui/page'
import { KeyMenu } from './key-menu'
import { defaultChoice } from './machine-choice'
import { MachinePorts } from './machine-ports'
import { MachineSheet } from './machine-sheet'
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
  const state = useTopic('previews')?.find(({ previewId }) => previewId === session?.previewId)
  const [isChoosing, setIsChoosing] = useState(false)
  const start = useCall('startPreview')
  const stop = useCall('stopPreview')
  const powerDown = useCall('powerDownPreview')
  const reset = useCall('resetPreview')
  const cancel = useCall('cancelJob')
  const choice = previews.choiceOf(disk.id) ?? defaultChoice(disk, props.host)

  const startMachine = async (chosen: MachineChoice): Promise<void> => {
    if (session !== undefined) previews.drop(session.previewId)
    const answer = await start.run({ diskId: disk.id, choice: chosen })
    if (answer !== null) previews.open({ ...answer.value, diskId: disk.id })
  }
  const isRunning = job !== null && isActive(job)
  const startOther = async (chosen: MachineChoice): Promise<void> => {
    setIsChoosing(false)
    previews.choose(disk.id, chosen)
    if (isRunning && session !== undefined) await stop.run({ previewId: session.previewId })
    await startMachine(chosen)
  }
  const wasOpened = useRef(false)
  useEffect(() => {
    if (wasOpened.current) return
    wasOpened.current = true
    if (session === undefined && (job === null || !isActive(job))) void startMachine(choice)
  })

  const isOver = !isRunning && !start.pending
  const failure =
    [start, stop, powerDown, reset].map((call) => call.failure).find((one) => one !== null) ??
    (job?.state === 'failed' ? job.failure : null)
  const previewId = session?.previewId ?? ''
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
      facts={
        <span role="status">
          {stateWords(job, start.pending, state)} {fileWords(state?.choice ?? choice)}
        </span>
      }
      actions={
        <>
          <Button icon={<MachineIcon />} isDisabled={start.pending} onPress={() => setIsChoosing(true)}>
            Machine…
          </Button>
          {isOver ? (
            <Button look="primary" icon={<PlayIcon />} onPress={() => void startMachine(choice)}>
              Start again
            </Button>
          ) : (
            <>
              <Button
                icon={<PowerIcon />}
                isDisabled={session === undefined}
                onPress={() => void powerDown.run({ previewId })}
              >
                Power button
              </Button>
              <Button
                icon={<ResetIcon />}
                isDisabled={session === undefined}
                onPress={() => void reset.run({ previewId })}
              >
                Reset
              </Button>
              <Button
                icon={<StopIcon />}
                isDisabled={job === null}
                onPress={() => {
                  if (session !== undefined) void stop.run({ previewId })
                  else if (job !== null) void cancel.run({ jobId: job.id })
                }}
              >
                Force off
              </Button>
            </>
          )}
        </>
      }
    >
      {failure !== null && <FailureNotice failure={failure} />}
      {state !== undefined && <MachinePorts state={state} />}
      {session === undefined ? (
        <NoSession isRunning={isRunning} isStarting={start.pending} />
      ) : (
        <Machine key={session.previewId} session={session} isRunning={!isOver} />
      )}
      {isChoosing && (
        <MachineSheet
          disk={disk}
          host={props.host}
          choice={choice}
          isRunning={isRunning}
          isOpen
          onClose={() => setIsChoosing(false)}
          onStart={(chosen) => void startOther(chosen)}
        />
      )}
    </Page>
  )
}

function Machine({ session, isRunning }: { session: PreviewSession; isRunning: boolean }) {
  const call = useApi()
  const paste = useCall('pasteIntoPreview')
  const picture = useCall('savePreviewPicture')
  const [isFull, setIsFull] = useState(false)
  const [saved, setSaved] = useState<string | null>(null)
  const setFull = (full: boolean): void => {
    setIsFull(full)
    void call('setFullScreen', { isFull: full })
  }
  // The window does not stay full when the machine is no longer shown.
  useEffect(
    () => () => {
      void call('setFullScreen', { isFull: false })
    },
    [call],
  )
  const save = async (): Promise<void> => {
    const answer = await picture.run({ previewId: session.previewId })
    if (answer !== null) setSaved(answer.value)
  }
  const failure = paste.failure ?? picture.failure
  return (
    <Tabs className={cx(styles.tabs, isFull && styles.full)}>
      {failure !== null && <FailureNotice failure={failure} />}
      <div className={styles.bar}>
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
        <div className={styles.tools} role="group" aria-label="Tools">
          <KeyMenu session={session} isDisabled={!isRunning} />
          <Button
            look="quiet"
            icon={<PasteIcon />}
            isDisabled={!isRunning || paste.pending}
            onPress={() => void paste.run({ previewId: session.previewId })}
          >
            {paste.pending ? 'Typing' : 'Type the clipboard'}
          </Button>
          <Button
            look="quiet"
            icon={<PictureIcon />}
            isDisabled={!isRunning || picture.pending}
            onPress={() => void save()}
          >
            Picture…
          </Button>
          <Button look="quiet" icon={<FullScreenIcon />} onPress={() => setFull(!isFull)}>
            {isFull ? 'Leave full screen' : 'Full screen'}
          </Button>
        </div>
      </div>
      {saved !== null && (
        <p className={styles.saved} role="status">
          Saved {saved}
        </p>
      )}
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

function fileWords(choice: MachineChoice): string {
  return choice.keepChanges ? 'Its changes are kept in the file.' : 'The file stays as it was built.'
}

function stateWords(job: JobSnapshot | null, isStarting: boolean, state: PreviewState | undefined): string {
  if (isStarting || job?.state === 'queued') return 'Starting the machine.'
  switch (job?.state) {
    case 'running':
      return state === undefined ? `${phaseTitle(job.phase)}.` : machineWords(state)
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

/** `Running under UEFI, emulated: it came to a login.` */
function machineWords({ choice, accelerator, outcome }: PreviewState): string {
  const how = accelerator === 'tcg' ? 'emulated' : `with ${accelerator.toUpperCase()}`
  const came = outcome === null ? '' : `: ${outcomeTexts[outcome]}`
  return `Running under ${firmwareTitles[choice.firmware]}, ${how}${came}.`
}
