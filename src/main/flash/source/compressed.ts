import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { fail, ok, type Result } from '../../../shared/failure'
import { MAXIMUM_DATA_BYTES } from '../../../shared/helper-protocol'
import { deviceNumber } from '../../drives/linux/device-number'
import { decompressionFailure, type Compression, type Decompression } from './decompress'
import { isBootSector } from './raw'
import type { Send, Source } from './source'

/**
 * A compressed disk, decompressed while it is sent. All of it is sent, zeros too: what of a file system is free is
 * known only when all of it was seen, and zeros that are left out would leave a drive's old data in their place.
 * @param file the open file; closed with the source
 * @param path for failures and for programs that tell the size
 * @param compression by which it was recognised
 * @returns the source; `disk-damaged`, `disk-not-bootable`, `tool-missing`, `not-supported`
 */
export async function compressedSource(
  file: FileHandle,
  path: string,
  compression: Compression,
): Promise<Result<Source>> {
  const before = await file.stat({ bigint: true })
  const size = await compression.size(file, path)
  if (!size.ok) return size
  const start = await firstSector(file, path, compression)
  if (!start.ok) return start
  if (!isBootSector(start.value)) return fail('disk-not-bootable', { path })
  const isSizeKnown = size.value?.isExact ?? false
  let running: Decompression | null = null

  return ok({
    device: deviceNumber(before.dev),
    sizeBytes: Math.max(1, size.value?.bytes ?? 1),
    isSizeKnown,
    dataBytes: isSizeKnown ? (size.value?.bytes ?? null) : null,
    async send(send, signal) {
      const opened = await compression.open(file, path)
      if (!opened.ok) return opened
      running = opened.value
      const sent = await sendStream(running.stream, send, signal, path)
      if (!sent.ok) return sent
      const after = await file.stat({ bigint: true })
      if (after.size !== before.size || after.mtimeNs !== before.mtimeNs)
        return fail('disk-changed', { path })
      return isSizeKnown && sent.value !== size.value?.bytes
        ? fail('disk-damaged', {
            path,
            detail: `it holds ${sent.value} bytes and says ${size.value?.bytes ?? 0}`,
          })
        : ok(null)
    },
    fractionRead: () => Math.min(1, (running?.bytesRead() ?? 0) / Math.max(1, Number(before.size))),
    async close() {
      await running?.stop()
      await file.close()
    },
  })
}

/** Decompresses no more than the first sector. */
async function firstSector(
  file: FileHandle,
  path: string,
  compression: Compression,
): Promise<Result<Buffer>> {
  const opened = await compression.open(file, path)
  if (!opened.ok) return opened
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of opened.value.stream as AsyncIterable<Buffer>) {
      parts.push(chunk)
      length += chunk.length
      if (length >= 512) break
    }
    return ok(Buffer.concat(parts).subarray(0, 512))
  } catch (error) {
    return { ok: false, failure: decompressionFailure(error, path) }
  } finally {
    await opened.value.stop()
  }
}

/**
 * Sends a stream from position 0 on in pieces of one size, the last one shorter.
 * @returns how many bytes it had
 */
async function sendStream(
  stream: Readable,
  send: Send,
  signal: AbortSignal,
  path: string,
): Promise<Result<number>> {
  const buffers = [Buffer.allocUnsafe(MAXIMUM_DATA_BYTES), Buffer.allocUnsafe(MAXIMUM_DATA_BYTES)]
  let sending = Promise.resolve()
  let position = 0
  let filled = 0
  let turn = 0
  const submit = async (): Promise<void> => {
    const buffer = buffers[turn++ % 2] as Buffer
    await sending
    sending = send(position, buffer.subarray(0, filled))
    // Told by the next step that waits for it; until then it must not count as unhandled.
    sending.catch(() => undefined)
    position += filled
    filled = 0
  }
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  for (;;) {
    signal.throwIfAborted()
    let next: IteratorResult<Buffer>
    try {
      next = await chunks.next()
    } catch (error) {
      return { ok: false, failure: decompressionFailure(error, path) }
    }
    if (next.done === true) break
    for (let done = 0; done < next.value.length;) {
      const taken = next.value.copy(buffers[turn % 2] as Buffer, filled, done)
      filled += taken
      done += taken
      if (filled === MAXIMUM_DATA_BYTES) await submit()
    }
  }
  if (filled > 0) await submit()
  await sending
  return ok(position)
}
