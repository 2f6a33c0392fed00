import { stat, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { DiskRecord } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import type { BuildSettings } from '../../shared/image'
import type { JobContext } from '../../shared/job'
import type { JobWork } from '../jobs/manager'
import { writeBlockMap } from '../library/block-map'
import { diskIdOf, manifestPath, type Library } from '../library/library'
import type { InspectedImage, PreparedTree, TreeExport, TreeSource } from '../source/tree-source'
import type { DirectTarget } from './direct/run'
import { followLinks } from './follow-links'
import { prepareEngine, type BuiltDisk, type Engine, type Making } from './engines'
import { beginOutput, checkOutputPath, checkOutputSpace, type OutputFile } from './output'
import { preparePacker, type Packer } from './pack'
import { checkArchitecture, planBuild, smallestDiskBytes, type BuildPlan } from './plan'

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
  const { settings, outputPath } = input
  context.phase(settings.preparation === null ? 'prepare' : 'image')
  const path = await checkOutputPath(outputPath)
  if (!path.ok) return path
  const packer = await preparePacker(settings.format)
  if (!packer.ok) return packer
  const ready = await prepareBuild(context, input.source, settings)
  if (!ready.ok) return ready
  const { image, plan, originalId } = ready.value
  // The raw disk and what is made of it lie there together for a while.
  const contentBytes = image.sizeBytes * (packer.value === null ? 1 : 2)
  const space = await checkOutputSpace(outputPath, plan.expectedBytes, contentBytes)
  if (!space.ok) return space

  const output = await beginOutput(outputPath)
  if (!output.ok) return output
  context.defer(output.value.discard)
  const built = await buildFile(context, ready.value, outputPath, output.value, packer.value)
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
    source: { image: image.name, digest: originalId },
    engine: settings.engine,
    table: plan.table,
    firmware,
    secureBoot,
    architecture: image.architecture === 'arm64' ? 'arm64' : 'amd64',
    ports: tcpPorts(image.applications.ports),
    proofs: [],
  }
  try {
    await input.library.add(record)
  } catch (error) {
    // The disk is whole and where it was asked for; that the list does not know it is no reason to throw it away.
    context.log(`the list of disks was not written: ${String(error)}`)
  }
  return ok(record)
}

/** Makes the file: a raw disk at once, any other from a raw one beside it that goes away again. */
async function buildFile(
  context: JobContext,
  ready: ReadyBuild,
  outputPath: string,
  output: OutputFile,
  packer: Packer | null,
): Promise<Result<BuiltDisk>> {
  if (packer === null) return runBuild(context, ready, { kind: 'file', path: output.partPath })
  const raw = await beginOutput(`${outputPath}.raw`)
  if (!raw.ok) return raw
  context.defer(raw.value.discard)
  const built = await runBuild(context, ready, { kind: 'file', path: raw.value.partPath })
  if (!built.ok) return built
  context.phase('pack')
  const packed = await packer.pack(context, raw.value.partPath, output.partPath)
  // The block map tells of places in a raw disk.
  return packed.ok ? ok({ ...built.value, blockMap: null }) : packed
}

/** A disk that is about to be built straight onto something, such as a drive by way of the helper. */
export interface StraightBuild {
  /**
   * Builds it. It is only a disk once this has succeeded.
   * @param write see `DirectTarget`; what it throws is thrown on
   * @param progress told how much of the tree was read, 0 to 1
   */
  build(
    write: Extract<DirectTarget, { kind: 'writes' }>['write'],
    progress: (fraction: number) => void,
  ): Promise<Result<BuiltDisk>>
}

/**
 * Makes everything ready for a disk that fills a drive, without a file in between. All that can be foreseen is
 * refused here, while nothing of the drive is lost.
 * @param context of the job, whose phases are the caller's; progress is told of what has to be read for it
 * @param source what to build from
 * @param settings those of a file (size, format, engine, manifest) do not count
 * @param sizeBytes of the drive
 * @returns the build, or what stood against it: `size-too-small` for a drive on which there is no room
 */
export async function prepareStraight(
  context: JobContext,
  source: TreeSource,
  settings: BuildSettings,
  sizeBytes: number,
): Promise<Result<StraightBuild>> {
  const phaseless = { ...context, phase: () => undefined }
  const silent = { ...phaseless, progress: () => undefined }
  const chosen: BuildSettings = {
    ...settings,
    sizeBytes,
    format: 'raw',
    engine: 'direct',
    manifest: false,
  }
  const ready = await prepareBuild(phaseless, source, chosen)
  if (!ready.ok) return ready
  const tree = await openTree(phaseless, ready.value)
  if (!tree.ok) return tree
  const room = await checkRoom(phaseless, ready.value, tree.value, sizeBytes)
  if (!room.ok) return room
  // To the last sector, where a GPT has its copy.
  const filling = { ...ready.value.plan, size: { bytes: Math.floor(sizeBytes / 512) * 512 } }
  const making = await prepareMaking(silent, { ...ready.value, plan: filling }, tree.value)
  if (!making.ok) return making
  return ok({
    build: (write, progress) =>
      making.value(
        {
          ...silent,
          progress: (done, total) => progress(total === null || total === 0 ? 0 : Math.min(1, done / total)),
        },
        { kind: 'writes', write },
      ),
  })
}

