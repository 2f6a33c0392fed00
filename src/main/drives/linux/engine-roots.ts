import { basename } from 'node:path'
import { z } from 'zod'

/** Settings of the Docker Engine, and its two names for the data root (docs.docker.com/reference/cli/dockerd, "daemon configuration file"). */
const DOCKER_SETTINGS = '/etc/docker/daemon.json'
const dockerSettings = z.object({ 'data-root': z.string().optional(), graph: z.string().optional() })

/** Settings of containerd and Podman in TOML, and the key of each that names its storage (containerd-config.toml(5), containers-storage.conf(5)). */
const CONTAINERD_SETTINGS = '/etc/containerd/config.toml'
const PODMAN_SETTINGS = ['/etc/containers/storage.conf', '/usr/share/containers/storage.conf']
const storageKey = /^\s*(?:root|graphroot)\s*=\s*["'](\/[^"']*)["']/gm

/** Options of the two daemons that name their storage, and the one that names other settings. */
const daemons: Record<string, { root: string[]; settings: string[] }> = {
  dockerd: { root: ['--data-root', '--graph', '-g'], settings: ['--config-file'] },
  containerd: { root: ['--root'], settings: ['--config', '-c'] },
}

/**
 * Where the machine's engines keep images and containers: by their settings, and by the command lines of those that
 * run, which may say otherwise.
 * @param readText reads a file, and throws when it cannot
 * @param commandLines of all processes, as /proc/<pid>/cmdline has them
 * @returns absolute paths
 */
export async function engineRoots(
  readText: (path: string) => Promise<string>,
  commandLines: readonly string[],
): Promise<string[]> {
  const roots: string[] = []
  const docker = [DOCKER_SETTINGS]
  const storage = [CONTAINERD_SETTINGS, ...PODMAN_SETTINGS]
  for (const line of commandLines) {
    const words = line.split('\0')
    const name = basename(words[0] ?? '')
    const options = daemons[name]
    if (options === undefined) continue
    roots.push(...optionsOf(words, options.root))
    ;(name === 'dockerd' ? docker : storage).push(...optionsOf(words, options.settings))
  }
  for (const path of docker) {
    const settings = await readText(path)
      .then((text) => dockerSettings.parse(JSON.parse(text)))
      .catch(() => null)
    roots.push(settings?.['data-root'] ?? '', settings?.graph ?? '')
  }
  for (const path of storage) {
    const text = await readText(path).catch(() => '')
    roots.push(...[...text.matchAll(storageKey)].map(([, root = '']) => root))
  }
  return [...new Set(roots.filter((root) => root.startsWith('/')))]
}

/** Values of options, as `--root=/x` or `--root /x`. */
function optionsOf(words: readonly string[], names: readonly string[]): string[] {
  return words.flatMap((word, index) => {
    if (names.includes(word)) return [words[index + 1] ?? '']
    const at = word.indexOf('=')
    return at > 0 && names.includes(word.slice(0, at)) ? [word.slice(at + 1)] : []
  })
}
