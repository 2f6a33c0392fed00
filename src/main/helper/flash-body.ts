import { createHash } from 'node:crypto'
import { fail, ok, type Result } from '../../shared/failure'
import type { FlashRequest } from '../../shared/helper-protocol'
import { disjointRanges } from './disjoint-ranges'
import { alignedBuffers } from './flash-device'
import { openFlight } from './flash-flight'
import { failTrack, guardTrack, isLive, reportTracks, type Track, type TrackJob } from './flash-track'

/** Written at once, and at multiples of it: a multiple of every common erase block, and enough to hide USB's latency. */
const CHUNK_BYTES = 4 * 1024 * 1024
/** Chunks under way at the same time. */
const IN_FLIGHT = 4
/** The same for each of many drives that are read back at once. */
const IN_FLIGHT_OF_MANY = 2
/** Blank until everything else is written: partition tables, boot code and the first file system's superblock lie here. */
export const HEAD_BYTES = 1024 * 1024
/** Blank at the end of the drive until then: backup GPT (at most 5 blocks of 4 KiB), md 1.0 superblock (last 64 KiB), ZFS labels 2 and 3 (last 512 KiB). */
export const TAIL_BYTES = 1024 * 1024

/** What is to come. */
export interface BodyPlan {
  /** Bytes of the disk, holes included; a lower bound when `isSizeKnown` is false. */
  sizeBytes: number
  isSizeKnown: boolean
  /** Bytes of all data pieces, or null while unknown. */
  dataBytes: number | null
  /** How the data comes; `any` with a known size alone. */
  order: FlashRequest['order']
}

/** Bytes that were written, and what they were. */
export interface Chunk {
  position: number
  length: number
  digest: string
}

export interface WrittenBody {
  /** All that was written behind the first MiB, in the order in which it came. */
  chunks: Chunk[]
  /** The first MiB, zeros where nothing came. In a buffer that O_DIRECT takes. */
  head: Uint8Array
  /** What came in any order has its end here, which is not written either: a second partition table may be in it. */
  tail: { bytes: Uint8Array; position: number } | null
  /** Bytes of the disk: what was announced, or where what came ended. */
  endBytes: number
}

/**
 * Takes the data once and writes all but the first MiB (and of what comes in any order the last) to every drive, several chunks at a time. A drive that
 * fails is left out; when none is left the rest of the data is not taken.
 * @param tracks the drives
 * @param plan what is to come
 * @param job pieces must come in the order of the plan, without overlap, and begin and end at sectors, but for the end
 *   of the disk
 * @returns what was written; `helper-protocol` for pieces that do not. Throws the signal's reason when cancelled
 */
export async function writeBody(
  tracks: readonly Track[],
  plan: BodyPlan,
  job: TrackJob,
): Promise<Result<WrittenBody>> {
  const sectorBytes = Math.max(...tracks.map(({ device }) => device.sectorBytes))
  const [head = new Uint8Array(0)] = alignedBuffers(1, HEAD_BYTES)
  const tail = plan.order === 'any' ? emptyTail(plan.sizeBytes) : null
  const chunks: Chunk[] = []
  const free = alignedBuffers(IN_FLIGHT, CHUNK_BYTES)
  const flight = openFlight()
  let current: { buffer: Uint8Array; position: number; filled: number } | null = null
  const taken = disjointRanges()
  let end = 0
  let bytesTaken = 0

  const addDone = (track: Track, bytes: number): void => {
    track.state = { ...track.state, bytesDone: track.state.bytesDone + bytes, bytesTotal: plan.dataBytes }
    reportTracks(tracks, job, 'write')
  }

  function submit(): void {
    if (current === null) return
    const { buffer, position, filled } = current
    current = null
    buffer.fill(0, filled, roundUp(filled, sectorBytes))
    const writes = tracks.filter(isLive).map((track) =>
      guardTrack(track, job, async () => {
        const { device, name } = track
        const length = roundUp(filled, device.sectorBytes)
        if (position + length > device.sizeBytes) {
          failTrack(track, {
            code: 'drive-too-small',
            facts: { device: name, sizeBytes: device.sizeBytes },
          })
          return
        }
        await device.write(buffer.subarray(0, length), position)
        addDone(track, filled)
      }),
    )
    flight.add(
      Promise.all(writes).then(() => {
        free.push(buffer)
      }),
    )
    // The writes are under way in other threads while this one hashes.
    chunks.push({ position, length: filled, digest: sha256(buffer.subarray(0, filled)) })
  }

  async function append(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const at = position + done
      if (current !== null && current.position + current.filled !== at) submit()
      if (current === null) {
        while (free.length === 0) await flight.next()
        current = { buffer: free.pop() as Uint8Array, position: at, filled: 0 }
      }
      const room = CHUNK_BYTES - (current.position % CHUNK_BYTES) - current.filled
      const part = bytes.subarray(done, done + room)
      current.buffer.set(part, current.filled)
      current.filled += part.length
      done += part.length
      if (part.length === room) submit()
    }
  }

  try {
    for await (const { position, bytes } of job.data) {
      job.signal.throwIfAborted()
      const wrong = pieceFault(position, bytes.length, end, plan, sectorBytes)
      if (wrong !== null) return fail('helper-protocol', { detail: wrong })
      if (!taken.add(position, position + bytes.length)) {
        return fail('helper-protocol', { detail: `data at ${position} a second time` })
      }
      end = Math.max(end, position + bytes.length)
      bytesTaken += bytes.length
      const inHead = Math.min(Math.max(HEAD_BYTES - position, 0), bytes.length)
      if (inHead > 0) {
        head.set(bytes.subarray(0, inHead), position)
        for (const track of tracks.filter(isLive)) addDone(track, inHead)
      }
      const bodyEnd = tail === null ? end : Math.min(position + bytes.length, tail.position)
      const inBody = Math.max(bodyEnd - position - inHead, 0)
      if (inBody > 0) await append(position + inHead, bytes.subarray(inHead, inHead + inBody))
      if (tail !== null && inHead + inBody < bytes.length) {
        tail.bytes.set(bytes.subarray(inHead + inBody), position + inHead + inBody - tail.position)
        for (const track of tracks.filter(isLive)) addDone(track, bytes.length - inHead - inBody)
      }
      if (!tracks.some(isLive)) return ok({ chunks, head, tail, endBytes: end })
    }
    job.signal.throwIfAborted()
    submit()
    await flight.all()
  } finally {
    // No write of ours may still be under way when the drives are let go.
    await flight.settled()
  }
  if (plan.dataBytes !== null && bytesTaken !== plan.dataBytes) {
    return fail('helper-protocol', {
      detail: `${bytesTaken} bytes came, ${plan.dataBytes} were announced`,
    })
  }
  return ok({ chunks, head, tail, endBytes: plan.isSizeKnown ? plan.sizeBytes : end })
}

