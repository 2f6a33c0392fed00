import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { fail, ok, type Result } from '../../../shared/failure'
import { diskutil, findMacosDrives, runDiskutil } from '../../drives/macos'
import { openFailure, type ClaimedDevice } from '../flash-device'
import type { ClaimSteps } from '../flash-target'
import { handleDevice } from '../handle-device'

/** The steps of a claim on a Mac, by diskutil(8) and raw disks. Not yet proven on hardware. */
export const macosSteps: ClaimSteps = {
  find: findMacosDrives,
  unmount: (device) => unmountMacosDrive(device),
  claim: (device) => claimMacosDevice(device),
  openers: (paths) => macosOpeners(paths),
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

function runLsof(words: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    // It ends with 1 when nobody has them open.
    execFile(LSOF, words, (_error, stdout) => {
      resolve(stdout)
    })
  })
}
