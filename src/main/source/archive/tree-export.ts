import { Readable } from 'node:stream'
import { fail, ok, type Failure } from '../../../shared/failure'
import type { JobContext } from '../../../shared/job'
import { Refusal } from '../../disk/refusal'
import type { TreeExport } from '../tree-source'
import { indexedFiles } from './files'
import type { LayerIndex } from './index-layers'

/**
 * An indexed tree, ready to be read by an engine.
 * @param path the archive's
 * @param contentBytes of the tar
 * @param read opens the tar; it is closed at the latest when the job ends
 * @param direct where the direct engine's thread finds the same tar by itself, or null
 */
export function indexedExport(
  index: LayerIndex,
  path: string,
  contentBytes: number,
  read: () => AsyncIterable<Uint8Array>,
  direct: TreeExport['direct'],
  { signal, defer }: Pick<JobContext, 'signal' | 'defer'>,
): TreeExport {
  let broken: Error | null = null
  /** Notes why the tar broke off: the direct engine's thread does not learn it. */
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      yield* read()
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }
  return {
    contentBytes,
    files: indexedFiles(index, path, signal),
    loaderFiles: null,
    direct,
    open() {
      const stream = Readable.from(watched(), { objectMode: false })
      // An error that comes when nobody reads must not end the program; a reader gets it all the same.
      stream.on('error', () => undefined)
      defer(() => {
        stream.destroy()
      })
      return Promise.resolve(ok(stream))
    },
    explain: (error) => Promise.resolve(failureOf(error, path)),
    lost: () => Promise.resolve(broken),
  }
}

function failureOf(error: unknown, path: string): Failure {
  if (error instanceof Refusal) return error.failure
  const detail = error instanceof Error ? error.message : String(error)
  return fail('archive-missing', { path, detail }).failure
}
