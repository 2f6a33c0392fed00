import { createHash } from 'node:crypto'
import { fail, ok, type Result } from '../../shared/failure'
import type { FlashRequest } from '../../shared/helper-protocol'
import { disjointRanges } from './disjoint-ranges'
import { openBufferPool, type BufferPool } from './flash-buffers'
import { alignedBuffers } from './flash-device'
import { openFlight } from './flash-flight'
import { openLane, type Lane } from './flash-lane'
import {
  addDone,
  failTrack,
  guardTrack,
  HEAD_BYTES,
  isLive,
  reportTracks,
  type Track,
  type TrackJob,
} from './flash-track'
import { NoAnswer } from './flash-watch'

/** Written at once, and at multiples of it: a multiple of every common erase block, and enough to hide USB's latency. */
const CHUNK_BYTES = 4 * 1024 * 1024
/** Chunks under way at the same time for one drive, and for each of many: each waits in a thread. */
const IN_FLIGHT = 4
const IN_FLIGHT_OF_MANY = 2
/** Chunks in memory: one is filled while the others are written; of several drives a fast one can be ahead so far. */
const CHUNKS_OF_ONE = IN_FLIGHT + 1
const CHUNKS_OF_SEVERAL = 16

/** How many chunks of each of so many drives are under way at the same time. */
const inFlight = (drives: number): number => (drives > 2 ? IN_FLIGHT_OF_MANY : IN_FLIGHT)

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

/** Bytes that were written, and what they were. Of each drive a chunk is either before its last MiB or in it. */
export interface Chunk {
  position: number
  length: number
  digest: string
}

/** All that came. */
export interface TakenBody {
  /** What came behind the first MiB, in its order. */
  chunks: Chunk[]
  /** The first MiB, zeros where nothing came, and how many bytes came for it. */
  head: { bytes: Uint8Array; dataBytes: number }
  /** Bytes of the disk: what was announced, or where what came ended. */
  endBytes: number
}

/** A chunk on its way to the drives. */
interface SharedChunk {
  position: number
  buffer: Uint8Array
  filled: number
  /** Drives that are not through with it. */
  users: number
  /** A drive that does not answer may read the buffer for ever. */
  isLost: boolean
}

/** The drives' side of a body: each has a lane of its own. */
export interface BodyLanes {
  lanes: readonly Lane<SharedChunk>[]
  pool: BufferPool
}

/**
 * Makes a lane for each drive. A drive is as fast as it can while there are buffers; the slowest sets the pace only
 * when it has all of them.
 * @param blanked for each drive: when its ends are blank, before which nothing is written
 */
export function openBodyLanes(
  tracks: readonly Track[],
  blanked: readonly Promise<void>[],
  plan: BodyPlan,
  job: TrackJob,
): BodyLanes {
  const pool = openBufferPool(tracks.length > 1 ? CHUNKS_OF_SEVERAL : CHUNKS_OF_ONE, CHUNK_BYTES, job.signal)
  const release = (chunk: SharedChunk): void => {
    chunk.users -= 1
    if (chunk.users === 0) pool.give(chunk.buffer, chunk.isLost)
  }
  const lanes = tracks.map((track, index) => {
    const write = async (chunk: SharedChunk): Promise<void> => {
      await blanked[index]
      if (!isLive(track) || job.signal.aborted) return
      const { device } = track
      const bytes = chunk.buffer.subarray(0, roundUp(chunk.filled, device.sectorBytes))
      await device.write(bytes, chunk.position).catch((error: unknown) => {
        if (error instanceof NoAnswer) chunk.isLost = true
        throw error
      })
      track.state = { ...track.state, bytesTotal: plan.dataBytes }
      addDone(track, chunk.filled)
      reportTracks(tracks, job)
    }
    return openLane<SharedChunk>(
      inFlight(tracks.length),
      (chunk) =>
        guardTrack(track, job, () => write(chunk)).finally(() => {
          release(chunk)
        }),
      release,
    )
  })
  return { lanes, pool }
}

/**
 * Takes the data once and hands all but the first MiB to every drive. When no drive is left that did not fail, the
 * rest of the data is not taken.
 * @param tracks the drives; what belongs into a drive's last MiB is kept in its `tail`
 * @param lanes of the drives
 * @param plan what is to come
 * @param job pieces must come in the order of the plan, without overlap, and begin and end at sectors, but for the end
 *   of the disk
 * @returns what came, not all of it written yet; `helper-protocol` for pieces that are not as they must be. Throws the
 *   signal's reason when cancelled
 */
