import type { DiskRecord } from './disk'
import type { MachineFirmware } from './proof'

/** Why a disk cannot be booted here: it is packed, it has nothing that boots, or QEMU or its firmware is missing. */
export type BootObstacle = 'packed' | 'data' | 'qemu-missing'

/**
 * Looks whether a disk can be booted on this computer.
 * @param disk its record, or what is known of it before it is built
 * @param installed the firmware of QEMU's machines here, by architecture; undefined while that is not known
 * @returns null when it can
 */
export function bootObstacle(
  disk: Pick<DiskRecord, 'format' | 'firmware' | 'architecture'>,
  installed: Record<DiskRecord['architecture'], readonly MachineFirmware[]> | undefined,
): BootObstacle | null {
  if (disk.firmware.length === 0) return 'data'
  if (disk.format === 'gz' || disk.format === 'xz' || disk.format === 'zst') return 'packed'
  return installed?.[disk.architecture].length === 0 ? 'qemu-missing' : null
}
