import type { BuildSettings } from '../../shared/image'
import { fail, ok, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { prepareStraight } from '../convert/build'
import type { TreeSource } from '../source/tree-source'
import { checkSystem, writeDrives, type FlashInput } from './flash'

export interface StraightInput extends Omit<FlashInput, 'diskPath' | 'everything'> {
  source: TreeSource
  settings: BuildSettings
}

/**
 * Builds a disk straight onto one or more drives, without a file in between. It is as large as the smallest of them.
 * The tree is read with the user's own rights; the helper gets what is to be written, and where.
 * @param context of a job of kind `flash`
 * @param input what was confirmed
 * @returns null when built and, if asked for, compared; `drive-refused` for a drive that is too small, while nothing is lost, the failures of
 *   `prepareStraight` and of the build, or what the helper answers
 */
export async function buildOntoDrives(context: JobContext, input: StraightInput): Promise<Result<null>> {
  const possible = checkSystem()
  if (!possible.ok) return possible
  context.phase('prepare')
  const sizes = input.targets.map(({ drive }) => drive.sizeBytes)
  const sizeBytes = Math.floor(Math.min(...sizes) / 512) * 512
  const ready = await prepareStraight(context, input.source, input.settings, sizeBytes)
  if (!ready.ok) {
    const small = input.targets[sizes.indexOf(Math.min(...sizes))]
    if (ready.failure.code !== 'size-too-small' || small === undefined) return ready
    return fail('drive-refused', { device: small.drive.device, reasons: ['too-small'] })
  }
  let fraction = 0
  return writeDrives(context, input, {
    ...{ sizeBytes, isSizeKnown: true, dataBytes: null, order: 'any' },
    needed: { paths: [...input.needed], files: [] },
    async send(send) {
      const built = await ready.value.build(
        (bytes, position) => send(position, bytes),
        (read) => {
          fraction = read
        },
      )
      return built.ok ? ok(null) : built
    },
    fractionRead: () => fraction,
  })
}