export async function takeBody(
  tracks: readonly Track[],
  { lanes, pool }: BodyLanes,
  plan: BodyPlan,
  job: TrackJob,
): Promise<Result<TakenBody>> {
  const sectorBytes = Math.max(...tracks.map(({ device }) => device.sectorBytes))
  const [headBytes = new Uint8Array(0)] = alignedBuffers(1, HEAD_BYTES)
  const head = { bytes: headBytes, dataBytes: 0 }
  const chunks: Chunk[] = []
  /** No chunk goes across them. */
  const cuts = tracks.map(({ tail }) => tail.position).sort((a, b) => a - b)
  let current: SharedChunk | null = null
  const taken = disjointRanges()
  let end = 0
  let bytesTaken = 0

  function submit(): void {
    if (current === null) return
    const chunk = current
    current = null
    const { position, buffer, filled } = chunk
    const length = roundUp(filled, sectorBytes)
    buffer.fill(0, filled, length)
    const writers = tracks.flatMap((track, index) => (receives(track, chunk) ? [lanes[index]] : []))
    chunk.users = writers.length
    for (const lane of writers) lane?.put(chunk)
    // The writes are under way in other threads while this one hashes.
    chunks.push({ position, length: filled, digest: sha256(buffer.subarray(0, filled)) })
    if (chunk.users === 0) pool.give(buffer, false)
  }

  async function append(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const at = position + done
      if (current !== null && current.position + current.filled !== at) submit()
      current ??= { buffer: await pool.take(), position: at, filled: 0, users: 0, isLost: false }
      const stop = Math.min(
        (Math.floor(at / CHUNK_BYTES) + 1) * CHUNK_BYTES,
        cuts.find((cut) => cut > at) ?? Infinity,
      )
      const part = bytes.subarray(done, done + stop - at)
      current.buffer.set(part, current.filled)
      current.filled += part.length
      done += part.length
      if (at + part.length === stop) submit()
    }
  }

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
    if (inHead > 0) head.bytes.set(bytes.subarray(0, inHead), position)
    head.dataBytes += inHead
    if (inHead < bytes.length) await append(position + inHead, bytes.subarray(inHead))
    if (!tracks.some(isLive)) return ok({ chunks, head, endBytes: end })
  }
  job.signal.throwIfAborted()
  submit()
  if (plan.dataBytes !== null && bytesTaken !== plan.dataBytes) {
    return fail('helper-protocol', {
      detail: `${bytesTaken} bytes came, ${plan.dataBytes} were announced`,
    })
  }
  return ok({ chunks, head, endBytes: plan.isSizeKnown ? plan.sizeBytes : end })
}

/** Whether a drive is to write a chunk now: it did not fail, and the chunk is neither beyond its end nor in its last MiB, where it is kept. */
function receives(track: Track, { position, buffer, filled }: SharedChunk): boolean {
  const { device, tail, name } = track
  if (!isLive(track)) return false
  if (position + roundUp(filled, device.sectorBytes) > device.sizeBytes) {
    failTrack(track, { code: 'drive-too-small', facts: { device: name, sizeBytes: device.sizeBytes } })
    return false
  }
  if (position < tail.position) return true
  tail.bytes.set(buffer.subarray(0, filled), position - tail.position)
  tail.dataBytes += filled
  return false
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
 * @param track the drive; it is noted as failed when something differs
 * @param tracks all drives, for the report
 * @param body what came; the drive's ends are compared when they are written
 * @returns nothing; throws the signal's reason when cancelled
 */
export async function verifyBody(
  track: Track,
  tracks: readonly Track[],
  body: TakenBody,
  job: TrackJob,
): Promise<void> {
  const { device, name, tail } = track
  const chunks = body.chunks.filter(({ position }) => position < tail.position)
  const bytesTotal = chunks.reduce((sum, { length }) => sum + length, body.head.dataBytes + tail.dataBytes)
  track.state = { ...track.state, state: 'verify', bytesDone: 0, bytesTotal }
  reportTracks(tracks, job)
  const free = alignedBuffers(inFlight(tracks.length), CHUNK_BYTES)
  const flight = openFlight()
  const wrong: Chunk[] = []
  try {
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
          addDone(track, chunk.length)
          reportTracks(tracks, job)
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
