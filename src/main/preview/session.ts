import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { fail, ok, type Result } from '../../shared/failure'
import { qemuArguments, type MachineSettings } from './arguments'
import { connectQmp, type QmpClient } from './qmp'
import { startLastWill } from './workspace'

/** Characters of QEMU's own messages that are kept. */
const MESSAGES_KEPT = 4000
/** Milliseconds from QEMU's start to its connections; under load it took 0.3 s. */
const CONNECT_TIMEOUT = 20_000
/** Milliseconds that each of QMP `quit` and SIGTERM is given. */
const STOP_TIMEOUT = 2000

const execute = promisify(execFile)

/** One run of QEMU. */
export interface Session {
  pid: number
  qmp: QmpClient
  serial: Socket
  /** When QEMU is gone. The text says how, with the last it had to say. */
  exited: Promise<string>
  /** Ends QEMU: asks it, then terminates it, then kills it. Resolves when it is gone. */
  stop(): Promise<void>
}

/**
 * The command that makes the kernel kill QEMU when we die, whichever way:
 * setpriv(1) of util-linux sets PR_SET_PDEATHSIG and then becomes QEMU. The
 * signal comes when the *thread* that forked ends (prctl(2)); Node forks on the
 * thread that calls spawn, here the main one, which lives as long as the process.
 * A death before the signal was set is found by QEMU itself: nobody listens
 * on its control socket then, and it ends.
 * @returns the words before QEMU's own, none where there is no such program
 */
async function deathSignalCommand(): Promise<string[]> {
  if (process.platform !== 'linux') return []
  const command = ['setpriv', '--pdeathsig', 'KILL', '--']
  try {
    // BusyBox has a setpriv without this option: only trying tells.
    await execute('setpriv', [...command.slice(1), 'true'])
    return command
  } catch {
    return []
  }
}

/** Listens on a unix socket for exactly one connection. */
function acceptOne(path: string): { connection: Promise<Socket>; close(): void; listening: Promise<void> } {
  const server = createServer()
  server.maxConnections = 1
  const connection = new Promise<Socket>((resolve) => {
    server.once('connection', (socket) => {
      // Also takes the path away.
      server.close()
      resolve(socket)
    })
  })
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  })
  server.listen(path)
  return { connection, listening, close: () => server.close() }
}

/** How a process ended, for a log. */
function describeExit(code: number | null, signal: NodeJS.Signals | null, messages: string): string {
  const how =
    signal === null ? `QEMU ended with exit code ${code ?? 'unknown'}` : `QEMU was ended by ${signal}`
  const last = messages.trim()
  return last === '' ? how : `${how}: ${last}`
}

/**
 * Starts QEMU once and waits until it can be controlled.
 * @param program absolute path of qemu-system-x86_64
 * @param settings the machine; its sockets must lie in a folder of our own
 * @returns `preview-failed` with QEMU's own words when it ends or does not connect
 */
export async function startSession(program: string, settings: MachineSettings): Promise<Result<Session>> {
  const control = acceptOne(settings.controlSocket)
  const serial = acceptOne(settings.serialSocket)
  await Promise.all([control.listening, serial.listening])

  const prefix = await deathSignalCommand()
  const [command = program, ...words] = [...prefix, program, ...qemuArguments(settings)]
  const child: ChildProcess = spawn(command, words, {
    cwd: '/',
    // A session of its own: Ctrl-C in a terminal is for us, and we stop QEMU in order.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const lastWill =
    prefix.length === 0 && child.pid !== undefined
      ? startLastWill(['kill', '-KILL'], String(child.pid))
      : null
  let messages = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    messages = (messages + text).slice(-MESSAGES_KEPT)
  })
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => {
      resolve(describeExit(code, signal, messages))
    })
    // Its number is free for others now.
    child.once('exit', () => void lastWill?.revoke())
  })

  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), CONNECT_TIMEOUT)
  })
  const connected = await Promise.race([Promise.all([control.connection, serial.connection]), exited, timeUp])
  clearTimeout(timer)
  control.close()
  serial.close()
  const giveUp = async (detail: string): Promise<Result<never>> => {
    child.kill('SIGKILL')
    await exited
    return fail('preview-failed', { detail })
  }
  if (connected === null) return giveUp(`QEMU did not connect within ${CONNECT_TIMEOUT} ms`)
  if (typeof connected === 'string') return fail('preview-failed', { detail: connected })
  const [controlSocket, serialSocket] = connected
  serialSocket.on('error', () => undefined)
  const qmp = await connectQmp(controlSocket)
  if (!qmp.ok || child.pid === undefined) {
    serialSocket.destroy()
    const detail = await Promise.race([
      exited,
      new Promise<null>((resolve) => setTimeout(resolve, 500, null)),
    ])
    return giveUp(detail ?? 'QEMU did not take commands')
  }

  const isGone = (milliseconds: number): Promise<boolean> =>
    new Promise((resolve) => {
      const wait = setTimeout(() => resolve(false), milliseconds)
      void exited.then(() => {
        clearTimeout(wait)
        resolve(true)
      })
    })
  void exited.then(async () => {
    qmp.value.close()
    serialSocket.destroy()
    // QEMU removes it when it ends in order.
    await rm(settings.screenSocket, { force: true })
  })
  return ok({
    pid: child.pid,
    qmp: qmp.value,
    serial: serialSocket,
    exited,
    async stop() {
      void qmp.value.execute('quit', {}, STOP_TIMEOUT)
      if (await isGone(STOP_TIMEOUT)) return
      child.kill('SIGTERM')
      if (await isGone(STOP_TIMEOUT)) return
      child.kill('SIGKILL')
      await exited
    },
  })
}
