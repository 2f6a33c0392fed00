import type { Failure } from '../../shared/failure'
import type { TargetState } from '../../shared/helper-protocol'
import { DriveError, type FlashDevice } from './flash-device'
import type { HelperJob } from './job'

/** A drive that is written, and how far it is. A drive that failed is left alone from then on; the others go on. */
export interface Track {
  device: FlashDevice
  /** `/dev/sdb`, for failures. */
  name: string
  state: TargetState
}

export type TrackJob = Pick<HelperJob, 'signal' | 'progress' | 'targets' | 'log' | 'data'>

/** A drive of which nothing is written yet. */
export function newTrack(device: FlashDevice, name: string): Track {
  return { device, name, state: { state: 'write', bytesDone: 0, bytesTotal: null, failure: null } }
}

/** Whether a drive did not fail so far. */
export function isLive(track: Track): boolean {
  return track.state.failure === null
}

/** Notes that a drive failed; the first failure stays. */
export function failTrack(track: Track, failure: Failure): void {
  if (isLive(track)) track.state = { ...track.state, state: 'failed', failure }
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
      (await track.device.isPresent())
        ? { code: 'drive-io', facts: { device: track.name, offset, detail } }
        : { code: 'drive-gone', facts: { device: track.name } },
    )
  }
}

/**
 * Tells how the drives stand. The whole is as far as the slowest drive that is still written.
 * @param phase that all drives are in
 */
export function reportTracks(tracks: readonly Track[], job: TrackJob, phase: 'write' | 'verify'): void {
  const live = tracks.filter(isLive)
  const slowest = Math.min(...live.map(({ state }) => state.bytesDone))
  if (live.length > 0) job.progress(phase, slowest, live[0]?.state.bytesTotal ?? null)
  job.targets(tracks.map(({ state }) => state))
}
