import { displayName, type Drive } from '../../shared/drive'
import { SegmentBar, type Segment } from './segment-bar'

/** Gaps below this are alignment, not room: bytes. */
const LEAST_GAP = 8 * 1024 * 1024

/**
 * The parts of a drive in their order, with the room between them.
 * @param drive the drive as it is now
 */
export function driveSegments(drive: Drive): Segment[] {
  const segments: Segment[] = []
  const partitions = drive.volumes.filter((volume) => volume.startBytes !== null)
  // Without partitions the drive itself holds a file system; with them, the rest is stacked on one of them.
  const volumes = (partitions.length > 0 ? partitions : drive.volumes).toSorted(
    (a, b) => (a.startBytes ?? 0) - (b.startBytes ?? 0),
  )
  let position = 0
  const addGap = (until: number): void => {
    if (until - position < LEAST_GAP) return
    // Where nothing is known at all, there may be what this system does not know.
    const name = volumes.length === 0 ? 'Nothing known' : 'Empty'
    segments.push({ id: `gap-${position}`, name, sizeBytes: until - position, isFree: true })
  }
  for (const volume of volumes) {
    const start = volume.startBytes ?? position
    addGap(start)
    const label = volume.label === null ? '' : displayName(volume.label)
    segments.push({
      id: volume.device,
      name: label === '' ? (volume.fileSystem ?? 'Unknown content') : label,
      sizeBytes: volume.sizeBytes,
      isFree: false,
    })
    position = Math.max(position, start + volume.sizeBytes)
  }
  addGap(drive.sizeBytes)
  return segments
}

/** What is on a drive, as a bar of its partitions with their labels and sizes. */
export function DriveBar({ drive }: { drive: Drive }) {
  return <SegmentBar label="Layout of the drive" segments={driveSegments(drive)} />
}
