import { stat, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { DiskRecord } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import type { BuildSettings } from '../../shared/image'
import type { JobContext } from '../../shared/job'
import type { JobWork } from '../jobs/manager'
import { writeBlockMap } from '../library/block-map'
import { diskIdOf, manifestPath, type Library } from '../library/library'
import type { TreeSource } from '../source/tree-source'
import { prepareEngine, type BuiltDisk } from './engines'
import { beginOutput, checkOutputPath, checkOutputSpace } from './output'
import { planBuild } from './plan'

/** What is to be built from what. */
export interface BuildInput {
  source: TreeSource
  settings: BuildSettings
  /** Absolute path of the disk; nothing may be there. */
  outputPath: string
  library: Library
}

/** The build as work for the job manager; one at a time for each output. */
export function buildWork(input: BuildInput): JobWork<DiskRecord> {
  return {
    kind: 'build',
    title: basename(input.outputPath),
    diskId: diskIdOf(input.outputPath),
    locks: [`file:${input.outputPath}`],
    run: (context) => buildDisk(context, input),
  }
}

/**
 * Builds a disk from a tree. All that can be foreseen is refused before
 * anything is written; the disk has its name only when it is whole.
 * @param context the job
 * @param input what from and where to
 * @returns the disk's record, or what stood against it. No file is left then.
 * @throws the signal's reason when the job was cancelled
 */
export async function buildDisk(context: JobContext, input: BuildInput): Promise<Result<DiskRecord>> {
  const { source, settings, outputPath } = input
  context.phase('prepare')
  if (settings.format !== 'raw') return fail('not-supported', { what: `${settings.format} files` })
  if (settings.preparation !== null) return fail('not-supported', { what: 'preparing an image' })
  const path = await checkOutputPath(outputPath)
  if (!path.ok) return path
  const engine = await prepareEngine(settings.engine, settings.boot)
  if (!engine.ok) return engine
  const image = await source.inspect(context.signal)
  if (!image.ok) return image
  const planned = planBuild(image.value, settings)
  if (!planned.ok) return planned
  const plan = planned.value
  const space = await checkOutputSpace(outputPath, plan.expectedBytes, image.value.sizeBytes)
  if (!space.ok) return space
  context.log(`image ${image.value.name} ${image.value.id}`)
  context.log(
    `disk of about ${plan.expectedBytes} bytes, ${plan.table}, root ${plan.rootUuid}, kernel ${plan.boot?.kernelPath ?? 'none'}`,
  )

  const output = await beginOutput(outputPath)
  if (!output.ok) return output
  context.defer(output.value.discard)
  const prepared = await source.prepareExport(image.value, context)
  if (!prepared.ok) return prepared
  const built = await engine.value.build(context, {
    plan,
    tree: prepared.value,
    path: output.value.partPath,
    imageCreatedAt: image.value.createdAt,
  })
  if (!built.ok) return built
  context.signal.throwIfAborted()
  const { sizeBytes, firmware, secureBoot } = built.value
  const finished = await output.value.finish()
  if (!finished.ok) return finished
  await writeBeside(context, outputPath, built.value)

  const record: DiskRecord = {
    id: diskIdOf(outputPath),
    path: outputPath,
    sizeBytes,
    format: settings.format,
    builtAt: Date.now(),
    source: { image: image.value.name, digest: image.value.id },
    engine: settings.engine,
    table: plan.table,
    firmware,
    secureBoot,
    proof: null,
  }
  try {
    await input.library.add(record)
  } catch (error) {
    // The disk is whole and where it was asked for; that the list does not know it is no reason to throw it away.
    context.log(`the list of disks was not written: ${String(error)}`)
  }
  return ok(record)
}

/** Writes what goes along with a finished disk. Without it the disk is as good: a drive is then written whole. */
async function writeBeside(context: JobContext, path: string, built: BuiltDisk): Promise<void> {
  try {
    if (built.blockMap !== null) await writeBlockMap(path, await stat(path, { bigint: true }), built.blockMap)
    if (built.manifest !== null)
      await writeFile(manifestPath(path), Buffer.from(built.manifest, 'latin1'), { mode: 0o600 })
  } catch (error) {
    context.log(`nothing could be written beside the disk: ${String(error)}`)
  }
}
