import { DriveError } from './drive-io'
import type { FlashDevice } from './flash-device'

/** Milliseconds without an answer after which a drive is said to be stalled: cheap sticks think for some seconds. */
export const STALL_TIME = 10_000
/** And after which it has failed: the kernel gives a command 30 seconds and five tries (drivers/scsi/sd.h). */
export const GIVE_UP_TIME = 180_000
/** The same when the write was cancelled and nobody cares for the drive's answer any more. */
export const HURRIED_TIME = 10_000
/** Milliseconds between two looks at the clock. */
const LOOK_INTERVAL = 1000

/** The drive does not answer and is left alone. What it was asked for may still be under way, with its buffer. */
export class NoAnswer extends DriveError {}

/** A drive of which every operation ends, whether the drive answers or not. */
export interface WatchedDevice extends FlashDevice {
  /** From now on its answers are waited for only a short time. */
  hurry(): void
  /** Ends the watch; to be called when nothing is asked of the drive any more. */
  unwatch(): void
}

/**
 * Watches a drive: one that hangs must hold up neither other drives nor a cancel. A write to it cannot be taken back
 * (the kernel lets no thread go that waits for a device), but it can be left alone.
 * @param device the drive
 * @param onStall is told when the drive has not answered for STALL_TIME, and when it does again
 * @returns the same drive; an operation without an answer for GIVE_UP_TIME, and each after it, throws NoAnswer
 */
export function watchDevice(device: FlashDevice, onStall: (isStalled: boolean) => void): WatchedDevice {
  const unanswered = new Set<(error: NoAnswer) => void>()
  let quietSince = 0
  let isStalled = false
  let isHurried = false
  let isGivenUp = false

  function setStalled(stalled: boolean): void {
    if (stalled === isStalled) return
    isStalled = stalled
    onStall(stalled)
  }
  const timer = setInterval(() => {
    if (unanswered.size === 0) return
    const quiet = Date.now() - quietSince
    if (quiet >= STALL_TIME) setStalled(true)
    if (quiet < (isHurried ? HURRIED_TIME : GIVE_UP_TIME)) return
    isGivenUp = true
    const error = new NoAnswer(0, `no answer for ${Math.round(quiet / 1000)} seconds`)
    for (const giveUp of unanswered) giveUp(error)
    unanswered.clear()
  }, LOOK_INTERVAL)
  timer.unref()

  function ask<T>(position: number, operation: () => Promise<T>): Promise<T> {
    if (isGivenUp) return Promise.reject(new NoAnswer(position, 'no answer'))
    if (unanswered.size === 0) quietSince = Date.now()
    return new Promise<T>((resolve, reject) => {
      unanswered.add(reject)
      const answered = (): void => {
        unanswered.delete(reject)
        quietSince = Date.now()
        if (!isGivenUp) setStalled(false)
      }
      operation().finally(answered).then(resolve, reject)
    })
  }
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    write: (bytes, position) => ask(position, () => device.write(bytes, position)),
    read: (bytes, position) => ask(position, () => device.read(bytes, position)),
    flush: () => ask(0, () => device.flush()),
    isPresent: () => device.isPresent(),
    hurry() {
      isHurried = true
    },
    unwatch() {
      clearInterval(timer)
    },
  }
}
