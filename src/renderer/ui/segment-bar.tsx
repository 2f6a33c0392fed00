import { formatBytes } from '../../shared/amounts'
import { cx } from './cx'
import styles from './segment-bar.module.css'

export interface Segment {
  id: string
  name: string
  /** Bytes. */
  sizeBytes: number
  isFree: boolean
}

const colours = [styles.first, styles.second, styles.third, styles.fourth]

/** Shares below this (of the whole) are drawn wider than they are, so that they can be read; less where many would. */
const LEAST_SHARE = 0.115
const LEAST_SHARES_TOGETHER = 0.5

/**
 * A medium drawn as a bar of its parts, each with its name and size.
 * @param label names the bar for a screen reader, which hears the parts as a list
 */
export function SegmentBar({ label, segments }: { label: string; segments: readonly Segment[] }) {
  const total = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  const least = Math.min(LEAST_SHARE, LEAST_SHARES_TOGETHER / segments.length)
  let used = 0
  return (
    <ul className={styles.bar} aria-label={label}>
      {segments.map((segment) => (
        <li
          key={segment.id}
          className={cx(styles.segment, segment.isFree ? styles.free : colours[used++ % colours.length])}
          style={{ flexGrow: Math.max(least, total === 0 ? 1 : segment.sizeBytes / total) }}
          title={`${segment.name}, ${formatBytes(segment.sizeBytes)}`}
        >
          <span className={styles.name}>{segment.name}</span>
          <span className={styles.size}>{formatBytes(segment.sizeBytes)}</span>
        </li>
      ))}
    </ul>
  )
}
