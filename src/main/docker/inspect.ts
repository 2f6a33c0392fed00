import type Docker from 'dockerode'
import { ok, type Result } from '../../shared/failure'
import { fileFacts, type FileFacts } from '../source/facts'
import type { InspectedImage } from '../source/tree-source'
import { containerFiles } from './archive'
import { statusCode } from './connect'
import { engineFailure, explainBreak, openContainer, type OpenContainer } from './container'
import { fullImageId } from './images'

/** Images whose facts are remembered. */
const REMEMBERED = 200

/**
 * What lies in the image's file system, by image id: an id names its content. In memory alone: a look takes less than
 * two seconds, and what was kept on a disk would have to be proven anew with each version that looks for more.
 */
const remembered = new Map<string, FileFacts>()

/**
 * Finds out what an image has, without starting anything of it: a container is
 * created, looked into and removed. Nothing is written, and what is read is
 * bounded, whatever the image holds. Remembered by image id.
 * @param docker the engine
 * @param imageId `sha256:…` or a name
 * @param signal cancels; the call then throws after the container is removed
 * @param keep is given the container, where one was needed, instead of its being removed
 * @returns `image-gone`, `engine-lost` or `engine-refused`
 */
export async function inspectImage(
  docker: Docker,
  imageId: string,
  signal: AbortSignal,
  keep: ((opened: OpenContainer, id: string) => void) | null = null,
): Promise<Result<InspectedImage>> {
  try {
    signal.throwIfAborted()
    const info = await docker.getImage(imageId).inspect()
    const id = fullImageId(info.Id)
    let files = remembered.get(id)
    if (files === undefined) {
      const opened = await openContainer(docker, id)
      if (!opened.ok) return opened
      keep?.(opened.value, id)
      const { container } = opened.value
      try {
        files = await fileFacts(containerFiles(container, signal))
        // Of a container that somebody took away, an engine answers as if nothing were in it.
        await container.inspect()
      } catch (error) {
        if (statusCode(error) !== 404) throw error
        return { ok: false, failure: await explainBreak(docker, id, error) }
      } finally {
        if (keep === null) await opened.value.close()
      }
      if (remembered.size >= REMEMBERED) remembered.clear()
      remembered.set(id, files)
    }
    return ok({ ...files, ...imageFacts(info, id, imageId) })
  } catch (error) {
    signal.throwIfAborted()
    return { ok: false, failure: engineFailure(error, imageId) }
  }
}

function imageFacts(
  info: Docker.ImageInspectInfo,
  id: string,
  asked: string,
): Omit<InspectedImage, keyof FileFacts> {
  const names = ((info.RepoTags as string[] | null) ?? []).filter((name) => !name.startsWith('<none>'))
  const config = info.Config as Docker.ImageInspectInfo['Config'] | null
  const words = (value: string | string[] | null | undefined): string[] =>
    typeof value === 'string' ? [value] : (value ?? [])
  return {
    id,
    file: null,
    name: names.find((name) => name === asked || name === `${asked}:latest`) ?? names[0] ?? id.slice(7, 19),
    architecture: info.Architecture,
    // Of all layers; an engine does not tell how many files are in them.
    sizeBytes: info.Size,
    measured: null,
    // An engine gives the year 1 where an image says nothing.
    createdAt: Math.max(0, Date.parse(info.Created) || 0),
    applications: {
      entrypoint: words(config?.Entrypoint),
      command: words(config?.Cmd),
      ports: Object.keys((config?.ExposedPorts as Record<string, unknown> | null | undefined) ?? {}),
      environment: words(config?.Env),
      workingDirectory:
        config?.WorkingDir === undefined || config.WorkingDir === '' ? '/' : config.WorkingDir,
      user: (config?.User as string | null | undefined) ?? '',
      volumes: Object.keys((config?.Volumes as Record<string, unknown> | null | undefined) ?? {}),
    },
  }
}
