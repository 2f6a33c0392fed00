import { once } from 'node:events'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
// Types alone: the schemas of the failures would be loaded into the thread for nothing.
import type { Failure } from '../../../shared/failure'
import { type DiskSource, engineChunks } from '../../convert/direct/source'
import type { TreeSize } from '../../disk/ext4/fit'
import { Refusal } from '../../disk/refusal'
import type { EntryStat, TreeFiles } from '../tree-files'
import type { Blob } from './blobs'
import { digestOf } from './digest'
import { indexedFiles } from './files'
import { flattenLayers, selectMembers, type Selection } from './flatten'
import { indexLayers } from './index-layers'
import { layerChunks, type Layer } from './layers'
import { measureTar } from './measure'
import { serveTar } from './serve-tar'
import { writeUnpacked, type Unpacking } from './write-unpacked'

/**
 * A thread that reads archives, so that nothing else waits for it. What it knows of a tree is gone when it ends.
 * Started by `tree-thread.ts`.
 */

/** What the thread is started with. */
export type ThreadRequest =
  | {
      kind: 'layers'
      /** Lowest first. */
      layers: readonly Layer[]
      /** True for an image's layers; false for a plain tar, which is hashed here when it is packed. */
      whiteouts: boolean
      /** The archive's, for refusals. */
      path: string
    }
  /** A plain tar that is not packed, while another thread reads its headers. */
  | { kind: 'digest'; blob: Blob }
  | {
      kind: 'tar'
      /** By their digests: what is built is what was inspected. */
      layers: readonly Layer[]
      /** Which members make up the tree; null for the only layer as it is. */
      selection: Selection | null
      path: string
      /** `socket`: for the direct engine's thread; else in chunks by message. */
      by: 'socket' | 'message'
    }
  /** An archive that is packed as a whole. */
  | ({ kind: 'unpack' } & Unpacking)
  /** An engine's export, of which only the size is asked. */
  | { kind: 'measure'; source: Extract<DiskSource, { kind: 'engine' }> }

/**
 * To the thread: a question about a file, the wish to know what makes up the tree, room for a chunk, that nobody will
 * come to read what is served, the wish to stop.
 */
export type ToThread =
  | { type: 'ask'; id: number; method: keyof TreeFiles; path: string; limit: number }
  | { type: 'select' }
  | { type: 'more' }
  | { type: 'unread' }
  | { type: 'abort' }

/** What the names of a tree tell. */
export interface IndexSummary {
  /** Of the tree as one tar, in bytes; of layers about. */
  tarBytes: number
  /** Seconds since 1970 of the newest member. */
  newest: number
  /** SHA-256 of a packed plain tar, unpacked, as `sha256:…`; null for all else. */
  digest: string | null
  size: TreeSize
}

export type Answer = EntryStat | Uint8Array | string[] | null

/** From the thread. After the last three there is nothing further. */
export type FromThread =
  | { type: 'progress'; bytesDone: number }
  | { type: 'indexed'; summary: IndexSummary }
  | { type: 'hashed'; digest: string }
  | { type: 'measured'; size: TreeSize }
  | { type: 'answer'; id: number; answer: Answer }
  | { type: 'chunk'; bytes: Uint8Array }
  | { type: 'serving'; path: string }
  | { type: 'unpacked'; bytes: number }
  | { type: 'selected'; selection: Selection | null }
  | { type: 'end' }
  | { type: 'failed'; failure: Failure }
  | { type: 'error'; message: string }

/** Milliseconds between two reports of progress. */
const PROGRESS_INTERVAL = 100
/** Chunks that may be on their way to the other thread. */
const IN_FLIGHT = 4

type Post = (message: FromThread, moved?: ArrayBuffer[]) => void

/** Lets reports through about ten times a second. */
function throttled(report: (bytesDone: number) => void): (bytesDone: number) => void {
  let last = 0
  return (bytesDone) => {
    const now = performance.now()
    if (now - last < PROGRESS_INTERVAL) return
    last = now
    report(bytesDone)
  }
}

async function answerOf(
  files: TreeFiles,
  { method, path, limit }: Extract<ToThread, { type: 'ask' }>,
): Promise<Answer> {
  if (method === 'stat' || method === 'resolve') return files[method](path)
  if (method === 'read') return files.read(path, limit)
  const names: string[] = []
  for await (const { name } of files.list(path, limit)) names.push(name)
  return names
}

