import type Docker from 'dockerode'
import type { Readable } from 'node:stream'
import { ok, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { loaderFiles } from '../prepare/loader-image'
import { measureTar } from '../source/archive/measure'
import { answered } from '../source/archive/open-archive'
import { measureExport } from '../source/archive/tree-thread'
import type { InspectedImage, TreeExport } from '../source/tree-source'
import { containerFiles } from './archive'
import { asReadable } from './connect'
import { engineFailure, explainBreak, openContainer } from './container'

/**
 * Prepares the file system of an image to be read, from a container that is
 * created and never started. The container is removed and a stream closed
 * when the job ends, however it ends. The archive is PAX, as Go's archive/tar writes it.
 * @param docker the engine
 * @param image `id`: `sha256:…` or a name; `sizeBytes`: of all its layers, about what the archive will hold
 * @param context the job's
 * @param kept a container of the image that stays until the job's end; null to create one
 * @returns `image-gone`, `engine-lost` or `engine-refused`; throws the signal's reason when cancelled
 */
export async function prepareExport(
  docker: Docker,
  image: Pick<InspectedImage, 'id' | 'sizeBytes'>,
  context: Pick<JobContext, 'signal' | 'defer'>,
  kept: Docker.Container | null = null,
): Promise<Result<TreeExport>> {
  const { signal } = context
  const imageId = image.id
  signal.throwIfAborted()
  const opened = kept === null ? await openUntilEnd(docker, imageId, context) : ok(kept)
  if (!opened.ok) return opened
  const container = opened.value
  signal.throwIfAborted()
  const { socketPath } = docker.modem as { socketPath?: unknown }
  // By TCP the engine may want TLS, which dockerode knows how to do.
  const direct =
    typeof socketPath === 'string'
      ? ({
          kind: 'engine',
          address: { path: socketPath },
          request: `/containers/${container.id}/export`,
        } as const)
      : null
  const open = async (): Promise<Result<Readable>> => {
    let stream: Readable
    try {
      stream = asReadable(await container.export({ abortSignal: signal }))
    } catch (error) {
      signal.throwIfAborted()
      return { ok: false, failure: engineFailure(error, imageId) }
    }
    // An error that comes when nobody reads must not end the program; a reader gets it all the same.
    stream.on('error', () => undefined)
    context.defer(() => {
      stream.destroy()
    })
    return ok(stream)
  }
  return ok({
    contentBytes: image.sizeBytes,
    async measure(progress) {
      if (direct !== null) return answered(() => measureExport(direct, progress, signal))
      const stream = await open()
      return stream.ok ? answered(() => measureTar(stream.value, signal, progress)) : stream
    },
    files: containerFiles(container, signal),
    loaderFiles: (job) => loaderFiles(docker, job),
    direct: direct === null ? null : () => Promise.resolve(direct),
    intact: () => Promise.resolve(null),
    explain: (error) => explainBreak(docker, imageId, error),
    async lost() {
      try {
        await container.inspect()
        return null
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error))
      }
    },
    open,
  })
}

/** To the end of the job: the engine's sync at the end of the export itself would be waited for, too. */
async function openUntilEnd(
  docker: Docker,
  imageId: string,
  { defer }: Pick<JobContext, 'defer'>,
): Promise<Result<Docker.Container>> {
  const opened = await openContainer(docker, imageId)
  if (!opened.ok) return opened
  defer(opened.value.close)
  return ok(opened.value.container)
}
