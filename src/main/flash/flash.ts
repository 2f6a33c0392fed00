import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { DriveIdentity } from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import { MAXIMUM_DATA_BYTES, type FlashRequest } from '../../shared/helper-protocol'
import type { JobContext } from '../../shared/job'
import { deviceNumber } from '../drives/linux/device-number'
import { runHelperJob } from '../elevation/helper-client'
import { usedRanges, type Range, type ReadAt } from './used-blocks'

export interface FlashInput {
  diskPath: string
  /** The drive as the person confirmed it. */
  drive: DriveIdentity
  /** What the person typed. */
  confirmation: string
  /** Unmount its volumes first. */
  unmount: boolean
  /** Write to a drive that is not removable or larger than 128 GB. */
  expert: boolean
  /** Read everything back and compare. */
  verify: boolean
}

type Send = (position: number, bytes: Uint8Array) => Promise<void>

/**
 * Writes a disk file to a drive through the elevated helper. The file is
 * opened and read with the user's own rights; the helper never sees its name
 * but to refuse the drive on which it lies.
 * @param context of the job
 * @param input what was confirmed
 * @returns null when written and, if asked for, compared; `disk-missing`, `disk-changed`, or what the helper answers
 */
export async function flashDisk(context: JobContext, input: FlashInput): Promise<Result<null>> {
  const path = resolve(input.diskPath)
  const opened = await openDisk(path)
  if (!opened.ok) return opened
  const disk = opened.value
  context.defer(() => disk.close())
  const before = await disk.stat({ bigint: true })
  const sizeBytes = Number(before.size)
  const ranges = await usedRanges(readerOf(disk), sizeBytes)

  const request: FlashRequest = {
    type: 'flash',
    drive: input.drive,
    confirmation: input.confirmation,
    sizeBytes,
    dataBytes: ranges.reduce((sum, range) => sum + range.length, 0),
    source: { device: deviceNumber(before.dev), path },
    unmount: input.unmount,
    expert: input.expert,
    verify: input.verify,
  }
  context.phase('elevate')
  return runHelperJob(context, request, async (send) => {
    const isWhole = await sendRanges(disk, ranges, send, context.signal)
    const after = await disk.stat({ bigint: true })
    const isSame = after.size === before.size && after.mtimeNs === before.mtimeNs
    return isWhole && isSame ? ok(null) : fail('disk-changed', { path })
  })
}

async function openDisk(path: string): Promise<Result<FileHandle>> {
  let disk: FileHandle
  try {
    // Without O_NONBLOCK the open of a named pipe would wait for ever.
    disk = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return fail('disk-missing', { path })
  }
  const stat = await disk.stat()
  if (stat.isFile() && stat.size > 0) return ok(disk)
  await disk.close()
  return fail('disk-missing', { path })
}

/** Reads whole pieces of the disk, or throws. */
function readerOf(disk: FileHandle): ReadAt {
  return async (position, length) => {
    const { buffer, bytesRead } = await disk.read(Buffer.alloc(length), 0, length, position)
    if (bytesRead < length)
      throw new RangeError(`${length} bytes at ${position} are beyond the end of the disk`)
    return buffer
  }
}

/**
 * Reads the ranges in pieces and sends them; the next piece is read while one is on its way.
 * @returns false when the file ended early
 */
async function sendRanges(
  disk: FileHandle,
  ranges: readonly Range[],
  send: Send,
  signal: AbortSignal,
): Promise<boolean> {
  const buffers = [Buffer.allocUnsafe(MAXIMUM_DATA_BYTES), Buffer.allocUnsafe(MAXIMUM_DATA_BYTES)]
  let sending = Promise.resolve()
  let turn = 0
  for (const { position, length } of ranges) {
    for (let done = 0; done < length; done += MAXIMUM_DATA_BYTES) {
      signal.throwIfAborted()
      const buffer = buffers[turn++ % 2] as Buffer
      const wanted = Math.min(MAXIMUM_DATA_BYTES, length - done)
      const { bytesRead } = await disk.read(buffer, 0, wanted, position + done)
      await sending
      // A regular file gives less than was asked for only where it ends.
      if (bytesRead < wanted) return false
      sending = send(position + done, buffer.subarray(0, bytesRead))
      // Told by the next step that waits for it; until then it must not count as unhandled.
      sending.catch(() => undefined)
    }
  }
  await sending
  return true
}
