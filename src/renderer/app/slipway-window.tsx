import { useCallback, useState } from 'react'
import type { ListedDisk, OpenedFile } from '../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../shared/job'
import { useTopic } from '../api/api'
import { DiskList } from '../features/disks/disk-list'
import { DriveList } from '../features/drives/drive-list'
import { EngineStatus } from '../features/engine/engine-status'
import { WriteSheet } from '../features/flash/write-sheet'
import type { WriteSource } from '../features/flash/write-source'
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
  const allDrives = useTopic('drives')
  // Drives that are built in are nothing to write to; the guards say which, so an allowed one would show.
  const drives = allDrives?.filter(({ reasons }) => !reasons.includes('not-removable'))
  const jobs = useTopic('jobs') ?? []
  const host = useTopic('host')
  const [place, setPlace] = useState<Place | null>(null)
  /** What the open write sheet writes, and the write that it shows. */
  const [writing, setWriting] = useState<{ source: WriteSource; jobId: string | null } | null>(null)

  const showOpened = useCallback(([id]: readonly string[]) => {
    if (id !== undefined) setPlace({ kind: 'image', id })
  }, [])
  const writeFile = useCallback((file: OpenedFile) => {
    // A write that is shown, or drives that are being confirmed, stay.
    setWriting((before) => before ?? { source: { kind: 'file', ...file }, jobId: null })
  }, [])
  const opening = useArchiveOpening(showOpened, writeFile)

  const openSheet = (diskId: string): void => {
    const disk = disks?.find(({ id }) => id === diskId)
    if (disk === undefined) return
    const running = jobs.findLast((job) => job.kind === 'flash' && job.diskId === diskId && isActive(job))
    const { id, name, sizeBytes } = disk
    const source: WriteSource = { kind: 'disk', id, name, sizeBytes, isSizeKnown: true }
    setWriting({ source, jobId: running?.id ?? null })
  }
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
          onFile={writeFile}
        />
      </nav>
      <main className={styles.main}>
        <PlacePage
          place={place}
          onPlace={setPlace}
          onWrite={openSheet}
          onWriteImage={(source) => setWriting({ source: { kind: 'image', ...source }, jobId: null })}
          onOpenArchive={opening.choose}
        />
      </main>
      <JobBar
        jobs={jobs}
        onShowDisk={(id) => setPlace({ kind: 'disk', id })}
        previewShown={chosen('preview')}
        onShowPreview={(id) => setPlace({ kind: 'preview', id })}
      />
      <OpeningFailure opening={opening} />
      <DropZone onDrop={opening.drop} />
      {writing !== null && isThere(writing.source, disks) && (
        <WriteSheet
          source={writing.source}
          drives={allDrives ?? []}
          platform={host?.platform}
          job={jobById(jobs, writing.jobId)}
          onStarted={(jobId) => setWriting({ ...writing, jobId })}
          onAgain={() => setWriting({ ...writing, jobId: null })}
          onClose={() => setWriting(null)}
        />
      )}
    </div>
  )
}

/** A disk may be taken off the list while its sheet is open. */
function isThere(source: WriteSource, disks: readonly ListedDisk[] | undefined): boolean {
  return source.kind !== 'disk' || (disks?.some(({ id }) => id === source.id) ?? false)
}

function jobById(jobs: readonly JobSnapshot[], id: string | null): JobSnapshot | null {
  return jobs.find((job) => job.id === id) ?? null
}
