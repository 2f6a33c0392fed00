import type { DiskRecord } from '../../../shared/disk'
import { formatDuration } from '../../../shared/sentences'

/** What a boot of the disk has shown, in a few words: `boots, 38 s` or `unproven`. */
export function proofWords(disk: DiskRecord): string {
  return disk.proof === null ? 'unproven' : `boots, ${formatDuration(disk.proof.millisecondsToLogin)}`
}

/** `BIOS and UEFI` */
export function firmwareNames(firmware: DiskRecord['firmware']): string {
  return firmware.map((name) => name.toUpperCase()).join(' and ')
}
