import { isActive, type JobSnapshot } from '../../../shared/job'
import { formatDuration } from '../../../shared/amounts'
import { describeFailure, phaseTitle } from '../../../shared/sentences'
import { formatPercent, formatSpeed } from '../../words'

/** What a job does, or how it ended, in a few words. */
export function jobHeadline(job: JobSnapshot): string {
  switch (job.state) {
    case 'queued':
      return 'Waiting'
    case 'running':
      return phaseTitle(job.phase)
    case 'cancelling':
      return job.kind === 'preview' ? 'Stopping' : 'Cancelling'
    case 'cancelled':
      return cancelledWords[job.kind] ?? 'Cancelled, and cleaned up'
    case 'failed':
      return describeFailure(job.failure).happened
    case 'succeeded':
      return (job.targets?.length ?? 0) > 1
        ? 'Written and compared. The sticks may be pulled'
        : endings[job.kind]
  }
}

const cancelledWords: Partial<Record<JobSnapshot['kind'], string>> = {
  preview: 'The machine was stopped',
  // Of a stick that was begun nothing comes back.
  flash: 'Writing was cancelled',
}

const endings: Record<JobSnapshot['kind'], string> = {
  open: 'The archive is unpacked',
  build: 'The disk is built',
  preview: 'The machine is off',
  proof: 'The disk boots',
  flash: 'Written and compared. The stick may be pulled',
}

/** How much of a job is done, 0 to 1, or null while it cannot be known: nobody can say it of packages that are being installed. */
export function shownFraction(job: JobSnapshot): number | null {
  return job.state === 'running' && job.phase !== 'image' ? job.fraction : null
}

/** Share, speed and time left of a running job, those that are known. */
export function jobNumbers(job: JobSnapshot): string[] {
  // A preview that runs has no end to wait for.
  if (job.state !== 'running' || job.phase === 'run') return []
  const fraction = shownFraction(job)
  return [
    fraction === null ? null : formatPercent(fraction),
    job.bytesPerSecond === null ? null : formatSpeed(job.bytesPerSecond),
    job.remaining === null ? null : `${formatDuration(job.remaining)} left`,
  ].filter((part) => part !== null)
}

/** The job that the bar shows: a running build or write before a running preview, else the one that ended last. */
export function foremostJob(jobs: readonly JobSnapshot[]): JobSnapshot | null {
  const active = jobs.filter(isActive)
  const work = active.filter(({ kind }) => kind !== 'preview')
  return work.at(-1) ?? active.at(-1) ?? jobs.toSorted((a, b) => endOf(a) - endOf(b)).at(-1) ?? null
}

function endOf(job: JobSnapshot): number {
  return 'endedAt' in job ? job.endedAt : job.startedAt
}
