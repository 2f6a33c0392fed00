import { formatBytes, formatDuration } from './amounts'
import type { RefusalReason } from './drive'
import { refusalReasons } from './drive'
import { assertNever, type Failure, type FailureFacts } from './failure'
import type { JobPhase, JobTarget } from './job'
import { cameUp, verdictOf, type BootOutcome, type MachineFirmware, type Proof } from './proof'

/** A failure in plain English: what happened, what is left as it was, what to do. Each is one or more whole sentences; `remedy` is empty only where nothing can be done. */
export interface FailureText {
  happened: string
  kept: string
  remedy: string
}

/**
 * What is to be known about writing drives on a system where it was never proven, or null.
 * @param platform as Node names it
 */
export function unprovenWriting(platform: string): string | null {
  if (platform === 'linux') return null
  if (platform === 'darwin') {
    return 'Writing drives on macOS is not yet proven on hardware. Pull out every other drive first, or write the disk’s file from Linux.'
  }
  const system = platform === 'win32' ? 'Windows' : 'this system'
  return `Slipway’s rules for drives on ${system} are not yet proven on hardware, so it shows the drives and writes none of them. Write the disk’s file with another program, or from Linux.`
}

const phaseTitles: Record<JobPhase, string> = {
  unpack: 'Unpacking the archive',
  image: 'Preparing the image',
  prepare: 'Checking',
  read: 'Reading the archive',
  format: 'Making the file system',
  copy: 'Copying files',
  bootloader: 'Installing the boot loader',
  check: 'Checking the disk',
  pack: 'Packing the disk',
  start: 'Starting the machine',
  run: 'Running',
  boot: 'Booting',
  elevate: 'Asking for permission',
  write: 'Writing',
  verify: 'Comparing',
}

/** What a phase of a job is called; the phase's own name when it is not one of `jobPhases`. */
export function phaseTitle(phase: string): string {
  return Object.hasOwn(phaseTitles, phase) ? phaseTitles[phase as JobPhase] : phase
}

/** What people call each firmware. */
export const firmwareTitles: Record<MachineFirmware, string> = {
  bios: 'BIOS',
  uefi: 'UEFI',
  'secure-boot': 'UEFI with Secure Boot',
}

/** What a boot came to, as the part of a sentence after “It boots:”, “It does not boot:” or “Whether it boots is unproven:”. */
export const outcomeTexts: Record<BootOutcome, string> = {
  login: 'it came to a login',
  'target-reached': 'the machine is up, though no login prompt came',
  'kernel-panic': 'the kernel gave up (panic)',
  'initramfs-shell': 'the kernel found no root file system',
  'emergency-shell': 'the machine came up in its emergency mode only',
  'boot-loader-prompt': 'the boot loader stopped at its prompt',
  'no-bootable-device': 'the firmware found nothing to boot on the disk',
  'secure-boot-refused': 'the firmware refused to start what is not signed',
  'keeps-restarting': 'the machine starts again and again',
  picture:
    'the screen shows a picture without text that can be read, and no login prompt came in the time given',
  hang: 'no login prompt came in the time given',
  ended: 'the machine ended before a login prompt came',
}

/**
 * What a boot has shown, as one or two whole sentences.
 * @param proof the boot
 */
export function describeProof(proof: Proof): string {
  const { firmware, outcome, milliseconds, accelerator, failedUnits } = proof
  const title = firmwareTitles[firmware]
  if (verdictOf(proof) === 'fails') return `Under ${title} it does not boot: ${outcomeTexts[outcome]}.`
  if (verdictOf(proof) === 'unclear') {
    return `Under ${title} it is unproven: ${outcomeTexts[outcome]}. Look whether it is what should be there.`
  }
  const units = failedUnits.length === 0 ? '' : ` Units that failed: ${failedUnits.join(', ')}.`
  const came = outcome === 'login' ? 'login' : 'all units up'
  return `Under ${title} it boots: ${came} after ${formatDuration(milliseconds)} on ${accelerator}.${units}`
}

