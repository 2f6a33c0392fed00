import type { Socket } from 'node:net'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Failure } from '../../../shared/failure'
import { Refusal } from '../../disk/refusal'
import { type DiskSettings, type DiskSummary, writeDisk } from './engine'
import { openFileSink } from './file-sink'
import { messageSink } from './message-sink'
import { type DiskSource, engineChunks, fileChunks } from './source'

/** The direct engine in a thread of its own, so that nothing else waits for it. Started by `run.ts`. */

/** What the thread is started with. */
export interface DiskRequest {
  source: DiskSource
  /** a regular file that is there; it is emptied. Null: each write is handed to the other thread */
  path: string | null
  settings: DiskSettings
}

/** To the thread: a piece of the archive, its end, a write that was done, or the wish to stop. */
export type ToWorker =
  { type: 'chunk'; bytes: Uint8Array } | { type: 'end' } | { type: 'written'; id: number } | { type: 'abort' }

/** From the thread. `more`: a chunk was taken. After the last four there is nothing further. */
export type FromWorker =
  | { type: 'progress'; bytesDone: number }
  | { type: 'more' }
  | { type: 'write'; id: number; position: number; bytes: Uint8Array<ArrayBuffer> }
  | { type: 'done'; summary: DiskSummary }
  | { type: 'failed'; failure: Failure }
  | { type: 'aborted' }
  | { type: 'error'; message: string; code: string | null }

/** Milliseconds between two reports of progress. */
const PROGRESS_INTERVAL = 100

/** Chunks that come as messages, each asked for when the last was worked on. */
function messageChunks(port: MessagePort): {
  chunks: AsyncGenerator<Uint8Array>
  take: (message: ToWorker) => void
} {
  const queue: Uint8Array[] = []
  let isEnded = false
  let wake: (() => void) | null = null
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = queue.shift()
      if (bytes !== undefined) {
        yield bytes
        port.postMessage({ type: 'more' } satisfies FromWorker)
      } else if (isEnded) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
  return {
    chunks: chunks(),
    take(message) {
      if (message.type === 'chunk') queue.push(message.bytes)
      else isEnded = true
      wake?.()
    },
  }
}

async function main(port: MessagePort, request: DiskRequest): Promise<void> {
  const post = (message: FromWorker): void => port.postMessage(message)
  const controller = new AbortController()
  let socket: Socket | null = null
  const messages = messageChunks(port)
  const { source, path, settings } = request
  const writes = path === null ? messageSink(port) : null
  port.on('message', (message: ToWorker) => {
    if (message.type === 'written') {
      writes?.written(message.id)
      return
    }
    if (message.type === 'abort') {
      controller.abort()
      socket?.destroy()
    }
    // An abort ends the chunks too, so that nobody waits for the next.
    messages.take(message)
  })
  const chunks =
    source.kind === 'file'
      ? fileChunks(source.path)
      : source.kind === 'messages'
        ? messages.chunks
        : engineChunks(source, (opened) => {
            socket = opened
          })
  const file = path === null ? null : await openFileSink(path)
  const sink = file ?? writes
  if (sink === null) throw new Error('no sink')
  let lastReport = 0
  const progress = (bytesDone: number): void => {
    const now = performance.now()
    if (now - lastReport < PROGRESS_INTERVAL) return
    lastReport = now
    post({ type: 'progress', bytesDone })
  }
  try {
    const result = await writeDisk(chunks, sink, settings, progress, controller.signal)
    if (result.ok) {
      await file?.finish(result.value.bytes)
      post(controller.signal.aborted ? { type: 'aborted' } : { type: 'done', summary: result.value })
      return
    }
    post(controller.signal.aborted ? { type: 'aborted' } : { type: 'failed', failure: result.failure })
  } catch (error) {
    if (controller.signal.aborted) post({ type: 'aborted' })
    else throw error
  }
  await file?.close()
}

const port = parentPort
if (port !== null) {
  main(port, workerData as DiskRequest)
    .catch((error: unknown) => {
      if (error instanceof Refusal) {
        port.postMessage({ type: 'failed', failure: error.failure } satisfies FromWorker)
        return
      }
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      const code = error instanceof Error && 'code' in error ? String(error.code) : null
      port.postMessage({ type: 'error', message, code } satisfies FromWorker)
    })
    .finally(() => port.close())
}
