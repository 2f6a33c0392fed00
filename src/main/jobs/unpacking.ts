import { basename } from 'node:path'
import type { JobWork } from './manager'

/**
 * An archive's unpacking for whoever opened it and is told what it came to; one at a time for each archive.
 * @param path the archive's, absolute
 * @param run unpacks it
 */
export function unpackingWork<T>(path: string, run: JobWork<T>['run']): JobWork<T> {
  return {
    kind: 'open',
    title: basename(path),
    diskId: null,
    locks: [`file:${path}`],
    isAnswered: true,
    run,
  }
}