interface ReadyBuild {
  engine: Engine
  /** As given, or prepared. */
  source: TreeSource
  image: InspectedImage
  /** Of the image before its preparation. */
  originalId: string
  plan: BuildPlan
}

/** All that can be known before anything is written. */
async function prepareBuild(
  context: JobContext,
  given: TreeSource,
  settings: BuildSettings,
): Promise<Result<ReadyBuild>> {
  const engine = prepareEngine(settings.engine)
  if (!engine.ok) return engine
  const original = await given.inspect(context.signal, readingOf(context), (cleanUp) =>
    context.defer(cleanUp),
  )
  if (!original.ok) return original
  const made = await prepareTree(context, given, original.value, settings)
  if (!made.ok) return made
  const { source, image } = made.value
  if (settings.preparation !== null) context.phase('prepare')
  const planned = planBuild(image, settings)
  if (!planned.ok) return planned
  const plan = planned.value
  context.log(`image ${image.name} ${image.id}`)
  context.log(
    `disk of about ${plan.expectedBytes} bytes, ${plan.table}, root ${plan.rootUuid}, kernel ${plan.boot?.kernelPath ?? 'none'}`,
  )
  return ok({ engine: engine.value, source, image, originalId: original.value.id, plan })
}

/** Where the reading of a file is told, which is a phase of its own in a build. */
function readingOf(context: JobContext): JobContext['progress'] {
  let isBegun = false
  return (done, total) => {
    if (!isBegun) context.phase('read')
    isBegun = true
    context.progress(done, total)
  }
}

/** Opens the tree to be read. */
function openTree(context: JobContext, { source, image }: ReadyBuild): Promise<Result<TreeExport>> {
  return source.prepareExport(image, { ...context, progress: readingOf(context) })
}

async function runBuild(
  context: JobContext,
  ready: ReadyBuild,
  target: DirectTarget,
): Promise<Result<BuiltDisk>> {
  const tree = await openTree(context, ready)
  if (!tree.ok) return tree
  const making = await prepareMaking(context, ready, tree.value)
  return making.ok ? making.value(context, target) : making
}

/** Finds what else the disk needs. */
async function prepareMaking(
  context: JobContext,
  { engine, image, plan }: ReadyBuild,
  tree: TreeExport,
): Promise<Result<Making>> {
  const edits = await followLinks(tree.files, plan.edits)
  if (!edits.ok) return edits
  return engine.prepare(context, { plan: { ...plan, edits: edits.value }, tree, image })
}

/**
 * Where a drive has fewer times the size of an image's layers, its export is read once to measure it: files of 500 bytes
 * take that many times their content.
 */
const DOUBTED = 8

/** Makes sure that a drive has room, as long as nothing of it is lost: `size-too-small`. */
async function checkRoom(
  context: JobContext,
  { image, plan }: ReadyBuild,
  tree: TreeExport,
  sizeBytes: number,
): Promise<Result<null>> {
  if (tree.measure === null || sizeBytes >= DOUBTED * image.sizeBytes) return ok(null)
  const { contentBytes } = tree
  const measured = await tree.measure((done) =>
    context.progress(done, done > contentBytes ? null : contentBytes),
  )
  if (!measured.ok) return measured
  const neededBytes = smallestDiskBytes(measured.value, plan.table, plan.boot !== null) + plan.swapBytes
  return sizeBytes < neededBytes ? fail('size-too-small', { sizeBytes, neededBytes }) : ok(null)
}

/** The tree to build from: as it is, or prepared. */
async function prepareTree(
  context: JobContext,
  source: TreeSource,
  image: InspectedImage,
  { preparation, machine, boot }: BuildSettings,
): Promise<Result<PreparedTree>> {
  if (preparation === null) return ok({ source, image })
  if (source.prepare === null) {
    return fail('not-supported', { what: 'preparing what is not an image of a Docker Engine' })
  }
  // Said before minutes are spent on it.
  const architecture = boot ? checkArchitecture(image) : ok(null)
  if (!architecture.ok) return architecture
  return source.prepare(image, preparation, machine, context)
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

/**
 * The TCP ports among those that an image exposes.
 * @param exposed as the engine says them: `80/tcp`, `53/udp`
 */
export function tcpPorts(exposed: readonly string[]): number[] {
  return exposed.flatMap((port) => {
    const number = /^(\d+)\/tcp$/.exec(port)?.[1]
    return number === undefined ? [] : [Number(number)]
  })
}
