import { resizeGpt } from '../disk/gpt-resize'
import { ok, type Failure, type Result } from '../../shared/failure'
import {
  openBodyLanes,
  roundUp,
  sha256,
  takeBody,
  verifyBody,
  type BodyPlan,
  type TakenBody,
} from './flash-body'
import { alignedBuffers, type FlashDevice } from './flash-device'
import {
  addDone,
  failTrack,
  guardTrack,
  HEAD_BYTES,
  isLive,
  newTrack,
  reportTracks,
  TAIL_BYTES,
  type Track,
  type TrackJob,
} from './flash-track'

/** Of the first MiB this is written behind the rest: boot sector and first GUID partition table's header lie here. */
const FIRST_BYTES = 4096
/** What is written by itself: a sector of a drive, which is written whole or not at all. */
const SECTOR_BYTES = 512

export interface WriteTarget {
  device: FlashDevice
  /** `/dev/sdb`, as failures name it. */
  name: string
  /** Called when the drive is written and compared, however far the others are. Must not throw. */
  whenDone?: () => Promise<void>
}

export interface WritePlan extends BodyPlan {
  targets: readonly WriteTarget[]
  verify: boolean
}

/**
 * Writes the pieces to all drives, so that each is blank from the first moment until everything else is on it and
 * compared: first zeros to the first and last MiB, then all data between, then the comparison, then the last MiB and
 * the first, and the first sector alone as the last of all. An ending before that leaves a drive plainly blank.
 * Each drive goes its way by itself: one that fails, is slow or does not answer stops no other.
 * The second GUID partition table of a disk that has one goes to each drive's end.
 * @param plan the drives and what is to come
 * @param job pieces must come in the order of the plan, without overlap, and begin and end at sectors, but for the end
 *   of the disk
 * @returns for each drive null or its failure (`drive-io`, `drive-gone`, `drive-too-small`, `verify-mismatch`);
 *   `helper-protocol` for pieces that are not as they must be. Throws the signal's reason when cancelled; a drive that
 *   does not answer then is left with what it was asked for still under way
 */
export async function writeDisk(plan: WritePlan, job: TrackJob): Promise<Result<(Failure | null)[]>> {
  const tracks: Track[] = plan.targets.map(({ device, name }) =>
    newTrack(device, name, () => {
      job.targets(tracks.map(({ state }) => state))
    }),
  )
  const hurry = (): void => {
    for (const { device } of tracks) device.hurry()
  }
  job.signal.addEventListener('abort', hurry)
  const blanked = tracks.map((track) => guardTrack(track, job, () => blankEnds(track.device)))
  const body = openBodyLanes(tracks, blanked, plan, job)
  try {
    const taking = takeBody(tracks, body, plan, job)
    // Each drive asks for it when its ends are blank; until then a rejection must not count as unhandled.
    taking.catch(() => undefined)
    const courses = tracks.map(async (track, index) => {
      await blanked[index]
      const taken = await taking
      if (!taken.ok) return
      await body.lanes[index]?.drained()
      await guardTrack(track, job, () => finish(track, tracks, plan, taken.value, job))
      if (isLive(track)) await plan.targets[index]?.whenDone?.()
      if (isLive(track)) track.state = { ...track.state, state: 'done' }
      reportTracks(tracks, job)
    })
    const ended = await Promise.allSettled(courses)
    for (const one of ended) if (one.status === 'rejected') throw one.reason
    const taken = await taking
    return taken.ok ? ok(tracks.map(({ state }) => state.failure)) : taken
  } finally {
    // No write of ours may still be under way when the drives are let go, but to a drive that does not answer.
    await Promise.all(body.lanes.map((lane) => lane.clear()))
    job.signal.removeEventListener('abort', hurry)
    for (const { device } of tracks) device.unwatch()
  }
}

