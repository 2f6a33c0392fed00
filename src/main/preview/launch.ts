import { execFile } from 'node:child_process'
import { access, constants, copyFile, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { formatOfPath } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import { inspectVirtualDisk } from '../flash/source/virtual-disk'
import type { Accelerator, Architecture, FirmwareFiles, MachineSettings, ReadableFormat } from './arguments'
import type { QemuPrograms } from './find'
import type { UefiFirmware } from './firmware'
import { parsePpm, type ScreenPicture } from './screen'
import type { Session } from './session'

/** Milliseconds that an accelerated machine has until its firmware shows something; a working one takes less than one second. */
const LIFE_TIMEOUT = 15_000
const LIFE_INTERVAL = 100
const READING_INTERVAL = 500
/** Bytes of a disk's start that tell what it is. */
const SECTOR = 512
/** QEMU's picture before the guest has set a video mode: 640 by 480 with a sentence. */
const PLACEHOLDER = { width: 640, height: 480 }

const execute = promisify(execFile)
export const statusSchema = z.object({ status: z.string() })

/** What a system's kernel may offer: KVM on Linux, the hypervisor frameworks of macOS and of Windows. */
const platformAccelerators: Partial<Record<NodeJS.Platform, Accelerator>> = {
  linux: 'kvm',
  darwin: 'hvf',
  win32: 'whpx',
}

/**
 * What this host may have: an accelerator counts only after it was seen working.
 * @param architecture of the guest; another one than the host's is always emulated
 * @param host the computer that runs it; this one unless given
 */
export async function candidateAccelerators(
  architecture: Architecture,
  log: (line: string) => void,
  host: { platform: NodeJS.Platform; arch: string } = process,
): Promise<Accelerator[]> {
  if (host.arch !== (architecture === 'amd64' ? 'x64' : 'arm64')) {
    log(`This computer is no ${architecture}: the machine is emulated, which is slower`)
    return ['tcg']
  }
  const accelerator = platformAccelerators[host.platform]
  if (accelerator === undefined) return ['tcg']
  if (accelerator !== 'kvm') return [accelerator, 'tcg']
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

/** Why a machine is given up that shows nothing; `awaitLife` and `awaitReading` answer these. */
const NO_LIFE = `no sign of life within ${LIFE_TIMEOUT / 1000} seconds`
const NO_READING = `the firmware read nothing of the disk within ${LIFE_TIMEOUT / 1000} seconds`
const wrongState = (state: string): string => `the machine is in state ${state}`

/**
 * Whether a run of QEMU that ended or was given up hints at its accelerator: it crashed, its words name one or what one
 * has to bring along, or nothing moved in it. Not so when somebody killed it, or when it could not use a file.
 * @param detail how it ended (session.ts), or why it was given up
 */
export function isAcceleratorProblem(detail: string): boolean {
  if ([NO_LIFE, NO_READING, wrongState('internal-error')].includes(detail)) return true
  if (/ended by SIG(?:ABRT|BUS|FPE|ILL|SEGV|SYS|TRAP)/.test(detail)) return true
  // Files are named with their folders, and a folder may be called anything.
  const words = /\b(?:kvm\w*|hvf|whpx|hax|accel\w*|hypervisor|virtuali[sz]ation|v?cpus?|msr)\b/i
  return words.test(detail.replace(/\S*[/\\]\S*/g, ''))
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
  const until = performance.now() + LIFE_TIMEOUT
  while (!alive) {
    if (isUnwanted()) return 'stopped'
    const status = await session.qmp.execute('query-status')
    if (!status.ok) return session.exited
    const { status: state } = statusSchema.parse(status.value)
    if (state !== 'running') return wrongState(state)
    const picture = await takePicture(session, picturePath)
    if (picture.ok) {
      const { width, height } = picture.value
      alive ||= width !== PLACEHOLDER.width || height !== PLACEHOLDER.height
    }
    if (performance.now() > until) return NO_LIFE
    await new Promise((resolve) => setTimeout(resolve, LIFE_INTERVAL))
  }
  return null
}

const readsSchema = z.array(z.object({ stats: z.object({ rd_operations: z.number() }) }))

/**
 * Waits until the firmware has read from the disk, whatever is on it: an accelerator may draw the first screen and
 * stand still then. What stands still later cannot be told from a machine that waits for somebody.
 * @returns why the machine is to be given up; null when it reads, is gone, or was asked to stop
 */
export async function awaitReading(session: Session, isUnwanted: () => boolean): Promise<string | null> {
  const until = performance.now() + LIFE_TIMEOUT
  while (!isUnwanted()) {
    // The machine's drives, and not the firmware's own flash (QEMU docs/interop/qemu-qmp-ref, query-blockstats).
    const told = await session.qmp.execute('query-blockstats')
    if (!told.ok) return null
    const drives = readsSchema.parse(told.value)
    if (drives.some(({ stats }) => stats.rd_operations > 0)) return null
    if (performance.now() > until) return NO_READING
    await new Promise((resolve) => setTimeout(resolve, READING_INTERVAL))
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
 * Looks whether a virtual machine's disk is what its name says and whole in one file, before QEMU opens it and whatever
 * it names.
 */
async function checkFormat(diskPath: string, format: ReadableFormat): Promise<Result<null>> {
  if (format === 'raw') return ok(null)
  const file = await open(diskPath, 'r')
  try {
    const { buffer: start } = await file.read(Buffer.alloc(SECTOR), 0, SECTOR, 0)
    const found = await inspectVirtualDisk(start, file, diskPath)
    if (!found.ok) return found
    if (found.value?.format === format) return ok(null)
    return fail('disk-damaged', { path: diskPath, detail: `it is no ${format}` })
  } finally {
    await file.close()
  }
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
  const whole = await checkFormat(diskPath, format)
  if (!whole.ok) return whole
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
