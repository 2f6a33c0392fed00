import { basename, resolve } from 'node:path'
import { driveName } from '../../shared/drive'
import { formatBytes } from '../../shared/amounts'
import { driveKey } from '../drives/watch'
import { flashDisk } from '../flash/flash'
import { inspectSource } from '../flash/source/open'
import type { JobWork } from '../jobs/manager'
import { diskIdOf } from '../library/library'
import type { Command } from './arguments'
import { chooseDrives } from './choose-drives'
import { neededPaths } from './drives'
import type { ExitCode, Reporter } from './reporter'
import { runJob } from './run-job'

/** `slipway flash`. */
export async function runFlash(
  command: Extract<Command, { name: 'flash' }>,
  reporter: Reporter,
): Promise<ExitCode> {
  const diskPath = resolve(command.disk)
  const inspected = await inspectSource(diskPath)
  if (!inspected.ok) return reporter.fail(inspected.failure)
  const { sizeBytes, isSizeKnown } = inspected.value
  const needed = await neededPaths()
  const what = `${basename(diskPath)} (${isSizeKnown ? '' : 'at least '}${formatBytes(sizeBytes)})`
  const chosen = await chooseDrives(command.choice, what, sizeBytes, diskPath, needed, reporter)
  if ('end' in chosen) return chosen.end
  const { drives, targets } = chosen

  const { verify, eject } = command.choice
  const { everything } = command
  const names = drives.map(driveName)
  const work: JobWork<null> = {
    kind: 'flash',
    title: names.join(', '),
    diskId: diskIdOf(diskPath),
    locks: drives.map((drive) => `drive:${driveKey(drive)}`),
    run: (context) => flashDisk(context, { diskPath, targets, needed, everything, verify, eject }),
  }
  const devices = drives.map((drive) => drive.device)
  return runJob(work, reporter, () =>
    reporter.succeed(
      {
        disk: diskPath,
        device: devices[0],
        devices,
        bytes: isSizeKnown ? sizeBytes : null,
        verified: verify,
      },
      `Written${verify ? ' and compared' : ''}: ${basename(diskPath)} is on ${names.join(' and ')}. ${names.length === 1 ? 'It' : 'They'} may be unplugged.`,
    ),
  )
}
