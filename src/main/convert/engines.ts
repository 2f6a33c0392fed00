import { Readable } from 'node:stream'
import type { DiskRecord } from '../../shared/disk'
import { fail, ok, type Failure, type Result } from '../../shared/failure'
import { neededDiskBytes, type BuildSettings } from '../../shared/image'
import type { JobContext } from '../../shared/job'
import type { Range } from '../disk/outlet'
import type { InspectedImage, TreeExport } from '../source/tree-source'
import type { BootLoaders } from './direct/boot'
import { runDirectEngine, type DirectBuild, type DirectTarget } from './direct/run'
import { buildWithKernelEngine } from './kernel/engine'
import { findKernelTools } from './kernel/tools'
import { efiProgram } from './loaders/efi-program'
import { findBootLoaders, type BootTarget, type FoundLoaders } from './loaders/find'
import { hostPlace, treePlace } from './loaders/places'
import type { BootPlan, BuildPlan } from './plan'

/** One disk to be made by an engine. */
export interface EngineWork {
  plan: BuildPlan
  tree: TreeExport
  image: InspectedImage
}

/** What an engine made. */
export interface BuiltDisk {
  /** Bytes of the whole disk. */
  sizeBytes: number
  firmware: DiskRecord['firmware']
  secureBoot: boolean
  /** The parts of the disk that matter; null where the engine does not know. */
  blockMap: Range[] | null
  /** Lines of `sha256sum`; names are bytes, one to a character. Null when not asked for. */
  manifest: string | null
}

/** A way to make a disk, found to be possible here. */
export interface Engine {
  /** Finds what the disk needs besides the tree, while nothing is written yet. */
  prepare(context: JobContext, work: EngineWork): Promise<Result<Making>>
}

/**
 * Makes the disk.
 * @param target a file is regular, empty and the user's own; the kernel engine takes nothing else
 * @returns what was made, or why it is to be thrown away; throws the signal's reason when cancelled
 */
export type Making = (context: JobContext, target: DirectTarget) => Promise<Result<BuiltDisk>>

let directWorkerFile: string | null = null

/** Tells where the direct engine's built thread lies; once, by the composition roots. */
export function setDirectWorker(file: string): void {
  directWorkerFile = file
}

/**
 * Looks whether an engine can work here, before anything else is done.
 * @returns `tool-missing` with the package that brings what is missing
 */
export function prepareEngine(name: BuildSettings['engine']): Result<Engine> {
  if (name === 'direct') return ok({ prepare: prepareDirectly })
  if (process.platform !== 'linux') return fail('not-supported', { what: 'the kernel engine on this system' })
  const tools = findKernelTools()
  if (!tools.ok) return tools
  return ok({
    async prepare(_, work) {
      // The helper installs extlinux there, and follows no link.
      const boot = await work.tree.files.stat('/boot')
      if (boot !== null && boot.kind !== 'directory')
        return fail('not-supported', { what: 'an image whose /boot is no directory, by the kernel engine' })
      return ok((context, target) => buildByKernel(context, work, target))
    },
  })
}

/** For which firmware there are boot loaders. */
export function firmwareOf(loaders: BootLoaders): DiskRecord['firmware'] {
  const firmware: DiskRecord['firmware'] = []
  if (loaders.bios !== null) firmware.push('bios')
  if (loaders.uefi !== null) firmware.push('uefi')
  return firmware
}

/** Bytes of a kernel's beginning that have all its headers. */
const KERNEL_START = 4096

/** Boot loaders of the image itself, else of this computer, else of an image that the engine makes for them. */
async function loadersFor(
  context: JobContext,
  boot: BootPlan,
  { plan, tree, image }: EngineWork,
): Promise<Result<FoundLoaders>> {
  const kernel = await tree.files.read(boot.kernelPath, KERNEL_START)
  const distribution = image.distribution?.id ?? null
  const target: BootTarget = {
    architecture: boot.architecture,
    table: plan.table,
    distribution,
    isKernelSigned: kernel !== null && efiProgram(kernel)?.isSigned === true,
  }
  const places = [treePlace(tree.files, distribution), await hostPlace()]
  const found = await findBootLoaders(places, target)
  if (found.ok || tree.loaderFiles === null) return found
  const made = await tree.loaderFiles(context)
  return made.ok ? findBootLoaders([treePlace(made.value, 'debian')], target) : made
}

async function prepareDirectly(context: JobContext, work: EngineWork): Promise<Result<Making>> {
  const found = work.plan.boot === null ? ok(null) : await loadersFor(context, work.plan.boot, work)
  if (!found.ok) return found
  return ok((making, target) => buildDirectly(making, work, found.value, target))
}

