import { open } from 'node:fs/promises'
import { fail, ok, type Result } from '../../../shared/failure'
import type { Drive } from '../../../shared/drive'
import { findWindowsDrives } from '../../drives/windows'
import { openFailure, type ClaimedDevice } from '../flash-device'
import type { ClaimSteps } from '../flash-target'
import { handleDevice } from '../handle-device'
import { holdVolumes, type HeldVolumes } from './volumes'

/**
 * The steps of a claim on Windows: all volumes of the drive are locked and dismounted as long as it is written, and the
 * drive is written as PhysicalDrive. Not yet proven on hardware.
 * @param hold locks the volumes of a disk; tests give their own
 * @param find lists the drives; tests give their own
 * @param openDisk opens `\\.\PhysicalDrive1`; tests give a file
 */
export function windowsSteps(
  hold: (number: number) => Promise<Result<HeldVolumes>> = holdVolumes,
  find: ClaimSteps['find'] = findWindowsDrives,
  openDisk: (path: string, flags: string) => Promise<Awaited<ReturnType<typeof open>>> = open,
): ClaimSteps {
  const seen = new Map<string, Drive>()
  const held = new Map<string, HeldVolumes>()

  /** Locks the volumes of a drive, once. */
  async function holdOnce(device: string): Promise<Result<HeldVolumes>> {
    const already = held.get(device)
    if (already !== undefined) return ok(already)
    const number = /^\\\\\.\\PhysicalDrive(\d+)$/.exec(device)?.[1]
    if (number === undefined) return fail('drive-refused', { device, reasons: ['type'] })
    const now = await hold(Number(number))
    if (!now.ok)
      return now.failure.code === 'drive-busy' ? fail('drive-busy', { ...now.failure.facts, device }) : now
    held.set(device, now.value)
    return now
  }

  async function letGo(device: string): Promise<void> {
    const volumes = held.get(device)
    held.delete(device)
    await volumes?.release()
  }

  return {
    async find(needed) {
      const drives = await find(needed)
      if (!drives.ok) return drives
      const looked = drives.value.map((drive) => {
        const before = seen.get(drive.device)
        // Nobody can ask a locked volume what it holds, and nobody can use it, whatever letters it still has.
        if (!held.has(drive.device) || before === undefined) return drive
        const volumes = before.volumes.map((volume) => ({ ...volume, mountpoints: [] }))
        return { ...drive, mountpoints: [], volumes }
      })
      for (const drive of looked) if (!held.has(drive.device)) seen.set(drive.device, drive)
      return ok(looked)
    },
    async unmount(device) {
      const volumes = await holdOnce(device)
      return volumes.ok ? ok(null) : volumes
    },
    async claim(device) {
      // A volume without a letter is no mount, but a volume all the same.
      const volumes = await holdOnce(device)
      if (!volumes.ok) return volumes
      let claimed: ClaimedDevice
      try {
        claimed = handleDevice(await openDisk(device, 'r+'), volumes.value)
      } catch (error) {
        await letGo(device)
        return openFailure(device, error)
      }
      const close = async (): Promise<void> => {
        await claimed.close()
        await letGo(device)
      }
      return ok({ ...claimed, close })
    },
    // Who has a volume open keeps it from being locked.
    openers: () => Promise.resolve([]),
    // Windows looks at what is on the drive when its volumes are let go.
    async letGo(claimed, drive, eject) {
      await claimed.close()
      return eject ? [`${drive.device} is not ejected on Windows: “Safely Remove Hardware” does that`] : []
    },
  }
}
