import type { MessagePort } from 'node:worker_threads'
import type { Sink } from '../../disk/outlet'
import type { FromWorker } from './worker'

/** A sink whose writes are done by the thread that started this one. */
export interface MessageSink extends Sink {
  /** Takes the news that a write was done. */
  written(id: number): void
}

/**
 * Hands each write over as a message. The other thread answers with `written` when it is done; should it fail, it
 * ends this thread instead.
 * @param port to the other thread
 */
export function messageSink(port: MessagePort): MessageSink {
  const waiting = new Map<number, () => void>()
  let last = 0
  return {
    // A drive may hold anything.
    zeroed: false,
    write(bytes, position) {
      const id = ++last
      // A copy of its own is handed over: a transfer would take the outlet's whole buffer away.
      const copy = new Uint8Array(bytes)
      const message: FromWorker = { type: 'write', id, position, bytes: copy }
      port.postMessage(message, [copy.buffer])
      return new Promise((resolve) => waiting.set(id, resolve))
    },
    written(id) {
      waiting.get(id)?.()
      waiting.delete(id)
    },
  }
}
