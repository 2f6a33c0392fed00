import { statSync } from 'node:fs'
import type { Drive } from '../../shared/drive'
import { displayName } from '../../shared/drive'
import type { Result } from '../../shared/failure'
import { formatBytes } from '../../shared/amounts'
import { describeReason } from '../../shared/sentences'
import { findEngine } from '../docker/connect'
import { dataRootOf } from '../docker/data-root'
import { deviceNumber } from '../drives/linux/device-number'
import { listDrives } from '../drives/list'
import { listedDrives } from '../drives/watch'
import { libraryFolder } from '../library/library'
import type { ExitCode, Reporter } from './reporter'

/** Whether loop devices count as drives: for tests. The helper has its own switch, which no packaged build honours. */
export function loopTargets(): boolean {
  return process.env['SLIPWAY_TEST_LOOP_TARGETS'] === '1'
}

/** What no drive may take away: this program, its list of disks, and what the Docker Engine keeps, where one answers. */
export async function neededPaths(): Promise<string[]> {
  const engine = await findEngine()
  const dataRoot = engine.ok ? await dataRootOf(engine.value.docker) : null
  return [
    ...[process.execPath, __dirname, libraryFolder(process.env)],
    ...(dataRoot === null ? [] : [dataRoot]),
  ]
}

/**
 * The drives of this machine.
 * @param sourcePath a file whose drive must not be written, or null
 * @param needed other paths whose drives must not be written
 * @param reporter takes what does not work
 */
export function findAllDrives(
  sourcePath: string | null,
  needed: readonly string[],
  reporter: Reporter,
): Promise<Result<Drive[]>> {
  const files =
    sourcePath === null
      ? []
      : [{ device: deviceNumber(statSync(sourcePath, { bigint: true }).dev), path: sourcePath }]
  return listDrives({ paths: needed, files }, (line) => {
    reporter.log(line)
  })
}

/** What is on a drive, a line for each volume. */
export function describeVolumes(drive: Drive): string[] {
  return drive.volumes.map((volume) => {
    const parts = [volume.device.replace(/^\/dev\//, ''), formatBytes(volume.sizeBytes)]
    if (volume.fileSystem !== null) parts.push(volume.fileSystem)
    if (volume.label !== null && volume.label !== '') parts.push(`“${displayName(volume.label)}”`)
    if (volume.usedBytes !== null) parts.push(`${formatBytes(volume.usedBytes)} in use`)
    if (volume.mountpoints.length > 0) parts.push(`mounted at ${volume.mountpoints.join(', ')}`)
    return parts.join(', ')
  })
}

/** `slipway drives`. */
export async function runDrives(reporter: Reporter): Promise<ExitCode> {
  const found = await findAllDrives(null, await neededPaths(), reporter)
  if (!found.ok) return reporter.fail(found.failure)
  const drives = listedDrives(found.value, loopTargets())
  const text = drives.map((drive) => {
    const verdict =
      drive.reasons.length === 0
        ? 'May be written.'
        : `Not to be written. ${drive.reasons.map(describeReason).join(' ')}`
    const lines = [...describeVolumes(drive), verdict].map((line) => `  ${line}`)
    return [`${drive.device}  ${drive.name}, ${formatBytes(drive.sizeBytes)}`, ...lines].join('\n')
  })
  return reporter.succeed({ drives }, text.length === 0 ? 'There are no drives.' : text.join('\n'))
}