/** From the last write of the body to the first sector. */
async function finish(
  track: Track,
  tracks: readonly Track[],
  plan: WritePlan,
  body: TakenBody,
  job: TrackJob,
): Promise<void> {
  if (!isLive(track)) return
  await track.device.flush()
  if (plan.verify) await verifyBody(track, tracks, body, job)
  if (!isLive(track)) return
  job.signal.throwIfAborted()
  // From here on nothing is cancelled: the drive is as good as done.
  await writeEnds(track, body, plan.verify, job)
  addDone(track, body.head.dataBytes + track.tail.dataBytes)
}

/** Writes both ends; blanks them again when that does not work. */
async function writeEnds(track: Track, body: TakenBody, verify: boolean, job: TrackJob): Promise<void> {
  const { device, name } = track
  if (!(await device.isPresent())) {
    failTrack(track, { code: 'drive-gone', facts: { device: name } })
    return
  }
  let isWhole = false
  try {
    for (const { bytes, position } of lastPieces(track, body)) {
      const [buffer = new Uint8Array(0)] = alignedBuffers(1, roundUp(bytes.length, HEAD_BYTES))
      const piece = buffer.subarray(0, bytes.length)
      piece.set(bytes)
      await device.write(piece, position)
      await device.flush()
      if (!verify) continue
      piece.fill(0)
      await device.read(piece, position)
      if (sha256(piece) === sha256(bytes)) continue
      failTrack(track, {
        code: 'verify-mismatch',
        facts: { device: name, offset: position, length: bytes.length },
      })
      return
    }
    isWhole = true
  } finally {
    // Another medium may be in the reader by now, and is nobody's to blank.
    if (!isWhole && (await device.isPresent())) {
      await blankEnds(device).catch((error: unknown) => {
        job.log(`the ends of ${name} could not be blanked again: ${String(error)}`)
      })
    }
  }
}

/**
 * Both ends of a drive in the order in which they are written. The last three are a sector or a few: a drive that is
 * pulled among them has no boot signature, without which no firmware and no kernel looks at a partition table (UEFI
 * 2.10, 5.3.1; Linux block/partitions/efi.c), and a drive that is pulled before has no header of a table either.
 */
function lastPieces(track: Track, body: TakenBody): { bytes: Uint8Array; position: number }[] {
  const { device, tail } = track
  const sector = Math.max(SECTOR_BYTES, device.sectorBytes)
  const length = roundUp(Math.min(HEAD_BYTES, body.endBytes), device.sectorBytes)
  const plain = body.head.bytes.subarray(0, length)
  const resized = resizeGpt(plain, body.endBytes, device.sizeBytes, device.sectorBytes)
  const head = resized?.head ?? plain
  const end = Uint8Array.from(tail.bytes)
  if (resized !== null) end.set(resized.tail, resized.tailStart - tail.position)
  const isEndUsed = resized !== null || body.endBytes > tail.position
  const cut = isEndUsed ? Math.max(0, end.length - sector) : 0
  const usedEnd = isEndUsed ? end : end.subarray(0, 0)
  return [
    { bytes: usedEnd.subarray(0, cut), position: tail.position },
    { bytes: head.subarray(FIRST_BYTES), position: FIRST_BYTES },
    { bytes: usedEnd.subarray(cut), position: tail.position + cut },
    { bytes: head.subarray(sector, FIRST_BYTES), position: sector },
    { bytes: head.subarray(0, sector), position: 0 },
  ].filter(({ bytes }) => bytes.length > 0)
}

/** Zeros the first and the last MiB. */
async function blankEnds(device: FlashDevice): Promise<void> {
  const [zeros = new Uint8Array(0)] = alignedBuffers(1, HEAD_BYTES)
  await device.write(zeros.subarray(0, Math.min(HEAD_BYTES, device.sizeBytes)), 0)
  const start = Math.max(0, device.sizeBytes - TAIL_BYTES)
  await device.write(zeros.subarray(0, device.sizeBytes - start), start)
  await device.flush()
}