const reasonTexts: Record<RefusalReason, string> = {
  system: 'This computer runs from it, or needs it to run.',
  type: 'It is not a whole drive that can be written.',
  'not-removable': 'It is built into this computer.',
  'read-only': 'It is write-protected.',
  'no-medium': 'There is no card or medium in it.',
  'too-small': 'It is smaller than the disk.',
  'in-use': 'Another part of the system holds it open, such as LVM, RAID or an encrypted volume.',
  mounted: 'Files on it are in use: it is mounted.',
  large: 'It is larger than 128 GB, so it is more likely a backup than a stick.',
}

/** Why a drive may not be written, as one sentence; other text is passed through as it is. */
export function describeReason(reason: string): string {
  return isReason(reason) ? reasonTexts[reason] : reason
}

function isReason(text: string): text is RefusalReason {
  return (refusalReasons as readonly string[]).includes(text)
}

const nothingWritten = 'Nothing was written.'
const noDisk = 'No disk was made, and nothing is left behind.'
/** Also said by the terminal of a job that was cancelled. */
export const takenAway = 'What was begun was taken away again.'
const machineChanges = 'What the machine wrote until then is in the disk.'
const driveUntouched = 'Nothing was written to the drive.'
/** What is said of failures that know nothing of drives; of a write it is untrue as soon as a drive is begun. */
const nothingLost: readonly string[] = [nothingWritten, noDisk, takenAway]

/**
 * What became of the drives that a write began and did not finish, or null when there is none.
 * @param targets the drives of the job
 */
export function describeUnfinished(targets: readonly JobTarget[]): string | null {
  if (!targets.some(({ isBegun, state }) => isBegun && state !== 'done')) return null
  return targets.length === 1
    ? 'The drive is blank at its beginning and holds no usable disk.'
    : 'Drives that were begun and not finished are blank at their beginning and hold no usable disk.'
}

/** Sentences on the boots with this verdict; empty where there are none. */
function describeBoots(
  boots: readonly { firmware: MachineFirmware; outcome: BootOutcome }[],
  verdict: 'fails' | 'unclear',
): string {
  const says = verdict === 'fails' ? 'the disk does not boot' : 'it is unproven whether the disk boots'
  return boots
    .filter((boot) => verdictOf({ ...boot, failedUnits: [] }) === verdict)
    .map(({ firmware, outcome }) => `Under ${firmwareTitles[firmware]} ${says}: ${outcomeTexts[outcome]}.`)
    .join(' ')
}

/**
 * The sentences for a failure.
 * @param failure code and facts
 * @param targets the drives of the job that failed, where it was a write
 */
export function describeFailure(failure: Failure, targets: readonly JobTarget[] = []): FailureText {
  const text = textOf(failure)
  const unfinished = nothingLost.includes(text.kept) ? describeUnfinished(targets) : null
  return unfinished === null ? text : { ...text, kept: unfinished }
}

