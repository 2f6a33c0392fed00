import { Readable } from 'node:stream'
import { fail, ok, type Failure } from '../../../shared/failure'
import type { JobContext } from '../../../shared/job'
import { Refusal } from '../../disk/refusal'
import type { TreeExport } from '../tree-source'
import { stampOf, type StampedTree } from './kept-tree'

/**
 * A tree of an archive, ready to be read by an engine.
 * @param tree closed at the latest when the job ends
 * @param path the archive's
 * @param plain whether the archive is the tree's own tar, not packed, so that an engine can read the file itself
 */
export function threadExport(
  tree: StampedTree,
  path: string,
  plain: boolean,
  { defer }: Pick<JobContext, 'defer'>,
): TreeExport {
  let broken: Error | null = null
  let isServed = false
  defer(() => tree.close())
  /** Notes why the tar broke off: the direct engine's thread does not learn it. */
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      yield* tree.read()
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }
  return {
    contentBytes: tree.summary.tarBytes,
    measure: null,
    files: tree.files,
    loaderFiles: null,
    async direct() {
      if (!plain) {
        isServed = true
        return { kind: 'engine', address: { path: await tree.serve() }, request: '/' }
      }
      await tree.close()
      return { kind: 'file', path }
    },
    async intact() {
      if (!plain) return tree.served()
      if ((await stampOf(path)) === tree.stamp) return null
      return new Refusal(fail('archive-invalid', { path, reason: 'it was changed meanwhile' }).failure)
    },
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
    lost: async () => broken ?? (isServed ? await tree.served() : null),
  }
}

function failureOf(error: unknown, path: string): Failure {
  if (error instanceof Refusal) return error.failure
  const detail = error instanceof Error ? error.message : String(error)
  return fail('archive-missing', { path, detail }).failure
}
