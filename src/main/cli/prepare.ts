import { ok, type Result } from '../../shared/failure'
import { defaultMachineSettings } from '../../shared/image'
import { findEngine } from '../docker/connect'
import { inspectImage } from '../docker/inspect'
import { proposeDockerfile, type Proposal } from '../prepare/propose'
import type { Command } from './arguments'
import { readMachineFile } from './machine-file'
import type { ExitCode, Reporter } from './reporter'

/** `slipway prepare`: shows the Dockerfile that `build --prepare` would use. */
export async function runPrepare(
  command: Extract<Command, { name: 'prepare' }>,
  reporter: Reporter,
): Promise<ExitCode> {
  const proposed = await propose(command)
  if (!proposed.ok) return reporter.fail(proposed.failure)
  return reporter.succeed(proposed.value, proposed.value.dockerfile.trimEnd())
}

async function propose({
  image,
  machineFile,
}: Extract<Command, { name: 'prepare' }>): Promise<Result<Proposal>> {
  const engine = await findEngine()
  if (!engine.ok) return engine
  const found = await inspectImage(engine.value.docker, image, new AbortController().signal)
  if (!found.ok) return found
  const defaults = defaultMachineSettings(found.value)
  const machine = machineFile === null ? ok(defaults) : await readMachineFile(machineFile, defaults)
  return machine.ok ? proposeDockerfile(found.value, machine.value) : machine
}
