import { describe, expect, test } from 'vitest'
import { linkedSystemPaths } from '../../src/main/drives/linux/system-paths'

const nothing = (): Promise<string> => Promise.reject(new Error('ENOENT'))
const asNamed = (path: string): Promise<string> => Promise.resolve(path)

describe('paths of the system that no mountpoint names', () => {
  test('are none where its folders are folders', async () => {
    expect(await linkedSystemPaths(nothing, asNamed)).toEqual([])
  })

  test('are where links in their place lead, but not to other folders of the system', async () => {
    const links: Record<string, string> = {
      '/var': '/mnt/big/var',
      '/var/lib/docker': '/mnt/big/docker',
      '/opt': '/usr/opt',
    }
    const resolve = (path: string): Promise<string> => Promise.resolve(links[path] ?? path)
    expect(await linkedSystemPaths(nothing, resolve)).toEqual(['/mnt/big/var', '/mnt/big/docker'])
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
    expect(await linkedSystemPaths(readText, asNamed)).toEqual(expected)
  })
})
