import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { ok, type Result } from '../../shared/failure'
import type { ImageSummary } from '../../shared/image'
import { archivedImageSource } from './archive/image-source'
import { openArchive } from './archive/open-archive'
import { rootfsName, rootfsTarSource } from './rootfs-tar'
import type { TreeSource } from './tree-source'

/** The archives that were opened in this window: what they hold is listed among the images. */
export interface OpenedArchives {
  list(): ImageSummary[]
  /**
   * Opens an archive of images or a tar of a root file system, in place of what it held when it was opened before.
   * Nothing of its content is read but what says what it is.
   * @param path absolute; that of an OCI layout's folder or of the index in it
   * @returns the ids under which it is listed, or `archive-missing`, `archive-invalid`, `archive-digest`, `tool-missing`
   */
  open(path: string): Promise<Result<string[]>>
  /** Takes one off the list; the file stays. */
  close(id: string): void
  /** What to build from; null for an id that is not on the list. */
  source(id: string): TreeSource | null
}

/**
 * Begins with none.
 * @param onChange told the whole list after each change
 */
export function openedArchives(onChange: (images: ImageSummary[]) => void): OpenedArchives {
  const opened = new Map<string, { image: ImageSummary; source: TreeSource }>()
  const list = (): ImageSummary[] => [...opened.values()].map(({ image }) => image)
  return {
    list,
    async open(asked) {
      // A dialog that chooses files cannot choose a folder: a layout's own files stand for it.
      const path = ['index.json', 'oci-layout'].includes(basename(asked)) ? dirname(asked) : asked
      const found = await entriesOf(path)
      if (!found.ok) return found
      for (const [id, { image }] of opened) if (image.file === path) opened.delete(id)
      for (const entry of found.value) opened.set(entry.image.id, entry)
      onChange(list())
      return ok(found.value.map(({ image }) => image.id))
    },
    close(id) {
      if (opened.delete(id)) onChange(list())
    },
    source: (id) => opened.get(id)?.source ?? null,
  }
}

async function entriesOf(path: string): Promise<Result<{ image: ImageSummary; source: TreeSource }[]>> {
  const images = await openArchive(path, new AbortController().signal)
  if (!images.ok) return images
  // The engine may have the very same image: its own id is not enough.
  const place = `file:${createHash('sha256').update(path).digest('hex').slice(0, 16)}`
  if (images.value === null) {
    const { size, mtimeMs } = await stat(path)
    const image: ImageSummary = {
      id: `${place}:tree`,
      names: [rootfsName(path)],
      sizeBytes: size,
      createdAt: Math.round(mtimeMs),
      architecture: '',
      file: path,
    }
    return ok([{ image, source: rootfsTarSource(path) }])
  }
  return ok(
    images.value.map((one) => ({
      image: {
        id: `${place}:${one.id}`,
        names: one.names,
        sizeBytes: one.layerBytes,
        createdAt: one.createdAt,
        architecture: one.architecture,
        file: path,
      },
      source: archivedImageSource(path, one),
    })),
  )
}
