import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { ALIGNMENT, type Sink } from '../../disk/outlet'

/** A new file that a disk is written to. */
export interface FileSink extends Sink {
  /** Gives the file its length, waits until all of it is on the medium, and closes it. */
  finish(bytes: number): Promise<void>
  /** Closes it as it is. */
  close(): Promise<void>
}

/** Where the page cache is used: after so many bytes the medium is given work, instead of all of it at the end. */
const SYNC_STEP = 64 * 1024 * 1024

/**
 * Opens a file a second time for writes past the page cache (open(2), O_DIRECT): what nobody reads again soon costs
 * no memory, no copy and no wait at the end, and an engine that syncs the same file system when it ends an export
 * finds nothing of ours to write. A third of the processor time of cached writes (measured).
 * @returns null where there is no such thing: other systems, tmpfs and the like
 */
async function openUncached(path: string): Promise<FileHandle | null> {
  const { O_DIRECT, O_RDWR } = constants as { O_DIRECT?: number; O_RDWR: number }
  if (O_DIRECT === undefined) return null
  return open(path, O_RDWR | O_DIRECT).catch(() => null)
}

/**
 * Empties a file for a disk. What is never written stays a hole and reads as zero.
 * @param path of a regular file that is there
 * @throws what the file system says, here and from all methods
 */
export async function openFileSink(path: string): Promise<FileSink> {
  const handle = await open(path, 'r+')
  await handle.truncate(0)
  let uncached = await openUncached(path)
  let sinceSync = 0
  let syncing: Promise<void> | null = null

  /** Writes some of `bytes`, past the cache where place and length allow it; answers how many. */
  async function writeSome(bytes: Uint8Array, position: number): Promise<number> {
    if (uncached !== null && position % ALIGNMENT === 0 && bytes.length % ALIGNMENT === 0) {
      try {
        return (await uncached.write(bytes, 0, bytes.length, position)).bytesWritten
      } catch (error) {
        // The file system wants another alignment, or its O_DIRECT is a pretence.
        if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
        await closeUncached()
      }
    }
    const { bytesWritten } = await handle.write(bytes, 0, bytes.length, position)
    sinceSync += bytesWritten
    if (sinceSync < SYNC_STEP || syncing !== null) return bytesWritten
    sinceSync = 0
    // Failures come again at the end, where they are waited for.
    syncing = handle.datasync().catch(() => undefined)
    void syncing.then(() => {
      syncing = null
    })
    return bytesWritten
  }

  async function closeUncached(): Promise<void> {
    const closing = uncached
    uncached = null
    // Waits for the writes that are under way.
    await closing?.close()
  }

  async function close(): Promise<void> {
    await syncing
    await closeUncached()
    await handle.close()
  }

  return {
    zeroed: true,
    async write(bytes, position) {
      let done = 0
      while (done < bytes.length) done += await writeSome(bytes.subarray(done), position + done)
    },
    async finish(bytes) {
      await handle.truncate(bytes)
      await syncing
      await handle.sync()
      await close()
    },
    close,
  }
}
