/** Operations under way at the same time. A failure is kept until it is asked for, so that none goes unhandled. */
export interface Flight {
  add(operation: Promise<void>): void
  /** Resolves when one more operation ended; rejects when one failed. */
  next(): Promise<void>
  /** Resolves when all ended; rejects when one failed. */
  all(): Promise<void>
  /** Resolves when all ended, well or not. */
  settled(): Promise<void>
}

/** Makes a flight with nothing under way. */
export function openFlight(): Flight {
  const running = new Set<Promise<void>>()
  let failure: { error: unknown } | null = null
  const check = (): void => {
    if (failure !== null) throw failure.error
  }
  return {
    add(operation) {
      const tracked = operation.then(
        () => {
          running.delete(tracked)
        },
        (error: unknown) => {
          running.delete(tracked)
          failure ??= { error }
        },
      )
      running.add(tracked)
    },
    async next() {
      check()
      await Promise.race(running)
      check()
    },
    async all() {
      await Promise.all(running)
      check()
    },
    async settled() {
      await Promise.all(running)
    },
  }
}
