import type { RefusalReason } from '../../../shared/drive'
import type { BuildSettings } from '../../../shared/image'
import type { CallInput, ListedDrive } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/amounts'

/** What is to be written: a disk of the list, a file that was opened, or an image of which a disk is built as it is written. */
export type WriteSource = WriteContent & {
  name: string
  /** Bytes; a lower bound when `isSizeKnown` is false. */
  sizeBytes: number
  isSizeKnown: boolean
}

type WriteContent =
  { kind: 'disk' | 'file'; id: string } | { kind: 'image'; id: string; settings: BuildSettings }

/** As the main process is told of it. */
export function askedSource(source: WriteSource): CallInput<'flashDisk'>['source'] {
  const { kind, id } = source
  return kind === 'image' ? { kind, id, settings: source.settings } : { kind, id }
}

/** What a drive has to hold. */
export function sizeWords(source: WriteSource): string {
  const atLeast = `It must hold ${formatBytes(source.sizeBytes, 'up')} at least`
  if (source.kind === 'image') {
    const more = source.isSizeKnown ? '' : ', and more for what is added to the image'
    return `${atLeast}${more}. The disk is built on it as large as it is (of several, as the smallest), and no file is made.`
  }
  return source.isSizeKnown
    ? `${atLeast}.`
    : `${atLeast}, and perhaps more: the file is compressed and does not tell its size.`
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
