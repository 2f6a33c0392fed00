import type Docker from 'dockerode'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { fail, ok, type FailureFacts, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { asReadable, errorText, statusCode } from '../docker/connect'
import { engineFailure, FINISHED_LABEL, PREPARED_LABEL } from '../docker/container'
import { fullImageId, isRemains, preparedNames } from '../docker/images'
import { contextTar } from './context-tar'
import { withLabels } from './stage-labels'

/** The id of the image that a prepared one was made of. */
export const BASE_LABEL = 'slipway.base'
/** Lines of a failed step that are handed on; all of them are in the log. */
const KEPT_LINES = 200
/**
 * Times that containers of a cancelled build are looked for, and that one which was seen is waited for, with the
 * milliseconds between them. An engine under load takes more than the ten seconds after which it says that it cannot
 * end one (moby, daemon/kill.go, `Kill`).
 */
const CLEAN_UP = { tries: 40, triesWhenSeen: 240, interval: 250 }

/** What is to be prepared. */
export interface Preparation {
  /** `sha256:…`, of the image that stays as it is. */
  baseId: string
  /** For display. */
  baseName: string
  dockerfile: string
  /** Not the one that was built before, nor what of it is the same. */
  anew: boolean
}

/**
 * Builds a derived image, by the engine's own builder; or takes the one that
 * was built before of the same base and Dockerfile, unless it is to be made anew. Its output goes into the
 * job's log. Unless it succeeds, nothing of it is left.
 * @param docker the engine
 * @param preparation what from
 * @param context the job's
 * @returns the new image's id; `preparation-failed`, `engine-lost`
 * @throws the signal's reason when cancelled
 */
export async function buildPreparedImage(
  docker: Docker,
  preparation: Preparation,
  context: Pick<JobContext, 'signal' | 'log'>,
): Promise<Result<string>> {
  const { signal, log } = context
  const { baseId, baseName, anew } = preparation
  signal.throwIfAborted()
  const hash = createHash('sha256').update(`${baseId}\n${preparation.dockerfile}`).digest('hex')
  const ofBase = [`${BASE_LABEL}=${baseId}`]
  const tag = `slipway/prepared:${baseId.replace('sha256:', '').slice(0, 12)}`
  let earlier: Docker.ImageInfo | undefined
  try {
    // By its name, too: what people build of it has its labels.
    const images = await docker.listImages({ filters: { label: ofBase, dangling: ['false'] } })
    earlier = images.find((image) => preparedNames(image).includes(tag))
  } catch (error) {
    return { ok: false, failure: engineFailure(error, baseName) }
  }
  if (earlier?.Labels[PREPARED_LABEL] === hash && !anew) {
    log(`prepared before: ${earlier.Id}`)
    return ok(fullImageId(earlier.Id))
  }

  const labels = { [PREPARED_LABEL]: hash, [BASE_LABEL]: baseId }
  const watcher = watchBuild(log)
  let built: Result<string>
  try {
    const from = await withoutTriggers(docker, baseId, labels)
    const dockerfile = withLabels(preparation.dockerfile.replaceAll(baseId, from), labels)
    const answer = await docker.buildImage(Readable.from([contextTar('Dockerfile', dockerfile)]), {
      t: tag,
      rm: true,
      forcerm: true,
      nocache: anew,
      // Of the last layer alone (moby, builder/dockerfile/builder.go, `buildLabelOptions`).
      labels: { [FINISHED_LABEL]: hash },
      // Without a `version`, the engine's own builder, which takes an image's id and needs nothing else.
      ...networkOption(),
      abortSignal: signal,
    })
    for await (const chunk of asReadable(answer)) watcher.push(chunk as Buffer)
    const failed = watcher.failure()
    if (failed !== null) built = fail('preparation-failed', { image: baseName, ...failed })
    else built = ok(fullImageId((await docker.getImage(tag).inspect()).Id))
  } catch (error) {
    if (signal.aborted || statusCode(error) === null) {
      built = { ok: false, failure: engineFailure(error, baseName) }
    } else {
      // What it says before the first step is about the Dockerfile.
      const output = errorText(error)
      built = fail('preparation-failed', { image: baseName, reason: 'dockerfile', step: '', output })
    }
  }
  if (!built.ok)
    await removeRemains(docker, [`${PREPARED_LABEL}=${hash}`], signal.aborted).catch(() => undefined)
  // The one of an earlier Dockerfile, whose name the new one has now.
  else await removeDangling(docker, ofBase, earlier?.Id).catch(() => undefined)
  signal.throwIfAborted()
  return built
}

/**
 * An image without its ONBUILD instructions, which are meant for the sources of an application and would run first
 * (docs.docker.com/reference/dockerfile, "ONBUILD"). A commit leaves them out and shares all layers.
 * @param docker the engine
 * @param imageId `sha256:…`
 * @param labels by which what is left of a broken build is found
 * @returns the id of the image to build from; the given one where it has none
 */
async function withoutTriggers(
  docker: Docker,
  imageId: string,
  labels: Record<string, string>,
): Promise<string> {
  const { Config } = await docker.getImage(imageId).inspect()
  const triggers = (Config as { OnBuild?: string[] | null } | null)?.OnBuild ?? []
  if (triggers.length === 0) return imageId
  const container = await docker.createContainer({ Image: imageId, Cmd: ['never-started'], Labels: labels })
  try {
    return fullImageId(((await container.commit()) as { Id: string }).Id)
  } finally {
    await container.remove({ v: true, force: true })
  }
}

/**
 * The network that the steps of a build use: the engine's own unless
 * SLIPWAY_BUILD_NETWORK names another, such as `host` where the engine's leads
 * nowhere because of a VPN or a firewall.
 */
export function networkOption(): { networkmode?: string } {
  const name = process.env['SLIPWAY_BUILD_NETWORK'] ?? ''
  return /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name) ? { networkmode: name } : {}
}

