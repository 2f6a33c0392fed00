import { readlink } from 'node:fs/promises'
import {
  checkDrive,
  confirms,
  driveName,
  identityDifference,
  type Drive,
  type DriveAllowance,
} from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import type { FlashRequest } from '../../shared/helper-protocol'
import { findDrives } from '../drives/linux'
import type { Needed } from '../drives/linux/drives'
import { runTool } from '../drives/linux/tools'
import { claimDevice, type ClaimedDevice } from './flash-device'

/**
 * The verdict on a request, by what this process itself sees. Pure.
 * @param request what the person confirmed
 * @param drives all drives of the machine now
 * @param loopTargets whether loop devices may be targets (tests)
 * @returns the drive; `drive-gone`, `drive-changed`, `confirmation-wrong` or `drive-refused`
 */
export function judgeTarget(
  request: FlashRequest,
  drives: readonly Drive[],
  loopTargets: boolean,
): Result<Drive> {
  const { device } = request.drive
  const drive = drives.find((one) => one.device === device)
  if (drive === undefined) return fail('drive-gone', { device })
  const difference = identityDifference(request.drive, drive)
  if (difference !== null) return fail('drive-changed', { device, ...difference })
  if (!confirms(request.confirmation, drive)) {
    return fail('confirmation-wrong', { expected: driveName(drive) })
  }
  const allowance: DriveAllowance = { unmount: request.unmount, expert: request.expert, loopTargets }
  const reasons = checkDrive(drive, request.sizeBytes, allowance)
  return reasons.length === 0 ? ok(drive) : fail('drive-refused', { device, reasons })
}

/**
 * Finds, judges, unmounts and opens the drive of a request, and judges it once
 * more when it is open: from then on nobody else can mount or take it.
 * @returns the claimed drive; the failures of `judgeTarget` and `claimDevice`, `tool-missing`, `tool-failed`
 */
export async function claimTarget(
  request: FlashRequest,
  loopTargets: boolean,
): Promise<Result<ClaimedDevice>> {
  const { device } = request.drive
  const needed = neededBy(request)
  const before = await findDrives(needed)
  if (!before.ok) return before
  const target = judgeTarget(request, before.value, loopTargets)
  if (!target.ok) return target
  if (target.value.mountpoints.length > 0) {
    const unmounted = await unmountAll(target.value, needed)
    if (!unmounted.ok) return unmounted
  }
  const claimed = await claimDevice(device)
  if (!claimed.ok) return claimed
  const after = await findDrives(needed)
  const again = after.ok ? judgeTarget({ ...request, unmount: false }, after.value, loopTargets) : after
  const isSameNode = again.ok && again.value.majorMinor === claimed.value.majorMinor
  if (isSameNode && again.value.sizeBytes === claimed.value.device.sizeBytes) return claimed
  await claimed.value.close()
  if (!again.ok) return again
  const found = `${claimed.value.majorMinor} ${claimed.value.device.sizeBytes}`
  return fail('drive-changed', { device, field: 'majorMinor', confirmed: request.drive.majorMinor, found })
}

function neededBy({ source }: FlashRequest): Needed {
  const own = [process.execPath, process.argv[1] ?? '/']
  return source === null ? { paths: own, files: [] } : { paths: [...own, source.path], files: [source] }
}

/** Unmounts everything on the drive, the latest mount first; never lazily, so what is in use stays. */
async function unmountAll(drive: Drive, needed: Needed): Promise<Result<null>> {
  for (const mountpoint of drive.mountpoints.toReversed()) {
    const unmounted = await unmount(mountpoint)
    if (!unmounted.ok) return busy(drive, unmounted.failure.facts)
  }
  // Mounts of this process' own namespace that did not go with those of the machine's.
  const left = await mountpointsOf(drive.device, needed)
  if (!left.ok) return left
  for (const mountpoint of left.value.toReversed()) {
    const unmounted = await runTool('umount', ['--', mountpoint])
    if (!unmounted.ok) return busy(drive, unmounted.failure.facts)
  }
  const rest = left.value.length === 0 ? left : await mountpointsOf(drive.device, needed)
  if (!rest.ok) return rest
  return rest.value.length === 0 ? ok(null) : busy(drive, { output: rest.value.join(' ') })
}

/**
 * The helper runs in a mount namespace of its own, from which an unmount does
 * not reach the machine's (mount_namespaces(7)): it is done in that of process 1.
 */
async function unmount(mountpoint: string): Promise<Result<string>> {
  const [own, machine] = await Promise.all(
    ['self', '1'].map((pid) => readlink(`/proc/${pid}/ns/mnt`).catch(() => '')),
  )
  if (machine === '' || machine === own) return runTool('umount', ['--', mountpoint])
  return runTool('nsenter', ['--target', '1', '--mount', '--', 'umount', '--', mountpoint])
}

async function mountpointsOf(device: string, needed: Needed): Promise<Result<string[]>> {
  const drives = await findDrives(needed)
  if (!drives.ok) return drives
  return ok(drives.value.find((one) => one.device === device)?.mountpoints ?? [])
}

function busy(drive: Drive, facts: object): Result<never> {
  const detail = 'output' in facts ? String(facts.output) : JSON.stringify(facts)
  return fail('drive-busy', { device: drive.device, detail })
}
