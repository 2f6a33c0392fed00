import { useEffect, useRef, useState } from 'react'
import type { HostState, ListedDisk } from '../../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../../shared/job'
import type { MachineChoice } from '../../../shared/preview'
import { useCall, useTopic } from '../../api/api'
import { Button } from '../../ui/button'
import { BackIcon, MachineIcon, PlayIcon, PowerIcon, ResetIcon, StopIcon } from '../../ui/icons'
import { FailureNotice } from '../../ui/notice'
import { EmptyPage, Page } from '../../ui/page'
import { defaultChoice } from './machine-choice'
import { MachinePorts } from './machine-ports'
import { MachineSheet } from './machine-sheet'
import { MachineView } from './machine-view'
import { fallbackWords, fileWords, stateWords } from './machine-words'
import styles from './preview.module.css'
import { usePreviews } from './sessions'

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
  const [isChoosing, setIsChoosing] = useState(false)
  const start = useCall('startPreview')
  // While another machine is started the one before is nothing to look at.
  const session = start.pending ? undefined : previews.sessions.findLast(({ diskId }) => diskId === disk.id)
  const state = useTopic('previews')?.find(({ previewId }) => previewId === session?.previewId)
  const stop = useCall('stopPreview')
  const powerDown = useCall('powerDownPreview')
  const reset = useCall('resetPreview')
  const cancel = useCall('cancelJob')
  const choice = previews.choiceOf(disk.id) ?? defaultChoice(disk, props.host)

  const startMachine = async (chosen: MachineChoice): Promise<void> => {
    await start.run({ diskId: disk.id, choice: chosen })
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
      {state !== undefined && (state.fallback !== null || state.ports.length > 0) && (
        <div>
          {state.fallback !== null && <p className={styles.note}>{fallbackWords(state.fallback)}</p>}
          <MachinePorts state={state} />
        </div>
      )}
      {session === undefined ? (
        <NoSession isRunning={isRunning} isStarting={start.pending} />
      ) : (
        <MachineView key={session.previewId} session={session} isRunning={!isOver} />
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

/** There is no screen yet, or none any more. */
function NoSession({ isRunning, isStarting }: { isRunning: boolean; isStarting: boolean }) {
  return isStarting || isRunning ? <EmptyPage title="Starting the machine">{null}</EmptyPage> : null
}
