import { constants } from 'node:fs'
import { open, readdir, readFile, realpath } from 'node:fs/promises'
import { engineRoots } from './engine-roots'

/** Folders that the system runs from. A link in the place of one leads to where it really is. */
const folders = [
  ...['/boot', '/boot/efi', '/efi', '/usr', '/var', '/home', '/root', '/etc', '/opt', '/srv'],
  // Where engines keep images and containers unless they are told otherwise.
  ...['/var/lib/docker', '/var/lib/containerd', '/var/lib/containers'],
]

/**
 * Paths that the running system needs and that no mountpoint names: where links in the place of its folders lead
 * to, and where engines keep their images and containers.
 * @param readText reads a file, and throws when it cannot; tests give their own
 * @param resolve follows links, and throws when there is nothing; tests give their own
 * @param commandLines of all processes; tests give their own
 */
export async function linkedSystemPaths(
  readText: (path: string) => Promise<string> = readSettings,
  resolve: (path: string) => Promise<string> = (path) => realpath(path),
  commandLines: () => Promise<string[]> = readCommandLines,
): Promise<string[]> {
  const real = await Promise.all(folders.map((path) => resolve(path).catch(() => path)))
  // A folder that is no link lies on a mount that its own name tells.
  const linked = real.filter((path, index) => path !== folders[index] && !isBelow(path, folders))
  return [...linked, ...(await engineRoots(readText, await commandLines()))]
}

/** Bytes of the longest file of settings that is read; theirs have a few hundred. */
const LONGEST_SETTINGS = 1024 * 1024

/**
 * Reads a file that any process may have named in its command line, and root reads: neither a pipe that nobody writes
 * to nor a file without an end holds this up.
 */
async function readSettings(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const found = await file.stat()
    if (!found.isFile() || found.size > LONGEST_SETTINGS) throw new Error('no file of settings')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(found.size), 0, found.size, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

async function readCommandLines(): Promise<string[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  return Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
}

/** Whether a path is that of one of the folders or lies in one: its mount is known by name then. */
function isBelow(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`))
}
