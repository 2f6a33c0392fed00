import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { fail, ok, type Result } from '../../shared/failure'
import {
  fromHelperSchema,
  type FlashRequest,
  type FromHelper,
  type KernelBuildRequest,
  type TargetState,
} from '../../shared/helper-protocol'
import type { JobContext } from '../../shared/job'
import { createFrameWriter, ProtocolError, readFrames, type Frame, type FrameWriter } from './frames'
import {
  LOOP_TARGETS_ARGUMENT,
  makeNonce,
  makeProof,
  proofHolds,
  SECRET_BYTES,
  SECRET_FILE,
  SOCKET_FILE,
} from './handshake'
import { makeDirectory, removeStaleDirectories } from './meeting-place'
import { checkProtected } from './protection'
import { checkCommand, elevate } from './sudo'

/** Milliseconds for the helper's end after its last word. */
const FAREWELL_TIME = 30_000

/**
 * Has a mount namespace made for a build, so that what the helper mounts goes when it goes. A write mounts nothing, and
 * unmounts a drive where everybody sees it.
 */
const UNSHARE = '/usr/bin/unshare'

export interface HelperPaths {
  /** Node, or Electron, which runs as Node for the helper. */
  executable: string
  /** The built helper.cjs. */
  helper: string
  /** Whether both must be root's alone, as in an installed application; a checkout is its developer's. */
  isInstalled?: boolean
}

let paths: HelperPaths | null = null

/** Tells where the helper is. Called once by each composition root; both paths are absolute. */
export function setHelperPaths(helperPaths: HelperPaths): void {
  paths = helperPaths
}

/** Sends bytes that belong at `position`; resolves when the buffer may be used again. */
export type SendData = (position: number, bytes: Uint8Array) => Promise<void>
type OnTargets = (targets: TargetState[]) => void

/**
 * Starts the helper as root (sudo-prompt asks for a password, but not when this
 * is root already), gives it one job and the job's data, and waits until it has
 * ended. Its progress and log become the context's.
 * @param context the job; aborting its signal cancels the helper and waits for its clean-up
 * @param request the job
 * @param feed sends the data once the helper has accepted the job; a failure it answers ends the job with that
 * @param onTargets is told how the drives of a write stand
 * @returns nothing, the helper's failure, or one of `elevation-*`, `tool-missing`, `helper-lost`, `helper-protocol`
 * @throws the signal's reason when the job was cancelled
 */
