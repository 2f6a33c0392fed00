import { readFile, readlink } from 'node:fs/promises'
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
import { parseMountinfo } from '../drives/linux/parse'
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

/**
 * Unmounts everything on the drive, the latest mount first; never lazily, so
 * what is in use stays. The helper runs in a mount namespace of its own, from
 * which an unmount reaches no other (mount_namespaces(7)): it is done in that
 * of whoever started the helper, in the machine's, and in its own.
 */
async function unmountAll(drive: Drive, needed: Needed): Promise<Result<null>> {
  const done = new Set<string>()
  for (const id of [String(process.ppid), '1', 'self']) {
    const namespace = await readlink(`/proc/${id}/ns/mnt`).catch(() => null)
    if (namespace === null || done.has(namespace)) continue
    done.add(namespace)
    for (const mountpoint of drive.mountpoints.toReversed()) {
      if (!(await isMounted(mountpoint, id))) continue
      const unmounted = await unmountIn(id, mountpoint)
      if (!unmounted.ok) return busy(drive, unmounted.failure.facts)
    }
  }
  const drives = await findDrives(needed)
  if (!drives.ok) return drives
  const left = drives.value.find((one) => one.device === drive.device)?.mountpoints ?? []
  return left.length === 0 ? ok(null) : busy(drive, { output: left.join(' ') })
}

async function isMounted(mountpoint: string, id: string): Promise<boolean> {
  const table = await readFile(`/proc/${id}/mountinfo`, 'utf8').catch(() => '')
  return parseMountinfo(table).some((mount) => mount.mountpoint === mountpoint)
}

function unmountIn(id: string, mountpoint: string): Promise<Result<string>> {
  const command = ['umount', '--', mountpoint] as const
  if (id === 'self') return runTool(command[0], command.slice(1))
  return runTool('nsenter', ['--target', id, '--mount', '--', ...command])
}

function busy(drive: Drive, facts: object): Result<never> {
  const detail = 'output' in facts ? String(facts.output) : JSON.stringify(facts)
  return fail('drive-busy', { device: drive.device, detail })
}
