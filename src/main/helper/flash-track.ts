import type { Failure } from '../../shared/failure'
import type { TargetState } from '../../shared/helper-protocol'
import { DriveError } from './drive-io'
import type { FlashDevice } from './flash-device'
import { NoAnswer, watchDevice, type WatchedDevice } from './flash-watch'
import type { HelperJob } from './job'

/** Blank until everything else is written: partition tables, boot code and the first file system's superblock lie here. */
export const HEAD_BYTES = 1024 * 1024
/** Likewise at the drive's end: backup GPT (at most 5 blocks of 4 KiB), md 1.0 superblock (last 64 KiB), ZFS labels 2 and 3 (last 512 KiB). */
export const TAIL_BYTES = 1024 * 1024

/** A drive that is written, and how far it is. A drive that failed is left alone from then on; the others go on. */
export interface Track {
  device: WatchedDevice
  /** `/dev/sdb`, for failures. */
  name: string
  state: TargetState
  /** The drive's last MiB as it is to be, and how many bytes came for it. */
  tail: { bytes: Uint8Array; position: number; dataBytes: number }
}

export type TrackJob = Pick<HelperJob, 'signal' | 'progress' | 'targets' | 'log' | 'data'>

/** A drive of which nothing is written yet. `onStall` is told when its `stalled` changed. */
export function newTrack(device: FlashDevice, name: string, onStall: () => void): Track {
  const position = Math.min(device.sizeBytes, Math.max(HEAD_BYTES, device.sizeBytes - TAIL_BYTES))
  const track: Track = {
    device: watchDevice(device, (stalled) => {
      track.state = { ...track.state, stalled }
      onStall()
    }),
    name,
    state: { state: 'write', bytesDone: 0, bytesTotal: null, stalled: false, failure: null },
    tail: { bytes: new Uint8Array(device.sizeBytes - position), position, dataBytes: 0 },
  }
  return track
}

/** Whether a drive did not fail so far. */
export function isLive(track: Track): boolean {
  return track.state.failure === null
}

/** Notes that a drive failed; the first failure stays. */
export function failTrack(track: Track, failure: Failure): void {
  if (isLive(track)) track.state = { ...track.state, state: 'failed', stalled: false, failure }
}

/** Counts bytes that are on the drive, or compared. */
export function addDone(track: Track, bytes: number): void {
  track.state = { ...track.state, bytesDone: track.state.bytesDone + bytes }
}

/**
 * Does something with a drive, and notes it as failed when the drive refuses.
 * @param track the drive
 * @param job whose log takes what the drive said
 * @param operation what is done; other errors than DriveError are thrown on
 */
export async function guardTrack(track: Track, job: TrackJob, operation: () => Promise<void>): Promise<void> {
  try {
    await operation()
  } catch (error) {
    if (!(error instanceof DriveError)) throw error
    job.log(`${track.name}: ${error.message}`)
    const { offset, detail } = error
    failTrack(
      track,
      error instanceof NoAnswer || (await track.device.isPresent())
        ? { code: 'drive-io', facts: { device: track.name, offset, detail } }
        : { code: 'drive-gone', facts: { device: track.name } },
    )
  }
}

/** Tells how the drives stand. The whole is as far as the slowest of those that are in the earliest step. */
export function reportTracks(tracks: readonly Track[], job: TrackJob): void {
  const states = tracks.map(({ state }) => state)
  for (const phase of ['write', 'verify'] as const) {
    const [slowest] = states.filter(({ state }) => state === phase).sort((a, b) => a.bytesDone - b.bytesDone)
    if (slowest === undefined) continue
    job.progress(phase, slowest.bytesDone, slowest.bytesTotal)
    break
  }
  job.targets(states)
}
