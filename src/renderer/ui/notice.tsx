import type { ReactNode } from 'react'
import { useApi } from '../api/api'
import type { Failure } from '../../shared/failure'
import type { CallInput } from '../../shared/ipc/contract'
import type { JobTarget } from '../../shared/job'
import { describeFailure } from '../../shared/sentences'
import { Button } from './button'
import { NoticeIcon } from './icons'
import styles from './notice.module.css'

/** Something a person should know before going on. */
export function Notice({ children }: { children: ReactNode }) {
  return (
    <div className={styles.notice}>
      <NoticeIcon />
      <div className={styles.body}>{children}</div>
    </div>
  )
}

type HelpPage = CallInput<'openHelp'>['page']

/** The page of help that a failure has, with the words of its button; null for most. */
export function helpFor(failure: Failure): { page: HelpPage; label: string } | null {
  if (failure.code === 'engine-absent') return { page: 'docker-install', label: 'How to install Docker' }
  if (failure.code === 'engine-forbidden') return { page: 'docker-permission', label: 'How to allow it' }
  if (failure.code === 'tool-missing' && failure.facts.tool.startsWith('qemu')) {
    return { page: 'qemu-install', label: 'How to install QEMU' }
  }
  return null
}

/** Opens a page of help in the system's browser. */
export function HelpButton({ page, children }: { page: HelpPage; children: ReactNode }) {
  const call = useApi()
  return <Button onPress={() => void call('openHelp', { page })}>{children}</Button>
}

/**
 * A failure in its three sentences, and buttons that do something about it.
 * @param targets the drives of the job that failed, where it was a write
 * @param actions buttons, beside the one for help that some failures have
 */
export function FailureNotice(props: {
  failure: Failure
  targets?: readonly JobTarget[] | undefined
  actions?: ReactNode
}) {
  const { failure, targets, actions } = props
  const text = describeFailure(failure, targets)
  const help = helpFor(failure)
  return (
    <div className={styles.notice} role="alert">
      <NoticeIcon />
      <div className={styles.body}>
        <p className={styles.happened}>{text.happened}</p>
        <p>{text.kept}</p>
        {text.remedy !== '' && <p>{text.remedy}</p>}
        {(help !== null || actions !== undefined) && (
          <div className={styles.actions}>
            {help !== null && <HelpButton page={help.page}>{help.label}</HelpButton>}
            {actions}
          </div>
        )}
      </div>
    </div>
  )
}
