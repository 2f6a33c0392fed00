import type Docker from 'dockerode'
import type { ImageSummary } from '../../shared/image'
import { statusCode } from './connect'
import { FINISHED_LABEL, PREPARED_LABEL } from './container'

/** Architectures by image id; an id names its content, so they never change. */
const architectures = new Map<string, string>()

/**
 * Lists the local images: named ones newest first, then those without a name, newest first.
 * Throws what dockerode throws when the engine does not answer.
 */
export async function listImages(docker: Docker): Promise<ImageSummary[]> {
  const found = await docker.listImages()
  const images: ImageSummary[] = []
  for (const info of found) {
    // What Slipway makes of an image on the way to a disk is nothing to choose from; what people make of that is.
    if (isRemains(info.Labels) || preparedNames(info).length > 0) continue
    const architecture = await architectureOf(docker, info.Id)
    if (architecture === null) continue
    images.push({
      id: fullImageId(info.Id),
      // Engines before 25 name a nameless image `<none>:<none>`, newer ones and Podman null.
      names: ((info.RepoTags as string[] | null) ?? []).filter((name) => !name.startsWith('<none>')).sort(),
      sizeBytes: info.Size,
      createdAt: info.Created * 1000,
      architecture,
      file: null,
    })
  }
  const nameless = (image: ImageSummary): number => (image.names.length === 0 ? 1 : 0)
  return images.sort(
    (a, b) => nameless(a) - nameless(b) || b.createdAt - a.createdAt || a.id.localeCompare(b.id),
  )
}

/**
 * Whether a container or an image is of a preparation that did not come to its end, or has not yet.
 * @param labels as the engine lists them
 */
export function isRemains(labels: Record<string, string> | null | undefined): boolean {
  const hash = labels?.[PREPARED_LABEL]
  return hash !== undefined && labels?.[FINISHED_LABEL] !== hash
}

/** The names of an image that only Slipway gives, as `slipway/prepared:…`; Podman's begin with `localhost/`. */
export function preparedNames({ RepoTags }: Pick<Docker.ImageInfo, 'RepoTags'>): string[] {
  const names = ((RepoTags as string[] | null) ?? []).map((name) => name.replace(/^localhost\//, ''))
  return names.filter((name) => name.startsWith('slipway/prepared:'))
}

/** An image's id with its `sha256:`, which Podman leaves out. */
export function fullImageId(id: string): string {
  return id.includes(':') ? id : `sha256:${id}`
}

/** The list does not say it, so each new image is asked once; null when the image has gone meanwhile. */
async function architectureOf(docker: Docker, id: string): Promise<string | null> {
  const known = architectures.get(id)
  if (known !== undefined) return known
  try {
    const { Architecture } = await docker.getImage(id).inspect()
    architectures.set(id, Architecture)
    return Architecture
  } catch (error) {
    if (statusCode(error) === 404) return null
    throw error
  }
}
