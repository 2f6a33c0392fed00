import { mkdir, rmdir, stat } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

/** Milliseconds between two tries. */
const INTERVAL = 20
/** Milliseconds after which a lock is of somebody who died with it; what is done under one takes a few. */
const STALE_AFTER = 5000

/**
 * Does something that only one process may do at a time, or one call within a process. A folder is the lock, because
 * making one succeeds for one alone, on every file system.
 * @param path absolute, of the lock; its folder is there
 * @returns what `work` answers
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      await mkdir(path)
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const since = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => null,
    )
    if (since !== null && Date.now() - since > STALE_AFTER) await rmdir(path).catch(() => undefined)
    else await wait(INTERVAL)
  }
  try {
    return await work()
  } finally {
    await rmdir(path).catch(() => undefined)
  }
}
