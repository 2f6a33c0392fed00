import { randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import type { Dropped, OpenedFile } from '../../shared/ipc/contract'
import { inspectSource } from '../flash/source/open'
import type { OpenedArchives } from '../source/opened'

/** Files that were opened to be written to a drive. The window knows them by their ids alone. */
export interface ImageFiles {
  /** Looks at a file that the person chose or dropped; the failures of `inspectSource`. */
  open(path: string): Promise<Result<OpenedFile>>
  /** The path of a file that was opened, or `not-found`. */
  find(id: string): Result<string>
}

/** Makes an empty list. */
export function createImageFiles(): ImageFiles {
  const paths = new Map<string, string>()
  return {
    async open(path) {
      const inspected = await inspectSource(path)
      if (!inspected.ok) return inspected
      const id = randomUUID()
      paths.set(id, path)
      return ok({ id, name: basename(path), ...inspected.value })
    },
    find(id) {
      const path = paths.get(id)
      return path === undefined ? fail('not-found', { what: 'file' }) : ok(path)
    },
  }
}

/** Names of disks, packed or not. A packed archive is told from a packed disk by nothing else without unpacking it. */
const diskNames = /\.((img|iso|raw)(\.(gz|xz|zst|zip))?|qcow2|vmdk|vdi|vhdx|zip)$/i

/**
 * Opens a file that was dropped on the window: a disk by its name is opened to be written, anything else as an archive.
 * @param path absolute
 * @returns null when the unpacking was cancelled; the failures of `ImageFiles.open` and `OpenedArchives.open`
 */
export async function openDroppedFile(
  path: string,
  imageFiles: Pick<ImageFiles, 'open'>,
  archives: Pick<OpenedArchives, 'open'>,
): Promise<Result<Dropped | null>> {
  if (diskNames.test(path)) {
    const file = await imageFiles.open(path)
    return file.ok ? ok({ kind: 'file', file: file.value }) : file
  }
  const ids = await archives.open(path)
  if (!ids.ok) return ids
  return ok(ids.value === null ? null : { kind: 'images', ids: ids.value })
}
