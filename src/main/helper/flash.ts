import { fail, ok, type Result } from '../../shared/failure'
import type { FlashRequest } from '../../shared/helper-protocol'
import { runTool } from '../drives/linux/tools'
import { DriveError } from './flash-device'
import { claimTarget } from './flash-target'
import { writeDisk } from './flash-write'
import type { HelperJob } from './job'

/**
 * Writes a disk to the confirmed drive, after finding and judging it anew by
 * the helper's own eyes. Whatever ends it before its end, the drive's first MiB is blank.
 * @param request what was confirmed and what is to come
 * @param job where the data comes from and the progress goes to
 * @param loopTargets whether loop devices may be targets, the helper's test switch
 * @returns null when written and, if asked for, compared; the failures of `claimTarget` and `writeDisk`,
 *   `drive-gone` or `drive-io`. Throws the signal's reason when cancelled
 */
export async function runFlash(
  request: FlashRequest,
  job: HelperJob,
  loopTargets: boolean,
): Promise<Result<null>> {
  const { device } = request.drive
  const claimed = await claimTarget(request, loopTargets)
  if (!claimed.ok) return claimed
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await claimed.value.close()
  }
  job.defer(close)
  job.signal.throwIfAborted()
  job.accept()
  const { sizeBytes, dataBytes, verify } = request
  const plan = { device: claimed.value.device, name: device, sizeBytes, dataBytes, verify }
  try {
    const written = await writeDisk(plan, job)
    if (!written.ok) return written
  } catch (error) {
    if (!(error instanceof DriveError)) throw error
    job.log(error.message)
    if (!(await claimed.value.device.isPresent())) return fail('drive-gone', { device })
    return fail('drive-io', { device, offset: error.offset, detail: error.detail })
  }
  // The kernel reads the new partition table only when nobody holds the drive; that it does is a courtesy.
  await close()
  const reread = await runTool('blockdev', ['--rereadpt', device])
  if (!reread.ok) job.log(`${device}: the partition table was not read again`)
  return ok(null)
}
