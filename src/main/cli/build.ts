import { resolve } from 'node:path'
import { formatBytes } from '../../shared/sentences'
import { buildWork } from '../convert/build'
import { findEngine } from '../docker/connect'
import { removeStaleContainers } from '../docker/container'
import type { Library } from '../library/library'
import type { Command } from './arguments'
import type { ExitCode, Reporter } from './reporter'
import { runJob } from './run-job'

/** `slipway build`. */
export async function runBuild(
  command: Extract<Command, { name: 'build' }>,
  library: Library,
  reporter: Reporter,
): Promise<ExitCode> {
  const engine = await findEngine()
  if (!engine.ok) return reporter.fail(engine.failure)
  const { docker } = engine.value
  // What a killed run left behind. Should it fail, the build itself will say what is wrong with the engine.
  await removeStaleContainers(docker).catch((error: unknown) => reporter.log(String(error)))
  const work = buildWork({
    docker,
    imageId: command.image,
    settings: command.settings,
    outputPath: resolve(command.output),
    library,
  })
  return runJob(work, reporter, (disk) =>
    reporter.succeed(
      { disk },
      [
        `Made ${disk.path} from ${disk.source.image}: ${formatBytes(disk.sizeBytes)}, for ${disk.firmware.join(' and ').toUpperCase()}.`,
        'Whether it boots is unproven until it was booted: slipway preview --until-login DISK',
      ].join('\n'),
    ),
  )
}
