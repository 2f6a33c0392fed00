import { readFile, realpath } from 'node:fs/promises'
import { z } from 'zod'

/** Folders that the system runs from. A link in the place of one leads to where it really is. */
const folders = [
  ...['/boot', '/boot/efi', '/efi', '/usr', '/var', '/home', '/root', '/etc', '/opt', '/srv'],
  // Where engines keep images and containers unless they are told otherwise.
  ...['/var/lib/docker', '/var/lib/containerd', '/var/lib/containers'],
]

/** Settings of the Docker Engine, and its two names for the data root (docs.docker.com/reference/cli/dockerd, "daemon configuration file"). */
const DAEMON_SETTINGS = '/etc/docker/daemon.json'
const daemonSettings = z.object({ 'data-root': z.string().optional(), graph: z.string().optional() })

/**
 * Paths that the running system needs and that no mountpoint names: where links in the place of its folders lead
 * to, and the data root that the Docker Engine was told to use.
 * @param readText reads a file, and throws when it cannot; tests give their own
 * @param resolve follows links, and throws when there is nothing; tests give their own
 */
export async function linkedSystemPaths(
  readText: (path: string) => Promise<string> = (path) => readFile(path, 'utf8'),
  resolve: (path: string) => Promise<string> = (path) => realpath(path),
): Promise<string[]> {
  const real = await Promise.all(folders.map((path) => resolve(path).catch(() => path)))
  // A folder that is no link lies on a mount that its own name tells.
  const linked = real.filter((path, index) => path !== folders[index] && !isBelow(path, folders))
  const settings = await readText(DAEMON_SETTINGS)
    .then((text) => daemonSettings.parse(JSON.parse(text)))
    .catch(() => null)
  const roots = [settings?.['data-root'], settings?.graph].filter((path) => path?.startsWith('/') === true)
  return [...linked, ...roots.filter((path) => path !== undefined)]
}

/** Whether a path is that of one of the folders or lies in one: its mount is known by name then. */
function isBelow(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`))
}
