import { stat } from 'node:fs/promises'
import { fail, ok, type Result } from '../../../shared/failure'
import type { JobContext } from '../../../shared/job'
import { Refusal, refuse } from '../../disk/refusal'
import { TarReader } from '../../convert/tar/reader'
import { asTar, fileBlob, folderBlobs, tarBlobs, type Blob, type Blobs } from './blobs'
import { readImages, type ArchivedImage } from './images'
import { layerChunks, packingOfLayer } from './layers'
import { canUnpack, unpackArchive } from './unpack'

/** Runs work that leaves with refusals, and answers those as values; all else is thrown on. */
export async function answered<T>(work: () => Promise<T>): Promise<Result<T>> {
  try {
    return ok(await work())
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, failure: error.failure }
    throw error
  }
}

/** The images of an archive, those of one configuration as one; null for a tar, packed or not, that holds none. */
type Images = ArchivedImage[] | null

/** What an archive's unpacking needs of a job of the kind `open`. */
type UnpackContext = Pick<JobContext, 'signal' | 'phase' | 'progress'>

/**
 * Unpacks an archive to a file without a name, for which each of its images has a hold. Progress is bytes of the packed
 * file that were read.
 * @returns `archive-invalid`, `archive-digest`, `archive-no-room` or `tool-missing`
 * @throws the signal's reason
 */
export type UnpackImages = (context: UnpackContext) => Promise<Result<Images>>

/**
 * Looks which images an archive holds: of `docker save`, or an OCI layout as a tar or a folder. Layers are not read; one
 * that is packed as a whole is unpacked.
 * @param path absolute
 * @returns `archive-missing`, and the failures of `UnpackImages`
 * @throws the signal's reason
 */
export async function openArchive(path: string, context: UnpackContext): Promise<Result<Images>> {
  const looked = await lookIntoArchive(path, context.signal)
  if (!looked.ok) return looked
  return typeof looked.value === 'function' ? looked.value(context) : ok(looked.value)
}

/**
 * As `openArchive`, which takes a moment, but for an archive that is packed as a whole: what unpacks it, which takes long.
 * @param path absolute
 */
export function lookIntoArchive(path: string, signal: AbortSignal): Promise<Result<Images | UnpackImages>> {
  return answered(async () => {
    const found = await stat(path).catch(() => null)
    if (found?.isDirectory() === true) {
      const images = await imagesIn(await folderBlobs(path))
      return (
        images ??
        refuse('archive-invalid', { path, reason: 'the folder is no OCI layout: it has no index.json' })
      )
    }
    const file = await fileBlob(path)
    const packing = await packingOfLayer({ blob: file, part: 'it', diffId: null })
    if (packing === 'none') return imagesIn(await tarBlobs(file, path, signal))
    if (!imageMember.test(await firstName(file, path, signal))) return null
    if (!canUnpack) {
      refuse('archive-invalid', { path, reason: `it is packed by ${packing} as a whole; unpack it first` })
    }
    return (context) => answered(() => unpackImages(file, path, context))
  })
}

async function unpackImages(file: Blob, path: string, context: UnpackContext): Promise<Images> {
  context.phase('unpack')
  const copy = await unpackArchive(file, path, context.signal, context.progress)
  try {
    const images = await imagesIn(await tarBlobs(copy.blob, path, context.signal))
    for (const image of images ?? []) {
      copy.hold()
      image.copy = copy
    }
    return images
  } finally {
    await copy.release()
  }
}

async function imagesIn(blobs: Blobs | null): Promise<Images> {
  const images = blobs === null ? null : await readImages(blobs)
  if (blobs === null || images === null) return null
  if (images.length === 0) refuse('archive-invalid', { path: blobs.path, reason: 'it holds no image' })
  return merged(images)
}

/** How members of an archive of images are called; in a root file system nothing is. */
const imageMember =
  /^(?:blobs(?:\/|$)|(?:oci-layout|index\.json|manifest\.json)$|[0-9a-f]{64}(?:\/|\.json$|\.tar$|$))/

/** The name of a packed tar's first member. */
async function firstName(blob: Blob, path: string, signal: AbortSignal): Promise<string> {
  const names: string[] = []
  const reader = new TarReader({
    entry: (entry) => names.push(entry.path.replace(/^\.\//, '')),
    data: () => undefined,
    endFile: () => undefined,
  })
  await asTar(path, 'it', async () => {
    for await (const chunk of layerChunks({ blob, part: 'it', diffId: null }, path, signal)) {
      reader.push(chunk)
      if (reader.isEnded || names.some((name) => name !== '' && name !== '.')) break
    }
  })
  return names.find((name) => name !== '' && name !== '.') ?? ''
}

/** One image may be listed once for each of its names. */
function merged(images: readonly ArchivedImage[]): ArchivedImage[] {
  const byId = new Map<string, ArchivedImage>()
  for (const image of images) {
    const known = byId.get(image.id)
    if (known === undefined) byId.set(image.id, image)
    else byId.set(image.id, { ...known, names: [...new Set([...known.names, ...image.names])] })
  }
  return [...byId.values()]
}

/** What tells an archive's images apart, for display: `debian:12 (linux/amd64)`. */
export function imageLabel(image: ArchivedImage): string {
  return `${image.names[0] ?? image.id.slice(7, 19)} (${platformOf(image)})`
}

function platformOf({ os, architecture }: ArchivedImage): string {
  const isPlain = /^[\x21-\x7e]+$/.test(`${os}${architecture}`)
  return isPlain ? `${os}/${architecture}` : 'unknown'
}

/**
 * The image that is meant. Among several platforms of one name Slipway's own counts unless another is asked for.
 * @param asked `name` as `REPOSITORY:TAG` or an id, `platform` as `linux/amd64`; null for whatever there is
 * @returns `archive-choice` with what there is to choose from
 */
export function chooseImage(
  path: string,
  images: readonly ArchivedImage[],
  asked: { name: string | null; platform: string | null },
): Result<ArchivedImage> {
  const { name, platform } = asked
  const isNamed = (image: ArchivedImage): boolean =>
    name === null ||
    image.names.some((own) => own === name || own === `${name}:latest`) ||
    (/^(?:sha256:)?[0-9a-f]{12,64}$/.test(name) && image.id.slice(7).startsWith(name.replace('sha256:', '')))
  const fitting = images.filter(
    (image) => isNamed(image) && (platform === null || platformOf(image) === platform),
  )
  const own = fitting.filter((image) => platformOf(image) === 'linux/amd64')
  const [only] = fitting.length === 1 ? fitting : own.length === 1 && isOneName(fitting) ? own : []
  if (only !== undefined) return ok(only)
  const words = [name, platform].filter((word) => word !== null).join(' for ')
  // Several fit: then what was asked for is not wrong, only not enough.
  const choices = fitting.length > 1 ? fitting : images
  return fail('archive-choice', {
    path,
    asked: fitting.length > 1 ? '' : words,
    images: choices.slice(0, 50).map(imageLabel),
  })
}

function isOneName(images: readonly ArchivedImage[]): boolean {
  return new Set(images.map(({ names }) => names.join(' '))).size === 1
}
