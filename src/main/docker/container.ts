import type Docker from 'dockerode'
import { randomUUID } from 'node:crypto'
import { fail, ok, type Failure, type Result } from '../../shared/failure'
import { asReadable, errorCode, errorText, statusCode } from './connect'
import { isOrphaned, ownMark } from './owner'

/** Every container that Slipway creates has it; the value is the container's own name. */
export const JOB_LABEL = 'slipway.job'
/**
 * Every image that Slipway prepared has it, what is left of the preparation of one, and whatever people make of it,
 * for labels are inherited; the value is a hash of its base and Dockerfile.
 */
export const PREPARED_LABEL = 'slipway.prepared'
/** The same hash, from the last layer of a prepared image on: what is left of a preparation has none, or another. */
export const FINISHED_LABEL = 'slipway.finished'
/** The mark of the process that created it. */
const OWNER_LABEL = 'slipway.owner'

/** Containers of this process whose removal failed because the engine had gone. */
const unremoved = new Set<string>()

/** A container that is never started. */
export interface UnstartedContainer {
  container: Docker.Container
  /** Removes it with its anonymous volumes; never throws for an engine that has gone (`removeStaleContainers` then does it later). */
  remove: () => Promise<void>
}

/**
 * Creates a container from an image and never starts it, so that nothing of the image runs.
 * The call cannot be aborted: a container whose creation nobody waited for would stay.
 * @param docker the engine
 * @param imageId `sha256:…` or a name
 * @returns `image-gone`, `engine-lost` or `engine-refused`
 */
export async function createUnstarted(docker: Docker, imageId: string): Promise<Result<UnstartedContainer>> {
  const name = `slipway-${randomUUID()}`
  let container: Docker.Container
  try {
    container = await docker.createContainer({
      name,
      Image: imageId,
      Labels: { [JOB_LABEL]: name, [OWNER_LABEL]: ownMark() },
      // An image without a command cannot be created from otherwise; nothing ever runs it.
      Cmd: ['never-started'],
      // The image's own, where it has none, would be made now and be in the export (moby, daemon/create_unix.go).
      WorkingDir: '/',
      NetworkDisabled: true,
    })
  } catch (error) {
    return { ok: false, failure: engineFailure(error, imageId) }
  }
  const remove = async (): Promise<void> => {
    try {
      await removeContainer(docker, name)
    } catch (error) {
      if (statusCode(error) !== null) throw error
      unremoved.add(name)
    }
  }
  return ok({ container, remove })
}

/** A container that is never started, kept mounted while its files are asked for. */
export interface OpenContainer {
  container: Docker.Container
  /** Lets go of it and removes it; never throws for an engine that has gone. */
  close: () => Promise<void>
}

/** `createUnstarted` and `holdMounted`. */
export async function openContainer(docker: Docker, imageId: string): Promise<Result<OpenContainer>> {
  const created = await createUnstarted(docker, imageId)
  if (!created.ok) return created
  const { container, remove } = created.value
  const release = holdMounted(container)
  const close = (): Promise<void> => {
    release()
    return remove()
  }
  return ok({ container, close })
}

/**
 * Removes what earlier work could not: containers of this process that
 * outlived a stop of the engine, and those of a Slipway on this machine that
 * was killed. Throws when the engine does not answer.
 */
export async function removeStaleContainers(docker: Docker): Promise<void> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [JOB_LABEL], status: ['created'] },
  })
  for (const info of found) {
    const name = info.Labels[JOB_LABEL] ?? ''
    if (!unremoved.has(name) && !isOrphaned(info.Labels[OWNER_LABEL] ?? '')) continue
    await removeContainer(docker, info.Id)
    unremoved.delete(name)
  }
}

/**
 * What an error of dockerode means for work on an image.
 * @param error what dockerode threw
 * @param image the image's name, for display
 */
export function engineFailure(error: unknown, image: string): Failure {
  const status = statusCode(error)
  if (status === 404) return fail('image-gone', { image }).failure
  if (status !== null) return fail('engine-refused', { detail: errorText(error) }).failure
  return fail('engine-lost', { detail: errorText(error) }).failure
}

/**
 * Why a container of an image could not be read to its end: `engine-lost`, or `image-gone` when the image was removed
 * meanwhile.
 */
export async function explainBreak(docker: Docker, imageId: string, error: unknown): Promise<Failure> {
  const detail = errorCode(error) === 'ECONNRESET' ? 'it ended in the middle of the export' : errorText(error)
  try {
    await docker.getImage(imageId).inspect()
  } catch (inspectError) {
    if (statusCode(inspectError) === 404) return fail('image-gone', { image: imageId }).failure
  }
  return fail('engine-lost', { detail }).failure
}

/**
 * Keeps a container's file system mounted in the engine while its files are asked for. The engine mounts it for every
 * question and unmounts it after the answer, which syncs all of its data root (kernel, fs/overlayfs/super.c,
 * ovl_sync_fs): fifty questions took 300 ms without and 17 ms with it. What holds it is an export that nobody reads.
 * @returns lets go of it; never throws. An engine that refuses is as good as one that holds: only slower.
 */
function holdMounted(container: Docker.Container): () => void {
  const abort = new AbortController()
  container
    .export({ abortSignal: abort.signal })
    .then((stream) => {
      const held = asReadable(stream)
      held.on('error', () => undefined)
      if (abort.signal.aborted) held.destroy()
    })
    .catch(() => undefined)
  return () => abort.abort()
}

async function removeContainer(docker: Docker, name: string): Promise<void> {
  try {
    // With its anonymous volumes, which an image's VOLUME makes at creation already.
    await docker.getContainer(name).remove({ force: true, v: true })
  } catch (error) {
    // 404: gone. 409: its removal is already under way.
    const status = statusCode(error)
    if (status !== 404 && status !== 409) throw error
  }
}
