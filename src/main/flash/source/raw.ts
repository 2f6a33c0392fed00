import type { FileHandle } from 'node:fs/promises'
import { fail, ok } from '../../../shared/failure'
import { MAXIMUM_DATA_BYTES } from '../../../shared/helper-protocol'
import { deviceNumber } from '../../drives/linux/device-number'
import { blockMapOf } from '../../library/block-map'
import { coalesce, usedRanges, type Range, type ReadAt } from '../used-blocks'
import type { Send, Source } from './source'

/**
 * A disk as it lies in its file. What need not be written is told by its builder's own map, while the file is as it
 * was built, or by a file system that can be trusted; holes in the file tell nothing, for they read as zeros and
 * must be zeros on a drive that held something else.
 * @param disk the open file; closed with the source
 * @param path absolute, for failures and for the map beside it
 * @param everything whether also what no file system uses is sent
 */
export async function rawSource(disk: FileHandle, path: string, everything: boolean): Promise<Source> {
  const before = await disk.stat({ bigint: true })
  const sizeBytes = Number(before.size)
  const map = everything ? null : await blockMapOf(path, before)
  const whole = [{ position: 0, length: sizeBytes }]
  const mapped = map?.map(({ offset, length }) => ({ position: offset, length }))
  const ranges = everything
    ? whole
    : mapped !== undefined
      ? coalesce(mapped, sizeBytes)
      : await usedRanges(readerOf(disk), sizeBytes)
  const dataBytes = ranges.reduce((sum, range) => sum + range.length, 0)
  return {
    device: deviceNumber(before.dev),
    sizeBytes,
    isSizeKnown: true,
    dataBytes,
    async send(send, signal) {
      const isWhole = await sendRanges(disk, ranges, send, signal)
      const after = await disk.stat({ bigint: true })
      const isSame = after.size === before.size && after.mtimeNs === before.mtimeNs
      return isWhole && isSame ? ok(null) : fail('disk-changed', { path })
    },
    fractionRead: () => 0,
    close: () => disk.close(),
  }
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

/** Whether a first sector can boot: its signature (UEFI specification, 5.2.1, "Legacy Master Boot Record"). */
export function isBootSector(sector: Uint8Array): boolean {
  return sector[510] === 0x55 && sector[511] === 0xaa
}
