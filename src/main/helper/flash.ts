import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fail, ok, type Failure, type Result } from '../../shared/failure'
import type { FlashRequest, FlashTarget, TargetState } from '../../shared/helper-protocol'
import { runTool } from '../drives/linux/tools'
import type { ClaimedDevice } from './flash-device'
import { claimTarget } from './flash-target'
import { writeDisk } from './flash-write'
import type { HelperJob } from './job'

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
  const claims: Claim[] = []
  for (const target of targets) claims.push(await claim(target, request, job, loopTargets))
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
    claimed === null ? [] : [{ device: claimed.device, name: target.drive.device }],
  )
  const plan = { targets: devices, sizeBytes, isSizeKnown, dataBytes, order, verify }
  const written = await writeDisk(plan, { ...job, targets: tell })
  if (!written.ok) return written
  writing.forEach((one, index) => {
    one.failure = written.value[index] ?? null
  })
  for (const one of writing) await release(one, request.eject, job)
  return verdictOf(claims)
}

const waiting: TargetState = { state: 'write', bytesDone: 0, bytesTotal: null, failure: null }

function refusedState({ failure }: Claim): TargetState {
  return { ...waiting, state: 'failed', failure }
}

async function claim(
  target: FlashTarget,
  request: FlashRequest,
  job: HelperJob,
  loopTargets: boolean,
): Promise<Claim> {
  const claimed = await claimTarget(target, request.sizeBytes, request.needed, loopTargets)
  if (!claimed.ok) return { target, claimed: null, failure: claimed.failure }
  job.defer(() => claimed.value.close())
  return { target, claimed: claimed.value, failure: null }
}

/** Lets go of a drive that was written: the kernel reads its new partition table, or forgets the drive. */
async function release({ target, claimed, failure }: Claim, eject: boolean, job: HelperJob): Promise<void> {
  await claimed?.close()
  const { device, bus } = target.drive
  if (failure !== null) return
  if (eject && bus === 'usb') {
    // SCSI's way to take a device off its bus, caches written (Documentation/driver-api/scsi.rst; scsi_sysfs.c).
    const removal = `/sys/class/block/${basename(device)}/device/delete`
    const removed = await writeFile(removal, '1').then(
      () => true,
      () => false,
    )
    if (removed) return
    job.log(`${device} could not be ejected; everything is on it nevertheless`)
  }
  // The kernel reads the new partition table only when nobody holds the drive; that it does is a courtesy.
  const reread = await runTool('blockdev', ['--rereadpt', device])
  if (!reread.ok) job.log(`${device}: the partition table was not read again`)
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
