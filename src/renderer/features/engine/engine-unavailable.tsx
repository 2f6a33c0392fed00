import type { Failure } from '../../../shared/failure'
import { describeFailure } from '../../../shared/sentences'
import { Button } from '../../ui/button'
import { helpFor, HelpButton } from '../../ui/notice'
import { EmptyPage } from '../../ui/page'
import styles from './engine.module.css'

const titles: Partial<Record<Failure['code'], string>> = {
  'engine-absent': 'No Docker on this computer yet',
  'engine-stopped': 'Docker is not running',
  'engine-forbidden': 'Docker may not be used by this account',
}

/** The whole page while there is no engine: what is the matter, what works all the same, and what to do. */
export function EngineUnavailable({
  failure,
  onOpenArchive,
}: {
  failure: Failure
  onOpenArchive: () => void
}) {
  const text = describeFailure(failure)
  const help = helpFor(failure)
  return (
    <EmptyPage title={titles[failure.code] ?? 'Docker cannot be reached'}>
      <p>{text.happened}</p>
      <p>{text.kept}</p>
      {text.remedy !== '' && <p className={styles.remedy}>{text.remedy}</p>}
      <p className={styles.soft}>This page goes by itself as soon as the engine answers.</p>
      <p>An image that was saved to a file, or a root file system in a tar, can be built without Docker.</p>
      <div className={styles.buttons}>
        {help !== null && <HelpButton page={help.page}>{help.label}</HelpButton>}
        <Button onPress={onOpenArchive}>Open archive…</Button>
      </div>
    </EmptyPage>
  )
}
