/** Bytes that may wait for the job; the sender is held up beyond that. */
const LIMIT_BYTES = 16 * 1024 * 1024

export interface Piece {
  position: number
  bytes: Buffer
}

/** The data frames between the connection and the job, bounded in memory. */
export interface DataQueue {
  /** Adds a piece; resolves when there is room for another. Must not be called after `end`. */
  put(piece: Piece): Promise<void>
  /** No more comes. */
  end(): void
  /** The rest will never come: the consumer's next step throws, waiting senders go on. */
  close(reason: string): void
  pieces: AsyncIterable<Piece>
}

/** Makes an empty queue for one sender and one consumer. */
export function createDataQueue(): DataQueue {
  const waiting: Piece[] = []
  let waitingBytes = 0
  let ended = false
  let closed: string | null = null
  let wake: () => void = () => undefined
  let changed = new Promise<void>((resolve) => (wake = resolve))
  const change = (): void => {
    wake()
    changed = new Promise((resolve) => (wake = resolve))
  }

  async function* take(): AsyncGenerator<Piece, void> {
    for (;;) {
      if (closed !== null) throw new Error(closed)
      const piece = waiting.shift()
      if (piece !== undefined) {
        waitingBytes -= piece.bytes.length
        change()
        yield piece
      } else if (ended) return
      else await changed
    }
  }

  return {
    async put(piece) {
      if (closed !== null) return
      waiting.push(piece)
      waitingBytes += piece.bytes.length
      change()
      // Read anew after each change, because `close` sets it meanwhile.
      const isFull = (): boolean => closed === null && waitingBytes > LIMIT_BYTES
      while (isFull()) await changed
    },
    end() {
      ended = true
      change()
    },
    close(reason) {
      closed ??= reason
      waiting.length = 0
      waitingBytes = 0
      change()
    },
    pieces: { [Symbol.asyncIterator]: take },
  }
}
