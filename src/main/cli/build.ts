import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { driveName } from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import { buildSettingsSchema, defaultMachineSettings, type BuildSettings } from '../../shared/image'
import { formatBytes } from '../../shared/amounts'
import { buildWork } from '../convert/build'
import type { JobWork } from '../jobs/manager'
import type { Library } from '../library/library'
import { archivedImageSource } from '../source/archive/image-source'
import type { ArchivedImage } from '../source/archive/images'
import { chooseImage, openArchive } from '../source/archive/open-archive'
import { rootfsTarSource } from '../source/rootfs-tar'
import type { TreeSource } from '../source/tree-source'
import { LOGIN_TIMEOUT, type BuildSource, type Command, type DriveChoice } from './arguments'
import { readMachineFile } from './machine-file'
import { runProve } from './prove'
import { exitCodes, type ExitCode, type Reporter } from './reporter'
import { runJob } from './run-job'

/** `slipway build`. */
export async function runBuild(
  command: Extract<Command, { name: 'build' }>,
  library: Library,
  reporter: Reporter,
): Promise<ExitCode> {
  const source = await openSource(command.source, reporter)
  if ('end' in source) return source.end
  if (!source.ok) return reporter.fail(source.failure)
  const settings = await completeSettings(source.value, command)
  if (!settings.ok) return reporter.fail(settings.failure)
  if (command.target.kind === 'drives') {
    return buildOnto(command.target.choice, command.source, source.value, settings.value, reporter)
  }
  const work = buildWork({
    source: source.value,
    settings: settings.value,
    outputPath: resolve(command.target.path),
    library,
  })
  return runJob(work, reporter, (disk) => {
    const made = `Made ${disk.path} from ${disk.source.image}: ${formatBytes(disk.sizeBytes)}`
    if (disk.firmware.length === 0) {
      return reporter.succeed({ disk }, `${made} of data, which do not boot.`)
    }
    const madeFor = `${made}, for ${disk.firmware.join(' and ').toUpperCase()}.`
    if (!settings.value.prove) {
      const hint = 'Whether it boots is unproven until it was booted: slipway prove DISK'
      return reporter.succeed({ disk }, `${madeFor}\n${hint}`)
    }
    reporter.say(madeFor)
    return runProve(proofOfAll(disk.path, command.json), library, reporter)
  })
}

/** `slipway prove DISK` as it is without any option. */
function proofOfAll(disk: string, json: boolean): Extract<Command, { name: 'prove' }> {
  const machine = { attachment: 'usb', memoryBytes: null, processors: null } as const
  return { name: 'prove', json, disk, firmware: [], machine, timeoutMilliseconds: LOGIN_TIMEOUT }
}

/** `slipway build --onto`: straight to drives, without a file in between. */
async function buildOnto(
  choice: DriveChoice,
  asked: BuildSource,
  source: TreeSource,
  settings: BuildSettings,
  reporter: Reporter,
): Promise<ExitCode> {
  const { chooseDrives } = await import('./choose-drives')
  const { neededPaths } = await import('./drives')
  const { driveKey } = await import('../drives/watch')
  const { buildOntoDrives } = await import('../flash/straight')
  const file = asked.kind === 'image' ? null : resolve(asked.path)
  const needed = [...(await neededPaths()), ...(file === null ? [] : [file])]
  const title = asked.kind === 'image' ? asked.image : basename(asked.path)
  // What it needs is known when it was looked into, which is done before anything of a drive is lost.
  const chosen = await chooseDrives(choice, title, 0, file, needed, reporter)
  if ('end' in chosen) return chosen.end
  const { drives, targets } = chosen
  const { verify, eject } = choice
  const names = drives.map(driveName)
  const work: JobWork<null> = {
    kind: 'flash',
    title: names.join(', '),
    diskId: null,
    locks: drives.map((drive) => `drive:${driveKey(drive)}`),
    run: (context) => buildOntoDrives(context, { source, settings, targets, needed, verify, eject }),
  }
  const devices = drives.map((drive) => drive.device)
  return runJob(work, reporter, () =>
    reporter.succeed(
      { device: devices[0], devices, verified: verify },
      `Built${verify ? ' and compared' : ''}: ${title} is on ${names.join(' and ')}. ${names.length === 1 ? 'It' : 'They'} may be unplugged.`,
    ),
  )
}

/** With the settings of the machine: the image's defaults where it is prepared, and what a file says. */
async function completeSettings(
  source: TreeSource,
  command: Extract<Command, { name: 'build' }>,
): Promise<Result<BuildSettings>> {
  const { machineFile, dockerfile } = command
  let { settings } = command
  let { machine } = settings
  if (settings.preparation !== null) {
    const text = dockerfile === null ? ok(null) : await readDockerfile(dockerfile)
    if (!text.ok) return text
    settings = { ...settings, preparation: { ...settings.preparation, dockerfile: text.value } }
    const found = await source.inspect(new AbortController().signal)
    if (!found.ok) return found
    machine = defaultMachineSettings(found.value)
  }
  if (machineFile === null) return ok({ ...settings, machine })
  const read = await readMachineFile(machineFile, machine)
  return read.ok ? ok({ ...settings, machine: read.value }) : read
}

/** A Dockerfile as it is; `not-found`, or `setting-invalid` for what is none. */
async function readDockerfile(path: string): Promise<Result<string>> {
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return fail('not-found', { what: `file ${path}` })
  }
  if (!buildSettingsSchema.shape.preparation.safeParse({ dockerfile: text }).success || text.trim() === '') {
    return fail('setting-invalid', { setting: '--dockerfile', reason: 'the file is empty or too large' })
  }
  return ok(text)
}

/** What was asked for as something to build from; the engine is only looked for when it is needed. */
async function openSource(
  asked: BuildSource,
  reporter: Reporter,
): Promise<Result<TreeSource> | { end: ExitCode }> {
  if (asked.kind === 'rootfs') return ok(rootfsTarSource(resolve(asked.path)))
  if (asked.kind === 'archive') return openImage(asked, reporter)
  const { findEngine } = await import('../docker/connect')
  const { removeStaleContainers } = await import('../docker/container')
  const { imageSource } = await import('../docker/source')
  const engine = await findEngine()
  if (!engine.ok) return engine
  const { docker } = engine.value
  // What a killed run left behind. Should it fail, the build itself will say what is wrong with the engine.
  await removeStaleContainers(docker).catch((error: unknown) => reporter.log(String(error)))
  return ok(imageSource(docker, asked.image))
}

/** The image of an archive that is meant. */
async function openImage(
  asked: Extract<BuildSource, { kind: 'archive' }>,
  reporter: Reporter,
): Promise<Result<TreeSource> | { end: ExitCode }> {
  const path = resolve(asked.path)
  let images: ArchivedImage[] | null | undefined
  // A job, because an archive that is packed as a whole takes a while.
  const work: JobWork<ArchivedImage[] | null> = {
    kind: 'open',
    title: basename(path),
    diskId: null,
    locks: [],
    run: (context) => openArchive(path, context),
  }
  const end = await runJob(work, reporter, (value) => {
    images = value
    return exitCodes.done
  })
  if (images === undefined) return { end }
  if (images === null) {
    const reason = 'it is no archive of images; a root file system goes with --rootfs'
    return fail('archive-invalid', { path, reason })
  }
  const image = chooseImage(path, images, { name: asked.image, platform: asked.platform })
  return image.ok ? ok(archivedImageSource(path, image.value)) : image
}
