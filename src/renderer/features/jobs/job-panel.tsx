import { useEffect, useRef, useState } from 'react'
import { ListBox, ListBoxItem, Text } from 'react-aria-components'
import { isActive, type JobSnapshot } from '../../../shared/job'
import { useApi } from '../../api/api'
import { useCopyMenu } from '../../ui/copy-menu'
import { FailureNotice } from '../../ui/notice'
import { jobHeadline } from './job-words'
import styles from './jobs.module.css'

/** Milliseconds between two readings of a running job's log. */
const LOG_INTERVAL = 700

/** All jobs, and of the shown one its failure, if it failed, and its log. */
export function JobPanel(props: {
  jobs: readonly JobSnapshot[]
  shown: JobSnapshot
  onChoose: (jobId: string) => void
}) {
  const { jobs, shown } = props
  return (
    <div className={styles.panel}>
      {jobs.length > 1 && (
        <ListBox
          aria-label="Jobs"
          className={styles.jobs ?? ''}
          items={jobs.toReversed().map((job) => ({ id: job.id, job }))}
          selectionMode="single"
          selectionBehavior="replace"
          selectedKeys={[shown.id]}
          onSelectionChange={(keys) => {
            if (keys === 'all') return
            const [id] = keys
            if (id !== undefined) props.onChoose(String(id))
          }}
        >
          {({ id, job }) => (
            <ListBoxItem id={id} textValue={job.title} className={styles.job ?? ''}>
              <Text slot="label" className={styles.jobTitle ?? ''}>
                {job.title}
              </Text>
              <Text slot="description" className={styles.jobState ?? ''}>
                {jobHeadline(job)}
              </Text>
            </ListBoxItem>
          )}
        </ListBox>
      )}
      <div className={styles.detail}>
        {shown.state === 'failed' && <FailureNotice failure={shown.failure} targets={shown.targets} />}
        <JobLog key={shown.id} jobId={shown.id} isActive={isActive(shown)} />
      </div>
    </div>
  )
}

function JobLog({ jobId, isActive }: { jobId: string; isActive: boolean }) {
  const call = useApi()
  const [lines, setLines] = useState<readonly string[]>([])
  const output = useRef<HTMLPreElement>(null)
  const followsEnd = useRef(true)
  const menu = useCopyMenu()
  useEffect(() => {
    let current = true
    const read = async (): Promise<void> => {
      const answer = await call('readJobLog', { jobId })
      if (current && answer.ok) setLines(answer.value)
    }
    void read()
    const timer = isActive ? setInterval(() => void read(), LOG_INTERVAL) : undefined
    return () => {
      current = false
      clearInterval(timer)
    }
  }, [call, jobId, isActive])
  useEffect(() => {
    if (followsEnd.current && output.current !== null) output.current.scrollTop = output.current.scrollHeight
  }, [lines])
  const text = lines.join('\n')
  return (
    <>
      <pre
        ref={output}
        className={styles.log}
        role="log"
        aria-live="off"
        aria-label="Log"
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          followsEnd.current = scrollHeight - scrollTop - clientHeight < 40
        }}
        onContextMenu={menu.open([{ label: 'Copy log', text: text.slice(-10_000) }])}
      >
        {text === '' ? 'Nothing was logged yet.' : text}
      </pre>
      {menu.element}
    </>
  )
}
