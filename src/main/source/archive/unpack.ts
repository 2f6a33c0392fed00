import { randomUUID } from 'node:crypto'
import { close, open } from 'node:fs'
import { stat, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { JobContext } from '../../../shared/job'
import type { Blob } from './blobs'
import { unpackInThread } from './tree-thread'
import { checkRoom } from './write-unpacked'

/** An unpacked archive, in a file without a name, so that it is gone at every end of the program, a kill's too. */
export interface UnpackedCopy {
  blob: Blob
  /** Keeps it for one user more. */
  hold(): void
  /** Ends one use, of which the first is the maker's; with the last the file goes away. */
  release(): Promise<void>
}

/**
 * Unpacks an archive of images once: what lies in it is read in another order than it comes.
 * @param packed the file
 * @param path the archive's, for refusals
 * @param signal gives up; its reason is thrown
 * @param progress told the bytes of the packed file that were read, of how many
 * @param folder for the copy; tests give their own
 * @throws refusals: those of `layerChunks`, and `archive-no-room`
 */
export async function unpackArchive(
  packed: Blob,
  path: string,
  signal: AbortSignal,
  progress: JobContext['progress'],
  folder?: string,
): Promise<UnpackedCopy> {
  const place = folder ?? (await roomyFolder())
  await checkRoom(place, { packed, path, written: 0, read: 0 })
  const descriptor = await openNameless(place)
  let written: number
  try {
    written = await unpackInThread(
      { packed, path, place, descriptor },
      (read) => progress(read, packed.size),
      signal,
    )
  } catch (error) {
    await promisify(close)(descriptor)
    throw error
  }
  let uses = 1
  return {
    // Every thread of the program finds it there.
    blob: { file: `${DESCRIPTORS}/${descriptor}`, shown: path, start: 0, size: written },
    hold() {
      uses++
    },
    async release() {
      uses--
      if (uses === 0) await promisify(close)(descriptor)
    },
  }
}

/** Whether a file without a name can be opened again, by its descriptor (proc(5); macOS: fd(4)). */
export const canUnpack = process.platform !== 'win32'
const DESCRIPTORS = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd'

/** A bare descriptor: a FileHandle that nobody knows any more is closed with a warning. */
async function openNameless(folder: string): Promise<number> {
  const name = join(folder, `slipway-unpack-${randomUUID()}`)
  const descriptor = await promisify(open)(name, 'wx+', 0o600)
  await unlink(name)
  return descriptor
}

/** The folder that somebody chose for such files, else /var/tmp: /tmp often lies in memory (file-hierarchy(7)). */
async function roomyFolder(): Promise<string> {
  if (process.env['TMPDIR'] !== undefined) return tmpdir()
  const found = await stat('/var/tmp').catch(() => null)
  return found?.isDirectory() === true ? '/var/tmp' : tmpdir()
}
