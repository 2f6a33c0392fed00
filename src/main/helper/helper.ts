import { constants } from 'node:fs'
import { lstat, open, unlink } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { fail, type Result } from '../../shared/failure'
import { LOOP_TARGETS_ARGUMENT, SECRET_BYTES, SECRET_FILE, SOCKET_FILE } from '../elevation/handshake'
import { runBuild } from './build'
import { runFlash } from './flash'
import type { HelperJob } from './job'
import { serve, type HelperRequest } from './session'

/**
 * The elevated helper: `helper.cjs DIRECTORY`, started by sudo-prompt or by
 * root. It does the one job that it is given over DIRECTORY/socket, and ends.
 * The same sentence holds for every way it can end: what it mounted and opened
 * is gone.
 */

/**
 * Whether this build knows the test switch for loop devices as targets (vite.node.config.ts); what is shipped has no
 * code for it.
 */
declare const __LOOP_TARGETS__: boolean

/**
 * Uid of whoever asked. pkexec(1) tells it; macOS tells nobody, and there it is the owner of the folder that was made
 * for this job; without either it is whoever runs this.
 * @param directory the meeting place
 */
async function askingUser(directory: string): Promise<number> {
  const { PKEXEC_UID } = process.env
  if (PKEXEC_UID !== undefined && /^\d+$/.test(PKEXEC_UID)) return Number(PKEXEC_UID)
  if (process.platform === 'darwin') return (await lstat(directory)).uid
  return process.getuid?.() ?? 0
}

/**
 * Reads the secret and removes it.
 * @param directory holds it
 * @param owner uid that it must belong to, with no right for anybody else
 */
async function takeSecret(directory: string, owner: number): Promise<Buffer> {
  const path = `${directory}/${SECRET_FILE}`
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const stat = await file.stat()
    if (!stat.isFile() || stat.uid !== owner || (stat.mode & 0o077) !== 0 || stat.size !== SECRET_BYTES) {
      throw new Error('the secret is not as it must be')
    }
    await unlink(path)
    const secret = Buffer.alloc(SECRET_BYTES)
    await file.read(secret, 0, SECRET_BYTES, 0)
    return secret
  } finally {
    await file.close()
  }
}

/** Opens the meeting place, so that its name is not looked up again (Linux; elsewhere it is only named). */
async function openDirectory(path: string, owner: number): Promise<string> {
  if (process.platform !== 'linux') return path
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  const stat = await directory.stat()
  if (stat.uid !== owner || (stat.mode & 0o077) !== 0) throw new Error('the directory is not as it must be')
  return `/proc/self/fd/${directory.fd}`
}

function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

async function main(): Promise<number> {
  // What is made without a mode of its own, such as tar's missing parents, must not depend on who asked.
  process.umask(0o022)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stop.abort()
    })
  }
  const [path, ...rest] = process.argv.slice(2)
  const loopTargets = __LOOP_TARGETS__ && rest.length === 1 && rest[0] === LOOP_TARGETS_ARGUMENT
  if (path === undefined || (rest.length > 0 && !loopTargets)) {
    throw new Error('usage: helper.cjs DIRECTORY')
  }

  const owner = await askingUser(path)
  const directory = await openDirectory(path, owner)
  const secret = await takeSecret(directory, owner)
  const socket = await connectTo(`${directory}/${SOCKET_FILE}`)
  const run = (request: HelperRequest, job: HelperJob): Promise<Result<null>> => {
    const isHere = process.platform === 'linux' || (process.platform === 'darwin' && request.type === 'flash')
    if (!isHere) {
      return Promise.resolve(
        fail('not-supported', { what: `${request.type} as administrator on this system` }),
      )
    }
    return request.type === 'flash' ? runFlash(request, job, loopTargets) : runBuild(request, job, owner)
  }
  return (await serve(socket, secret, stop.signal, run)) ? 0 : 1
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  },
)
