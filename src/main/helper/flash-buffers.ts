import { alignedBuffers } from './flash-device'

/** Buffers that go round: what is written at the same time, and waits for it, has no more memory than these. */
export interface BufferPool {
  /** Waits for a free one. Throws the signal's reason. */
  take(): Promise<Uint8Array>
  /** Gives one back; `isLost` when somebody may still read it, so that another takes its place. */
  give(buffer: Uint8Array, isLost: boolean): void
}

/**
 * Makes a pool.
 * @param count of buffers
 * @param length bytes of each, a multiple of 64 KiB
 * @param signal ends the waiting
 */
export function openBufferPool(count: number, length: number, signal: AbortSignal): BufferPool {
  const free = alignedBuffers(count, length)
  let wake: () => void = () => undefined
  signal.addEventListener('abort', () => {
    wake()
  })
  return {
    async take() {
      for (;;) {
        signal.throwIfAborted()
        const buffer = free.pop()
        if (buffer !== undefined) return buffer
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    give(buffer, isLost) {
      free.push(...(isLost ? alignedBuffers(1, length) : [buffer]))
      wake()
    },
  }
}
