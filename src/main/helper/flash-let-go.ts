import type { DriveIdentity } from '../../shared/drive'
import { runTool } from '../drives/linux/tools'
import type { ClaimedDevice } from './flash-device'
import { ejectDrive } from './flash-eject'

/**
 * Lets go of a drive that was written: the system forgets it, or the kernel reads its new partition table.
 * @param claimed the open drive; closed in the end
 * @param drive what it is
 * @param eject whether it is to be ejected
 * @returns lines for the log, of what did not work; the drive is written all the same
 */
export async function letGoOfDrive(
  claimed: ClaimedDevice,
  { device, bus }: Pick<DriveIdentity, 'device' | 'bus'>,
  eject: boolean,
): Promise<string[]> {
  const isEjected = eject && (await ejectDrive(claimed, bus))
  await claimed.close()
  if (isEjected) return []
  const why = bus === 'mmc' ? ', as a card in its slot cannot be' : ''
  const lines = eject ? [`${device} could not be ejected${why}; it may be pulled nevertheless`] : []
  // The kernel reads the new partition table only when nobody holds the drive; that it does is a courtesy.
  const reread = await runTool('blockdev', ['--rereadpt', device])
  return reread.ok ? lines : [...lines, `${device}: the partition table was not read again`]
}
