import { z } from 'zod'
import { failureSchema, type Failure } from './failure'

/**
 * The phases of each kind of job, in their order, with their share of the
 * whole. The weights add up to 1; they are estimates and were not measured.
 * `image` is the preparation, whose time is the network's: nobody can say how much of it is done. `read` is the first
 * pass over an archive; an engine's image has none. `open` is the opening of an archive that is packed as a whole.
 */
export const jobPhases = {
  open: { unpack: 1 },
  build: {
    ...{ image: 0, prepare: 0.02, read: 0.12, format: 0.02, copy: 0.66, bootloader: 0.03, check: 0.05 },
    pack: 0.1,
  },
  preview: { start: 1, run: 0 },
  proof: { boot: 1 },
  flash: { prepare: 0.01, elevate: 0.02, write: 0.6, verify: 0.37 },
} as const

export type JobKind = keyof typeof jobPhases
export type JobPhase = { [K in JobKind]: keyof (typeof jobPhases)[K] }[JobKind]

/** One of the drives of a write as the window sees it. */
export const jobTargetSchema = z.object({
  /** Maker and model, safe to show. */
  name: z.string(),
  /** `/dev/sdb` */
  device: z.string(),
  state: z.enum(['waiting', 'write', 'verify', 'done', 'failed']),
  /** Its ends were blanked: what was on it is lost, and until it is done it holds no usable disk. */
  isBegun: z.boolean(),
  /** Of its current step, 0 to 1; null while unknown. */
  fraction: z.number().nullable(),
  /** The drive has not answered for a while. */
  stalled: z.boolean(),
  failure: failureSchema.nullable(),
})
export type JobTarget = z.infer<typeof jobTargetSchema>

const base = {
  id: z.string(),
  kind: z.enum(['open', 'build', 'preview', 'proof', 'flash']),
  /** What the job is about, for display: a file's name, a drive's name. */
  title: z.string(),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
  /** The id of the disk that the job makes, shows or writes. */
  diskId: z.string().nullable(),
  /** The drives of a write; absent for other jobs. */
  targets: z.array(jobTargetSchema).optional(),
}

/** A job as the window sees it; `fraction` is of the whole job, 0 to 1, or null while it cannot be known. */
export const jobSnapshotSchema = z.discriminatedUnion('state', [
  z.object({ ...base, state: z.literal('queued') }),
  z.object({
    ...base,
    state: z.literal('running'),
    phase: z.string(),
    fraction: z.number().nullable(),
    bytesPerSecond: z.number().nullable(),
    /** Milliseconds still to go, or null while unknown. */
    remaining: z.number().nullable(),
  }),
  z.object({ ...base, state: z.literal('cancelling') }),
  z.object({ ...base, state: z.literal('succeeded'), endedAt: z.number() }),
  z.object({ ...base, state: z.literal('failed'), endedAt: z.number(), failure: failureSchema }),
  z.object({ ...base, state: z.literal('cancelled'), endedAt: z.number() }),
])
export type JobSnapshot = z.infer<typeof jobSnapshotSchema>

/** Whether a job still holds its resources. `cancelled` comes only after the clean-up is done. */
export function isActive(job: JobSnapshot): boolean {
  return job.state === 'queued' || job.state === 'running' || job.state === 'cancelling'
}

/**
 * Adds up a job's progress.
 * @param kind the kind of job
 * @param phase the phase that is running
 * @param within how much of that phase is done, 0 to 1
 * @returns how much of the whole job is done, 0 to 1
 */
export function overallFraction(kind: JobKind, phase: string, within: number): number {
  let before = 0
  for (const [name, weight] of Object.entries(jobPhases[kind])) {
    if (name === phase) return Math.min(1, before + weight * Math.min(1, Math.max(0, within)))
    before += weight
  }
  throw new Error(`a ${kind} job has no phase ${phase}`)
}

/** What a running job may use. Progress is bytes of a known total where there is one. */
export interface JobContext {
  /** Aborted when the job is cancelled; `signal.throwIfAborted()` unwinds. */
  signal: AbortSignal
  /** Registers a clean-up; they run last-in-first-out at every ending. */
  defer(cleanUp: () => void | Promise<void>): void
  /** Enters a phase of the job's kind. */
  phase(name: string): void
  /** Reports bytes done of bytes in all in the current phase; a total of null means unknown. */
  progress(bytesDone: number, bytesTotal: number | null): void
  /** Reports steps done of all steps in the current phase, where nobody knows how far the next one is. */
  steps(done: number, total: number): void
  /** Tells how each drive of a write stands; absent where nobody shows it. */
  targets?(targets: JobTarget[]): void
  /** Adds a line to the job's log. */
  log(line: string): void
}

/** The end of a job, as the manager and the terminal form see it. */
export type JobEnding<T> =
  { state: 'succeeded'; value: T } | { state: 'failed'; failure: Failure } | { state: 'cancelled' }
