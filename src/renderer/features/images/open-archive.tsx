import { useCallback, useEffect, useState } from 'react'
import type { Failure, Result } from '../../../shared/failure'
import type { Dropped, OpenedFile } from '../../../shared/ipc/contract'
import { useApi, useOpenDropped } from '../../api/api'
import { Button } from '../../ui/button'
import { FailureNotice } from '../../ui/notice'
import { Sheet } from '../../ui/sheet'
import styles from './images.module.css'

export interface ArchiveOpening {
  /** Lets a person choose a file. */
  choose: () => void
  /** Opens files that were dropped, one after the other. */
  drop: (files: readonly File[]) => void
  isPending: boolean
  failure: Failure | null
  clear: () => void
}

/**
 * Opens archives of images and tars of root file systems, by the dialog (also by Ctrl+O) or by dropping them.
 * A disk that is dropped is not opened but to be written.
 * @param onOpened told the ids of what an archive holds
 * @param onFile told of a disk that can be written
 */
export function useArchiveOpening(
  onOpened: (ids: readonly string[]) => void,
  onFile: (file: OpenedFile) => void,
): ArchiveOpening {
  const call = useApi()
  const openDropped = useOpenDropped()
  const [isPending, setIsPending] = useState(false)
  const [failure, setFailure] = useState<Failure | null>(null)

  const run = useCallback(
    async (opening: () => Promise<Result<Dropped | null>>) => {
      setIsPending(true)
      setFailure(null)
      const opened = await opening()
      setIsPending(false)
      if (!opened.ok) setFailure(opened.failure)
      else if (opened.value?.kind === 'images') onOpened(opened.value.ids)
      else if (opened.value !== null) onFile(opened.value.file)
    },
    [onOpened, onFile],
  )
  const choose = useCallback(() => {
    void run(async () => {
      const opened = await call('openArchive', null)
      return opened.ok && opened.value !== null
        ? { ok: true, value: { kind: 'images', ids: opened.value } }
        : (opened as Result<null>)
    })
  }, [run, call])
  const drop = useCallback(
    (files: readonly File[]) => {
      void (async () => {
        for (const file of files) await run(() => openDropped(file))
      })()
    },
    [run, openDropped],
  )
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isShortcut = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey
      // A guest that was given the key, in the preview, has taken it.
      if (event.defaultPrevented || !isShortcut || event.key.toLowerCase() !== 'o') return
      event.preventDefault()
      choose()
    }
    document.addEventListener('keydown', onKey)
    return () => {
      document.removeEventListener('keydown', onKey)
    }
  }, [choose])
  return { choose, drop, isPending, failure, clear: () => setFailure(null) }
}

/** Says why a file could not be opened. */
export function OpeningFailure({ opening }: { opening: ArchiveOpening }) {
  const { failure, choose, clear } = opening
  const again = (): void => {
    clear()
    choose()
  }
  return (
    <Sheet
      title="This file was not opened"
      isOpen={failure !== null}
      onClose={clear}
      footer={
        <>
          <Button onPress={again}>Choose another…</Button>
          <Button look="primary" onPress={clear}>
            Close
          </Button>
        </>
      }
    >
      {failure !== null && <FailureNotice failure={failure} />}
    </Sheet>
  )
}

/** The files of a drag, or none when something else is dragged. */
function filesOf(event: DragEvent): File[] | null {
  const { dataTransfer } = event
  if (dataTransfer === null || ![...dataTransfer.types].includes('Files')) return null
  return [...dataTransfer.files]
}

/** The whole window takes files that are dropped on it, and says so while they hover. */
export function DropZone({ onDrop }: { onDrop: (files: readonly File[]) => void }) {
  const [isHovered, setIsHovered] = useState(false)
  useEffect(() => {
    const over = (event: DragEvent): void => {
      if (filesOf(event) === null) return
      event.preventDefault()
      setIsHovered(true)
    }
    const leave = (event: DragEvent): void => {
      // Between two elements of the page there is one that it goes to.
      if (event.relatedTarget === null) setIsHovered(false)
    }
    const drop = (event: DragEvent): void => {
      const files = filesOf(event)
      setIsHovered(false)
      if (files === null) return
      event.preventDefault()
      if (files.length > 0) onDrop(files)
    }
    document.addEventListener('dragover', over)
    document.addEventListener('dragleave', leave)
    document.addEventListener('drop', drop)
    return () => {
      document.removeEventListener('dragover', over)
      document.removeEventListener('dragleave', leave)
      document.removeEventListener('drop', drop)
    }
  }, [onDrop])
  if (!isHovered) return null
  return (
    <div className={styles.dropZone}>
      <p className={styles.dropWords}>
        Drop to open: an archive of an image, a tar of a root file system, or a disk to be written
      </p>
    </div>
  )
}