/** In one pass and without root: facts to disk by Slipway's own writer. */
async function buildDirectly(
  context: JobContext,
  { plan, tree, image }: EngineWork,
  found: FoundLoaders | null,
  target: DirectTarget,
): Promise<Result<BuiltDisk>> {
  if (directWorkerFile === null) throw new Error('setDirectWorker was not called')
  const archive = tree.direct === null ? await tree.open() : ok(await tree.direct())
  if (!archive.ok) return archive
  context.phase('copy')
  const { size, table, boot, manifest } = plan
  const settings: DirectBuild['settings'] = {
    size,
    table,
    uuid: plan.rootUuid,
    label: 'slipway',
    diskSignature: plan.diskSignature,
    time: sourceDate(image.createdAt),
    edits: plan.edits,
    boot:
      boot === null || found === null
        ? null
        : {
            architecture: boot.architecture,
            loaders: found.loaders,
            kernel: { kernelPath: boot.kernelPath, initramfsPath: boot.initramfsPath },
            kernelArguments: boot.kernelArguments,
            serialConsole: boot.serialConsole,
          },
    manifest,
  }
  let bytesRead = 0
  const onProgress = (bytes: number): void => {
    bytesRead = bytes
    // An engine tells only about how much will come: once there is more, nobody knows how much is left.
    context.progress(bytes, bytes > tree.contentBytes ? null : tree.contentBytes)
  }
  const worker = directWorkerFile
  return explainingBreaks(context, tree, async () => {
    const built = await runDirectEngine(
      worker,
      { source: archive.value, target, settings },
      onProgress,
      context.signal,
    )
    if (!built.ok) return withEstimate(built, plan, bytesRead / tree.contentBytes)
    const broken = tree.direct === null ? null : await tree.intact()
    if (broken !== null) return { ok: false, failure: await tree.explain(broken) }
    context.log(`${built.value.bytesWritten} bytes written`)
    for (const [name, count] of built.value.skippedXattrs)
      context.log(`attribute ${name} left out ${count} times`)
    return ok({
      sizeBytes: built.value.bytes,
      firmware: found === null ? [] : firmwareOf(found.loaders),
      secureBoot: found?.secureBoot === true,
      blockMap: built.value.blockMap,
      manifest: built.value.manifest,
    })
  })
}

/**
 * Says of a disk that was too small how large it should be. The engine stops where it is full, and knows only what it
 * needed until then: many small files need more than the bytes in them, which no look at the image tells.
 * @param failed what the engine said
 * @param plan of the disk
 * @param share of the archive that was read by then, as well as it is known
 */
export function withEstimate(
  failed: { ok: false; failure: Failure },
  plan: Pick<BuildPlan, 'expectedBytes' | 'boot'>,
  share: number,
): { ok: false; failure: Failure } {
  const { failure } = failed
  if (failure.code !== 'size-too-small') return failed
  const whole = failure.facts.neededBytes / Math.min(1, Math.max(share, 0.01))
  const neededBytes = Math.max(neededDiskBytes(whole, plan.boot !== null), plan.expectedBytes)
  return fail('size-too-small', { sizeBytes: plan.expectedBytes, neededBytes })
}

/**
 * The time of what has none in the archive, in seconds: SOURCE_DATE_EPOCH
 * (reproducible-builds.org/specs/source-date-epoch) where it is set, else the image's.
 */
function sourceDate(imageCreatedAt: number): number {
  const given = process.env['SOURCE_DATE_EPOCH'] ?? ''
  return /^\d{1,12}$/.test(given) ? Number(given) : Math.floor(imageCreatedAt / 1000)
}

/** The HOWTO's own way, as root in the helper. */
async function buildByKernel(
  context: JobContext,
  { plan, tree }: EngineWork,
  target: DirectTarget,
): Promise<Result<BuiltDisk>> {
  const { boot, expectedBytes } = plan
  if (boot === null || target.kind !== 'file') {
    return fail('not-supported', { what: 'this kind of disk by the kernel engine' })
  }
  const stream = await tree.open()
  if (!stream.ok) return stream
  return explainingBreaks(context, tree, async (noteBreak) => {
    /** Notes what reading throws. An engine that stops reading early makes the stream fail too, which is no reason but a result. */
    async function* watched(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      try {
        yield* archive
      } catch (error) {
        noteBreak(error)
        throw error
      }
    }
    const built = await buildWithKernelEngine(context, {
      tar: Readable.from(watched(stream.value), { objectMode: false }),
      path: target.path,
      sizeBytes: expectedBytes,
      uuid: plan.rootUuid,
      diskSignature: plan.diskSignature,
      kernelPath: boot.kernelPath,
      initramfsPath: boot.initramfsPath,
      serialConsole: boot.serialConsole,
      kernelArguments: boot.kernelArguments,
      edits: plan.edits,
      tarBytesTotal: tree.contentBytes,
    })
    return built.ok
      ? ok({
          sizeBytes: expectedBytes,
          firmware: ['bios'],
          secureBoot: false,
          blockMap: null,
          manifest: null,
        })
      : built
  })
}

/**
 * Runs an engine; when it fails because the archive broke off, the answer says
 * why it did. An archive that is read elsewhere breaks off without an error
 * here: then its source is asked whether it is still there.
 */
async function explainingBreaks(
  context: JobContext,
  tree: TreeExport,
  run: (noteBreak: (error: unknown) => void) => Promise<Result<BuiltDisk>>,
): Promise<Result<BuiltDisk>> {
  const breaks: unknown[] = []
  const explained = async (): Promise<Result<BuiltDisk> | null> =>
    breaks.length === 0 || context.signal.aborted
      ? null
      : { ok: false, failure: await tree.explain(breaks[0]) }
  try {
    const built = await run((error) => breaks.push(error))
    if (!built.ok && built.failure.code === 'tar-invalid') {
      const lost = await tree.lost()
      if (lost !== null) breaks.push(lost)
    }
    return built.ok ? built : ((await explained()) ?? built)
  } catch (error) {
    const lost = breaks.length === 0 && !context.signal.aborted ? await tree.lost() : null
    if (lost !== null) breaks.push(lost)
    const failure = await explained()
    if (failure === null) throw error
    return failure
  }
}
