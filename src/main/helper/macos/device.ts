import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import type { DriveIdentity } from '../../../shared/drive'
import { fail, ok, type Result } from '../../../shared/failure'
import { diskutil, findMacosDrives, runDiskutil } from '../../drives/macos'
import { openFailure, type ClaimedDevice } from '../flash-device'
import type { ClaimSteps } from '../flash-target'
import { handleDevice } from '../handle-device'

/** The steps of a claim and of the end of a write on a Mac, by diskutil(8) and raw disks. Not yet proven on hardware. */
export const macosSteps: ClaimSteps = {
  find: findMacosDrives,
  unmount: (device) => unmountMacosDrive(device),
  claim: (device) => claimMacosDevice(device),
  openers: (paths) => macosOpeners(paths),
  letGo: (claimed, drive, eject) => letGoOfMacosDrive(claimed, drive, eject),
}

const LSOF = '/usr/sbin/lsof'
const infoSchema = z.object({ TotalSize: z.number().positive(), DeviceBlockSize: z.number().positive() })

/**
 * Unmounts all volumes of a drive and of the containers on it; never by force, so that what is in use stays.
 * @param device `/dev/disk4`
 * @param run asks diskutil; tests answer with what it prints
 * @returns `drive-busy` with diskutil's own words, which name the program that stands against it
 */
export async function unmountMacosDrive(device: string, run = runDiskutil): Promise<Result<null>> {
  const unmounted = await run(['unmountDisk', device])
  if (unmounted.ok) return ok(null)
  const { facts } = unmounted.failure
  return fail('drive-busy', { device, detail: 'output' in facts ? facts.output : '' })
}

/**
 * Opens a drive by its raw node, which no cache lies in front of. macOS has no exclusive open of a disk; it refuses one
 * for writing while a volume of the disk is mounted (xnu, bsd/miscfs/specfs, spec_open: EBUSY), and who else has it
 * open is asked of lsof(8) afterwards.
 * @param device `/dev/disk4`
 * @param ask asks diskutil for a property list; tests answer with what it prints
 * @param openRaw opens `/dev/rdisk4`; tests give a file
 * @returns the drive; `drive-refused`, `drive-busy`, `drive-gone`, `drive-io`
 */
export async function claimMacosDevice(
  device: string,
  ask = diskutil,
  openRaw: (path: string, flags: number) => Promise<Awaited<ReturnType<typeof open>>> = open,
): Promise<Result<ClaimedDevice>> {
  const name = /^\/dev\/(disk\d+)$/.exec(device)?.[1]
  if (name === undefined) return fail('drive-refused', { device, reasons: ['type'] })
  let handle: Awaited<ReturnType<typeof open>>
  try {
    handle = await openRaw(`/dev/r${name}`, constants.O_RDWR | constants.O_NOFOLLOW)
  } catch (error) {
    return openFailure(device, error)
  }
  const info = await ask(['info', '-plist', name])
  const told = infoSchema.safeParse(info.ok ? info.value : null)
  const isRaw = (await handle.stat()).isCharacterDevice()
  if (!isRaw || !told.success) {
    await handle.close()
    return isRaw ? fail('drive-gone', { device }) : fail('drive-refused', { device, reasons: ['type'] })
  }
  const { TotalSize: sizeBytes, DeviceBlockSize: sectorBytes } = told.data
  return ok(handleDevice(handle, { sizeBytes, sectorBytes }))
}

/**
 * Names of other programs that have one of the nodes open, raw ones included.
 * @param paths `/dev/disk4`, `/dev/disk4s1`
 * @param run runs lsof(8) and answers what it prints; tests answer with what it prints
 */
export async function macosOpeners(
  paths: readonly string[],
  run: (words: readonly string[]) => Promise<string> = runLsof,
): Promise<string[]> {
  const nodes = paths.flatMap((path) => [path, path.replace('/dev/disk', '/dev/rdisk')])
  // Each process is a line `p` with its number and one `c` with its name (lsof(8), "OUTPUT FOR OTHER PROGRAMS").
  const processes = (await run(['-F', 'pc', '--', ...nodes])).split(/^p/m).slice(1)
  return processes.flatMap((text) => {
    const id = Number.parseInt(text, 10)
    const name = /^c(.*)$/m.exec(text)?.[1] ?? ''
    return id === process.pid ? [] : [`${name} (${id})`]
  })
}

/**
 * Lets go of a drive that was written, and ejects it when asked to. diskutil ejects nothing that is open, so the drive
 * is closed before; should another one come in its place at that moment, its volumes are unmounted and nothing of it is
 * lost.
 * @param claimed the open drive; closed in the end
 * @param drive what it is
 * @param eject whether it is to be ejected
 * @param run asks diskutil; tests answer with what it prints
 * @returns lines for the log, of what did not work; the drive is written all the same
 */
export async function letGoOfMacosDrive(
  claimed: ClaimedDevice,
  { device }: Pick<DriveIdentity, 'device'>,
  eject: boolean,
  run = runDiskutil,
): Promise<string[]> {
  const isPresent = await claimed.device.isPresent()
  await claimed.close()
  if (!eject || !isPresent) return []
  const ejected = await run(['eject', device])
  if (ejected.ok) return []
  const { facts } = ejected.failure
  return [`${device} could not be ejected: ${'output' in facts ? facts.output : ''}`]
}

function runLsof(words: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    // It ends with 1 when nobody has them open.
    execFile(LSOF, words, (_error, stdout) => {
      resolve(stdout)
    })
  })
}