/** There are sentences for every code: the switch does not compile otherwise. */
function textOf(failure: Failure): FailureText {
  const { code, facts } = failure
  switch (code) {
    case 'engine-absent':
      return {
        happened: `Docker was not found. Tried: ${listOf(facts.tried)}.`,
        kept: 'Built disks and drives can be used without it.',
        remedy: 'Install Docker Engine or Podman, or set DOCKER_HOST to where yours listens.',
      }
    case 'engine-stopped':
      return {
        happened: `Docker is not running: nothing answers at ${facts.socket}.`,
        kept: 'Images and disks are as they were.',
        remedy: 'Start it, on most systems with: sudo systemctl start docker',
      }
    case 'engine-forbidden':
      return {
        happened: `This account may not use Docker at ${facts.socket}.`,
        kept: 'Images and disks are as they were.',
        remedy:
          'Add the account to the docker group (sudo usermod -aG docker "$USER"), then log out and in again.',
      }
    case 'engine-lost':
      return {
        happened: `The connection to Docker broke: ${facts.detail}.`,
        kept: noDisk,
        remedy: 'When Docker runs again, try again.',
      }
    case 'engine-refused':
      return {
        happened: `Docker refused: ${facts.detail}.`,
        kept: nothingWritten,
        remedy: 'Set right what Docker names and try again.',
      }
    case 'image-gone':
      return {
        happened: `The image ${facts.image} does not exist, or was removed meanwhile.`,
        kept: noDisk,
        remedy: 'Build or load the image again, or choose another one.',
      }
    case 'archive-missing':
      return {
        happened: `The archive ${facts.path} cannot be read: ${facts.detail}.`,
        kept: nothingWritten,
        remedy: 'Check its name and whether this account may read it.',
      }
    case 'archive-invalid':
      return {
        happened: `${facts.path} cannot be used: ${facts.reason}.`,
        kept: noDisk,
        remedy:
          'Make it again: with docker save for an image, with tar for a root file system. Slipway also takes OCI layouts.',
      }
    case 'archive-digest':
      return {
        happened: `${facts.path} is damaged or was changed: ${facts.part} should have the SHA-256 ${facts.expected} and has ${facts.found}.`,
        kept: noDisk,
        remedy: 'Get or make the archive again.',
      }
    case 'archive-no-room':
      return {
        happened: `${facts.path} is packed as a whole and has to be unpacked first, for which there is no room in ${facts.folder}: about ${formatBytes(facts.neededBytes, 'up')} are needed, ${formatBytes(facts.freeBytes)} are free.`,
        kept: noDisk,
        remedy:
          'Free some space there, name a folder with room in the variable TMPDIR, or unpack it yourself where there is room.',
      }
    case 'archive-choice':
      return {
        happened:
          facts.asked === ''
            ? `${facts.path} holds several images: ${listOf(facts.images)}.`
            : `${facts.path} holds no image ${facts.asked}. It holds: ${listOf(facts.images)}.`,
        kept: nothingWritten,
        remedy: 'Choose one of them, in the terminal by --name and --platform.',
      }
    case 'image-architecture':
      return {
        happened: `The image ${facts.image} is for ${facts.architecture} computers. Slipway can make disks for ${facts.supported}.`,
        kept: nothingWritten,
        remedy: 'Build the image for one of them, such as: docker build --platform linux/amd64',
      }
    case 'kernel-missing':
      return {
        happened: `The image ${facts.image} has no Linux kernel, so nothing could boot.`,
        kept: nothingWritten,
        remedy:
          'Install one in the Dockerfile, on Debian with: apt -y install linux-image-amd64 systemd-sysv',
      }
    case 'initramfs-missing':
      return {
        happened: `The image ${facts.image} has a kernel without its initial RAM disk (initrd), so it could not find its root.`,
        kept: nothingWritten,
        remedy:
          'Install what makes it in the Dockerfile, on Debian with: apt -y install initramfs-tools && update-initramfs -c -k all',
      }
    case 'init-missing':
      return {
        happened: `The image ${facts.image} has no init system, so the kernel would have nothing to start.`,
        kept: nothingWritten,
        remedy: 'Install one in the Dockerfile, on Debian with: apt -y install systemd-sysv',
      }
    case 'recipe-missing':
      return {
        happened: `Slipway has no recipe that makes ${facts.image} bootable: ${facts.distribution === '' ? 'it does not say which distribution it is, or has no package manager' : `${facts.distribution} is not one that it knows, or its package manager is missing`}.`,
        kept: nothingWritten,
        remedy:
          'Install a kernel, an initial RAM disk and an init system in the Dockerfile, or write the preparation’s Dockerfile yourself, in the terminal for: slipway build --dockerfile FILE',
      }
    case 'preparation-failed':
      return {
        happened: preparationHappened(facts),
        kept: `The image ${facts.image} is as it was, and ${noDisk.replace(/^N/, 'n')}`,
        remedy: preparationRemedies[facts.reason],
      }
    case 'setting-unmet':
      return {
        happened: `The image ${facts.image} lacks what ${settingNames[facts.setting]} needs.`,
        kept: nothingWritten,
        remedy: 'Let Slipway prepare the image, which installs it, or leave the setting out.',
      }
    case 'setting-unavailable':
      return {
        happened: `Slipway knows no package that brings what ${settingNames[facts.setting]} needs to ${facts.image}.`,
        kept: nothingWritten,
        remedy: 'Leave the setting out, or see to it in the image yourself.',
      }
    case 'init-unknown':
      return {
        happened: `The init of ${facts.image}, ${facts.path}, is of a kind that Slipway does not know: it cannot make it grow the disk, make a swap file or a language, or run the start command.`,
        kept: nothingWritten,
        remedy: 'Leave those settings out, and let the image see to them.',
      }
    case 'setting-invalid':
      return {
        happened: `The setting ${facts.setting} cannot be used: ${facts.reason}.`,
        kept: nothingWritten,
        remedy: 'Change it or leave it out, and try again.',
      }
    case 'tar-invalid':
      return {
        happened: `The files did not come as a whole tar archive: ${facts.reason} at byte ${facts.offset}.`,
        kept: noDisk,
        remedy:
          'Try again. If it fails at the same place, the image or the archive is damaged: make it again.',
      }
    case 'size-too-small':
      return {
        happened: `${formatBytes(facts.sizeBytes)} is too small for this image: it needs ${formatBytes(facts.neededBytes, 'up')}.`,
        kept: nothingWritten,
        remedy: `Choose ${formatBytes(facts.neededBytes, 'up')} or more, or leave the size to Slipway.`,
      }
    case 'size-too-large':
      return {
        happened: `${formatBytes(facts.sizeBytes)} is too large: a disk with this partition table ends at ${formatBytes(facts.limitBytes)}.`,
        kept: nothingWritten,
        remedy: 'Choose a smaller size.',
      }
    case 'size-invalid':
      return {
        happened: `“${facts.text}” is not a size.`,
        kept: nothingWritten,
        remedy: 'Write a number with a unit, such as 4G, 4GB or 2500M.',
      }
    case 'output-exists':
      return {
        happened: `There already is a file at ${facts.path}.`,
        kept: 'That file was not touched.',
        remedy: 'Choose another name, or move the file away first.',
      }
    case 'output-folder-missing':
      return {
        happened: `The folder ${facts.path} does not exist.`,
        kept: nothingWritten,
        remedy: 'Make the folder first, or choose another one.',
      }
    case 'output-forbidden':
      return {
        happened: `This account may not write to ${facts.path}.`,
        kept: nothingWritten,
        remedy: 'Choose a folder of your own.',
      }
    case 'output-file-system':
      return {
        happened: `${facts.path} lies on a ${facts.fileSystem} file system, whose files end at ${formatBytes(facts.limitBytes)}.`,
        kept: nothingWritten,
        remedy: 'Choose a folder on another drive, or a smaller disk.',
      }
    case 'output-too-large':
      return {
        happened: `The file ${facts.path} may not become as large as it would: its file system, or a limit of this session (ulimit -f), ends before.`,
        kept: noDisk,
        remedy: 'Choose a folder on another drive, or a smaller disk.',
      }
    case 'no-space':
      return {
        happened: `There is not enough free space at ${facts.path}: ${formatBytes(facts.neededBytes, 'up')} are needed, ${formatBytes(facts.freeBytes)} are free.`,
        kept: noDisk,
        remedy: 'Free some space, or choose a folder on another drive.',
      }
    case 'disk-missing':
      return {
        happened: `The disk ${facts.path} is no longer there, or is not the file it was.`,
        kept: nothingWritten,
        remedy: 'Put the file back, or build the disk again.',
      }
    case 'disk-changed':
      return {
        happened: `The disk ${facts.path} changed while it was being written.`,
        kept: 'The drive holds no usable disk. The file is as whoever changed it left it.',
        remedy: 'Stop what changes it, such as a virtual machine that runs from it, and write again.',
      }
    case 'disk-not-bootable':
      return {
        happened: `${facts.path} is not a disk that could boot: it has no boot record.`,
        kept: nothingWritten,
        remedy: 'Choose a disk that Slipway built.',
      }
    case 'disk-damaged':
      return {
        happened: `${facts.path} cannot be read to its end: ${facts.detail}.`,
        kept: 'If writing had begun, the drive is blank at its beginning and holds no usable disk.',
        remedy: 'Load or copy the file again.',
      }
    case 'disk-check-failed':
      return {
        happened: `The finished file system did not pass its check: ${facts.output}`,
        kept: noDisk,
        remedy: 'Try again. If it fails again, please report it with the log.',
      }
    case 'tool-missing':
      return {
        happened: `The program ${facts.tool} is not installed.`,
        kept: nothingWritten,
        remedy: `Install the package ${facts.package}, on Debian with: sudo apt install ${facts.package}`,
      }
    case 'tool-failed':
      return {
        happened: `The program ${facts.tool} failed${facts.exitCode === null ? '' : ` with exit code ${facts.exitCode}`}: ${facts.output}`,
        kept: takenAway,
        remedy: 'The log has all that it said.',
      }
    case 'elevation-refused':
      return {
        happened: 'Permission to work as administrator was not given.',
        kept: nothingWritten,
        remedy: 'Try again and enter the password of an administrator.',
      }
    case 'elevation-no-agent':
      return {
        happened: 'Nothing on this computer can ask for the administrator’s password.',
        kept: nothingWritten,
        remedy: 'Log in to a desktop, start a polkit agent, or run the terminal form with sudo.',
      }
    case 'elevation-missing':
      return {
        happened: 'The program pkexec, which asks for the administrator’s password, is not installed.',
        kept: nothingWritten,
        remedy:
          'Install polkit, on Debian with: sudo apt install pkexec. Or run the terminal form with sudo.',
      }
    case 'elevation-unprotected':
      return {
        happened: `Others than the administrator can change ${facts.path}, so Slipway is not run as administrator from there.`,
        kept: nothingWritten,
        remedy: 'Install Slipway’s package, or move it to a folder that belongs to root.',
      }
    case 'elevation-unsafe-path':
      return {
        happened: `Slipway lies at ${facts.path}, a path that cannot be handed to an administrator safely.`,
        kept: nothingWritten,
        remedy: 'Move Slipway to a path of plain letters, digits, dots, dashes and underscores.',
      }
    case 'helper-lost':
      return {
        happened: `The part that works as administrator ended early: ${facts.detail}.`,
        kept: 'It takes its loop devices and mounts with it when it ends. What it was writing is not finished.',
        remedy: 'Try again.',
      }
    case 'helper-protocol':
      return {
        happened: `The part that works as administrator said something unexpected, so it was stopped: ${facts.detail}.`,
        kept: 'What it was writing is not finished.',
        remedy: 'Try again. If it happens again, please report it with the log.',
      }
    case 'write-declined':
      return {
        happened: 'The last question before the write was answered with Cancel.',
        kept: driveUntouched,
        remedy: 'Choose the drive again, and then Erase and write.',
      }
    case 'drive-gone':
      return {
        happened: `The drive ${facts.device} is no longer there.`,
        kept: 'If writing had begun, the drive holds no usable disk now.',
        remedy: 'Plug it in again, choose it anew and write it again.',
      }
    case 'drive-changed':
      return {
        happened: `${facts.device} is not the drive that was confirmed: its ${fieldName(facts.field)} was “${facts.confirmed}” and is “${facts.found}”.`,
        kept: driveUntouched,
        remedy: 'Look at the list of drives, choose again and confirm again.',
      }
    case 'drive-refused':
      return {
        happened: `${facts.device} may not be written. ${facts.reasons.map(describeReason).join(' ')}`,
        kept: driveUntouched,
        remedy: refusalRemedy(facts.reasons),
      }
    case 'drive-busy':
      return {
        happened: `The drive ${facts.device} is in use: ${systemWords(facts.detail.replace(/\.$/, ''))}.`,
        kept: driveUntouched,
        remedy: 'Close what uses it, unmount it and try again.',
      }
    case 'drive-io':
      return {
        happened: `The drive ${facts.device} failed at ${formatBytes(facts.offset)}: ${systemWords(facts.detail)}.`,
        kept: 'The drive holds no usable disk. The built disk is as it was.',
        remedy: 'Try another port, then another stick.',
      }
    case 'verify-mismatch':
      return {
        happened: `What ${facts.device} gives back is not what was written: ${formatBytes(facts.length)} from ${formatBytes(facts.offset)} on differ.`,
        kept: 'Do not use the drive. The built disk is as it was.',
        remedy: 'Try another port, then another stick. Sticks that lie about their size fail like this.',
      }
    case 'drive-too-small':
      return {
        happened: `The disk turned out to be larger than ${facts.device} with its ${formatBytes(facts.sizeBytes)}: a compressed file need not tell its size before.`,
        kept: 'The drive was left blank at its beginning and holds no usable disk. The file is as it was.',
        remedy: 'Choose a larger drive.',
      }
    case 'drives-failed':
      return {
        happened: `${facts.failed.length} of ${facts.total} drives could not be written: ${facts.failed.join(', ')}.`,
        kept:
          facts.failed.length === facts.total
            ? 'They hold no usable disk, or are as they were.'
            : 'The others are written. Those that failed hold no usable disk, or are as they were.',
        remedy: 'Look at what is said of each, and write those again.',
      }
    case 'confirmation-wrong':
      return {
        happened: 'The typed text is not the name of the drive.',
        kept: driveUntouched,
        remedy: `Type: ${facts.expected}`,
      }
    case 'preview-failed':
      return {
        happened: `The preview stopped: ${facts.detail.replace(/\.$/, '')}.`,
        kept: facts.changesKept === true ? machineChanges : 'The disk is unchanged.',
        remedy: 'The log has all that QEMU said.',
      }
    case 'preview-no-room':
      return {
        happened: `There was no room left in ${facts.folder} for what the machine wrote; ${formatBytes(facts.freeBytes)} are free there now.`,
        kept: facts.changesKept ? machineChanges : 'The disk is unchanged.',
        remedy: facts.changesKept
          ? 'Free some space there, and start the machine again.'
          : 'Free some space there, or name a folder with room in the variable TMPDIR, and start the machine again.',
      }
    case 'proof-failed':
      return {
        happened: describeBoots(facts.boots, 'fails'),
        kept: 'The disk is unchanged.',
        remedy: 'The picture and the last lines on the disk’s page show how far it came.',
      }
    case 'proof-incomplete': {
      const untried = facts.untried.map(
        ({ firmware, tool }) =>
          `Under ${firmwareTitles[firmware]} it was not tried: ${tool} is not installed here.`,
      )
      const packages = [...new Set(facts.untried.map((one) => one.package))]
      const proven = facts.boots.filter((boot) => cameUp({ ...boot, failedUnits: [] }))
      const names = proven.map(({ firmware }) => firmwareTitles[firmware]).join(' and ')
      return {
        happened: [describeBoots(facts.boots, 'unclear'), ...untried].filter((text) => text !== '').join(' '),
        kept: `${proven.length === 0 ? '' : `Under ${names} it boots. `}The disk is unchanged.`,
        remedy:
          packages.length === 0
            ? 'Look at the picture on the disk’s page: is it what the machine should show?'
            : `Install the package ${listOf(packages)}, and prove it again.`,
      }
    }
    case 'disk-without-boot':
      return {
        happened: `${facts.path} is a data disk: it holds files and nothing that boots, so there is nothing to prove.`,
        kept: 'The disk is unchanged.',
        remedy: 'To have a disk that boots, build it with a boot loader.',
      }
    case 'not-found':
      return {
        happened: `There is no ${facts.what}.`,
        kept: nothingWritten,
        remedy: 'Look at the list again: it may have changed.',
      }
    case 'busy':
      return {
        happened: `Something is already being done with ${busyName(facts.what)}.`,
        kept: nothingWritten,
        remedy: 'Wait until it is done, or cancel it.',
      }
    case 'not-supported':
      return {
        happened: `This version of Slipway cannot do that: ${facts.what}.`,
        kept: nothingWritten,
        remedy: '',
      }
    case 'clean-up-failed':
      return {
        happened: `The work ended, but something could not be taken away: ${facts.detail}.`,
        kept: 'What was made is not to be trusted.',
        remedy: 'The log says what is left. Please report it.',
      }
    case 'internal':
      return {
        happened: `Slipway made a mistake: ${facts.detail}`,
        kept: takenAway,
        remedy: 'Please report it with the log.',
      }
    default:
      return assertNever(code)
  }
}

