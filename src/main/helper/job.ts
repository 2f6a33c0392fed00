import type { TargetState } from '../../shared/helper-protocol'

/** What the helper gives to the one job it was started for. */
export interface HelperJob {
  /** Aborted on `cancel`, on a closed socket and on a signal. */
  signal: AbortSignal
  /** Registers a clean-up; they run last-in-first-out at every ending. */
  defer(cleanUp: () => void | Promise<void>): void
  /** Tells the other side that the request was checked and that data may come. */
  accept(): void
  /** Reports bytes done of bytes in all (null = unknown) in a phase of the job's kind (shared/job.ts). */
  progress(phase: string, bytesDone: number, bytesTotal: number | null): void
  /** Tells how the drives of a write stand, in the order of the request. */
  targets(states: readonly TargetState[]): void
  log(line: string): void
  /** The data frames in order, until `end`; throws when the socket closes before it. The bytes may be kept. */
  data: AsyncIterable<{ position: number; bytes: Buffer }>
}
