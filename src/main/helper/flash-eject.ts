import { constants } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { ClaimedDevice } from './flash-device'

/**
 * Takes a USB drive off its bus, caches written, while it is still ours: SCSI's own way (Linux
 * Documentation/scsi/scsi_mid_low_api.rst, "Hotplug"; drivers/scsi/scsi_sysfs.c, `delete`). The path is the one that it
 * had when it was opened: another stick that comes into the port has another host number, and another medium in the
 * same reader another sequence number.
 * @param claimed the open drive
 * @param bus `usb`; a card in a slot of its own has no such way, and needs none: it may be pulled when it is written
 * @returns whether it is gone from the system
 */
export async function ejectDrive(
  { busPath, device }: Pick<ClaimedDevice, 'busPath' | 'device'>,
  bus: string,
): Promise<boolean> {
  if (bus !== 'usb' || busPath === null || !(await device.isPresent())) return false
  // Not to be read, not even by root (fs/kernfs/file.c, kernfs_fop_open), and nothing is made in its place.
  return writeFile(`${busPath}/delete`, '1', { flag: constants.O_WRONLY }).then(
    () => true,
    () => false,
  )
}
