import { Buffer } from 'node:buffer'
import { Worker } from 'node:worker_threads'
import type { DiskSource } from '../../convert/direct/source'
import type { TreeSize } from '../../disk/ext4/fit'
import { Refusal } from '../../disk/refusal'
import type { EntryStat, TreeFiles } from '../tree-files'
import type { Selection } from './flatten'
import type { Unpacking } from './write-unpacked'
import { packingOfLayer } from './layers'
import type { Answer, FromThread, IndexSummary, ThreadRequest, ToThread } from './thread'

let threadFile: string | null = null

/** Tells where the built `thread.ts` lies; once, by the composition roots. */
export function setTreeThread(file: string): void {
  threadFile = file
}

/** What was found out in the first pass. */
export interface TreeSummary extends IndexSummary {
  /** SHA-256 of a plain tar, unpacked, as `sha256:…`; null for layers. */
  digest: string | null
  /** Whether a plain tar is packed. */
  isPacked: boolean
}

/** A tree that was read once, in a thread that knows it until it is closed. */
export interface TreeThread {
  summary: TreeSummary
  /** Single files of the tree, until all of it is read. */
  files: TreeFiles
  /**
   * The whole tree as one uncompressed tar, once; throws refusals. It is made in a second thread: what the first knew of
   * names is gone by then, and its room is free for the engine that reads the tar.
   */
  read(): AsyncGenerator<Uint8Array>
  /** The same for the direct engine's thread, which reads it from a socket; answers the socket's path. */
  serve(): Promise<string>
  /** When the reader has ended, or never came: what stood against its being served all, or null. */
  served(): Promise<Error | null>
  /** Lets the program end while the thread waits for questions, or not. */
  hold(isHeld: boolean): void
  /** Ends the thread, whatever it does, and with it what it started. */
  close(): Promise<void>
}

/** Milliseconds that a thread gets to end what it started before it is ended. */
const GRACE = 2000

type LayersRequest = Omit<Extract<ThreadRequest, { kind: 'layers' }>, 'kind'>

/**
 * Reads an archive's layers, or a plain tar, and lays their members over each other, in a thread. Of a tar that is not
 * packed it reads headers alone, while a second thread hashes the whole of it.
 * @param progress told the bytes of the layers' files that were read, some ten times a second
 * @param signal gives up; answered at once
 * @throws refusals: those of `indexLayers`; the signal's reason
 */