/** Answers questions about a tree until it is wanted as a whole, and says then what makes it up. */
async function answerQuestions(
  { layers, whiteouts, path }: Extract<ThreadRequest, { kind: 'layers' }>,
  port: MessagePort,
  post: Post,
  signal: AbortSignal,
): Promise<void> {
  const progress = throttled((bytesDone) => post({ type: 'progress', bytesDone }))
  const index = await indexLayers(layers, whiteouts, path, signal, progress)
  // What was asked meanwhile is not heard by those who listen from now on.
  signal.throwIfAborted()
  const wanted = new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve())
    port.on('message', (message: ToThread) => {
      if (message.type === 'select') resolve()
      if (message.type !== 'ask') return
      const answer = answerOf(indexedFiles(index, path, signal), message)
      answer.then((value) => post({ type: 'answer', id: message.id, answer: value }), reject)
    })
  })
  const { tarBytes, newest, digest, size } = index
  post({ type: 'indexed', summary: { tarBytes, newest, digest, size } })
  await wanted
  signal.throwIfAborted()
  const selection = whiteouts ? selectMembers(index.tree, index.members) : null
  const moved = selection?.chosen.map(({ buffer }) => buffer as ArrayBuffer) ?? []
  post({ type: 'selected', selection }, moved)
  // Until it is told to end: the next thread starts before (`tree-thread.ts`).
  if (!signal.aborted) await once(signal, 'abort')
}

/** Hands a tree over as one tar. */
async function handOver(
  { layers, selection, path, by }: Extract<ThreadRequest, { kind: 'tar' }>,
  port: MessagePort,
  post: Post,
  signal: AbortSignal,
): Promise<void> {
  const chunks =
    selection === null
      ? layerChunks(layers[0] as Layer, path, signal)
      : flattenLayers(layers, selection, path, signal)
  if (by === 'socket') {
    const unread = new AbortController()
    port.on('message', (message: ToThread) => {
      if (message.type === 'unread') unread.abort()
    })
    const onReady = (socket: string): void => post({ type: 'serving', path: socket })
    await serveTar(chunks, onReady, signal, unread.signal)
  } else await sendChunks(chunks, port, post, signal)
  post({ type: 'end' })
}

async function sendChunks(
  chunks: AsyncIterable<Uint8Array>,
  port: MessagePort,
  post: Post,
  signal: AbortSignal,
): Promise<void> {
  let free = IN_FLIGHT
  let wake = (): void => undefined
  signal.addEventListener('abort', () => wake())
  port.on('message', (message: ToThread) => {
    if (message.type !== 'more') return
    free++
    wake()
  })
  for await (const chunk of chunks) {
    while (free === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    signal.throwIfAborted()
    free--
    const bytes = new Uint8Array(chunk)
    post({ type: 'chunk', bytes }, [bytes.buffer])
  }
}

async function main(port: MessagePort, request: ThreadRequest): Promise<void> {
  const post: Post = (message, moved = []) => port.postMessage(message, moved)
  const controller = new AbortController()
  const { signal } = controller
  port.on('message', (message: ToThread) => {
    if (message.type === 'abort') controller.abort()
  })
  if (request.kind === 'layers') {
    await answerQuestions(request, port, post, signal)
    return
  }
  if (request.kind === 'tar') {
    await handOver(request, port, post, signal)
    return
  }
  const progress = throttled((bytesDone) => post({ type: 'progress', bytesDone }))
  if (request.kind === 'digest') {
    post({ type: 'hashed', digest: await digestOf(request.blob, signal, progress) })
    return
  }
  if (request.kind === 'unpack') {
    post({ type: 'unpacked', bytes: await writeUnpacked(request, signal, progress) })
    return
  }
  const chunks = engineChunks(request.source, (socket) => {
    signal.addEventListener('abort', () => socket.destroy())
  })
  post({ type: 'measured', size: await measureTar(chunks, signal, progress) })
}

const port = parentPort
if (port !== null) {
  main(port, workerData as ThreadRequest)
    .catch((error: unknown) => {
      if (error instanceof Refusal) {
        port.postMessage({ type: 'failed', failure: error.failure } satisfies FromThread)
        return
      }
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      port.postMessage({ type: 'error', message } satisfies FromThread)
    })
    .finally(() => port.close())
}
