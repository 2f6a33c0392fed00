import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { ok, type Result } from '../../shared/failure'
import type { ImageSummary } from '../../shared/image'
import type { JobEnding } from '../../shared/job'
import { archivedImageSource } from './archive/image-source'
import type { ArchivedImage } from './archive/images'
import { lookIntoArchive, type UnpackImages } from './archive/open-archive'
import { rootfsName, rootfsTarSource } from './rootfs-tar'
import type { TreeSource } from './tree-source'
import type { UnpackedCopy } from './archive/unpack'

/** The archives that were opened in this window: what they hold is listed among the images. */
export interface OpenedArchives {
  list(): ImageSummary[]
  /**
   * Opens an archive of images or a tar of a root file system, in place of what it held when it was opened before.
   * Nothing of its content is read but what says what it is; an archive of images that is packed as a whole is unpacked.
   * @param path absolute; that of an OCI layout's folder or of the index in it
   * @returns the ids under which it is listed, null when its unpacking was cancelled, or `archive-missing`,
   *   `archive-invalid`, `archive-digest`, `archive-no-room`, `tool-missing`, or what starting it was answered
   */
  open(path: string): Promise<Result<string[] | null>>
  /** Takes one off the list; the file stays. */
  close(id: string): void
  /** What to build from; null for an id that is not on the list. */
  source(id: string): TreeSource | null
}

/** Starts an archive's unpacking as a job, which a person sees and can cancel: `busy` while the same is unpacked. */
export type StartUnpacking = (
  path: string,
  run: UnpackImages,
) => Result<{ ending: Promise<JobEnding<ArchivedImage[] | null>> }>

/**
 * Begins with none.
 * @param onChange told the whole list after each change
 */
export function openedArchives(
  onChange: (images: ImageSummary[]) => void,
  startUnpacking: StartUnpacking,
): OpenedArchives {
  const opened = new Map<string, Opened>()
  const remove = (id: string): boolean => {
    void opened.get(id)?.copy?.release()
    return opened.delete(id)
  }
  const list = (): ImageSummary[] => [...opened.values()].map(({ image }) => image)
  return {
    list,
    async open(asked) {
      // A dialog that chooses files cannot choose a folder: a layout's own files stand for it.
      const path = ['index.json', 'oci-layout'].includes(basename(asked)) ? dirname(asked) : asked
      const found = await entriesOf(path, startUnpacking)
      if (!found.ok) return found
      if (found.value === null) return ok(null)
      for (const [id, { image }] of opened) if (image.file === path) remove(id)
      for (const entry of found.value) opened.set(entry.image.id, entry)
      onChange(list())
      return ok(found.value.map(({ image }) => image.id))
    },
    close(id) {
      if (remove(id)) onChange(list())
    },
    source: (id) => opened.get(id)?.source ?? null,
  }
}

interface Opened {
  image: ImageSummary
  source: TreeSource
  /** What it lies in where its archive was packed as a whole. */
  copy: UnpackedCopy | null
}

/** Null when the unpacking was cancelled. */
async function entriesOf(path: string, startUnpacking: StartUnpacking): Promise<Result<Opened[] | null>> {
  const looked = await lookIntoArchive(path, new AbortController().signal)
  if (!looked.ok) return looked
  let images = looked.value
  if (typeof images === 'function') {
    const started = startUnpacking(path, images)
    if (!started.ok) return started
    const ending = await started.value.ending
    if (ending.state === 'cancelled') return ok(null)
    if (ending.state === 'failed') return { ok: false, failure: ending.failure }
    images = ending.value
  }
  // The engine may have the very same image: its own id is not enough.
  const place = `file:${createHash('sha256').update(path).digest('hex').slice(0, 16)}`
  if (images === null) {
    const { size, mtimeMs } = await stat(path)
    const image: ImageSummary = {
      id: `${place}:tree`,
      names: [rootfsName(path)],
      sizeBytes: size,
      createdAt: Math.round(mtimeMs),
      architecture: '',
      file: path,
    }
    return ok([{ image, source: rootfsTarSource(path), copy: null }])
  }
  return ok(
    images.map((one) => ({
      image: {
        id: `${place}:${one.id}`,
        names: one.names,
        sizeBytes: one.layerBytes,
        createdAt: one.createdAt,
        architecture: one.architecture,
        file: path,
      },
      source: archivedImageSource(path, one),
      copy: one.copy,
    })),
  )
}