function preparationHappened({ image, reason, step, output }: FailureFacts<'preparation-failed'>): string {
  const last = output.trim().split('\n').at(-1)?.trim() ?? ''
  switch (reason) {
    case 'network':
      return `Preparing ${image} failed: packages could not be fetched over the network. The last words were “${last}”.`
    case 'space':
      return `Preparing ${image} failed: Docker’s drive is full. The last words were “${last}”.`
    case 'dockerfile':
      return `Preparing ${image} failed: Docker does not understand the Dockerfile. It said “${last}”.`
    case 'architecture':
      return `Preparing ${image} failed: it is for another kind of processor than the computer that Docker runs on, which cannot run its programs${last === '' ? '' : `. The last words were “${last}”`}.`
    case 'step':
      return `Preparing ${image} failed at “${step}”. The last words were “${last}”.`
  }
}

const preparationRemedies: Record<FailureFacts<'preparation-failed'>['reason'], string> = {
  step: 'Look at the log for all that the step said. The preparation’s Dockerfile can be edited.',
  network:
    'See that this computer is online and try again. Where Docker’s own network leads nowhere, as with some VPNs, start Slipway with SLIPWAY_BUILD_NETWORK=host.',
  space: 'Free some space on the drive with Docker’s data, on most systems with: docker system prune',
  architecture:
    'Prepare it on a computer of that kind, or have Docker’s computer run such programs: on Debian with sudo apt install qemu-user-static binfmt-support',
  dockerfile: 'Edit the preparation’s Dockerfile, or take the proposed one again.',
}