const eventSchema = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
})

interface BuildWatcher {
  push(chunk: Buffer): void
  /** How it ended: null when no step failed. */
  failure(): Omit<FailureFacts<'preparation-failed'>, 'image'> | null
}

/** Reads the builder's answer: JSON objects, one a line (docs.docker.com/reference/api/engine, "Build an image"). */
export function watchBuild(log: (line: string) => void): BuildWatcher {
  let rest = ''
  let text = ''
  let step = ''
  let lines: string[] = []
  let error: string | null = null

  function say(line: string): void {
    // Progress that is drawn over itself: its last state counts.
    const plain = (line.split('\r').at(-1) ?? '')
      // eslint-disable-next-line no-control-regex -- terminal colours (ECMA-48)
      .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
      .trimEnd()
    if (plain === '') return
    log(plain)
    const found = /^Step \d+\/\d+ : (.*)$/.exec(plain)
    if (found !== null) {
      step = found[1] ?? ''
      lines = []
    } else {
      lines.push(plain)
      if (lines.length > KEPT_LINES) lines.shift()
    }
  }
  function take(line: string): void {
    let event
    try {
      event = eventSchema.parse(JSON.parse(line))
    } catch {
      return
    }
    text += event.stream ?? ''
    const ended = text.split('\n')
    text = ended.pop() ?? ''
    ended.forEach(say)
    if (event.status !== undefined) say(event.status)
    error = event.errorDetail?.message ?? event.error ?? error
  }
  return {
    push(chunk) {
      const parts = (rest + chunk.toString('utf8')).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) if (part.trim() !== '') take(part)
    },
    failure() {
      if (rest.trim() !== '') take(rest)
      if (text !== '') say(text)
      text = ''
      if (error === null) return null
      const output = [...lines, error].join('\n')
      return { reason: reasonOf(output), step, output: lines.length === 0 ? error : lines.join('\n') }
    },
  }
}

const architectureWords = /exec format error/i
/** What the package managers say when there is no network, and everybody says when the disk is full. */
const spaceWords = /No space left on device|enough free space|Disk full|needs \d+ ?[KMG]i?B (?:more )?space/i
const networkWords =
  /Temporary failure resolving|Could not resolve|Could not connect to|Network is unreachable|Connection timed out|temporary error \(try again later\)|Curl error|Failed to connect|failed retrieving file|Name or service not known|Could not download/i

function reasonOf(output: string): 'architecture' | 'space' | 'network' | 'step' {
  if (architectureWords.test(output)) return 'architecture'
  if (spaceWords.test(output)) return 'space'
  return networkWords.test(output) ? 'network' : 'step'
}

/**
 * Takes away what a broken build left: its container first, which is in the way of the layers. After a cancel the
 * engine ends that container by itself, and for a while it can neither be removed nor is it gone.
 */
async function removeRemains(docker: Docker, label: string[], wasCancelled: boolean): Promise<void> {
  let wasSeen = false
  const tries = wasCancelled ? CLEAN_UP.tries : 1
  for (let tried = 0; tried < (wasSeen ? CLEAN_UP.triesWhenSeen : tries); tried++) {
    const containers = await docker.listContainers({ all: true, filters: { label } })
    const own = containers.filter(({ Labels }) => isRemains(Labels))
    for (const { Id } of own) await ignoringRefusal(docker.getContainer(Id).remove({ force: true }))
    const left = await removeDangling(docker, label)
    if (wasSeen && own.length === 0 && left === 0) return
    wasSeen ||= own.length > 0
    if (wasCancelled || wasSeen) await new Promise((resolve) => setTimeout(resolve, CLEAN_UP.interval))
  }
  await removeDangling(docker, label)
}

/** Removes nameless images: remains, and `earlier`, once prepared. Answers how many there were. */
async function removeDangling(docker: Docker, label: string[], earlier?: string): Promise<number> {
  const nameless = await docker.listImages({ filters: { label, dangling: ['true'] } })
  const images = nameless.filter(({ Id, Labels }) => Id === earlier || isRemains(Labels))
  for (const { Id } of images) await ignoringRefusal(docker.getImage(Id).remove())
  return images.length
}

/** What is gone, in use, about to be removed or cannot be ended yet is looked at again. */
async function ignoringRefusal(removal: Promise<unknown>): Promise<void> {
  try {
    await removal
  } catch (error) {
    if (statusCode(error) === null) throw error
  }
}
