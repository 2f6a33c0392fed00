import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
// Types alone: the schemas of the failures would be loaded into the thread for nothing.
import type { Failure } from '../../../shared/failure'
import { type DiskSource, engineChunks } from '../../convert/direct/source'
import type { TreeSize } from '../../disk/ext4/fit'
import { Refusal } from '../../disk/refusal'
import type { EntryStat, TreeFiles } from '../tree-files'
import { indexedFiles } from './files'
import { flattenLayers, selectMembers } from './flatten'
import { indexLayers, type LayerIndex } from './index-layers'
import { layerChunks, packingOfLayer, type Layer } from './layers'
import { measureTar } from './measure'
import { serveTar } from './serve-tar'

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
      /** True for an image's layers; false for a plain tar, which is hashed. */
      whiteouts: boolean
      /** The archive's, for refusals. */
      path: string
    }
  /** An engine's export, of which only the size is asked. */
  | { kind: 'measure'; source: Extract<DiskSource, { kind: 'engine' }> }

/** To the thread: a question about a file, the wish for the whole tree as a tar, room for a chunk of it, the wish to stop. */
export type ToThread =
  | { type: 'ask'; id: number; method: keyof TreeFiles; path: string; limit: number }
  /** `socket`: for the direct engine's thread; else in chunks by message. */
  | { type: 'read'; by: 'socket' | 'message' }
  | { type: 'more' }
  | { type: 'abort' }

/** What was found out in the first pass. */
export interface TreeSummary {
  /** Of the tree as one tar, in bytes; of layers about. */
  tarBytes: number
  /** Seconds since 1970 of the newest member. */
  newest: number
  /** SHA-256 of a plain tar, unpacked, as `sha256:…`; null for layers. */
  digest: string | null
  /** Whether a plain tar is packed. */
  isPacked: boolean
  size: TreeSize
}

export type Answer = EntryStat | Uint8Array | string[] | null

/** From the thread. After the last two there is nothing further. */
export type FromThread =
  | { type: 'progress'; bytesDone: number }
  | { type: 'indexed'; summary: TreeSummary }
  | { type: 'measured'; size: TreeSize }
  | { type: 'answer'; id: number; answer: Answer }
  | { type: 'chunk'; bytes: Uint8Array }
  | { type: 'serving'; path: string }
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

/** Answers questions about a tree until it is wanted as a whole, and hands it over then. */
async function serve(
  request: Extract<ThreadRequest, { kind: 'layers' }>,
  port: MessagePort,
  post: Post,
  signal: AbortSignal,
): Promise<void> {
  const { layers, whiteouts, path } = request
  const progress = throttled((bytesDone) => post({ type: 'progress', bytesDone }))
  const options = { whiteouts, digest: !whiteouts }
  /** Null when the tree is read as a whole: its names take the most memory. */
  let index: LayerIndex | null = await indexLayers(layers, options, path, signal, progress)
  const [first] = layers
  const isPacked = !whiteouts && first !== undefined && (await packingOfLayer(first)) !== 'none'
  let free = IN_FLIGHT
  let wake = (): void => undefined
  const wanted = new Promise<'socket' | 'message'>((resolve, reject) => {
    signal.addEventListener('abort', () => {
      wake()
      resolve('message')
    })
    port.on('message', (message: ToThread) => {
      if (message.type === 'read') resolve(message.by)
      else if (message.type === 'more') {
        free++
        wake()
      } else if (message.type === 'ask') {
        if (index === null) throw new Error('a question about a tree that was read')
        const answer = answerOf(indexedFiles(index, path, signal), message)
        answer.then((value) => post({ type: 'answer', id: message.id, answer: value }), reject)
      }
    })
  })
  const { tarBytes, newest, digest, size } = index
  post({ type: 'indexed', summary: { tarBytes, newest, digest, isPacked, size } })
  const by = await wanted
  signal.throwIfAborted()
  const chunks = whiteouts
    ? flattenLayers(layers, selectMembers(index.tree, index.members), path, signal)
    : // By its digest: what is built is what was inspected.
      layerChunks({ ...(first as Layer), diffId: digest }, path, signal)
  index = null
  if (by === 'socket') {
    await serveTar(chunks, (socket) => post({ type: 'serving', path: socket }), signal)
    post({ type: 'end' })
    return
  }
  for await (const chunk of chunks) {
    while (free === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    signal.throwIfAborted()
    free--
    const isWhole = chunk.byteLength === chunk.buffer.byteLength
    const bytes = isWhole ? chunk : new Uint8Array(chunk)
    post({ type: 'chunk', bytes }, [bytes.buffer as ArrayBuffer])
  }
  post({ type: 'end' })
}

async function main(port: MessagePort, request: ThreadRequest): Promise<void> {
  const post: Post = (message, moved = []) => port.postMessage(message, moved)
  const controller = new AbortController()
  const { signal } = controller
  port.on('message', (message: ToThread) => {
    if (message.type === 'abort') controller.abort()
  })
  if (request.kind === 'layers') {
    await serve(request, port, post, signal)
    return
  }
  const chunks = engineChunks(request.source, (socket) => {
    signal.addEventListener('abort', () => socket.destroy())
  })
  const progress = throttled((bytesDone) => post({ type: 'progress', bytesDone }))
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
