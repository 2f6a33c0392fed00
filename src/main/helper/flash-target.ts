import {
  checkDrive,
  confirms,
  confirmsAgain,
  deviceName,
  nameToType,
  needsExpert,
  identityDifference,
  type Drive,
  type DriveAllowance,
} from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import type { FlashTarget } from '../../shared/helper-protocol'
import { findDrives } from '../drives/linux'
import type { Needed } from '../drives/linux/drives'
import { numbersOf } from './drive-numbers'
import { claimDevice, type ClaimedDevice } from './flash-device'
import { letGoOfDrive } from './flash-let-go'
import { waitForOpeners } from './flash-openers'
import { unmountDrive } from './flash-unmount'
import { macosSteps } from './macos/device'
import { windowsSteps } from './windows/device'

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
  const expected = nameToType(drive, drives)
  if (!confirms(target.confirmation, expected)) {
    return fail('confirmation-wrong', { expected })
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
 * What a claim and the end of a write do to the machine, by each system's own ways; tests give their own, to change the
 * machine between two looks.
 */
export interface ClaimSteps {
  find: typeof findDrives
  unmount: typeof unmountDrive
  claim: typeof claimDevice
  openers: typeof waitForOpeners
  letGo: typeof letGoOfDrive
}

const linuxSteps: ClaimSteps = {
  find: findDrives,
  unmount: unmountDrive,
  claim: claimDevice,
  openers: waitForOpeners,
  letGo: letGoOfDrive,
}

/** The steps of this system. macOS and Windows: not yet proven on hardware. */
export function stepsHere(): ClaimSteps {
  switch (process.platform) {
    case 'darwin':
      return macosSteps
    case 'win32':
      return windowsSteps()
    default:
      return linuxSteps
  }
}

/**
 * Finds, judges, unmounts and opens a drive, and judges it once more when it
 * is open: from then on nobody else can mount or take it.
 * @param target what the person confirmed
 * @param sizeBytes that the drive must hold
 * @param asked what the drive must not take from the asking user; the helper's own files are added to it
 * @param loopTargets whether loop devices may be targets (tests)
 * @param steps of this system
 * @returns the claimed drive; the failures of `judgeTarget` and `claimDevice`, `drive-busy`, `tool-missing`,
 *   `tool-failed`
 */
export async function claimTarget(
  target: FlashTarget,
  sizeBytes: number,
  asked: Needed,
  loopTargets: boolean,
  steps: ClaimSteps,
): Promise<Result<ClaimedDevice>> {
  const { device } = target.drive
  const needed = { ...asked, paths: [...asked.paths, process.execPath, process.argv[1] ?? '/'] }
  const look = async (unmount: boolean): Promise<Result<Drive>> => {
    const drives = await steps.find(needed)
    return drives.ok ? judgeTarget({ ...target, unmount }, sizeBytes, drives.value, loopTargets) : drives
  }
  const judged = await look(target.unmount)
  if (!judged.ok) return judged
  if (judged.value.mountpoints.length > 0) {
    const unmounted = await steps.unmount(device, await numbersOf(judged.value.majorMinor))
    if (!unmounted.ok) return unmounted
    // What is mounted where no unmount of ours reaches, such as in a mount namespace of the asking user, is in use.
    const left = await look(true)
    if (!left.ok) return left
    const { mountpoints } = left.value
    if (mountpoints.length > 0) {
      return fail('drive-busy', { device, detail: `it is mounted at ${mountpoints.join(', ')}` })
    }
  }
  const claimed = await steps.claim(device)
  if (!claimed.ok) return claimed
  const checked = await checkClaimed(await look(false), claimed.value, steps)
  if (checked.ok) return claimed
  await claimed.value.close()
  return checked
}

/** Whether what is open is the drive that was judged again meanwhile, and nobody else has it open. */
async function checkClaimed(
  again: Result<Drive>,
  claimed: ClaimedDevice,
  steps: ClaimSteps,
): Promise<Result<null>> {
  if (!again.ok) return again
  const { device, majorMinor, sizeBytes } = again.value
  if (claimed.majorMinor !== majorMinor || claimed.device.sizeBytes !== sizeBytes) {
    const found = `${claimed.majorMinor} ${claimed.device.sizeBytes}`
    return fail('drive-changed', {
      device,
      field: 'majorMinor',
      confirmed: `${majorMinor} ${sizeBytes}`,
      found,
    })
  }
  const openers = await steps.openers([device, ...again.value.volumes.map((volume) => volume.device)])
  return openers.length === 0
    ? ok(null)
    : fail('drive-busy', { device, detail: `it is open in ${openers.join(', ')}` })
}
