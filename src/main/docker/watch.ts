import type Docker from 'dockerode'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, ok, type Result } from '../../shared/failure'
import type { ImageSummary } from '../../shared/image'
import type { EngineState } from '../../shared/ipc/contract'
import { engineArchitectures } from './architectures'
import { asReadable, errorText, findEngine, type Engine } from './connect'
import { removeStaleContainers } from './container'
import { listImages } from './images'

/** Milliseconds between two tries to reach an engine. */
const RETRY_INTERVAL = 2000
/** Milliseconds in which events are gathered before the list is read again: a build sends many at once. */
const GATHER_INTERVAL = 100

/** Events after which the list of images may be another one (docs.docker.com/reference/cli/docker/system/events). */
const imageEvents = ['build', 'create', 'delete', 'import', 'load', 'prune', 'pull', 'tag', 'untag', 'commit']

/** The engine as it comes and goes, with its images. */
export interface EngineWatcher {
  state(): EngineState
  images(): ImageSummary[]
  /** The engine to work with, or why there is none. */
  engine(): Result<Engine>
  /** Calls back with every new state, and answers the function that ends it. */
  onState(listener: (state: EngineState) => void): () => void
  /** Calls back with every new list, and answers the function that ends it. */
  onImages(listener: (images: ImageSummary[]) => void): () => void
  /** Ends watching; resolves when nothing of it is left. */
  close(): Promise<void>
}

/**
 * Watches the engine. It never fails: without an engine its state says so, and
 * it tries again every two seconds until there is one.
 * @param find looks for an engine
 */
export function watchEngine(find: () => Promise<Result<Engine>> = () => findEngine()): EngineWatcher {
  const closing = new AbortController()
  const isClosed = (): boolean => closing.signal.aborted
  const stateListeners = new Set<(state: EngineState) => void>()
  const imageListeners = new Set<(images: ImageSummary[]) => void>()
  let state: EngineState = { state: 'connecting' }
  let images: ImageSummary[] = []
  let current: Engine | null = null

  function setState(next: EngineState): void {
    if (JSON.stringify(next) === JSON.stringify(state)) return
    state = next
    for (const listener of stateListeners) listener(state)
  }
  function setImages(next: ImageSummary[]): void {
    if (JSON.stringify(next) === JSON.stringify(images)) return
    images = next
    for (const listener of imageListeners) listener(images)
  }

  /** Follows one engine until it goes, and answers what was said about that. */
  async function follow(engine: Engine): Promise<string> {
    try {
      await removeStaleContainers(engine.docker)
      setImages(await listImages(engine.docker))
      const architectures = await engineArchitectures(engine.docker)
      current = engine
      const { name, version, socket } = engine
      setState({ state: 'ready', name, version, socket, architectures })
      const events = await openEvents(engine.docker, closing.signal)
      // Once more, for what happened between the first list and the first event.
      setImages(await listImages(engine.docker))
      for await (const event of events as AsyncIterable<Buffer>) {
        if (event.length === 0) continue
        // What comes meanwhile is one chunk of the next turn: a build sends many events at once.
        await sleep(GATHER_INTERVAL)
        setImages(await listImages(engine.docker))
      }
      return 'it closed the connection'
    } catch (error) {
      return errorText(error)
    } finally {
      current = null
    }
  }

  async function run(): Promise<void> {
    while (!isClosed()) {
      const found = await find()
      const foundAt = Date.now()
      let failure = found.ok ? null : found.failure
      if (found.ok && !isClosed()) {
        const detail = await follow(found.value)
        if (isClosed()) return
        setImages([])
        if (Date.now() - foundAt > RETRY_INTERVAL) {
          // It worked until now: the next look says better than a broken connection what has become of it.
          setState({ state: 'connecting' })
          continue
        }
        failure = fail('engine-lost', { detail }).failure
      }
      if (failure !== null) setState({ state: 'unavailable', failure })
      await sleep(RETRY_INTERVAL, null, { signal: closing.signal }).catch(() => null)
    }
  }
  const running = run()

  return {
    state: () => state,
    images: () => images,
    engine() {
      if (current !== null) return ok(current)
      if (state.state === 'unavailable') return { ok: false, failure: state.failure }
      return fail('busy', { what: 'the search for Docker' })
    },
    onState(listener) {
      stateListeners.add(listener)
      return () => {
        stateListeners.delete(listener)
      }
    },
    onImages(listener) {
      imageListeners.add(listener)
      return () => {
        imageListeners.delete(listener)
      }
    },
    async close() {
      closing.abort()
      await running
    },
  }
}

async function openEvents(docker: Docker, abortSignal: AbortSignal): Promise<Readable> {
  // `container` stands for `docker commit`, which some engines report as an event of the container alone.
  const filters = JSON.stringify({ type: ['image', 'container'], event: imageEvents })
  const events = asReadable(await docker.getEvents({ filters, abortSignal }))
  // While nobody reads, a broken connection would otherwise be an uncaught error; the reader gets it anyway.
  events.on('error', () => undefined)
  return events
}
