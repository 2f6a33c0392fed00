import type { Socket } from 'node:net'
import { fail, type Failure, type Result } from '../../shared/failure'
import {
  toHelperSchema,
  type FlashRequest,
  type FromHelper,
  type KernelBuildRequest,
  type ToHelper,
} from '../../shared/helper-protocol'
import { createFrameWriter, ProtocolError, readFrames, type Frame } from '../elevation/frames'
import { makeNonce, makeProof, proofHolds } from '../elevation/handshake'
import { openScope } from '../jobs/scope'
import { createDataQueue } from './data-queue'
import type { HelperJob } from './job'

export type HelperRequest = KernelBuildRequest | FlashRequest
export type RunHelperJob = (request: HelperRequest, job: HelperJob) => Promise<Result<null>>

/** Milliseconds between two progress messages of one phase. */
const PROGRESS_INTERVAL = 100
/** Milliseconds for the handshake, in which no person has a part. */
const HANDSHAKE_TIMEOUT = 30_000
/** Milliseconds that the other side has for hanging up once it was told the ending. */
const FAREWELL_TIMEOUT = 5000
/** Characters of a log line that are sent. */
const LOG_CHARACTERS = 4000
/** Bytes that may wait for a peer that does not read; progress and log beyond that are dropped. */
const WAITING_BYTES = 1024 * 1024

/**
 * The helper's side of one connection: handshake, one job, its ending. Resolves
 * when the job's clean-ups are done and the last message is sent or lost.
 * @param socket connected to the unprivileged side
 * @param secret the shared secret
 * @param stop aborting it (a signal came) stops the job as `cancel` does
 * @param run does the job
 * @returns true when the other side was told the ending
 * @throws ProtocolError when the handshake or the request is wrong; nothing was done then
 */
