import { chmod, lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SOCKET_FILE } from './handshake'
import { checkCommand } from './sudo'

/** The shortest limit on a unix socket's path among the systems (sun_path of macOS, its end included). */
const SOCKET_PATH_BYTES = 104
/** Digits of the largest process id (Linux: PID_MAX_LIMIT, 2^22). */
const PID_DIGITS = 7
const NAME = /^slipway-(\d{1,7})-\w{6}$/

/** Where such directories are made: a place with a short name that is safe in a command. */
function baseFolder(): string {
  const longest = SOCKET_PATH_BYTES - `/slipway-${'0'.repeat(PID_DIGITS)}-XXXXXX/${SOCKET_FILE}`.length - 1
  const base = tmpdir()
  return base.length <= longest && checkCommand([base]).ok ? base : '/tmp'
}

/** Makes a fresh directory of mode 0700 in which this process and the helper meet; its name tells whose it is. */
export async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(baseFolder(), `slipway-${process.pid}-`))
  await chmod(directory, 0o700)
  return directory
}

/**
 * Removes what processes of this user left that were killed while a password dialog was open: nobody listens there
 * any more, and a helper that starts from that dialog later finds nobody.
 * @param base where to look; tests give their own
 */
export async function removeStaleDirectories(base = baseFolder()): Promise<void> {
  for (const name of await readdir(base).catch(() => [])) {
    const id = Number(NAME.exec(name)?.[1] ?? process.pid)
    const directory = join(base, name)
    const found = isAlive(id) ? null : await lstat(directory).catch(() => null)
    if (found === null || !found.isDirectory()) continue
    if (found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) continue
    await rm(directory, { recursive: true, force: true })
  }
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0)
    return true
  } catch (error) {
    // EPERM: it lives and is somebody else's.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
