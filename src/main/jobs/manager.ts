import { randomUUID } from 'node:crypto'
import { fail, type Result } from '../../shared/failure'
import {
  isActive,
  overallFraction,
  type JobContext,
  type JobEnding,
  type JobKind,
  type JobSnapshot,
  type JobTarget,
} from '../../shared/job'
import { openScope } from './scope'

/** Milliseconds between two published snapshots of a running job: about ten a second. */
const PUBLISH_INTERVAL = 100
/** Lines of a job's log that are kept; older ones go. */
const LOG_LINES = 5000
/** Milliseconds over which speed is measured. */
const SPEED_WINDOW = 3000

/** What is to be done. `locks` names what it needs alone, such as `file:/a/b.img` or `drive:usb-…`. */
export interface JobWork<T> {
  kind: JobKind
  title: string
  diskId: string | null
  locks: readonly string[]
  /**
   * Whoever asked for it shows a person how it ended: then it leaves the list by itself. Not when it was cancelled, for
   * nobody else says that all of it is gone, nor after a mistake of ours, of which the log is asked for.
   */
  isAnswered?: true
  run(context: JobContext): Promise<Result<T>>
}

export interface StartedJob<T> {
  id: string
  ending: Promise<JobEnding<T>>
}

interface Entry {
  snapshot: JobSnapshot
  log: string[]
  abort: AbortController
  locks: readonly string[]
}

export interface JobManager {
  /** Starts the work, or answers `busy` when one of its locks is held. */
  start<T>(work: JobWork<T>): Result<StartedJob<T>>
  /** Asks a job to stop; `not-found` when there is no such active job. */
  cancel(id: string): Result<null>
  /** Takes an ended job out of the list; `busy` while it runs. */
  dismiss(id: string): Result<null>
  list(): JobSnapshot[]
  log(id: string): Result<string[]>
  /** Calls back with all jobs after each change; answers the function that ends it. */
  subscribe(listener: (jobs: JobSnapshot[]) => void): () => void
  /** Cancels everything and waits until all clean-ups are done. */
  close(): Promise<void>
}

