import type Docker from 'dockerode'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import type { DiskRecord } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import type { BuildSettings } from '../../shared/image'
import type { JobContext } from '../../shared/job'
import { openExport, type ImageExport } from '../docker/export'
import { inspectImage } from '../docker/inspect'
import type { JobWork } from '../jobs/manager'
import { diskIdOf, type Library } from '../library/library'
import { buildWithKernelEngine } from './kernel/engine'
import { findKernelTools } from './kernel/tools'
import { beginOutput, checkOutputPath, checkOutputSpace } from './output'
import { planBuild, type BuildPlan } from './plan'

/** What is to be built from what. */
export interface BuildInput {
  docker: Docker
  /** `sha256:…` or a name. */
  imageId: string
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
 * Builds a disk from an image. All that can be foreseen is refused before
 * anything is written; the disk has its name only when it is whole.
 * @param context the job
 * @param input what from and where to
 * @returns the disk's record, or what stood against it. No file is left then.
 * @throws the signal's reason when the job was cancelled
 */
export async function buildDisk(context: JobContext, input: BuildInput): Promise<Result<DiskRecord>> {
  const { docker, settings, outputPath } = input
  context.phase('prepare')
  const path = await checkOutputPath(outputPath)
  if (!path.ok) return path
  if (settings.engine === 'direct') return fail('not-supported', { what: 'the direct engine' })
  const tools = findKernelTools()
  if (!tools.ok) return tools
  const image = await inspectImage(docker, input.imageId, context.signal)
  if (!image.ok) return image
  const planned = planBuild(image.value, settings)
  if (!planned.ok) return planned
  const plan = planned.value
  const space = await checkOutputSpace(outputPath, plan.sizeBytes, image.value.sizeBytes)
  if (!space.ok) return space
  context.log(`image ${image.value.name} ${image.value.id}`)
  context.log(`disk of ${plan.sizeBytes} bytes, root ${plan.rootUuid}, kernel ${plan.kernelPath}`)

  const output = await beginOutput(outputPath)
  if (!output.ok) return output
  context.defer(output.value.discard)
  const opened = await openExport(docker, image.value.id, context)
  if (!opened.ok) return opened
  const built = await runEngine(context, plan, opened.value, output.value.partPath)
  if (!built.ok) return built
  context.signal.throwIfAborted()
  const finished = await output.value.finish()
  if (!finished.ok) return finished

  const record: DiskRecord = {
    id: diskIdOf(outputPath),
    path: outputPath,
    sizeBytes: plan.sizeBytes,
    builtAt: Date.now(),
    source: { image: image.value.name, digest: image.value.id },
    engine: settings.engine,
    firmware: ['bios'],
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

/** Runs the engine; when it fails because the export broke, the answer says why the export broke. */
async function runEngine(
  context: JobContext,
  plan: BuildPlan,
  source: ImageExport,
  path: string,
): Promise<Result<null>> {
  const broken: { error: unknown }[] = []
  /** Notes what reading throws. An engine that stops reading early makes the stream fail too, which is no reason but a result. */
  async function* watched(): AsyncGenerator<Buffer> {
    try {
      yield* source.stream as AsyncIterable<Buffer>
    } catch (error) {
      broken.push({ error })
      throw error
    }
  }
  const explained = async (): Promise<Result<null> | null> => {
    const [first] = broken
    if (first === undefined || context.signal.aborted) return null
    return { ok: false, failure: await source.explain(first.error) }
  }
  try {
    const built = await buildWithKernelEngine(context, {
      tar: Readable.from(watched(), { objectMode: false }),
      path,
      sizeBytes: plan.sizeBytes,
      uuid: plan.rootUuid,
      diskSignature: plan.diskSignature,
      kernelPath: plan.kernelPath,
      initramfsPath: plan.initramfsPath,
      kernelArguments: plan.kernelArguments,
      edits: plan.edits,
      tarBytesTotal: source.contentBytes,
    })
    return built.ok ? built : ((await explained()) ?? built)
  } catch (error) {
    const failure = await explained()
    if (failure === null) throw error
    return failure
  }
}
