import { randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import type { OpenedFile } from '../../shared/ipc/contract'
import { inspectSource } from '../flash/source/open'

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
