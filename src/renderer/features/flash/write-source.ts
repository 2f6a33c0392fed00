import type { RefusalReason } from '../../../shared/drive'
import type { ListedDrive } from '../../../shared/ipc/contract'

/** What is to be written: a disk of the list, or a file that was opened. */
export interface WriteSource {
  kind: 'disk' | 'file'
  id: string
  name: string
  /** Bytes; a lower bound when `isSizeKnown` is false. */
  sizeBytes: number
  isSizeKnown: boolean
}

/** The reasons against writing this to this drive. The list's own do not count the disk's size. */
export function allowedReasons(drive: ListedDrive, source: WriteSource, isExpert: boolean): RefusalReason[] {
  const isTooSmall = drive.sizeBytes > 0 && drive.sizeBytes < source.sizeBytes
  const own: RefusalReason[] = isTooSmall ? [...drive.reasons, 'too-small'] : drive.reasons
  return isExpert ? own.filter((reason) => reason !== 'not-removable' && reason !== 'large') : own
}

/** Whether a drive may be written under the expert setting alone, and so needs a second confirmation. */
export function isExpertDrive(drive: ListedDrive): boolean {
  return drive.reasons.includes('not-removable') || drive.reasons.includes('large')
}
