/** What one drive is still to do, piece by piece, some of it at the same time. */
export interface Lane<T> {
  put(piece: T): void
  /** No more comes: answers when all is done. Rejects when the work threw. */
  drained(): Promise<void>
  /** What has not begun will never be; `drop` is told of each piece. Answers when what is under way has ended. */
  clear(): Promise<void>
}

/**
 * Makes an empty lane.
 * @param width how much is under way at the same time
 * @param work does one piece; after one that throws no other is begun
 * @param drop takes a piece that is not begun any more
 */
export function openLane<T>(
  width: number,
  work: (piece: T) => Promise<void>,
  drop: (piece: T) => void,
): Lane<T> {
  const waiting: T[] = []
  const running = new Set<Promise<void>>()
  let failure: { error: unknown } | null = null

  function begin(): void {
    while (running.size < width) {
      const piece = waiting.shift()
      if (piece === undefined) return
      if (failure !== null) {
        drop(piece)
        continue
      }
      const one = work(piece)
        .catch((error: unknown) => {
          failure ??= { error }
        })
        .then(() => {
          running.delete(one)
          begin()
        })
      running.add(one)
    }
  }
  async function idle(): Promise<void> {
    while (running.size > 0) await Promise.all(running)
  }
  return {
    put(piece) {
      waiting.push(piece)
      begin()
    },
    async drained() {
      await idle()
      if (failure !== null) throw failure.error
    },
    async clear() {
      for (const piece of waiting.splice(0)) drop(piece)
      await idle()
    },
  }
}
