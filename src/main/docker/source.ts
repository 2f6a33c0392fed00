import type Docker from 'dockerode'
import { fail, ok, type Result } from '../../shared/failure'
import { engineRuns, type ImageFacts } from '../../shared/image'
import { buildPreparedImage } from '../prepare/build-image'
import { proposeDockerfile } from '../prepare/propose'
import type { TreeSource } from '../source/tree-source'
import { engineArchitectures } from './architectures'
import { engineFailure } from './container'
import { prepareExport } from './export'
import { inspectImage } from './inspect'

/**
 * An engine's image as something to build from.
 * @param docker the engine
 * @param imageId `sha256:…` or a name
 */
export function imageSource(docker: Docker, imageId: string): TreeSource {
  /** The container that a job's inspection left for its export, which is of the same image. */
  let kept: { container: Docker.Container; id: string } | null = null

  return {
    inspect(signal, _, defer) {
      if (defer === undefined) return inspectImage(docker, imageId, signal)
      return inspectImage(docker, imageId, signal, ({ container, close }, id) => {
        kept = { container, id }
        defer(() => {
          kept = null
          return close()
        })
      })
    },
    async prepare(image, { dockerfile, anew }, machine, context) {
      const possible = await checkRuns(docker, image)
      if (!possible.ok) return possible
      const proposed = dockerfile === null ? proposeDockerfile(image, machine) : null
      if (proposed?.ok === false) return proposed
      const text = dockerfile ?? proposed?.value.dockerfile ?? ''
      const preparation = { baseId: image.id, baseName: image.name, dockerfile: text, anew }
      const built = await buildPreparedImage(docker, preparation, context)
      if (!built.ok) return built
      const source = imageSource(docker, built.value)
      const found = await source.inspect(context.signal, undefined, context.defer)
      if (!found.ok) return found
      // The preparation needs to be root; what the image runs is what it said itself.
      const { name, applications, createdAt } = image
      return ok({ source, image: { ...found.value, name, applications, createdAt } })
    },
    // By the id that was inspected: a name may mean another image by now.
    prepareExport: (image, context) =>
      prepareExport(docker, image, context, kept?.id === image.id ? kept.container : null),
  }
}

/** Refuses what the engine's computer surely cannot run: `preparation-failed`. */
async function checkRuns(docker: Docker, image: ImageFacts): Promise<Result<null>> {
  try {
    if (engineRuns(await engineArchitectures(docker), image.architecture) !== false) return ok(null)
  } catch (error) {
    return { ok: false, failure: engineFailure(error, image.name) }
  }
  return fail('preparation-failed', { image: image.name, reason: 'architecture', step: '', output: '' })
}
