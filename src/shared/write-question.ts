import { deviceName, displayName, driveName, type DriveIdentity } from './drive'
import { formatBytes } from './amounts'

/** What is asked before a write, outside of the window's reach. */
export interface WriteQuestion {
  message: string
  detail: string
  /** The first one changes nothing. */
  buttons: [string, string]
}

/**
 * The last question before drives are erased, by the main process and in its own words: the window, which the choice
 * comes from, cannot say one drive and mean another.
 */
export function writeQuestion(drives: readonly DriveIdentity[]): WriteQuestion {
  const lines = drives.map((drive) => {
    const serial = displayName(drive.serial)
    return `${driveName(drive)}, ${formatBytes(drive.sizeBytes)}, ${deviceName(drive)}${serial === '' ? '' : `, serial number ${serial}`}`
  })
  return {
    message:
      drives.length === 1
        ? 'Erase this drive and write to it?'
        : `Erase these ${drives.length} drives and write to them?`,
    detail: `${lines.join('\n')}\n\nEverything on ${drives.length === 1 ? 'it' : 'them'} will be lost.`,
    buttons: ['Cancel', 'Erase and write'],
  }
}