function emptyTail(sizeBytes: number): NonNullable<WrittenBody['tail']> {
  const position = Math.max(HEAD_BYTES, sizeBytes - TAIL_BYTES)
  return { bytes: new Uint8Array(Math.max(0, sizeBytes - position)), position }
}

/** What is wrong with a piece, or null. A piece behind one that did not end at a sector is wrong by its position. */
function pieceFault(
  position: number,
  length: number,
  end: number,
  plan: BodyPlan,
  sectorBytes: number,
): string | null {
  const stop = position + length
  if (plan.order === 'ascending' && position < end) return `data at ${position} after ${end}`
  if (plan.isSizeKnown && stop > plan.sizeBytes) return `data up to ${stop} of ${plan.sizeBytes}`
  const isEnd = stop === plan.sizeBytes || !plan.isSizeKnown
  const isAligned = position % sectorBytes === 0 && (stop % sectorBytes === 0 || isEnd)
  return isAligned ? null : `data at ${position} of ${length} bytes`
}

/**
 * Reads what was written back from one drive, several chunks at a time, and compares.
 * @param track the drive; it is noted as failed when something differs or cannot be read
 * @param tracks all drives, for the report
 * @returns nothing; throws the signal's reason when cancelled
 */
export async function verifyBody(
  track: Track,
  tracks: readonly Track[],
  chunks: readonly Chunk[],
  job: TrackJob,
): Promise<void> {
  const { device, name } = track
  const free = alignedBuffers(tracks.length > 2 ? IN_FLIGHT_OF_MANY : IN_FLIGHT, CHUNK_BYTES)
  const flight = openFlight()
  const wrong: Chunk[] = []
  const report = (bytes: number): void => {
    track.state = { ...track.state, bytesDone: track.state.bytesDone + bytes }
    reportTracks(tracks, job, 'verify')
  }
  try {
    report(0)
    for (const chunk of chunks) {
      job.signal.throwIfAborted()
      while (free.length === 0) await flight.next()
      if (wrong.length > 0) break
      const buffer = free.pop() as Uint8Array
      const length = roundUp(chunk.length, device.sectorBytes)
      flight.add(
        device.read(buffer.subarray(0, length), chunk.position).then(() => {
          if (sha256(buffer.subarray(0, chunk.length)) !== chunk.digest) wrong.push(chunk)
          free.push(buffer)
          report(chunk.length)
        }),
      )
    }
    await flight.all()
  } finally {
    await flight.settled()
  }
  const [first] = wrong.sort((a, b) => a.position - b.position)
  if (first === undefined) return
  failTrack(track, {
    code: 'verify-mismatch',
    facts: { device: name, offset: first.position, length: first.length },
  })
}

/** SHA-256 of bytes, in Base64. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}

/** The next multiple of a unit. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}
