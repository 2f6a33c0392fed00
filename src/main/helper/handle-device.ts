import type { FileHandle } from 'node:fs/promises'
import { alignedBuffers, type ClaimedDevice } from './flash-device'
import { guarded, readAll, writeAll } from './drive-io'

/** What a page of memory holds at least, in bytes; no medium has larger sectors. */
const PROBE_BYTES = 65_536

/**
 * A drive behind an open handle that no cache lies in front of, as raw disks of macOS and physical drives of Windows
 * are.
 * @param handle open for reading and writing; closed by `close`
 * @param size of the drive, and its logical sectors, in bytes
 */
export function handleDevice(
  handle: FileHandle,
  { sizeBytes, sectorBytes }: { sizeBytes: number; sectorBytes: number },
): ClaimedDevice {
  let closing: Promise<void> | null = null
  return {
    majorMinor: '',
    busPath: null,
    device: {
      sizeBytes,
      sectorBytes,
      write: (bytes, position) => writeAll(handle, bytes, position),
      read: (bytes, position) => readAll(handle, bytes, position),
      flush: () => guarded(0, handle.sync()),
      async isPresent() {
        // A handle never comes to mean another drive: of one that was pulled nothing can be read.
        const [probe = new Uint8Array(0)] = alignedBuffers(1, PROBE_BYTES)
        return readAll(handle, probe.subarray(0, sectorBytes), 0).then(
          () => true,
          () => false,
        )
      },
    },
    close: () => (closing ??= handle.close()),
  }
}
