import { createHash } from 'node:crypto'
import { blobChunks, openBlob, type Blob } from './blobs'

/**
 * SHA-256 of all of a blob, as `sha256:…`.
 * @param onRead told where in the blob the reading has come to, in bytes
 * @throws a refusal `archive-missing`; the signal's reason
 */
export async function digestOf(
  blob: Blob,
  signal: AbortSignal,
  onRead: (position: number) => void,
): Promise<string> {
  const opened = await openBlob(blob)
  const hash = createHash('sha256')
  try {
    for await (const chunk of blobChunks(opened, 0, onRead)) {
      signal.throwIfAborted()
      hash.update(chunk)
    }
  } finally {
    await opened.close()
  }
  return `sha256:${hash.digest('hex')}`
}
