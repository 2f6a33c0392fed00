import type Docker from 'dockerode'
import type { TreeSource } from '../source/tree-source'
import { prepareExport } from './export'
import { inspectImage } from './inspect'

/**
 * An engine's image as something to build from.
 * @param docker the engine
 * @param imageId `sha256:…` or a name
 */
export function imageSource(docker: Docker, imageId: string): TreeSource {
  return {
    inspect: (signal) => inspectImage(docker, imageId, signal),
    // By the id that was inspected: a name may mean another image by now.
    prepareExport: (image, context) => prepareExport(docker, image.id, context),
  }
}
