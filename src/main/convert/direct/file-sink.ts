import { open } from 'node:fs/promises'
import type { Sink } from '../../disk/outlet'

/** A new file that a disk is written to. */
export interface FileSink extends Sink {
  /** Gives the file its length, waits until all of it is on the medium, and closes it. */
  finish(bytes: number): Promise<void>
  /** Closes it as it is. */
  close(): Promise<void>
}

/** After so many bytes the medium is given work, instead of all of it at the end. */
const SYNC_STEP = 64 * 1024 * 1024

/**
 * Empties a file for a disk. What is never written stays a hole and reads as zero.
 * @param path of a regular file that is there
 * @throws what the file system says, here and from all methods
 */
export async function openFileSink(path: string): Promise<FileSink> {
  const handle = await open(path, 'r+')
  await handle.truncate(0)
  let sinceSync = 0
  let syncing: Promise<void> | null = null
  return {
    zeroed: true,
    async write(bytes, position) {
      let done = 0
      while (done < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
        done += bytesWritten
      }
      sinceSync += bytes.length
      if (sinceSync < SYNC_STEP || syncing !== null) return
      sinceSync = 0
      // Failures come again at the end, where they are waited for.
      syncing = handle.datasync().catch(() => undefined)
      void syncing.then(() => {
        syncing = null
      })
    },
    async finish(bytes) {
      await handle.truncate(bytes)
      await syncing
      await handle.sync()
      await handle.close()
    },
    async close() {
      await syncing
      await handle.close()
    },
  }
}