export async function openTree(
  request: LayersRequest,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<TreeThread> {
  const { layers, whiteouts, path } = request
  const { index, summary } = await firstPass(request, progress, signal)
  let tar: Thread | null = null
  let isClosed = false

  const startTar = async (by: 'socket' | 'message'): Promise<Thread> => {
    const selection = await index.selection()
    if (isClosed) throw new Error(CLOSED)
    const read = whiteouts ? layers : layers.map((layer) => ({ ...layer, diffId: summary.digest }))
    tar = new Thread({ kind: 'tar', layers: read, selection, path, by }, () => undefined)
    // In this order: the C library gives what the first had to the next thread that starts, which is the disk's writer.
    await tar.started
    await index.close()
    return tar
  }

  return {
    summary,
    files: index.files(),
    async *read() {
      const thread = await startTar('message')
      yield* thread.read()
    },
    serve: async () => (await startTar('socket')).serve(),
    served: () => (tar === null ? Promise.resolve(new Error(CLOSED)) : tar.served()),
    hold: (isHeld) => index.hold(isHeld),
    async close() {
      isClosed = true
      await index.close()
      await tar?.close()
    },
  }
}

const CLOSED = 'the archive was closed'

/** Answers the thread that knows the tree then; whatever else it started has ended. */
async function firstPass(
  request: LayersRequest,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<{ index: Thread; summary: TreeSummary }> {
  const { layers, whiteouts } = request
  const [tar] = whiteouts ? [] : layers
  const isPacked = tar !== undefined && (await packingOfLayer(tar)) !== 'none'
  /** Bytes that each thread has come to: the slower one says how far the pass is. */
  const done = { hashed: Infinity, indexed: Infinity }
  const reporting = (which: keyof typeof done): ((bytesDone: number) => void) => {
    done[which] = 0
    return (bytesDone) => {
      done[which] = bytesDone
      progress(Math.min(done.hashed, done.indexed))
    }
  }
  // The hash takes longer, and so begins.
  const hash =
    tar === undefined || isPacked ? null : new Thread({ kind: 'digest', blob: tar.blob }, reporting('hashed'))
  const index = new Thread({ kind: 'layers', ...request }, reporting('indexed'))
  const indexed = index.summary(signal).finally(() => (done.indexed = Infinity))
  const hashed = hash?.digest(signal).finally(() => (done.hashed = Infinity))
  try {
    const [found, digest = found.digest] = await Promise.all([indexed, hashed])
    return { index, summary: { ...found, digest, isPacked } }
  } catch (error) {
    await Promise.all([index.close(), hash?.close()])
    throw error
  }
}

/**
 * Reads an engine's export and measures its tree, in a thread.
 * @param progress told the bytes that were read, about ten times a second
 * @throws refusals `tar-invalid` and `engine-refused`; what the socket says; the signal's reason
 */
export async function measureExport(
  source: Extract<DiskSource, { kind: 'engine' }>,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<TreeSize> {
  const thread = new Thread({ kind: 'measure', source }, progress)
  return thread.measure(signal)
}

/**
 * Unpacks an archive, in a thread.
 * @param progress told the bytes of the packed file that were read, about ten times a second
 * @returns bytes of the unpacked one
 * @throws refusals: those of `writeUnpacked`; the signal's reason
 */
export async function unpackInThread(
  unpacking: Unpacking,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const thread = new Thread({ kind: 'unpack', ...unpacking }, progress)
  return thread.unpack(signal)
}

/** One thread and the messages to it and from it. */
class Thread {
  private readonly worker: Worker
  private readonly ended: Promise<void>
  /** Whether it came to run, or ended before. */
  readonly started: Promise<void>
  private isOver = false
  private readonly questions = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >()
  private asked = 0
  private readonly chunks: Uint8Array[] = []
  private isWhole = false
  private error: Error | null = null
  private wake = (): void => undefined
  private size: TreeSize | null = null
  private unpacked: number | null = null
  private socket: string | null = null
  private found: IndexSummary | null = null
  private hashed: string | null = null
  private selected: { selection: Selection | null } | null = null

  constructor(request: ThreadRequest, progress: (bytesDone: number) => void) {
    if (threadFile === null) throw new Error('setTreeThread was not called')
    this.worker = new Worker(threadFile, {
      workerData: request,
      // As for the direct engine: little of what it makes dies young.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    this.worker.on('message', (message: FromThread) => {
      if (message.type === 'progress') progress(message.bytesDone)
      else this.take(message)
      this.wake()
    })
    this.worker.on('error', (error) => this.fail(error))
    this.started = new Promise((resolve) => {
      this.worker.once('online', resolve)
      this.worker.once('exit', () => resolve())
    })
    this.ended = new Promise((resolve) => {
      this.worker.on('exit', () => {
        this.fail(new Error('the thread that reads archives ended without an answer'))
        resolve()
      })
    })
  }

  async summary(signal: AbortSignal): Promise<IndexSummary> {
    await this.until(() => this.found !== null, signal)
    return this.found as IndexSummary
  }

  async digest(signal: AbortSignal): Promise<string> {
    await this.until(() => this.hashed !== null, signal)
    await this.close()
    return this.hashed as string
  }

  /** What makes up the tree; the last question. */
  async selection(): Promise<Selection | null> {
    this.send({ type: 'select' })
    await this.until(() => this.selected !== null, null)
    const { selection } = this.selected as { selection: Selection | null }
    this.selected = null
    return selection
  }

  hold(isHeld: boolean): void {
    if (isHeld) this.worker.ref()
    else this.worker.unref()
  }

  async measure(signal: AbortSignal): Promise<TreeSize> {
    await this.until(() => this.size !== null, signal)
    await this.close()
    return this.size as TreeSize
  }

  async unpack(signal: AbortSignal): Promise<number> {
    await this.until(() => this.unpacked !== null, signal)
    await this.close()
    return this.unpacked as number
  }

  private take(message: Exclude<FromThread, { type: 'progress' }>): void {
    switch (message.type) {
      case 'indexed':
        this.found = message.summary
        return
      case 'unpacked':
        this.unpacked = message.bytes
        return
      case 'hashed':
        this.hashed = message.digest
        return
      case 'measured':
        this.size = message.size
        return
      case 'answer':
        this.questions.get(message.id)?.resolve(message.answer)
        this.questions.delete(message.id)
        return
      case 'chunk':
        this.chunks.push(message.bytes)
        return
      case 'serving':
        this.socket = message.path
        return
      case 'selected':
        this.selected = message
        return
      case 'end':
        this.isWhole = true
        return
      case 'failed':
        this.fail(new Refusal(message.failure))
        return
      case 'error':
        this.fail(new Error(message.message))
    }
  }

  private fail(error: Error): void {
    this.error ??= error
    for (const { reject } of this.questions.values()) reject(this.error)
    this.questions.clear()
    this.wake()
  }

  /** Waits until something is so. Closes the thread when that does not come. */
  private async until(isSo: () => boolean, signal: AbortSignal | null): Promise<void> {
    const onAbort = (): void => this.wake()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      while (!isSo()) {
        signal?.throwIfAborted()
        if (this.error !== null) throw this.error
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
    } catch (error) {
      await this.close()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  private send(message: ToThread): void {
    this.worker.postMessage(message)
  }

  private async ask(method: keyof TreeFiles, path: string, limit: number): Promise<Answer> {
    if (this.error !== null) throw this.error
    const id = ++this.asked
    return new Promise((resolve, reject) => {
      this.questions.set(id, { resolve, reject })
      this.send({ type: 'ask', id, method, path, limit })
    })
  }

  files(): TreeFiles {
    const ask = (...words: Parameters<Thread['ask']>): Promise<Answer> => this.ask(...words)
    return {
      stat: async (path) => (await ask('stat', path, 0)) as EntryStat | null,
      resolve: async (path) => (await ask('resolve', path, 0)) as EntryStat | null,
      async read(path, limit) {
        const bytes = (await ask('read', path, limit)) as Uint8Array | null
        return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      },
      async *list(path, limit) {
        for (const name of (await ask('list', path, limit)) as string[]) yield { name }
      },
    }
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await this.until(() => this.chunks.length > 0 || this.isWhole, null)
      const bytes = this.chunks.shift()
      if (bytes === undefined) return
      yield bytes
      this.send({ type: 'more' })
    }
  }

  async serve(): Promise<string> {
    await this.until(() => this.socket !== null, null)
    return this.socket as string
  }

  async served(): Promise<Error | null> {
    this.send({ type: 'unread' })
    await this.ended
    return this.isWhole ? null : this.error
  }

  async close(): Promise<void> {
    if (this.isOver) return this.ended
    this.isOver = true
    this.fail(new Error(CLOSED))
    this.send({ type: 'abort' })
    const timer = setTimeout(() => void this.worker.terminate(), GRACE)
    await this.ended
    clearTimeout(timer)
  }
}
