import type { Failure } from '../../../shared/failure'
import { describeFailure } from '../../../shared/sentences'
import { helpFor, HelpButton } from '../../ui/notice'
import { EmptyPage } from '../../ui/page'
import styles from './engine.module.css'

const titles: Partial<Record<Failure['code'], string>> = {
  'engine-absent': 'No Docker on this computer yet',
  'engine-stopped': 'Docker is not running',
  'engine-forbidden': 'Docker may not be used by this account',
}

/** The whole page while there is no engine: what is the matter, what works all the same, and what to do. */
export function EngineUnavailable({ failure }: { failure: Failure }) {
  const text = describeFailure(failure)
  const help = helpFor(failure)
  return (
    <EmptyPage title={titles[failure.code] ?? 'Docker cannot be reached'}>
      <p>{text.happened}</p>
      <p>{text.kept}</p>
      {text.remedy !== '' && <p className={styles.remedy}>{text.remedy}</p>}
      <p className={styles.soft}>This page goes by itself as soon as the engine answers.</p>
      {help !== null && (
        <div className={styles.buttons}>
          <HelpButton page={help.page}>{help.label}</HelpButton>
        </div>
      )}
    </EmptyPage>
  )
}
