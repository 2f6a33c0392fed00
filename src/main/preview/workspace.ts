import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Of the folders' names; then comes the id of the process that made the folder. */
const PREFIX = 'slipway-preview-'

/**
 * Starts a program that acts when this process is gone, however it went: the
 * kernel closes our end of its standard input, xargs sees the end, and runs
 * the command with the operand that was written there before. It is in a
 * session of its own, so a Ctrl-C or a closed terminal does not reach it.
 * @param command what to run, without its last operand; an absolute path or a name in PATH
 * @param operand its last operand
 * @returns `revoke`, after which it never acts; null where there is no xargs
 */
export function startLastWill(
  command: readonly string[],
  operand: string,
): { revoke(): Promise<void> } | null {
  const child: ChildProcess = spawn('xargs', ['-0', ...command], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const { stdin } = child
  if (child.pid === undefined || stdin === null) return null
  stdin.on('error', () => undefined)
  // A few bytes into an empty pipe are written at once, before this returns (libuv tries first).
  stdin.write(`${operand}\0`)
  child.unref()
  return {
    revoke() {
      // Waiting for it must keep this process alive again.
      child.ref()
      child.kill('SIGKILL')
      return gone
    },
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Removes folders of runs that are dead and could not clean up: after a power
 * cut, or where there is no xargs. Only folders of ours: by name, owner, and
 * the process that is named in it.
 */
export async function sweepWorkspaces(): Promise<void> {
  const parent = tmpdir()
  for (const name of await readdir(parent)) {
    const pid = /^slipway-preview-(\d+)-[0-9a-f]{12}$/.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    const path = join(parent, name)
    try {
      const status = await lstat(path)
      if (status.isDirectory() && status.uid === process.getuid?.()) await rm(path, { recursive: true })
    } catch {
      // Another run swept it first, or it is not ours to remove: either way nothing is to be done.
    }
  }
}

export interface Workspace {
  /** Absolute path, mode 0700. Short: a unix socket's path holds about 104 bytes. */
  directory: string
  /** Removes it with all that is in it. */
  close(): Promise<void>
}

/**
 * Makes a folder for one machine. Its removal is arranged before it exists,
 * so that nothing of it stays even when this process is killed.
 */
export async function openWorkspace(): Promise<Workspace> {
  const directory = join(tmpdir(), `${PREFIX}${process.pid}-${randomBytes(6).toString('hex')}`)
  const lastWill = startLastWill(['rm', '-rf', '--'], directory)
  try {
    await mkdir(directory, { mode: 0o700 })
  } catch (error) {
    // Not ours, then: the last will must not touch it.
    await lastWill?.revoke()
    throw error
  }
  return {
    directory,
    async close() {
      await rm(directory, { recursive: true, force: true })
      await lastWill?.revoke()
    },
  }
}
