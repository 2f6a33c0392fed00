import type { Writable } from 'node:stream'

/**
 * Writes to a stream, and tells when each chunk was taken: it may be overwritten then.
 * @returns writes a chunk; answers false when the stream was closed before it was taken, and why it was is told there
 */
export function chunkWriter(to: Writable): (chunk: Uint8Array) => Promise<boolean> {
  // A stream that is destroyed forgets the write that is under way.
  const waiting = new Set<(isTaken: boolean) => void>()
  to.on('close', () => {
    for (const resolve of waiting) resolve(false)
  })
  return (chunk) => {
    if (to.destroyed) return Promise.resolve(false)
    return new Promise((resolve) => {
      waiting.add(resolve)
      to.write(chunk, (error) => {
        waiting.delete(resolve)
        resolve(error == null)
      })
    })
  }
}
