import { useCallback, useState } from 'react'
import { isActive, type JobSnapshot } from '../../shared/job'
import { useTopic } from '../api/api'
import { DiskList } from '../features/disks/disk-list'
import { DriveList } from '../features/drives/drive-list'
import { EngineStatus } from '../features/engine/engine-status'
import { WriteSheet } from '../features/flash/write-sheet'
import { ImageList } from '../features/images/image-list'
import { DropZone, OpeningFailure, useArchiveOpening } from '../features/images/open-archive'
import { JobBar } from '../features/jobs/job-bar'
import { Mark } from '../ui/icons'
import { PlacePage } from './place-page'
import type { Place } from './place'
import styles from './slipway-window.module.css'

/** The one window: header, three nouns at the side, the page of the chosen one, work in progress at the foot. */
export function SlipwayWindow() {
  const engine = useTopic('engine')
  const images = useTopic('images')
  const disks = useTopic('disks')
  // Drives that are built in are nothing to write to; the guards say which, so an allowed one would show.
  const drives = useTopic('drives')?.filter(({ reasons }) => !reasons.includes('not-removable'))
  const jobs = useTopic('jobs') ?? []
  const [place, setPlace] = useState<Place | null>(null)
  /** The disk whose write sheet is open, and the write that the sheet shows. */
  const [writing, setWriting] = useState<{ diskId: string; jobId: string | null } | null>(null)

  const showOpened = useCallback(([id]: readonly string[]) => {
    if (id !== undefined) setPlace({ kind: 'image', id })
  }, [])
  const opening = useArchiveOpening(showOpened)

  const openSheet = (diskId: string): void => {
    const running = jobs.findLast((job) => job.kind === 'flash' && job.diskId === diskId && isActive(job))
    setWriting({ diskId, jobId: running?.id ?? null })
  }
  const diskToWrite = disks?.find(({ id }) => id === writing?.diskId)
  const chosen = (kind: Place['kind']): string | null => (place?.kind === kind ? place.id : null)
  return (
    <div className={styles.window}>
      <header className={styles.header}>
        <p className={styles.brand}>
          <Mark />
          Slipway
        </p>
        <EngineStatus engine={engine} />
      </header>
      <nav className={styles.side} aria-label="Images, disks and drives">
        <ImageList
          images={images}
          engine={engine}
          chosen={chosen('image')}
          onChoose={(id) => setPlace({ kind: 'image', id })}
          opening={opening}
        />
        <DiskList
          disks={disks}
          chosen={chosen('disk') ?? chosen('preview')}
          onChoose={(id) => setPlace({ kind: 'disk', id })}
        />
        <DriveList
          drives={drives}
          chosen={chosen('drive')}
          onChoose={(id) => setPlace({ kind: 'drive', id })}
        />
      </nav>
      <main className={styles.main}>
        <PlacePage place={place} onPlace={setPlace} onWrite={openSheet} onOpenArchive={opening.choose} />
      </main>
      <JobBar
        jobs={jobs}
        onShowDisk={(id) => setPlace({ kind: 'disk', id })}
        previewShown={chosen('preview')}
        onShowPreview={(id) => setPlace({ kind: 'preview', id })}
      />
      <OpeningFailure opening={opening} />
      <DropZone onDrop={opening.drop} />
      {writing !== null && diskToWrite !== undefined && (
        <WriteSheet
          disk={diskToWrite}
          drives={drives ?? []}
          job={jobById(jobs, writing.jobId)}
          onStarted={(jobId) => setWriting({ ...writing, jobId })}
          onAgain={() => setWriting({ ...writing, jobId: null })}
          onClose={() => setWriting(null)}
        />
      )}
    </div>
  )
}

function jobById(jobs: readonly JobSnapshot[], id: string | null): JobSnapshot | null {
  return jobs.find((job) => job.id === id) ?? null
}
