import { setTimeout as sleep } from 'node:timers/promises'
import { fail, ok, type Failure, type Result } from '../../shared/failure'
import type { FlashRequest, FlashTarget, TargetState } from '../../shared/helper-protocol'
import type { ClaimedDevice } from './flash-device'
import { claimTarget, stepsHere, type ClaimSteps } from './flash-target'
import { writeDisk } from './flash-write'
import type { HelperJob } from './job'

/**
 * Bytes that partition tables mean by a sector. On a drive of others (4Kn) every partition of a disk that was made
 * with these would begin at another place.
 */
const TABLE_SECTOR_BYTES = 512
/** Milliseconds that letting a drive go may take: one that hangs is let go when this process ends. */
const CLOSE_TIME = 10_000

/** A drive of the request: claimed, or why not, and what came of it. */
interface Claim {
  target: FlashTarget
  claimed: ClaimedDevice | null
  failure: Failure | null
}

/**
 * Writes a disk to the confirmed drives, after finding and judging each anew by
 * the helper's own eyes. Whatever ends it before its end, the first MiB of each is blank. One that is refused or
 * fails does not stop the others.
 * @param request what was confirmed and what is to come
 * @param job where the data comes from and the progress goes to
 * @param loopTargets whether loop devices may be targets, the helper's test switch
 * @returns null when all are written and, if asked for, compared. For one drive its failure: those of `claimTarget`
 *   and `writeDisk`; for several `drives-failed`, with each drive's own in the job's targets. Throws the signal's
 *   reason when cancelled
 */
export async function runFlash(
  request: FlashRequest,
  job: HelperJob,
  loopTargets: boolean,
): Promise<Result<null>> {
  const { targets, sizeBytes, isSizeKnown, dataBytes, order, verify } = request
  if (new Set(targets.map(({ drive }) => drive.device)).size < targets.length) {
    return fail('helper-protocol', { detail: 'a drive is named twice' })
  }
  const steps = stepsHere()
  const claims: Claim[] = []
  for (const target of targets) claims.push(await claim(target, request, job, loopTargets, steps))
  const writing = claims.filter((one) => one.claimed !== null)
  const tell = (states: readonly TargetState[]): void => {
    let next = 0
    job.targets(claims.map((one) => (one.claimed === null ? refusedState(one) : (states[next++] ?? waiting))))
  }
  tell([])
  if (writing.length === 0) return verdictOf(claims)
  job.signal.throwIfAborted()
  job.accept()

  const devices = writing.flatMap(({ claimed, target }) =>
    claimed === null
      ? []
      : [
          {
            device: claimed.device,
            name: target.drive.device,
            async whenDone() {
              for (const line of await steps.letGo(claimed, target.drive, request.eject)) job.log(line)
            },
          },
        ],
  )
  const plan = { targets: devices, sizeBytes, isSizeKnown, dataBytes, order, verify }
  const written = await writeDisk(plan, { ...job, targets: tell })
  if (!written.ok) return written
  writing.forEach((one, index) => {
    one.failure = written.value[index] ?? null
  })
  return verdictOf(claims)
}

const waiting: TargetState = {
  state: 'write',
  bytesDone: 0,
  bytesTotal: null,
  stalled: false,
  failure: null,
}

function refusedState({ failure }: Claim): TargetState {
  return { ...waiting, state: 'failed', failure }
}

async function claim(
  target: FlashTarget,
  request: FlashRequest,
  job: HelperJob,
  loopTargets: boolean,
  steps: ClaimSteps,
): Promise<Claim> {
  const claimed = await claimTarget(target, request.sizeBytes, request.needed, loopTargets, steps)
  if (!claimed.ok) return { target, claimed: null, failure: claimed.failure }
  const { device } = claimed.value
  job.defer(async () => {
    const isClosed = await Promise.race([
      claimed.value.close().then(() => true),
      sleep(CLOSE_TIME, false, { ref: false }),
    ])
    if (!isClosed) job.log(`${target.drive.device} does not answer; it is let go when it does`)
  })
  if (device.sectorBytes !== TABLE_SECTOR_BYTES) {
    const what = `writing to ${target.drive.device}, which has sectors of ${device.sectorBytes} bytes instead of ${TABLE_SECTOR_BYTES}`
    return {
      target,
      claimed: null,
      failure: { code: 'not-supported', facts: { what } },
    }
  }
  return { target, claimed: claimed.value, failure: null }
}

function verdictOf(claims: readonly Claim[]): Result<null> {
  const failed = claims.filter(({ failure }) => failure !== null)
  const [first] = failed
  if (first?.failure == null) return ok(null)
  if (claims.length === 1) return { ok: false, failure: first.failure }
  return fail('drives-failed', {
    failed: failed.map(({ target }) => target.drive.device),
    total: claims.length,
  })
}
