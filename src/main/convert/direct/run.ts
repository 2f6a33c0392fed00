import { stat, statfs } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { fail, ok, type Result } from '../../../shared/failure'
import type { DiskSettings, DiskSummary } from './engine'
import type { DiskSource } from './source'
import type { DiskRequest, FromWorker, ToWorker } from './worker'

/** A disk to be written. */
export interface DirectBuild {
  /** an uncompressed tar: as a stream of this thread, or something that the worker reads by itself, which is faster */
  source: Readable | Exclude<DiskSource, { kind: 'messages' }>
  target: DirectTarget
  settings: DiskSettings
}

/**
 * Where a disk goes. `file`: absolute path of a regular file of the user's own, which is emptied. `writes`: whatever
 * `write` does with it, such as a drive by way of the helper. What is there may hold anything: all that matters is
 * written, each byte once, and what is never written may stay as it is. The partition table, the first MiB, comes
 * last. `write` (bytes, and where on the disk they go, in bytes) is called again only after its promise resolved;
 * the bytes are its own. What it throws ends the build and is thrown on. The size in the settings must be a fixed one.
 */
export type DirectTarget =
  | { kind: 'file'; path: string }
  | { kind: 'writes'; write: (bytes: Uint8Array<ArrayBuffer>, position: number) => Promise<void> }

/**
 * Milliseconds that the worker has to answer to an abort by itself. It reads messages between two steps of its work
 * only, and some steps are long: then it is ended where it stands. The file is thrown away in either case.
 */
const PATIENCE = 100

/** Chunks that may be on their way to the worker. */
const IN_FLIGHT = 16

/**
 * Writes a disk in a worker thread. A file holds a synced, whole disk on success; otherwise it is to be thrown away.
 * @param workerFile the built `worker.ts`
 * @param progress told the bytes of the archive that were read, about ten times a second
 * @param signal to give up; answered within 200 ms and the writes that are under way
 * @returns what `writeDisk` returns; `no-space` when the file's file system is full, or the account's part of it;
 *   `output-too-large` when the file may not become as large as it has to
 * @throws the signal's reason when aborted, what a stream throws, and mistakes of our own
 */
export async function runDirectEngine(
  workerFile: string,
  build: DirectBuild,
  progress: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<Result<DiskSummary>> {
  signal.throwIfAborted()
  const { target, settings } = build
  const neededBytes = 'bytes' in settings.size ? settings.size.bytes : settings.size.freeBytes
  const stream = 'kind' in build.source ? null : build.source
  const source: DiskSource = 'kind' in build.source ? build.source : { kind: 'messages' }
  const worker = new Worker(workerFile, {
    workerData: { source, path: target.kind === 'file' ? target.path : null, settings } satisfies DiskRequest,
    // Little of what the engine makes dies young: a large nursery only grows the thread (341 to 241 MB with 400,000 files).
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  })
  const send = (message: ToWorker): void => {
    // A chunk is often a view of something larger, all of which would be cloned: a copy of its own is handed over.
    if (message.type === 'chunk') worker.postMessage(message, [message.bytes.buffer as ArrayBuffer])
    else worker.postMessage(message)
  }
  const window = new Window()
  let writing = Promise.resolve()
  let isOver = false
  let abort = (): void => undefined
  let patience: NodeJS.Timeout | undefined
  try {
    return await new Promise<Result<DiskSummary>>((resolve, reject) => {
      abort = () => {
        send({ type: 'abort' })
        patience = setTimeout(() => reject(signal.reason as Error), PATIENCE)
      }
      signal.addEventListener('abort', abort, { once: true })
      worker.on('message', (message: FromWorker) => {
        switch (message.type) {
          case 'progress':
            progress(message.bytesDone)
            return
          case 'more':
            window.open()
            return
          case 'write':
            writing = writing
              .then(() => (isOver ? undefined : writeTo(target, message)))
              .then(
                () => send({ type: 'written', id: message.id }),
                (error: unknown) => {
                  isOver = true
                  reject(error instanceof Error ? error : new Error(String(error)))
                },
              )
            return
          case 'done':
            resolve(ok(message.summary))
            return
          case 'failed':
            resolve({ ok: false, failure: message.failure })
            return
          case 'aborted':
            reject(signal.reason as Error)
            return
          case 'error':
            if (target.kind === 'file' && (message.code === 'ENOSPC' || message.code === 'EDQUOT'))
              resolve(noSpace(target.path, neededBytes, message.code))
            else if (target.kind === 'file' && message.code === 'EFBIG')
              resolve(fail('output-too-large', { path: target.path }))
            else reject(new Error(message.message))
        }
      })
      worker.on('error', reject)
      worker.on('exit', () => reject(new Error('the direct engine ended without an answer')))
      if (stream !== null) feed(stream, send, window).catch(reject)
    })
  } finally {
    signal.removeEventListener('abort', abort)
    clearTimeout(patience)
    isOver = true
    stream?.destroy()
    window.close()
    await worker.terminate()
    // Nothing may still be written when the answer is there.
    await writing
  }
}

async function writeTo(
  target: DirectTarget,
  { bytes, position }: Extract<FromWorker, { type: 'write' }>,
): Promise<void> {
  if (target.kind === 'writes') await target.write(bytes, position)
}

/**
 * What was free before we filled it: what is free now, and what the file that is thrown away has. Of a quota nothing is
 * left, whatever the file system has for others.
 */
async function noSpace(path: string, neededBytes: number, code: 'ENOSPC' | 'EDQUOT'): Promise<Result<never>> {
  const [system, file] = await Promise.all([statfs(path), stat(path)])
  const freeNow = code === 'EDQUOT' ? 0 : system.bavail * system.bsize
  return fail('no-space', { path, neededBytes, freeBytes: freeNow + file.blocks * 512 })
}

/** Lets so many chunks through and then waits until the worker took one. */
class Window {
  private free = IN_FLIGHT
  private wake: (() => void) | null = null
  private closed = false

  open(): void {
    this.free++
    this.wake?.()
  }

  close(): void {
    this.closed = true
    this.wake?.()
  }

  /** Resolves with false when it was closed. */
  async pass(): Promise<boolean> {
    while (this.free === 0 && !this.closed) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    this.free--
    return !this.closed
  }
}

/** Hands a stream over, chunk by chunk. */
async function feed(stream: Readable, send: (message: ToWorker) => void, window: Window): Promise<void> {
  for await (const chunk of stream) {
    if (!(await window.pass())) return
    send({ type: 'chunk', bytes: new Uint8Array(chunk as Uint8Array) })
  }
  send({ type: 'end' })
}
