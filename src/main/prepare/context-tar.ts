import { encodeHeader } from '../convert/tar-blocks'

const BLOCK = 512

/**
 * A tar archive with one file, which is all that a build needs to know.
 * @param path of the file in it
 * @param text its content
 */
export function contextTar(path: string, text: string): Buffer {
  const content = Buffer.from(text)
  const header = encodeHeader({
    ...{ path, linkPath: '', type: '0', mode: 0o644, time: 0 },
    sizeBytes: content.length,
  })
  const padding = Buffer.alloc(Math.ceil(content.length / BLOCK) * BLOCK - content.length)
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * BLOCK)])
}
