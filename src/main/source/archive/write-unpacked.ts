import { write } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import { refuse } from '../../disk/refusal'
import type { Blob } from './blobs'
import { layerChunks } from './layers'

/** What is unpacked, and where to. Plain data, so that a thread can be given it. */
export interface Unpacking {
  packed: Blob
  /** The archive's, for refusals. */
  path: string
  /** The folder of the file, of which the descriptor is open for writing. */
  place: string
  descriptor: number
}

/** Bytes that are left free for all others. */
const LEFT_FREE = 64 * 1024 * 1024
/** Bytes between two looks at what is free. */
const LOOK_INTERVAL = 16 * 1024 * 1024

/**
 * Unpacks a file into another.
 * @param onRead told the bytes of the packed file that were read
 * @returns bytes of the unpacked one
 * @throws refusals: those of `layerChunks`, and `archive-no-room`
 */
export async function writeUnpacked(
  { packed, path, place, descriptor }: Unpacking,
  signal: AbortSignal,
  onRead: (position: number) => void,
): Promise<number> {
  let written = 0
  let read = 0
  let looked = 0
  const layer = { blob: packed, part: 'it', diffId: null }
  const chunks = layerChunks(layer, path, signal, (position) => {
    read = position
    onRead(position)
  })
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await promisify(write)(descriptor, chunk, at, chunk.length - at, written + at)
      at += bytesWritten
    }
    written += chunk.length
    if (written - looked < LOOK_INTERVAL) continue
    looked = written
    await checkRoom(place, { packed, path, written, read })
  }
  return written
}

/** Refuses by `archive-no-room` what does not fit into a folder, as far as that is known. */
export async function checkRoom(
  place: string,
  { packed, path, written, read }: Pick<Unpacking, 'packed' | 'path'> & { written: number; read: number },
): Promise<void> {
  const { bavail, bsize } = await statfs(place)
  const free = bavail * bsize
  if (free >= LEFT_FREE && (written > 0 || free - LEFT_FREE >= packed.size)) return
  const neededBytes = LEFT_FREE + Math.round(written > 0 ? (written * packed.size) / read : packed.size)
  refuse('archive-no-room', { path, folder: place, neededBytes, freeBytes: written + free })
}
