import { useState } from 'react'
import type { BuildSettings } from '../../shared/image'
import { isActive } from '../../shared/job'
import { useTopic } from '../api/api'
import type { ImageToWrite } from '../features/convert/build-bar'
import { ImagePage } from '../features/convert/image-page'
import { DiskPage } from '../features/disks/disk-page'
import { DriveGone, DrivePage } from '../features/drives/drive-page'
import { EngineUnavailable } from '../features/engine/engine-unavailable'
import { imageName } from '../features/images/image-name'
import { ImageGone, NoImages, Welcome } from '../features/images/welcome'
import { PreviewPage } from '../features/preview/preview-page'
import { EmptyPage } from '../ui/page'
import type { Place } from './place'

/** What was set and begun for an image, kept while other pages are shown. */
interface ImageWork {
  /** Null until something is chosen. */
  settings: BuildSettings | null
  jobId: string | null
}

const noWork: ImageWork = { settings: null, jobId: null }

/** The page of the chosen place; without one, or without an engine, what to do first. */
export function PlacePage(props: {
  place: Place | null
  onPlace: (place: Place) => void
  onWrite: (diskId: string) => void
  /** Opens the sheet that builds an image straight onto drives. */
  onWriteImage: (image: ImageToWrite & { id: string }) => void
  onOpenArchive: () => void
}) {
  const { place, onPlace } = props
  const engine = useTopic('engine')
  const images = useTopic('images')
  const disks = useTopic('disks')
  const drives = useTopic('drives')
  const host = useTopic('host')
  const jobs = useTopic('jobs') ?? []
  const [work, setWork] = useState<ReadonlyMap<string, ImageWork>>(new Map())

  // What was opened from a file needs no engine.
  const isFile = place?.kind === 'image' && images?.some(({ id, file }) => id === place.id && file !== null)
  if (place === null || (place.kind === 'image' && isFile !== true)) {
    if (engine?.state === 'unavailable') {
      return <EngineUnavailable failure={engine.failure} onOpenArchive={props.onOpenArchive} />
    }
    if (engine?.state !== 'ready' || images === undefined) return null
  }
  switch (place?.kind) {
    case undefined:
      return images?.length === 0 ? <NoImages /> : <Welcome />
    case 'image': {
      const image = images?.find(({ id }) => id === place.id)
      if (image === undefined) return <ImageGone />

      const own = work.get(image.id) ?? noWork
      const setOwn = (change: (before: ImageWork) => ImageWork): void =>
        setWork((before) => new Map(before).set(image.id, change(before.get(image.id) ?? noWork)))
      return (
        <ImagePage
          key={image.id}
          imageId={image.id}
          name={imageName(image)}
          settings={own.settings}
          onSettings={(change) => setOwn((before) => ({ ...before, settings: change(before.settings) }))}
          host={host}
          runs={engine?.state === 'ready' ? engine.architectures : null}
          job={jobs.find(({ id }) => id === own.jobId) ?? null}
          onStarted={(jobId) => setOwn((before) => ({ ...before, jobId }))}
          onShowDisk={(id) => onPlace({ kind: 'disk', id })}
          onWrite={(asked) => props.onWriteImage({ id: image.id, ...asked })}
        />
      )
    }
    case 'disk':
    case 'preview': {
      const disk = disks?.find(({ id }) => id === place.id)
      const preview = jobs.findLast((job) => job.kind === 'preview' && job.diskId === place.id) ?? null
      if (disk === undefined) return disks === undefined ? null : <DiskGone />
      if (place.kind === 'preview') {
        return (
          <PreviewPage
            key={disk.id}
            disk={disk}
            host={host}
            job={preview}
            onBack={() => onPlace({ kind: 'disk', id: disk.id })}
          />
        )
      }
      return (
        <DiskPage
          key={disk.id}
          disk={disk}
          host={host}
          isPreviewed={preview !== null && isActive(preview)}
          isProving={jobs.some((job) => job.kind === 'proof' && job.diskId === disk.id && isActive(job))}
          onPreview={() => onPlace({ kind: 'preview', id: disk.id })}
          onWrite={() => props.onWrite(disk.id)}
        />
      )
    }
    case 'drive': {
      const drive = drives?.find(({ key }) => key === place.id)
      if (drive === undefined) return drives === undefined ? null : <DriveGone />
      return <DrivePage drive={drive} />
    }
  }
}

function DiskGone() {
  return (
    <EmptyPage title="This disk is no longer on the list">
      <p>It was deleted or taken off. Build it again from its image.</p>
    </EmptyPage>
  )
}