export async function runHelperJob(
  context: JobContext,
  request: KernelBuildRequest | FlashRequest,
  feed: (send: SendData) => Promise<Result<null>>,
  onTargets: OnTargets = () => undefined,
): Promise<Result<null>> {
  context.signal.throwIfAborted()
  // Its meeting place and its command line are made for POSIX systems.
  if (process.platform === 'win32') {
    return fail('not-supported', { what: `${request.type} as administrator on Windows` })
  }
  const ownMounts = process.platform === 'linux' && request.type === 'build'
  if (ownMounts && !existsSync(UNSHARE)) {
    return fail('tool-missing', { tool: 'unshare', package: 'util-linux' })
  }
  await removeStaleDirectories()
  const directory = await makeDirectory()
  const command = helperCommand(directory, ownMounts)
  const isRoot = process.getuid?.() === 0
  let server: Server | null = null
  try {
    const safe = isRoot ? ok(null) : checkCommand(command)
    if (!safe.ok) return safe
    const guarded = await checkPaths()
    if (!guarded.ok) return guarded
    const secret = randomBytes(SECRET_BYTES)
    await writeFile(join(directory, SECRET_FILE), secret, { mode: 0o600, flag: 'wx' })
    server = createServer()
    const connection = nextConnection(server)
    server.listen(join(directory, SOCKET_FILE))
    await once(server, 'listening')

    const ended = isRoot ? spawn(command) : elevate(command)
    const first = await firstOf(context.signal, connection, ended).catch(async (error: unknown) => {
      server?.close()
      // Without a password dialog its end is near: it finds nobody, or a closed connection.
      if (isRoot) await ended
      throw error
    })
    if (first.kind === 'ended') {
      return first.result.ok ? fail('helper-lost', { detail: 'it ended without a word' }) : first.result
    }
    // The helper has the secret and the connection: should this process be killed, nothing of it is left.
    await rm(directory, { recursive: true, force: true })
    const conversation = converse(first.socket, secret, context, request, feed, onTargets)
    const spoken = await conversation.then(ok, (error: unknown) => ({ error }))
    // Whatever came of it, the helper is waited for; but no kernel lets a process go that waits for a drive which hangs.
    const end = await Promise.race([ended, sleep(FAREWELL_TIME, null, { ref: false })])
    if (end === null) context.log('The helper still waits for a drive that does not answer.')
    if ('error' in spoken) throw spoken.error
    const result = spoken.value
    if (result.ok) return result
    // Cancelled only if the helper did not finish in spite of it.
    if (result.failure.code !== 'clean-up-failed') context.signal.throwIfAborted()
    return result.failure.code === 'helper-lost' && end?.ok === false ? end : result
  } finally {
    server?.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** That what root is going to run is what was installed. */
function checkPaths(): Promise<Result<null>> {
  if (paths?.isInstalled !== true) return Promise.resolve(ok(null))
  return checkProtected([paths.executable, paths.helper])
}

/** Program and arguments that start the helper. pkexec clears the environment, hence env(1). */
function helperCommand(directory: string, ownMounts: boolean): string[] {
  if (paths === null) throw new Error('setHelperPaths was not called')
  return [
    ...(ownMounts ? [UNSHARE, '--mount', '--propagation', 'slave'] : []),
    // Each write to a drive waits in a thread of its own; four, Node's own number, are too few for several drives.
    ...[
      '/usr/bin/env',
      'ELECTRON_RUN_AS_NODE=1',
      'UV_THREADPOOL_SIZE=48',
      paths.executable,
      paths.helper,
      directory,
    ],
    ...(process.env['SLIPWAY_TEST_LOOP_TARGETS'] === '1' ? [LOOP_TARGETS_ARGUMENT] : []),
  ]
}

/** Starts the helper when this is root. Detached: an interrupt from the terminal reaches it through us alone. */
async function spawn([program = '', ...words]: string[]): Promise<Result<null>> {
  const { exitCode, stderr } = await execa(program, words, {
    detached: true,
    cleanup: false,
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    // Of a shell that pkexec(1) made root: the helper would take it for whoever asked.
    env: { PKEXEC_UID: undefined },
  })
  return exitCode === 0 ? ok(null) : fail('helper-lost', { detail: stderr })
}

/** Waits for the helper: one connection, in a directory that only this user and root can enter. */
function nextConnection(server: Server): Promise<Socket> {
  return new Promise((resolve) => {
    server.once('connection', (socket: Socket) => {
      server.close()
      resolve(socket)
    })
  })
}

type First = { kind: 'connected'; socket: Socket } | { kind: 'ended'; result: Result<null> }

/**
 * Waits for the helper, the end of the attempt, or a cancel, which does not
 * wait for a password dialog: a helper that starts later finds nobody and ends.
 */
function firstOf(
  signal: AbortSignal,
  connection: Promise<Socket>,
  ended: Promise<Result<null>>,
): Promise<First> {
  return new Promise<First>((resolve, reject) => {
    const giveUp = (): void => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', giveUp)
    const settled = (): void => {
      signal.removeEventListener('abort', giveUp)
    }
    connection.then((socket) => {
      settled()
      // Nobody waits for it any more.
      if (signal.aborted) socket.destroy()
      resolve({ kind: 'connected', socket })
    }, reject)
    ended.then((result) => {
      settled()
      resolve({ kind: 'ended', result })
    }, reject)
  })
}

/** Our side of the protocol, from the handshake to the helper's last message. */
async function converse(
  socket: Socket,
  secret: Uint8Array,
  context: JobContext,
  request: KernelBuildRequest | FlashRequest,
  feed: (send: SendData) => Promise<Result<null>>,
  onTargets: OnTargets,
): Promise<Result<null>> {
  socket.on('error', () => {
    // Seen by the reader as an end, and by each write as its own rejection.
  })
  const frames = readFrames(socket)
  const writer = createFrameWriter(socket)
  const cancel = (): void => {
    writer.json({ type: 'cancel' }).catch(() => socket.destroy())
  }
  let feeding: Promise<Result<null>> = Promise.resolve(ok(null))
  try {
    await shakeHands(frames, writer, secret)
    context.signal.throwIfAborted()
    context.signal.addEventListener('abort', cancel)
    await writer.json(request)
    const ending = await readUntilEnd(frames, context, onTargets, () => {
      feeding = feedHelper(writer, context.signal, feed)
      feeding.then((fed) => fed.ok || cancel(), cancel)
    })
    socket.destroy()
    if (ending.ok || ending.failure.code === 'clean-up-failed') return ending
    // What went wrong with the data is why the helper was stopped.
    const fed = await feeding
    return fed.ok ? ending : fed
  } catch (error) {
    if (error instanceof ConnectionLost) return fail('helper-lost', { detail: error.message })
    if (error instanceof ProtocolError) return fail('helper-protocol', { detail: error.message })
    throw error
  } finally {
    context.signal.removeEventListener('abort', cancel)
    socket.destroy()
    // Its sends are refused by now; an error of its own was thrown above, or comes second to what was.
    await feeding.catch(() => undefined)
  }
}

/** The helper went away without its last message. */
class ConnectionLost extends Error {}

async function shakeHands(frames: Frames, writer: FrameWriter, secret: Uint8Array): Promise<void> {
  const hello = await nextMessage(frames)
  if (hello.type !== 'hello') throw new ProtocolError('no hello')
  const nonce = makeNonce()
  await writer.json({ type: 'welcome', nonce, proof: makeProof(secret, 'main', hello.nonce) })
  const ready = await nextMessage(frames)
  if (ready.type !== 'ready' || !proofHolds(secret, 'helper', nonce, ready.proof)) {
    throw new ProtocolError('it does not know the secret')
  }
}

/** Sends the data and its end. A helper that goes meanwhile has its own words about it, so that is no failure here. */
async function feedHelper(
  writer: FrameWriter,
  signal: AbortSignal,
  feed: (send: SendData) => Promise<Result<null>>,
): Promise<Result<null>> {
  const guarded = async (sending: () => Promise<void>): Promise<void> => {
    signal.throwIfAborted()
    await sending().catch((error: unknown) => {
      throw error instanceof ProtocolError ? error : new ConnectionLost(String(error))
    })
  }
  try {
    const fed = await feed((position, bytes) => guarded(() => writer.data(position, bytes)))
    if (fed.ok) await guarded(() => writer.json({ type: 'end' }))
    return fed
  } catch (error) {
    if (error instanceof ConnectionLost) return ok(null)
    throw error
  }
}

/** Passes progress and log on until `done` or `failed`. */
async function readUntilEnd(
  frames: Frames,
  context: JobContext,
  onTargets: OnTargets,
  onAccepted: () => void,
): Promise<Result<null>> {
  let phase = ''
  let isAccepted = false
  for (;;) {
    const message = await nextMessage(frames)
    switch (message.type) {
      case 'accepted':
        if (isAccepted) throw new ProtocolError('accepted twice')
        isAccepted = true
        onAccepted()
        break
      case 'progress':
        if (message.phase !== phase) {
          phase = message.phase
          context.phase(phase)
        }
        context.progress(message.bytesDone, message.bytesTotal)
        break
      case 'targets':
        onTargets(message.targets)
        break
      case 'log':
        context.log(message.line)
        break
      case 'done':
        return ok(null)
      case 'failed':
        return message.failure === null
          ? fail('helper-lost', { detail: 'it was told to stop' })
          : { ok: false, failure: message.failure }
      default:
        throw new ProtocolError(`unexpected ${message.type}`)
    }
  }
}

type Frames = AsyncGenerator<Frame, void>

async function nextMessage(frames: Frames): Promise<FromHelper> {
  const next = await frames.next().catch((error: unknown) => {
    throw error instanceof ProtocolError ? error : new ConnectionLost(String(error))
  })
  if (next.done === true) throw new ConnectionLost('it ended in the middle of its work')
  if (next.value.kind !== 'json') throw new ProtocolError('unexpected data')
  const message = fromHelperSchema.safeParse(next.value.value)
  if (!message.success) throw new ProtocolError('unknown message')
  return message.data
}
