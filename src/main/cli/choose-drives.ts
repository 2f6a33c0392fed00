import { realpath } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import {
  checkDrive,
  confirms,
  confirmsAgain,
  deviceName,
  driveName,
  nameToType,
  needsExpert,
  type Drive,
} from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import { formatBytes } from '../../shared/amounts'
import { unprovenWriting } from '../../shared/sentences'
import { identityOf } from '../drives/watch'
import type { FlashInputTarget } from '../flash/flash'
import type { DriveChoice } from './arguments'
import { describeVolumes, findAllDrives, loopTargets } from './drives'
import type { ExitCode, Reporter } from './reporter'
import { plain } from './reporter'

/** Drives that were found, judged and confirmed; or how the command ends without them. */
export type Chosen = { drives: Drive[]; targets: FlashInputTarget[] } | { end: ExitCode }

/**
 * Finds the drives that were named, and has each confirmed by its name. The helper judges them again.
 * @param choice what the command line says
 * @param what is to be written, for the question: `disk.img (2 GB)`
 * @param neededBytes that each must hold
 * @param file that is read, if it is one: the drive on which it lies is refused
 * @param needed see `findAllDrives`
 */
export async function chooseDrives(
  choice: DriveChoice,
  what: string,
  neededBytes: number,
  file: string | null,
  needed: readonly string[],
  reporter: Reporter,
): Promise<Chosen> {
  const unproven = unprovenWriting(process.platform)
  if (unproven !== null) reporter.say(unproven)
  const found = await findAllDrives(file, needed, reporter)
  if (!found.ok) return { end: reporter.fail(found.failure) }
  const drives: Drive[] = []
  for (const device of choice.devices) {
    const drive = await findTarget(device, found.value, neededBytes, choice)
    if (!drive.ok) return { end: reporter.fail(drive.failure) }
    if (drives.includes(drive.value)) {
      return { end: reporter.usage(`${device} is named twice.`, 'Help: slipway help flash') }
    }
    drives.push(drive.value)
  }
  const targets: FlashInputTarget[] = []
  for (const [index, drive] of drives.entries()) {
    const typed = await confirmation(
      choice,
      index,
      drive,
      nameToType(drive, found.value),
      `${what} is to be written to`,
      reporter,
    )
    if ('end' in typed) return typed
    targets.push({ drive: identityOf(drive), unmount: choice.unmount, ...typed })
  }
  return { drives, targets }
}

/** The drive of a name, if it may be written. The helper judges it again. */
async function findTarget(
  name: string,
  drives: readonly Drive[],
  sizeBytes: number,
  { unmount, expert }: DriveChoice,
): Promise<Result<Drive>> {
  // Names such as those of /dev/disk/by-id are links to the device.
  const device = await realpath(name).catch(() => name)
  const drive = drives.find((one) => one.device === device)
  if (drive === undefined) {
    const isPart = drives.some(({ volumes }) => volumes.some((volume) => volume.device === device))
    return isPart
      ? fail('drive-refused', { device, reasons: ['type'] })
      : fail('not-found', { what: `drive ${name}` })
  }
  const reasons = checkDrive(drive, sizeBytes, { unmount, expert, loopTargets: loopTargets() })
  return reasons.length === 0 ? ok(drive) : fail('drive-refused', { device, reasons })
}

type Typed = { confirmation: string; expert: string | null } | { end: ExitCode }

/** What was typed for a drive, in advance or when asked; or how the command ends without it. */
async function confirmation(
  command: DriveChoice,
  index: number,
  drive: Drive,
  expected: string,
  question: string,
  reporter: Reporter,
): Promise<Typed> {
  const isAsked = command.confirmations.length === 0 && !reporter.json && process.stdin.isTTY
  if (isAsked) showLoss(drive, question, reporter)
  const name = isAsked
    ? await ask(`To erase it, type its name, ${plain(expected)}: `)
    : command.confirmations[index]
  if (name === null) return { end: reporter.cancelled() }
  if (name === undefined) {
    const hint = `The name of ${drive.device} is: ${expected}`
    return { end: reporter.usage('Each drive’s name is needed, in their order: --confirm TEXT.', hint) }
  }
  if (!confirms(name, expected)) {
    return { end: reporter.fail(fail('confirmation-wrong', { expected }).failure) }
  }
  if (!command.expert || !needsExpert(drive, loopTargets())) return { confirmation: name, expert: null }
  const again = isAsked
    ? await ask(
        `${plain(driveName(drive))} is built in or larger than 128 GB. To erase it nevertheless, type its device name, ${deviceName(drive)}: `,
      )
    : command.deviceConfirmations.find((text) => confirmsAgain(text, drive))
  if (again === null) return { end: reporter.cancelled() }
  if (again === undefined) {
    const hint = `It is: --confirm-device ${deviceName(drive)}`
    return {
      end: reporter.usage(
        `${driveName(drive)} is built in or larger than 128 GB: name it a second time.`,
        hint,
      ),
    }
  }
  if (!confirmsAgain(again, drive)) {
    return { end: reporter.fail(fail('confirmation-wrong', { expected: deviceName(drive) }).failure) }
  }
  return { confirmation: name, expert: again }
}

/** Shows what would be lost. */
function showLoss(drive: Drive, question: string, reporter: Reporter): void {
  const volumes = describeVolumes(drive)
  reporter.say(`${question} ${drive.device}: ${driveName(drive)}, ${formatBytes(drive.sizeBytes)}.`)
  if (drive.serial !== '') reporter.say(`Serial number ${drive.serial}`)
  reporter.say(volumes.length === 0 ? 'No volumes were found on it.' : 'This will be erased:')
  for (const volume of volumes) reporter.say(`  ${volume}`)
}

/** Asks at the terminal; null when it was given up. */
async function ask(question: string): Promise<string | null> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const givenUp = new AbortController()
  terminal.on('SIGINT', () => givenUp.abort())
  terminal.on('close', () => givenUp.abort())
  try {
    return await terminal.question(question, { signal: givenUp.signal })
  } catch {
    // The question ends in no other way than by the signal above.
    return null
  } finally {
    terminal.close()
  }
}
