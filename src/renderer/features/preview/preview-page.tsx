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
  const isRunning = job !== null && isActive(job)
  const last = previews.sessions.findLast(({ diskId }) => diskId === disk.id)
  // Also one that was asked for before this page was opened.
  const isStarting = start.pending || (isRunning && last?.jobId !== job.id)
  // While another machine is started the one before is nothing to look at.
  const session = isStarting ? undefined : last
  const state = useTopic('previews')?.find(({ previewId }) => previewId === session?.previewId)
  const stop = useCall('stopPreview')
  const powerDown = useCall('powerDownPreview')
  const reset = useCall('resetPreview')
  const cancel = useCall('cancelJob')
  const choice = previews.choiceOf(disk.id) ?? defaultChoice(disk, props.host)

  /** What could not be done before says nothing of what is asked for now. */
  const clearFailures = (): void => {
    for (const call of [stop, powerDown, reset]) call.clear()
  }
  const startMachine = async (chosen: MachineChoice): Promise<void> => {
    clearFailures()
    await start.run({ diskId: disk.id, choice: chosen })
  }
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
  const jobFailure = job?.state === 'failed' ? job.failure : null
  // A start that failed came after the last job; how that ended counts more than what was asked of its machine before.
  const failure = start.failure ?? jobFailure ?? stop.failure ?? powerDown.failure ?? reset.failure
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
          <Button icon={<MachineIcon />} isDisabled={isStarting} onPress={() => setIsChoosing(true)}>
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
                onPress={() => {
                  clearFailures()
                  void reset.run({ previewId })
                }}
              >
                Reset
              </Button>
              <Button
                icon={<StopIcon />}
                isDisabled={job === null}
                onPress={() => {
                  clearFailures()
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
        <NoSession isStarting={isStarting} />
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
function NoSession({ isStarting }: { isStarting: boolean }) {
  return isStarting ? <EmptyPage title="Starting the machine">{null}</EmptyPage> : null
}
