import type { EngineState } from '../../../shared/ipc/contract'
import { cx } from '../../ui/cx'
import { EngineIcon } from '../../ui/icons'
import styles from './engine.module.css'

/** Whether the engine can be used, in a few words for the header. */
export function EngineStatus({ engine }: { engine: EngineState | undefined }) {
  const state = engine?.state ?? 'connecting'
  return (
    <p className={styles.status} role="status" aria-label="Container engine">
      <EngineIcon />
      <span>{engine?.state === 'ready' ? `${engine.name} ${engine.version}` : 'Docker'}</span>
      <span className={styles.word}>{words[state]}</span>
      <span className={cx(styles.lamp, styles[state])} />
    </p>
  )
}

const words = { connecting: 'connecting', ready: 'ready', unavailable: 'not available' } as const