const settingNames: Record<FailureFacts<'setting-unmet'>['setting'], string> = {
  ssh: 'the SSH server',
  sudo: 'the user who may become root',
  network: 'the network',
  wifi: 'Wi-Fi',
  timeZone: 'the time zone',
  locale: 'the language',
  keyboard: 'the keyboard layout',
  grow: 'growing to the whole drive',
  firmware: 'the firmware for real hardware',
}

function listOf(items: readonly string[]): string {
  return items.length === 0 ? 'nothing' : items.join(', ')
}

/** A lock's name (`file:…`, `drive:…`, `proof:…`) without its kind. */
function busyName(what: string): string {
  return what.replace(/^(file|drive|proof):/, '')
}

const fieldNames: Record<string, string> = {
  device: 'device name',
  majorMinor: 'device number',
  sizeBytes: 'size',
  vendor: 'maker',
  model: 'model',
  serial: 'serial number',
  wwn: 'world-wide name',
  bus: 'bus',
  port: 'port',
  diskSequence: 'medium',
  byId: 'identity',
  layout: 'partitions',
  contents: 'content',
}

/** What the system's names of errors mean of a drive (errno(3)). */
const errorWords: Record<string, string> = {
  EBUSY: 'another program or the system holds it',
  EIO: 'it could not read or write there',
  ENODEV: 'it is gone',
  ENXIO: 'it is gone',
  ENOSPC: 'it ends there',
  EREMOTEIO: 'it answered with an error',
  ETIMEDOUT: 'it did not answer in time',
}

/** An error of the system in words, with its name for those who look it up; other text as it is. */
function systemWords(detail: string): string {
  const words = errorWords[detail]
  return words === undefined ? detail : `${words} (${detail})`
}

function fieldName(field: string): string {
  return fieldNames[field] ?? field
}

function refusalRemedy(reasons: readonly string[]): string {
  if (reasons.every((reason) => reason === 'mounted')) return 'Unmount it, or let Slipway unmount it.'
  if (reasons.includes('too-small')) return 'Choose a larger drive, or build a smaller disk.'
  if (reasons.includes('read-only')) return 'Take its write protection off, or choose another drive.'
  return 'Choose another drive.'
}
