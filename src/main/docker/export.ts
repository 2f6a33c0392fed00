import type Docker from 'dockerode'
import type { Readable } from 'node:stream'
import { fail, ok, type Failure, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { asReadable, errorCode, errorText, statusCode } from './connect'
import { createUnstarted, engineFailure } from './container'

/** An image's file system on its way. */
export interface ImageExport {
  /** A tar archive (PAX, as Go's archive/tar writes it). Ends early with an error when the engine goes. */
  stream: Readable
  /** Bytes of all layers: about what the archive will hold, for progress. */
  contentBytes: number
  /** What an error of the stream means: `engine-lost`, or `image-gone` when the image was removed meanwhile. */
  explain(error: unknown): Promise<Failure>
}

/**
 * Opens the file system of an image as a tar stream, from a container that is
 * created and never started. The container is removed and the stream closed
 * when the job ends, however it ends.
 * @param docker the engine
 * @param imageId `sha256:…` or a name
 * @param context the job's
 * @returns `image-gone`, `engine-lost` or `engine-refused`; throws the signal's reason when cancelled
 */
export async function openExport(
  docker: Docker,
  imageId: string,
  context: Pick<JobContext, 'signal' | 'defer'>,
): Promise<Result<ImageExport>> {
  const { signal } = context
  signal.throwIfAborted()
  let contentBytes: number
  try {
    contentBytes = (await docker.getImage(imageId).inspect()).Size
  } catch (error) {
    return { ok: false, failure: engineFailure(error, imageId) }
  }
  const created = await createUnstarted(docker, imageId)
  if (!created.ok) return created
  const { container, remove } = created.value
  context.defer(remove)
  signal.throwIfAborted()
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
  return ok({ stream, contentBytes, explain: (error) => explainBreak(docker, imageId, error) })
}

async function explainBreak(docker: Docker, imageId: string, error: unknown): Promise<Failure> {
  const detail = errorCode(error) === 'ECONNRESET' ? 'it ended in the middle of the export' : errorText(error)
  try {
    await docker.getImage(imageId).inspect()
  } catch (inspectError) {
    if (statusCode(inspectError) === 404) return fail('image-gone', { image: imageId }).failure
  }
  return fail('engine-lost', { detail }).failure
}
