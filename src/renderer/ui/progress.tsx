import { ProgressBar } from 'react-aria-components'
import styles from './progress.module.css'

/**
 * A thin bar. The words beside it are the caller's.
 * @param label names it for a screen reader
 * @param fraction 0 to 1, or null while it cannot be known
 */
export function Progress({ label, fraction }: { label: string; fraction: number | null }) {
  return (
    <ProgressBar
      aria-label={label}
      className={styles.track ?? ''}
      isIndeterminate={fraction === null}
      value={fraction ?? 0}
      maxValue={1}
      formatOptions={{ style: 'percent' }}
    >
      {({ isIndeterminate, percentage }) => (
        <div
          className={isIndeterminate ? styles.unknown : styles.fill}
          style={isIndeterminate ? undefined : { width: `${percentage ?? 0}%` }}
        />
      )}
    </ProgressBar>
  )
}
