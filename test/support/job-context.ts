import type { JobContext } from '../../src/shared/job'

/** A job that nobody follows or cancels; `changes` are what the test wants to hear of it. */
export function silentContext(changes: Partial<JobContext> = {}): JobContext {
  return {
    signal: new AbortController().signal,
    defer: () => undefined,
    phase: () => undefined,
    progress: () => undefined,
    steps: () => undefined,
    log: () => undefined,
    ...changes,
  }
}
