import { resizeGpt, type ResizedGpt } from '../disk/gpt-resize'
import { ok, type Failure, type Result } from '../../shared/failure'
import {
  HEAD_BYTES,
  TAIL_BYTES,
  roundUp,
  sha256,
  verifyBody,
  writeBody,
  type BodyPlan,
  type WrittenBody,
} from './flash-body'
import { alignedBuffers, type FlashDevice } from './flash-device'
import { failTrack, guardTrack, isLive, newTrack, type Track, type TrackJob } from './flash-track'

export interface WritePlan extends BodyPlan {
  /** The drives, with the names that failures use (`/dev/sdb`). */
  targets: readonly { device: FlashDevice; name: string }[]
  verify: boolean
}

/**
 * Writes the pieces to all drives, so that each is blank from the first moment until everything else is on it and
 * compared: first zeros to the first and last MiB, then all data but the first MiB, then the comparison, then the
 * first MiB. An ending before that leaves a drive plainly blank. A drive that fails does not stop the others.
 * The second GUID partition table of a disk that has one goes to each drive's end.
 * @param plan the drives and what is to come
 * @param job pieces must come in the order of the plan, without overlap, and begin and end at sectors, but for the end
 *   of the disk
 * @returns for each drive null or its failure (`drive-io`, `drive-gone`, `drive-too-small`, `verify-mismatch`);
 *   `helper-protocol` for pieces that are not as they must be. Throws the signal's reason when cancelled
 */
export async function writeDisk(plan: WritePlan, job: TrackJob): Promise<Result<(Failure | null)[]>> {
  const tracks = plan.targets.map(({ device, name }) => newTrack(device, name))
  // What comes in any order may leave out the end until late: then it is blanked before, and blank whenever this stops.
  const known = plan.isSizeKnown && plan.order === 'ascending' ? plan.sizeBytes : 0
  await eachLive(tracks, job, (track) => blankEnds(track.device, known))
  const written = await writeBody(tracks, plan, job)
  if (!written.ok) return written
  const body = written.value
  await eachLive(tracks, job, (track) => track.device.flush())

  if (plan.verify) {
    const bytesTotal = body.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    for (const track of tracks.filter(isLive)) {
      track.state = { state: 'verify', bytesDone: 0, bytesTotal, failure: null }
    }
    await eachLive(tracks, job, (track) => verifyBody(track, tracks, body.chunks, job))
  }
  job.signal.throwIfAborted()

  // From here on nothing is cancelled: the drives are as good as done.
  await eachLive(tracks, job, (track) => finish(track, plan, body, job))
  job.targets(tracks.map(({ state }) => state))
  return ok(tracks.map(({ state }) => state.failure))
}

/** Does something with all drives that did not fail, at the same time, and waits until the last one is through. */
async function eachLive(
  tracks: readonly Track[],
  job: TrackJob,
  operation: (track: Track) => Promise<void>,
): Promise<void> {
  const running = tracks.filter(isLive).map((track) => guardTrack(track, job, () => operation(track)))
  const ended = await Promise.allSettled(running)
  for (const one of ended) if (one.status === 'rejected') throw one.reason
}

/** Writes the second partition table and the first MiB; blanks the ends again when that does not work. */
async function finish(track: Track, plan: WritePlan, body: WrittenBody, job: TrackJob): Promise<void> {
  const { device, name } = track
  if (!(await device.isPresent())) {
    failTrack(track, { code: 'drive-gone', facts: { device: name } })
    return
  }
  const length = roundUp(Math.min(HEAD_BYTES, body.endBytes), device.sectorBytes)
  const head = body.head.subarray(0, length)
  const resized = resizeGpt(head, body.endBytes, device.sizeBytes, device.sectorBytes)
  let isWhole = false
  try {
    for (const { bytes, position } of lastPieces(head, body.tail, resized)) {
      const [buffer = new Uint8Array(0)] = alignedBuffers(1, roundUp(bytes.length, HEAD_BYTES))
      const piece = buffer.subarray(0, bytes.length)
      piece.set(bytes)
      await device.write(piece, position)
      await device.flush()
      if (!plan.verify) continue
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
    track.state = { ...track.state, state: 'done' }
  } finally {
    // Another medium may be in the reader by now, and is nobody's to blank.
    if (!isWhole && (await device.isPresent())) {
      await blankEnds(device, body.tail === null ? body.endBytes : 0).catch((error: unknown) => {
        job.log(`the beginning of ${name} could not be blanked again: ${String(error)}`)
      })
    }
  }
}

/** What is written at the very end, in its order: the first MiB is the last of all. */
function lastPieces(
  head: Uint8Array,
  tail: WrittenBody['tail'],
  resized: ResizedGpt | null,
): { bytes: Uint8Array; position: number }[] {
  const end = tail === null || tail.bytes.length === 0 ? [] : [tail]
  if (resized === null) return [...end, { bytes: head, position: 0 }]
  return [...end, { bytes: resized.tail, position: resized.tailStart }, { bytes: resized.head, position: 0 }]
}

/** Zeros the first MiB, and of the last MiB what the disk does not reach. */
async function blankEnds(device: FlashDevice, sizeBytes: number): Promise<void> {
  const [zeros = new Uint8Array(0)] = alignedBuffers(1, HEAD_BYTES)
  await device.write(zeros.subarray(0, Math.min(HEAD_BYTES, device.sizeBytes)), 0)
  const start = Math.max(roundUp(sizeBytes, device.sectorBytes), device.sizeBytes - TAIL_BYTES, 0)
  if (start < device.sizeBytes) await device.write(zeros.subarray(0, device.sizeBytes - start), start)
  await device.flush()
}