export async function serve(
  socket: Socket,
  secret: Uint8Array,
  stop: AbortSignal,
  run: RunHelperJob,
): Promise<boolean> {
  socket.on('error', () => {
    // Seen by the reader as an end, and by each write as its own rejection.
  })
  // The iterator must leave the socket open when it ends: the ending is still to be told.
  const frames = readFrames(socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
  const writer = createFrameWriter(socket)
  const send = (message: FromHelper): Promise<void> => writer.json(message)

  const hangUp = (): void => {
    socket.destroy()
  }
  const timer = setTimeout(hangUp, HANDSHAKE_TIMEOUT)
  stop.addEventListener('abort', hangUp)
  let request: HelperRequest
  try {
    stop.throwIfAborted()
    request = await receiveRequest(frames, send, secret)
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', hangUp)
  }

  const abort = new AbortController()
  const queue = createDataQueue()
  const violation: { failure: Failure | null } = { failure: null }
  stop.addEventListener('abort', () => {
    cancel('stopped by a signal')
  })
  function cancel(reason: string): void {
    abort.abort(new Error(reason))
    queue.close(reason)
  }

  let accepted = false
  let ended = false
  const receiving = receive()
  async function receive(): Promise<void> {
    try {
      for await (const frame of frames) {
        if (frame.kind === 'data') {
          if (!accepted || ended) throw new ProtocolError('data out of its time')
          await queue.put(frame)
          continue
        }
        const message = parseMessage(frame)
        if (message.type === 'cancel') cancel('cancelled')
        else if (message.type === 'end' && accepted && !ended) {
          ended = true
          queue.end()
        } else throw new ProtocolError(`unexpected ${message.type}`)
      }
      cancel('the connection closed')
    } catch (error) {
      if (error instanceof ProtocolError) {
        violation.failure = { code: 'helper-protocol', facts: { detail: error.message } }
      }
      cancel(String(error))
    }
  }

  const scope = openScope()
  const sendIfRead = (message: FromHelper): void => {
    if (socket.writableLength < WAITING_BYTES) {
      send(message).catch(() => {
        // The reader notices the closed connection.
      })
    }
  }
  let lastPhase = ''
  let lastProgress = 0
  let lastKinds = ''
  let lastTargets = 0
  const job: HelperJob = {
    signal: abort.signal,
    defer: (cleanUp) => scope.defer(cleanUp),
    accept() {
      accepted = true
      sendIfRead({ type: 'accepted' })
    },
    progress(phase, bytesDone, bytesTotal) {
      const now = Date.now()
      if (phase === lastPhase && now - lastProgress < PROGRESS_INTERVAL && bytesDone !== bytesTotal) return
      lastPhase = phase
      lastProgress = now
      sendIfRead({ type: 'progress', phase, bytesDone, bytesTotal })
    },
    targets(states) {
      const now = Date.now()
      const kinds = states.map(({ state, stalled }) => `${state} ${stalled}`).join()
      if (kinds === lastKinds && now - lastTargets < PROGRESS_INTERVAL) return
      lastKinds = kinds
      lastTargets = now
      sendIfRead({ type: 'targets', targets: [...states] })
    },
    log: (line) => sendIfRead({ type: 'log', line: line.slice(0, LOG_CHARACTERS) }),
    data: queue.pieces,
  }

  let result: Result<null>
  try {
    result = await run(request, job)
  } catch (error) {
    result = fail('internal', { detail: error instanceof Error ? (error.stack ?? String(error)) : 'unknown' })
  }
  try {
    await scope.close()
  } catch (error) {
    const errors = error instanceof AggregateError ? error.errors : [error]
    result = fail('clean-up-failed', { detail: errors.map(String).join('; ').slice(0, LOG_CHARACTERS) })
  }

  // Nobody takes data any more; a sender that waits for room goes on.
  queue.close('the job is over')
  let ending: FromHelper
  if (!result.ok && result.failure.code === 'clean-up-failed')
    ending = { type: 'failed', failure: result.failure }
  else if (violation.failure !== null) ending = { type: 'failed', failure: violation.failure }
  else if (result.ok) ending = { type: 'done' }
  else ending = { type: 'failed', failure: abort.signal.aborted ? null : result.failure }
  const told = await send(ending).then(
    () => true,
    () => false,
  )
  await new Promise<void>((resolve) => socket.end(resolve))
  // What still comes is taken until the other side has read its ending and hangs up: a write that finds a closed
  // socket destroys the other end (EPIPE), and the ending with it when it was not read yet.
  const patience = setTimeout(hangUp, FAREWELL_TIMEOUT)
  await receiving
  clearTimeout(patience)
  socket.destroy()
  return told
}

/** The handshake and the one request after it. */
async function receiveRequest(
  frames: AsyncGenerator<Frame, void>,
  send: (message: FromHelper) => Promise<void>,
  secret: Uint8Array,
): Promise<HelperRequest> {
  const nonce = makeNonce()
  await send({ type: 'hello', nonce })
  const welcome = await nextMessage(frames)
  if (welcome.type !== 'welcome' || !proofHolds(secret, 'main', nonce, welcome.proof)) {
    throw new ProtocolError('the other side does not know the secret')
  }
  await send({ type: 'ready', proof: makeProof(secret, 'helper', welcome.nonce) })
  const request = await nextMessage(frames)
  if (request.type !== 'build' && request.type !== 'flash') throw new ProtocolError('no job')
  return request
}

/** The next frame, which must be a message. */
async function nextMessage(frames: AsyncGenerator<Frame, void>): Promise<ToHelper> {
  const next = await frames.next()
  if (next.done === true) throw new ProtocolError('the connection closed')
  return parseMessage(next.value)
}

function parseMessage(frame: Frame): ToHelper {
  if (frame.kind !== 'json') throw new ProtocolError('unexpected data')
  const message = toHelperSchema.safeParse(frame.value)
  if (!message.success) throw new ProtocolError('unknown message')
  return message.data
}
