import { realpath } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { checkDrive, confirms, driveName, type Drive } from '../../shared/drive'
import { fail } from '../../shared/failure'
import { formatBytes } from '../../shared/sentences'
import { driveKey, identityOf } from '../drives/watch'
import { flashDisk } from '../flash/flash'
import type { JobWork } from '../jobs/manager'
import { diskIdOf } from '../library/library'
import type { Command } from './arguments'
import { checkDisk } from './disk'
import { describeVolumes, findAllDrives, loopTargets } from './drives'
import type { ExitCode, Reporter } from './reporter'
import { plain } from './reporter'
import { runJob } from './run-job'

/** `slipway flash`. */
export async function runFlash(
  command: Extract<Command, { name: 'flash' }>,
  reporter: Reporter,
): Promise<ExitCode> {
  const diskPath = resolve(command.disk)
  const size = await checkDisk(diskPath)
  if (!size.ok) return reporter.fail(size.failure)
  const drives = await findAllDrives(diskPath, reporter)
  if (!drives.ok) return reporter.fail(drives.failure)
  // Names such as those of /dev/disk/by-id are links to the device.
  const device = await realpath(command.device).catch(() => command.device)
  const drive = drives.value.find((one) => one.device === device)
  if (drive === undefined) {
    return reporter.fail(fail('not-found', { what: `drive ${command.device}` }).failure)
  }
  const { unmount, expert, verify } = command
  const reasons = checkDrive(drive, size.value, { unmount, expert, loopTargets: loopTargets() })
  if (reasons.length > 0) return reporter.fail(fail('drive-refused', { device, reasons }).failure)

  const typed = command.confirmation ?? (await askConfirmation(drive, diskPath, size.value, reporter))
  if (typed === null) return reporter.cancelled()
  if (typed === undefined) {
    return reporter.usage(
      'Nobody can be asked here, so the drive’s name is needed: --confirm TEXT.',
      `It is: ${driveName(drive)}`,
    )
  }
  if (!confirms(typed, drive)) {
    return reporter.fail(fail('confirmation-wrong', { expected: driveName(drive) }).failure)
  }
  const work: JobWork<null> = {
    kind: 'flash',
    title: driveName(drive),
    diskId: diskIdOf(diskPath),
    locks: [`drive:${driveKey(drive)}`],
    run: (context) =>
      flashDisk(context, {
        diskPath,
        drive: identityOf(drive),
        confirmation: typed,
        unmount,
        expert,
        verify,
      }),
  }
  return runJob(work, reporter, () =>
    reporter.succeed(
      { disk: diskPath, device, bytes: size.value, verified: verify },
      `Written${verify ? ' and compared' : ''}: ${basename(diskPath)} is on ${driveName(drive)}. It may be unplugged.`,
    ),
  )
}

/** Shows what would be lost and asks for the name. Null when it was given up, undefined where nobody can be asked. */
async function askConfirmation(
  drive: Drive,
  diskPath: string,
  sizeBytes: number,
  reporter: Reporter,
): Promise<string | null | undefined> {
  if (reporter.json || !process.stdin.isTTY) return undefined
  const volumes = describeVolumes(drive)
  reporter.say(
    `${basename(diskPath)} (${formatBytes(sizeBytes)}) is to be written to ${drive.device}: ${driveName(drive)}, ${formatBytes(drive.sizeBytes)}.`,
  )
  if (drive.serial !== '') reporter.say(`Serial number ${drive.serial}`)
  reporter.say(volumes.length === 0 ? 'No volumes were found on it.' : 'This will be erased:')
  for (const volume of volumes) reporter.say(`  ${volume}`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const givenUp = new AbortController()
  terminal.on('SIGINT', () => givenUp.abort())
  terminal.on('close', () => givenUp.abort())
  try {
    return await terminal.question(`To erase it, type its name, ${plain(driveName(drive))}: `, {
      signal: givenUp.signal,
    })
  } catch {
    // The question ends in no other way than by the signal above.
    return null
  } finally {
    terminal.close()
  }
}
