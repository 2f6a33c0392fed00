import type { ReactNode } from 'react'
import { isActive, type JobSnapshot, type JobTarget } from '../../../shared/job'
import { formatDuration } from '../../../shared/amounts'
import { describeFailure, phaseTitle } from '../../../shared/sentences'
import { Button } from '../../ui/button'
import { cx } from '../../ui/cx'
import { CheckIcon } from '../../ui/icons'
import { FailureNotice, Notice } from '../../ui/notice'
import { Progress } from '../../ui/progress'
import { formatPercent, formatSpeed } from '../../words'
import styles from './flash.module.css'

const steps = ['prepare', 'elevate', 'write', 'verify'] as const

/** The course of a write: permission, write, compare, and how it ended, for several drives each of them. */
export function WriteProgress({ job }: { job: JobSnapshot }) {
  const targets = job.targets !== undefined && job.targets.length > 1 ? job.targets : []
  return (
    <>
      <Course job={job} isOfMany={targets.length > 0} />
      {targets.length > 0 && <Targets targets={targets} isOver={!isActive(job)} />}
    </>
  )
}

function Course({ job, isOfMany }: { job: JobSnapshot; isOfMany: boolean }) {
  if (job.state === 'failed') return <FailureNotice failure={job.failure} targets={job.targets} />
  if (job.state === 'cancelled') {
    return (
      <div role="status">
        <Notice>
          <p className={styles.strong}>Writing was cancelled.</p>
          <p>
            {isOfMany
              ? 'Sticks that were not finished hold no usable disk.'
              : 'If it had begun, the stick holds no usable disk.'}{' '}
            The file is as it was.
          </p>
        </Notice>
      </div>
    )
  }
  if (job.state === 'succeeded') {
    return (
      <div className={styles.done} role="status">
        <CheckIcon size={20} />
        <div>
          <p className={styles.strong}>
            {isOfMany ? 'All of them may be pulled.' : 'The stick may be pulled.'}
          </p>
          <p>Written and compared in {formatDuration(job.endedAt - job.startedAt)}.</p>
        </div>
      </div>
    )
  }
  const phase = job.state === 'running' ? job.phase : null
  const current = phase === null ? -1 : steps.findIndex((step) => step === phase)
  return (
    <div className={styles.running}>
      <ol className={styles.steps}>
        {steps.map((step, index) => (
          <li
            key={step}
            className={cx(
              styles.stepName,
              index === current && styles.current,
              index < current && styles.past,
            )}
            aria-current={index === current ? 'step' : undefined}
          >
            {index < current && <CheckIcon size={14} />}
            {phaseTitle(step)}
          </li>
        ))}
      </ol>
      <Progress label={`Writing to ${job.title}`} fraction={job.state === 'running' ? job.fraction : null} />
      {!isOfMany && job.targets?.[0]?.stalled === true && (
        <Notice>
          <p role="status">{stalledWords('It')}</p>
        </Notice>
      )}
      <p className={styles.numbers}>{job.state === 'cancelling' ? 'Cancelling.' : numbers(job)}</p>
      <p className={styles.soft}>
        {isOfMany
          ? 'Leave each stick where it is until it is written and compared.'
          : 'Leave the stick where it is until this says that it may be pulled.'}{' '}
        The sheet can be closed: the work goes on, and the bar at the foot of the window shows it.
      </p>
    </div>
  )
}

function stalledWords(drive: string): string {
  return `${drive} does not answer. It may be busy with itself; one that stays silent for three minutes has failed.`
}

const targetWords: Record<JobTarget['state'], string> = {
  waiting: 'Waiting',
  write: 'Writing',
  verify: 'Comparing',
  done: 'Written and compared',
  failed: 'Failed',
}

/** How each drive stands. A drive that failed says why; the others go on. */
function Targets({ targets, isOver }: { targets: readonly JobTarget[]; isOver: boolean }) {
  return (
    <ul className={styles.targets} aria-label="Drives">
      {targets.map(({ name, device, state, fraction, stalled, failure }) => (
        <li key={device} className={styles.targetRow}>
          <div className={styles.targetHead}>
            <span>
              <strong>{name}</strong> <code className={styles.device}>{device}</code>
            </span>
            <span
              className={cx(
                styles.numbers,
                state === 'done' && styles.past,
                state === 'failed' && styles.failed,
              )}
            >
              {isOver && state !== 'done' && state !== 'failed' ? 'Not finished' : targetWords[state]}
              {!isOver && fraction !== null && state !== 'done' && state !== 'failed'
                ? `, ${formatPercent(fraction)}`
                : ''}
            </span>
          </div>
          {/* Named, for it is read out without the row that it is in. */}
          {stalled && !isOver && <p role="status">{stalledWords(device)}</p>}
          {failure === null ? (
            !isOver && (
              <Progress label={`Writing to ${name}, ${device}`} fraction={state === 'done' ? 1 : fraction} />
            )
          ) : (
            <p>
              {describeFailure(failure).happened} {describeFailure(failure).kept}
            </p>
          )}
        </li>
      ))}
    </ul>
  )
}

function numbers(job: JobSnapshot): string {
  if (job.state !== 'running') return 'Waiting.'
  if (job.phase === 'elevate') return 'The system may ask for a password in a window of its own.'
  return [
    job.fraction === null ? null : formatPercent(job.fraction),
    job.bytesPerSecond === null ? null : formatSpeed(job.bytesPerSecond),
    job.remaining === null ? null : `${formatDuration(job.remaining)} left in this step`,
  ]
    .filter((part) => part !== null)
    .join(', ')
}

/** The buttons that fit the state of a write. */
export function writeFooter(props: {
  job: JobSnapshot
  onClose: () => void
  onAgain: () => void
  onCancel: () => void
}): ReactNode {
  if (isActive(props.job)) {
    return (
      <>
        <Button onPress={props.onCancel} isDisabled={props.job.state === 'cancelling'}>
          Cancel writing
        </Button>
        <Button onPress={props.onClose}>Close</Button>
      </>
    )
  }
  if (props.job.state === 'succeeded') {
    return (
      <>
        <Button onPress={props.onAgain}>Write another stick</Button>
        <Button look="primary" onPress={props.onClose}>
          Done
        </Button>
      </>
    )
  }
  return (
    <>
      <Button onPress={props.onClose}>Close</Button>
      <Button look="primary" onPress={props.onAgain}>
        Choose again
      </Button>
    </>
  )
}