/** Makes a manager without jobs. It logs lines of a job to its listener `onLog` where one is given. */
export function createJobManager(onLog?: (id: string, line: string) => void): JobManager {
  const entries = new Map<string, Entry>()
  const endings = new Map<string, Promise<unknown>>()
  const listeners = new Set<(jobs: JobSnapshot[]) => void>()

  const list = (): JobSnapshot[] => [...entries.values()].map((entry) => entry.snapshot)
  const publish = (): void => {
    const jobs = list()
    for (const listener of listeners) listener(jobs)
  }

  async function runJob<T>(work: JobWork<T>, entry: Entry): Promise<JobEnding<T>> {
    const { signal } = entry.abort
    const scope = openScope()
    const own = commonOf(entry.snapshot)
    let targets: JobTarget[] | null = null
    /** What every snapshot of this job has. */
    const common = (): typeof own => (targets === null ? own : { ...own, targets })
    let phase = ''
    let lastPublished = 0
    let samples: { at: number; bytes: number }[] = []

    const addLog = (line: string): void => {
      entry.log.push(line)
      if (entry.log.length > LOG_LINES) entry.log.splice(0, entry.log.length - LOG_LINES)
      onLog?.(own.id, line)
    }
    const show = (fraction: number | null, bytesPerSecond: number | null, remaining: number | null): void => {
      if (entry.snapshot.state === 'cancelling') return
      entry.snapshot = { ...common(), state: 'running', phase, fraction, bytesPerSecond, remaining }
      const now = Date.now()
      if (now - lastPublished < PUBLISH_INTERVAL) return
      lastPublished = now
      publish()
    }
    const context: JobContext = {
      signal,
      defer: (cleanUp) => {
        scope.defer(cleanUp)
      },
      phase(name) {
        phase = name
        samples = []
        lastPublished = 0
        show(overallFraction(work.kind, phase, 0), null, null)
      },
      progress(bytesDone, bytesTotal) {
        const now = Date.now()
        samples.push({ at: now, bytes: bytesDone })
        while (samples.length > 2 && now - (samples[0]?.at ?? now) > SPEED_WINDOW) samples.shift()
        const first = samples[0] ?? { at: now, bytes: bytesDone }
        const elapsed = now - first.at
        const speed = elapsed >= PUBLISH_INTERVAL ? ((bytesDone - first.bytes) * 1000) / elapsed : null
        const remaining =
          speed !== null && speed > 0 && bytesTotal !== null
            ? ((bytesTotal - bytesDone) * 1000) / speed
            : null
        const within = bytesTotal === null || bytesTotal === 0 ? null : bytesDone / bytesTotal
        show(within === null ? null : overallFraction(work.kind, phase, within), speed, remaining)
      },
      steps(done, total) {
        show(overallFraction(work.kind, phase, done / total), null, null)
      },
      targets(now) {
        targets = now
        if (entry.snapshot.state === 'queued') return
        entry.snapshot = { ...entry.snapshot, targets }
        publish()
      },
      log: addLog,
    }

    let ending: JobEnding<T>
    try {
      signal.throwIfAborted()
      const result = await work.run(context)
      // A job that finished in spite of a late cancel has finished: saying otherwise would be untrue.
      if (result.ok) ending = { state: 'succeeded', value: result.value }
      else if (signal.aborted) ending = { state: 'cancelled' }
      else ending = { state: 'failed', failure: result.failure }
    } catch (error) {
      if (!signal.aborted) {
        addLog(error instanceof Error ? (error.stack ?? error.message) : String(error))
        ending = { state: 'failed', failure: { code: 'internal', facts: { detail: String(error) } } }
      } else ending = { state: 'cancelled' }
    }
    try {
      await scope.close()
    } catch (error) {
      const errors = error instanceof AggregateError ? error.errors : [error]
      for (const one of errors) addLog(`clean-up: ${String(one)}`)
      if (ending.state !== 'failed') {
        ending = {
          state: 'failed',
          failure: { code: 'clean-up-failed', facts: { detail: errors.map(String).join('; ') } },
        }
      }
    }
    const endedAt = Date.now()
    if (ending.state === 'failed') {
      entry.snapshot = { ...common(), state: 'failed', endedAt, failure: ending.failure }
    } else entry.snapshot = { ...common(), state: ending.state, endedAt }
    endings.delete(own.id)
    const isMistake = ending.state === 'failed' && ending.failure.code === 'internal'
    if (work.isAnswered && ending.state !== 'cancelled' && !isMistake) entries.delete(own.id)
    publish()
    return ending
  }

  return {
    start(work) {
      for (const entry of entries.values()) {
        if (!isActive(entry.snapshot)) continue
        const held = entry.locks.find((lock) => work.locks.includes(lock))
        if (held !== undefined) return fail('busy', { what: held })
      }
      const id = randomUUID()
      const entry: Entry = {
        snapshot: {
          id,
          kind: work.kind,
          title: work.title,
          startedAt: Date.now(),
          diskId: work.diskId,
          state: 'queued',
        },
        log: [],
        abort: new AbortController(),
        locks: work.locks,
      }
      entries.set(id, entry)
      const ending = Promise.resolve().then(() => runJob(work, entry))
      endings.set(id, ending)
      publish()
      return { ok: true, value: { id, ending } }
    },
    cancel(id) {
      const entry = entries.get(id)
      if (entry === undefined || !isActive(entry.snapshot)) return fail('not-found', { what: `job ${id}` })
      if (entry.snapshot.state !== 'cancelling') {
        entry.snapshot = { ...commonOf(entry.snapshot), state: 'cancelling' }
        entry.abort.abort()
        publish()
      }
      return { ok: true, value: null }
    },
    dismiss(id) {
      const entry = entries.get(id)
      if (entry === undefined) return fail('not-found', { what: `job ${id}` })
      if (isActive(entry.snapshot)) return fail('busy', { what: `job ${id}` })
      entries.delete(id)
      publish()
      return { ok: true, value: null }
    },
    list,
    log(id) {
      const entry = entries.get(id)
      return entry === undefined
        ? fail('not-found', { what: `job ${id}` })
        : { ok: true, value: [...entry.log] }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    async close() {
      for (const [id, entry] of entries) {
        if (isActive(entry.snapshot)) this.cancel(id)
      }
      await Promise.allSettled(endings.values())
    },
  }
}

/** The members that every state of a job shares. */
function commonOf(
  snapshot: JobSnapshot,
): Pick<JobSnapshot, 'id' | 'kind' | 'title' | 'startedAt' | 'diskId' | 'targets'> {
  const { id, kind, title, startedAt, diskId, targets } = snapshot
  return { id, kind, title, startedAt, diskId, ...(targets === undefined ? {} : { targets }) }
}
