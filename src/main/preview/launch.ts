import { execFile } from 'node:child_process'
import { access, constants, copyFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { formatOfPath } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import type { Accelerator, Architecture, FirmwareFiles, MachineSettings, ReadableFormat } from './arguments'
import type { QemuPrograms } from './find'
import type { UefiFirmware } from './firmware'
import { parsePpm, type ScreenPicture } from './screen'
import type { Session } from './session'

/** Milliseconds that an accelerated machine has until its firmware shows something; a working one takes less than one second. */
const LIFE_TIMEOUT = 15_000
const LIFE_INTERVAL = 100
/** QEMU's picture before the guest has set a video mode: 640 by 480 with a sentence. */
const PLACEHOLDER = { width: 640, height: 480 }

const execute = promisify(execFile)
export const statusSchema = z.object({ status: z.string() })

/**
 * What this host may have: an accelerator counts only after it was seen working.
 * @param architecture of the guest; another one than the host's is always emulated
 */
export async function candidateAccelerators(
  architecture: Architecture,
  log: (line: string) => void,
): Promise<Accelerator[]> {
  if (process.arch !== (architecture === 'amd64' ? 'x64' : 'arm64')) {
    log(`This computer is no ${architecture}: the machine is emulated, which is slower`)
    return ['tcg']
  }
  if (process.platform === 'darwin') return ['hvf', 'tcg']
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK)
    return ['kvm', 'tcg']
  } catch (error) {
    log(
      `No KVM (${String((error as NodeJS.ErrnoException).code)} on /dev/kvm): the machine is emulated, which is slower`,
    )
    return ['tcg']
  }
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}

/** Whether a run of QEMU that ended by itself hints at its accelerator: it gave up or crashed, and nobody killed it. */
export function isCrash(ending: string): boolean {
  return !/ended by SIG(KILL|TERM|INT|HUP)/.test(ending)
}

/** Takes a picture through a file in the machine's folder. */
export async function takePicture(session: Session, path: string): Promise<Result<ScreenPicture>> {
  const done = await session.qmp.execute('screendump', { filename: path })
  if (!done.ok) return done
  try {
    const picture = parsePpm(await readFile(path))
    await rm(path, { force: true })
    return picture === null ? fail('preview-failed', { detail: 'QEMU wrote no picture' }) : ok(picture)
  } catch (error) {
    // The machine ended in between, and its folder with it.
    return fail('preview-failed', { detail: String(error) })
  }
}

/** Waits until the firmware set a video mode or wrote to the serial port. Answers what went wrong, or null. */
export async function awaitLife(
  session: Session,
  picturePath: string,
  isUnwanted: () => boolean,
): Promise<string | null> {
  let alive = false
  session.serial.once('data', () => (alive = true))
  const until = Date.now() + LIFE_TIMEOUT
  while (!alive) {
    if (isUnwanted()) return 'stopped'
    const status = await session.qmp.execute('query-status')
    if (!status.ok) return session.exited
    const { status: state } = statusSchema.parse(status.value)
    if (state !== 'running') return `the machine is in state ${state}`
    const picture = await takePicture(session, picturePath)
    if (picture.ok) {
      const { width, height } = picture.value
      alive ||= width !== PLACEHOLDER.width || height !== PLACEHOLDER.height
    }
    if (Date.now() > until) return `no sign of life within ${LIFE_TIMEOUT / 1000} seconds`
    await new Promise((resolve) => setTimeout(resolve, LIFE_INTERVAL))
  }
  return null
}

/**
 * The format of a disk, by its name. The content is never asked: a raw disk could pose as one with a backing file of
 * its own.
 * @returns null for a compressed one, which QEMU does not read
 */
export function readableFormat(diskPath: string): ReadableFormat | null {
  const format = formatOfPath(diskPath)
  return format === 'gz' || format === 'xz' || format === 'zst' ? null : format
}

/**
 * Makes the files that one run of QEMU writes to, afresh.
 * @param keepChanges whether the guest writes to the disk itself
 */
export async function prepareFiles(
  programs: QemuPrograms,
  diskPath: string,
  keepChanges: boolean,
  uefi: (UefiFirmware & { secure: boolean }) | null,
  directory: string,
): Promise<Result<Pick<MachineSettings, 'disk' | 'firmware'>>> {
  const format = readableFormat(diskPath)
  if (format === null) return fail('not-supported', { what: 'booting a compressed disk; unpack it first' })
  let disk: MachineSettings['disk'] = { path: diskPath, format, isOverlay: false }
  if (!keepChanges) {
    const overlayPath = join(directory, 'overlay.qcow2')
    const words = ['create', '-q', '-f', 'qcow2', '-F', format, '-b', diskPath, overlayPath]
    try {
      await execute(programs.image, words)
    } catch (error) {
      const { code, stderr } = error as { code: unknown; stderr?: string }
      const exitCode = typeof code === 'number' ? code : null
      return fail('tool-failed', { tool: 'qemu-img', exitCode, output: stderr ?? String(error) })
    }
    disk = { path: overlayPath, format: 'qcow2', isOverlay: true }
  }
  let firmware: FirmwareFiles = { kind: 'bios' }
  if (uefi !== null) {
    const variablesPath = join(directory, 'variables.fd')
    await copyFile(uefi.variablesTemplatePath, variablesPath)
    firmware = { kind: 'uefi', codePath: uefi.codePath, variablesPath, secure: uefi.secure }
  }
  return ok({ disk, firmware })
}
