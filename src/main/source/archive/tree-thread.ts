import { Buffer } from 'node:buffer'
import { Worker } from 'node:worker_threads'
import type { DiskSource } from '../../convert/direct/source'
import type { TreeSize } from '../../disk/ext4/fit'
import { Refusal } from '../../disk/refusal'
import type { EntryStat, TreeFiles } from '../tree-files'
import type { Answer, FromThread, ThreadRequest, ToThread, TreeSummary } from './thread'

let threadFile: string | null = null

/** Tells where the built `thread.ts` lies; once, by the composition roots. */
export function setTreeThread(file: string): void {
  threadFile = file
}

/** A tree that was read once, in a thread that knows it until it is closed. */
export interface TreeThread {
  summary: TreeSummary
  /** Single files of the tree, until all of it is read. */
  files: TreeFiles
  /** The whole tree as one uncompressed tar, once; throws refusals. What is known of its names goes away. */
  read(): AsyncGenerator<Uint8Array>
  /** The same for the direct engine's thread, which reads it from a socket; answers the socket's path. */
  serve(): Promise<string>
  /** Waits until all was served: what stood against that, or null. */
  served(): Promise<Error | null>
  /** Lets the program end while the thread waits for questions, or not. */
  hold(isHeld: boolean): void
  /** Ends the thread, whatever it does, and with it what it started. */
  close(): Promise<void>
}

/** Milliseconds that a thread gets to end what it started before it is ended. */
const GRACE = 2000

/**
 * Reads an archive's layers, or a plain tar, and lays their members over each other, in a thread.
 * @param progress told the bytes of the layers' files that were read, about ten times a second
 * @param signal gives up; answered at once
 * @throws refusals: those of `indexLayers`; the signal's reason
 */
export async function openTree(
  request: Omit<Extract<ThreadRequest, { kind: 'layers' }>, 'kind'>,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<TreeThread> {
  const thread = new Thread({ kind: 'layers', ...request }, progress)
  return thread.open(signal)
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

/** One thread and the messages to it and from it. */
class Thread {
  private readonly worker: Worker
  private readonly ended: Promise<void>
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
  private socket: string | null = null
  private summary: TreeSummary | null = null

  constructor(request: ThreadRequest, progress: (bytesDone: number) => void) {
    if (threadFile === null) throw new Error('setTreeThread was not called')
    this.worker = new Worker(threadFile, {
      workerData: request,
      // As for the direct engine: little of what it makes dies young.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    })
    this.worker.on('message', (message: FromThread) => {
      if (message.type === 'progress') progress(message.bytesDone)
      else this.take(message)
      this.wake()
    })
    this.worker.on('error', (error) => this.fail(error))
    this.ended = new Promise((resolve) => {
      this.worker.on('exit', () => {
        this.fail(new Error('the thread that reads archives ended without an answer'))
        resolve()
      })
    })
  }

  async open(signal: AbortSignal): Promise<TreeThread> {
    await this.until(() => this.summary !== null, signal)
    return {
      summary: this.summary as TreeSummary,
      files: this.files(),
      read: () => this.read(),
      serve: () => this.serve(),
      served: () => this.served(),
      hold: (isHeld) => {
        if (isHeld) this.worker.ref()
        else this.worker.unref()
      },
      close: () => this.close(),
    }
  }

  async measure(signal: AbortSignal): Promise<TreeSize> {
    await this.until(() => this.size !== null, signal)
    await this.close()
    return this.size as TreeSize
  }

  private take(message: Exclude<FromThread, { type: 'progress' }>): void {
    switch (message.type) {
      case 'indexed':
        this.summary = message.summary
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

  private files(): TreeFiles {
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

  private async *read(): AsyncGenerator<Uint8Array> {
    this.send({ type: 'read', by: 'message' })
    for (;;) {
      await this.until(() => this.chunks.length > 0 || this.isWhole, null)
      const bytes = this.chunks.shift()
      if (bytes === undefined) return
      yield bytes
      this.send({ type: 'more' })
    }
  }

  private async serve(): Promise<string> {
    this.send({ type: 'read', by: 'socket' })
    await this.until(() => this.socket !== null, null)
    return this.socket as string
  }

  private async served(): Promise<Error | null> {
    await this.ended
    return this.isWhole ? null : this.error
  }

  private async close(): Promise<void> {
    if (this.isOver) return this.ended
    this.isOver = true
    this.fail(new Error('the archive was closed'))
    this.send({ type: 'abort' })
    const timer = setTimeout(() => void this.worker.terminate(), GRACE)
    await this.ended
    clearTimeout(timer)
  }
}
