import type { ImageSummary } from '../../../shared/image'

/** What an image is called: its first name, else the start of its digest. */
export function imageName(image: ImageSummary): string {
  return image.names[0] ?? image.id.replace(/^.*sha256:/, '').slice(0, 12)
}

/** The images that a search means: all of its words occur in their names, digest or path. */
export function searchImages(images: readonly ImageSummary[], search: string): ImageSummary[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  return images.filter((image) => {
    const text = [...image.names, image.id, image.file ?? ''].join(' ').toLowerCase()
    return words.every((word) => text.includes(word))
  })
}
