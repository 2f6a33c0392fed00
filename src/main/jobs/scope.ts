/**
 * Clean-ups of one piece of work, run last-in-first-out at every ending. Each
 * runs even when an earlier one threw; the errors come back together.
 */
export interface Scope {
  /** Registers a clean-up at the moment its need arises. */
  defer(cleanUp: () => void | Promise<void>): void
  /** Runs all clean-ups once; throws an AggregateError when some failed. */
  close(): Promise<void>
}

/** Makes an open scope. */
export function openScope(): Scope {
  const cleanUps: (() => void | Promise<void>)[] = []
  return {
    defer(cleanUp) {
      cleanUps.push(cleanUp)
    },
    async close() {
      const errors: unknown[] = []
      for (let next = cleanUps.pop(); next !== undefined; next = cleanUps.pop()) {
        try {
          await next()
        } catch (error) {
          errors.push(error)
        }
      }
      if (errors.length > 0) throw new AggregateError(errors, 'clean-up failed')
    },
  }
}
