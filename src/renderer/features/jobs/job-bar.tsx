import { useState } from 'react'
import { isActive, type JobSnapshot } from '../../../shared/job'
import { useApi } from '../../api/api'
import { Button } from '../../ui/button'
import { ChevronDownIcon, ChevronUpIcon, CloseIcon } from '../../ui/icons'
import { Progress } from '../../ui/progress'
import { foremostJob, jobHeadline, jobNumbers, shownFraction } from './job-words'
import { JobPanel } from './job-panel'
import styles from './jobs.module.css'

/** What can be looked at when a job has ended, or while it runs. */
export interface JobLinks {
  onShowDisk: (diskId: string) => void
  onShowPreview: (diskId: string) => void
  /** The disk whose preview is on the page already. */
  previewShown: string | null
}

/**
 * Work in progress: one quiet bar at the foot of the window that survives
 * every change of page, and opens into the log.
 */
export function JobBar({ jobs, ...links }: { jobs: readonly JobSnapshot[] } & JobLinks) {
  const [isOpen, setIsOpen] = useState(false)
  const [chosenId, setChosenId] = useState<string | null>(null)
  const foremost = foremostJob(jobs)
  const shown = (isOpen ? jobs.find(({ id }) => id === chosenId) : undefined) ?? foremost
  return (
    <footer className={styles.foot} aria-label="Work in progress">
      <p className={styles.announcement} role="status">
        {foremost === null ? '' : `${foremost.title}: ${jobHeadline(foremost)}`}
      </p>
      {shown !== null && (
        <>
          {isOpen && <JobPanel jobs={jobs} shown={shown} onChoose={setChosenId} />}
          <div className={styles.bar}>
            <JobLine job={shown} />
            <div className={styles.buttons}>
              <JobButtons job={shown} {...links} />
              <Button
                look="quiet"
                icon={isOpen ? <ChevronDownIcon /> : <ChevronUpIcon />}
                aria-expanded={isOpen}
                onPress={() => setIsOpen(!isOpen)}
              >
                {shown.state === 'failed' ? 'What to do' : jobs.length > 1 ? `Log (${jobs.length})` : 'Log'}
              </Button>
            </div>
          </div>
        </>
      )}
    </footer>
  )
}

function JobLine({ job }: { job: JobSnapshot }) {
  const showsProgress = isActive(job) && !(job.state === 'running' && job.phase === 'run')
  return (
    <div className={styles.line}>
      <p className={styles.words}>
        <span className={styles.headline}>{jobHeadline(job)}</span>
        <span className={styles.title}>{job.title}</span>
        {jobNumbers(job).map((number) => (
          <span key={number} className={styles.number}>
            {number}
          </span>
        ))}
      </p>
      {showsProgress && (
        <Progress label={`${jobHeadline(job)}, ${job.title}`} fraction={shownFraction(job)} />
      )}
    </div>
  )
}

/** Whether the disk's page has more to say of how the job ended. */
function shows(job: JobSnapshot): boolean {
  return job.kind === 'proof' || (job.state === 'succeeded' && job.kind === 'build')
}

function JobButtons({ job, onShowDisk, onShowPreview, previewShown }: { job: JobSnapshot } & JobLinks) {
  const call = useApi()
  const { diskId } = job
  if (isActive(job)) {
    return (
      <>
        {job.kind === 'preview' && diskId !== null && diskId !== previewShown && (
          <Button onPress={() => onShowPreview(diskId)}>Show preview</Button>
        )}
        <Button
          isDisabled={job.state === 'cancelling'}
          onPress={() => void call('cancelJob', { jobId: job.id })}
        >
          {job.kind === 'preview' ? 'Stop' : 'Cancel'}
        </Button>
      </>
    )
  }
  return (
    <>
      {shows(job) && diskId !== null && <Button onPress={() => onShowDisk(diskId)}>Show the disk</Button>}
      <Button look="quiet" icon={<CloseIcon />} onPress={() => void call('dismissJob', { jobId: job.id })}>
        Dismiss
      </Button>
    </>
  )
}
