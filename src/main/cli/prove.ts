import { resolve } from 'node:path'
import type { Proof } from '../../shared/proof'
import { describeProof } from '../../shared/sentences'
import type { JobWork } from '../jobs/manager'
import { picturePath, type Library } from '../library/library'
import { proveDisk } from '../preview/prove'
import type { Command } from './arguments'
import { checkBootable, knownDisk } from './disk'
import type { ExitCode, Reporter } from './reporter'
import { runJob } from './run-job'

/** `slipway prove`. */
export async function runProve(
  command: Extract<Command, { name: 'prove' }>,
  library: Library,
  reporter: Reporter,
): Promise<ExitCode> {
  const diskPath = resolve(command.disk)
  const bootable = await checkBootable(diskPath)
  if (!bootable.ok) return reporter.fail(bootable.failure)
  const disk = await knownDisk(diskPath, library)
  const firmware = command.firmware.length > 0 ? command.firmware : disk.firmware
  // A record of a data disk says that nothing on it boots, which proveDisk refuses.
  if (firmware.length === 0 && !disk.isListed) {
    return reporter.usage(
      'The disk does not say for which firmware it was made: give --firmware.',
      'Help: slipway help prove',
    )
  }
  if (!disk.isListed) reporter.say('Slipway did not build this disk: its verdicts are shown, and not kept.')
  const { attachment, memoryBytes, processors } = command.machine
  const proofs: object[] = []
  const work: JobWork<Proof[]> = {
    kind: 'proof',
    title: diskPath,
    diskId: disk.id,
    locks: [],
    run: (context) =>
      proveDisk(context, {
        diskPath,
        firmware,
        architecture: disk.architecture,
        attachment,
        ...(memoryBytes === null ? {} : { memoryBytes }),
        ...(processors === null ? {} : { processors }),
        timeoutMilliseconds: command.timeoutMilliseconds,
        async onProof(proof, picture) {
          if (disk.isListed) await library.addProof(disk.id, proof, picture)
          proofs.push({ ...proof, picture: disk.isListed ? picturePath(diskPath, proof.firmware) : null })
          reporter.say([...proof.lines.slice(-8).map((row) => `  ${row}`), describeProof(proof)].join('\n'))
        },
      }),
  }
  const told = (): object => ({ disk: diskPath, proofs })
  return runJob(work, reporter, () => reporter.succeed(told(), ''), told)
}
