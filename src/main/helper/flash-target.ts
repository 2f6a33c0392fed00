import { readFile, readlink } from 'node:fs/promises'
import {
  checkDrive,
  confirms,
  confirmsAgain,
  deviceName,
  driveName,
  needsExpert,
  identityDifference,
  type Drive,
  type DriveAllowance,
} from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import type { FlashTarget } from '../../shared/helper-protocol'
import { findDrives } from '../drives/linux'
import type { Needed } from '../drives/linux/drives'
import { parseMountinfo } from '../drives/linux/parse'
import { runTool } from '../drives/linux/tools'
import { claimDevice, type ClaimedDevice } from './flash-device'
import { waitForOpeners } from './flash-openers'

/**
 * The verdict on a drive that was asked for, by what this process itself sees. Pure.
 * @param target what the person confirmed
 * @param sizeBytes that the drive must hold
 * @param drives all drives of the machine now
 * @param loopTargets whether loop devices may be targets (tests)
 * @returns the drive; `drive-gone`, `drive-changed`, `confirmation-wrong` or `drive-refused`
 */
export function judgeTarget(
  target: FlashTarget,
  sizeBytes: number,
  drives: readonly Drive[],
  loopTargets: boolean,
): Result<Drive> {
  const { device } = target.drive
  const drive = drives.find((one) => one.device === device)
  if (drive === undefined) {
    const isPart = drives.some(({ volumes }) => volumes.some((volume) => volume.device === device))
    return isPart ? fail('drive-refused', { device, reasons: ['type'] }) : fail('drive-gone', { device })
  }
  const difference = identityDifference(target.drive, drive)
  if (difference !== null) return fail('drive-changed', { device, ...difference })
  if (!confirms(target.confirmation, drive)) {
    return fail('confirmation-wrong', { expected: driveName(drive) })
  }
  if (target.expert !== null && needsExpert(drive, loopTargets) && !confirmsAgain(target.expert, drive)) {
    return fail('confirmation-wrong', { expected: deviceName(drive) })
  }
  const allowance: DriveAllowance = {
    unmount: target.unmount,
    expert: target.expert !== null,
    loopTargets,
  }
  const reasons = checkDrive(drive, sizeBytes, allowance)
  return reasons.length === 0 ? ok(drive) : fail('drive-refused', { device, reasons })
}

/**
 * Finds, judges, unmounts and opens a drive, and judges it once more when it
 * is open: from then on nobody else can mount or take it.
 * @param target what the person confirmed
 * @param sizeBytes that the drive must hold
 * @param asked what the drive must not take from the asking user; the helper's own files are added to it
 * @param loopTargets whether loop devices may be targets (tests)
 * @returns the claimed drive; the failures of `judgeTarget` and `claimDevice`, `drive-busy`, `tool-missing`,
 *   `tool-failed`
 */
export async function claimTarget(
  target: FlashTarget,
  sizeBytes: number,
  asked: Needed,
  loopTargets: boolean,
): Promise<Result<ClaimedDevice>> {
  const { device } = target.drive
  const needed = { ...asked, paths: [...asked.paths, process.execPath, process.argv[1] ?? '/'] }
  const before = await findDrives(needed)
  if (!before.ok) return before
  const judged = judgeTarget(target, sizeBytes, before.value, loopTargets)
  if (!judged.ok) return judged
  if (judged.value.mountpoints.length > 0) {
    const unmounted = await unmountAll(judged.value, needed)
    if (!unmounted.ok) return unmounted
  }
  const claimed = await claimDevice(device)
  if (!claimed.ok) return claimed
  const checked = await checkClaimed(target, sizeBytes, needed, loopTargets, claimed.value)
  if (checked.ok) return claimed
  await claimed.value.close()
  return checked
}

/** The same judgement of the open drive, and that nobody else has it open. */
async function checkClaimed(
  target: FlashTarget,
  sizeBytes: number,
  needed: Needed,
  loopTargets: boolean,
  claimed: ClaimedDevice,
): Promise<Result<null>> {
  const { device } = target.drive
  const after = await findDrives(needed)
  if (!after.ok) return after
  const again = judgeTarget({ ...target, unmount: false }, sizeBytes, after.value, loopTargets)
  if (!again.ok) return again
  const { majorMinor } = claimed
  if (again.value.majorMinor !== majorMinor || again.value.sizeBytes !== claimed.device.sizeBytes) {
    const found = `${majorMinor} ${claimed.device.sizeBytes}`
    return fail('drive-changed', { device, field: 'majorMinor', confirmed: target.drive.majorMinor, found })
  }
  const openers = await waitForOpeners([device, ...again.value.volumes.map((volume) => volume.device)])
  return openers.length === 0
    ? ok(null)
    : fail('drive-busy', { device, detail: `it is open in ${openers.join(', ')}` })
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
