import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linkedSystemPaths } from '../../src/main/drives/linux/system-paths'

const nothing = (): Promise<string> => Promise.reject(new Error('ENOENT'))
const nobody = (): Promise<string[]> => Promise.resolve([])
const asNamed = (path: string): Promise<string> => Promise.resolve(path)

describe('files of settings that a command line names', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-settings-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  const rootsBy = (path: string): Promise<string[]> =>
    linkedSystemPaths(undefined, asNamed, () => Promise.resolve([`dockerd\0--config-file=${path}\0`]))

  test('are read', async () => {
    const path = join(folder, 'daemon.json')
    await writeFile(path, '{"data-root": "/mnt/engine"}')
    expect(await rootsBy(path)).toContain('/mnt/engine')
  })

  test('hold nothing up that are a pipe, without an end, or too long', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const long = join(folder, 'long.json')
    await writeFile(long, `{"data-root": "/mnt/engine"}${' '.repeat(2 * 1024 * 1024)}`)
    for (const path of [pipe, '/dev/zero', long]) expect(await rootsBy(path)).not.toContain('/mnt/engine')
  })
})

describe('paths of the system that no mountpoint names', () => {
  test('are none where its folders are folders', async () => {
    expect(await linkedSystemPaths(nothing, asNamed, nobody)).toEqual([])
  })

  test('are where links in their place lead, but not to other folders of the system', async () => {
    const links: Record<string, string> = {
      '/var': '/mnt/big/var',
      '/var/lib/docker': '/mnt/big/docker',
      '/opt': '/usr/opt',
    }
    const resolve = (path: string): Promise<string> => Promise.resolve(links[path] ?? path)
    expect(await linkedSystemPaths(nothing, resolve, nobody)).toEqual(['/mnt/big/var', '/mnt/big/docker'])
  })

  test.each([
    ['{"data-root": "/mnt/engine"}', ['/mnt/engine']],
    ['{"graph": "/mnt/old"}', ['/mnt/old']],
    ['{"data-root": "relative"}', []],
    ['{"debug": true}', []],
    ['not JSON', []],
  ])('are the data root of %s', async (settings, expected) => {
    const readText = (path: string): Promise<string> =>
      path === '/etc/docker/daemon.json' ? Promise.resolve(settings) : nothing()
    expect(await linkedSystemPaths(readText, asNamed, nobody)).toEqual(expected)
  })

  test.each([
    ['dockerd', ['/usr/sbin/dockerd', '--data-root', '/mnt/engine', '-H', 'fd://'], ['/mnt/engine']],
    ['dockerd', ['dockerd', '--data-root=/mnt/a', '--config-file=/mnt/own.json'], ['/mnt/a', '/mnt/b']],
    ['an old dockerd', ['/usr/bin/dockerd', '-g', '/mnt/old'], ['/mnt/old']],
    [
      'containerd',
      ['/usr/bin/containerd', '--root', '/mnt/c', '--config', '/mnt/own.toml'],
      ['/mnt/c', '/mnt/d'],
    ],
    ['another program', ['/usr/bin/vi', '--data-root', '/mnt/engine'], []],
  ])('are where %s that runs was told to keep its own', async (_, words, expected) => {
    const files: Record<string, string> = {
      '/mnt/own.json': '{"data-root": "/mnt/b"}',
      '/mnt/own.toml': "version = 2\nroot = '/mnt/d'\n[plugins]\n",
    }
    const readText = (path: string): Promise<string> => {
      const text = files[path]
      return text === undefined ? nothing() : Promise.resolve(text)
    }
    const lines = (): Promise<string[]> => Promise.resolve(['', `${words.join('\0')}\0`])
    expect(await linkedSystemPaths(readText, asNamed, lines)).toEqual(expected)
  })

  test.each([
    ['/etc/containers/storage.conf', '[storage]\n# graphroot = "/mnt/no"\ngraphroot = "/mnt/podman"\n'],
    ['/etc/containerd/config.toml', 'root = "/mnt/podman"\nstate = "/run/containerd"\n'],
  ])('are the storage that %s names', async (settings, text) => {
    const readText = (path: string): Promise<string> =>
      path === settings ? Promise.resolve(text) : nothing()
    expect(await linkedSystemPaths(readText, asNamed, nobody)).toEqual(['/mnt/podman'])
  })
})
