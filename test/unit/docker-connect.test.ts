import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { engineAddresses, findEngine, type EngineSurroundings } from '../../src/main/docker/connect'

let folder: string
let servers: Server[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-connect-'))
  servers = []
})
afterEach(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
})

function surroundings(environment: Record<string, string> = {}): EngineSurroundings {
  return {
    environment: { XDG_RUNTIME_DIR: join(folder, 'run'), ...environment },
    home: folder,
    systemSocket: join(folder, 'system.sock'),
    podmanSystemSocket: join(folder, 'podman.sock'),
    programFolders: [join(folder, 'bin')],
  }
}

/** An engine as far as its first question goes. */
async function serve(path: string, version: string, component = 'Engine'): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ Version: version, Components: [{ Name: component }] }))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  servers.push(server)
}

async function addContext(name: string, host: string): Promise<void> {
  const digest = createHash('sha256').update(name).digest('hex')
  const meta = join(folder, '.docker/contexts/meta', digest)
  await mkdir(meta, { recursive: true })
  await writeFile(
    join(meta, 'meta.json'),
    JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }),
  )
}

const useContext = (name: string): Promise<void> =>
  writeFile(join(folder, '.docker/config.json'), JSON.stringify({ currentContext: name }))

async function foundVersion(environment: Record<string, string> = {}): Promise<string> {
  const engine = await findEngine(surroundings(environment))
  return engine.ok ? engine.value.version : engine.failure.code
}

describe('engineAddresses', () => {
  it('takes DOCKER_HOST before a context before the sockets', async () => {
    await addContext('work', `unix://${folder}/work.sock`)
    await useContext('work')
    const sockets = async (environment: Record<string, string>): Promise<string[]> => {
      const addresses = await engineAddresses(surroundings(environment))
      return addresses.ok ? addresses.value.map((address) => address.socket) : [addresses.failure.code]
    }
    expect(await sockets({ DOCKER_HOST: 'unix:///a.sock', DOCKER_CONTEXT: 'work' })).toEqual(['/a.sock'])
    expect(await sockets({})).toEqual([join(folder, 'work.sock')])
    expect(await sockets({ DOCKER_CONTEXT: 'nobody' })).toEqual(['engine-absent'])
    const all = ['system.sock', 'run/docker.sock', 'run/podman/podman.sock', 'podman.sock']
    expect(await sockets({ DOCKER_CONTEXT: 'default' })).toEqual(all.map((name) => join(folder, name)))
  })

  it.each([
    ['tcp://10.0.0.1', 'tcp://10.0.0.1:2375', 'http'],
    ['tcp://10.0.0.1:99', 'tcp://10.0.0.1:99', 'http'],
    ['10.0.0.1:99', 'tcp://10.0.0.1:99', 'http'],
    ['tcp://10.0.0.1:2376', 'tcp://10.0.0.1:2376', 'https'],
  ])('reads %s', async (host, socket, protocol) => {
    const addresses = await engineAddresses(surroundings({ DOCKER_HOST: host }))
    expect(addresses).toMatchObject({ ok: true, value: [{ socket, chosen: true, options: { protocol } }] })
  })

  it('reads certificates, and says when it cannot', async () => {
    const environment = { DOCKER_HOST: 'tcp://10.0.0.1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder }
    expect(await engineAddresses(surroundings(environment))).toMatchObject({
      failure: { code: 'engine-refused' },
    })
    for (const name of ['ca', 'cert', 'key']) await writeFile(join(folder, `${name}.pem`), name)
    expect(await engineAddresses(surroundings(environment))).toMatchObject({
      value: [{ socket: 'tcp://10.0.0.1:2376', options: { protocol: 'https', key: Buffer.from('key') } }],
    })
  })

  it('refuses ssh and nonsense in words', async () => {
    for (const [host, code] of [
      ['ssh://me@there', 'not-supported'],
      ['tcp://a b', 'engine-refused'],
    ] as const) {
      const addresses = await engineAddresses(surroundings({ DOCKER_HOST: host }))
      expect(addresses).toMatchObject({ ok: false, failure: { code } })
    }
  })
})

describe('findEngine', () => {
  it('takes the first that answers', async () => {
    await serve(join(folder, 'podman.sock'), '5.0', 'Podman Engine')
    expect(await findEngine(surroundings())).toMatchObject({ value: { name: 'Podman', version: '5.0' } })
    await serve(join(folder, 'run/docker.sock'), '27.0')
    expect(await findEngine(surroundings())).toMatchObject({ value: { name: 'Docker', version: '27.0' } })
    await serve(join(folder, 'system.sock'), '28.0')
    expect(await foundVersion()).toBe('28.0')
  })

  it('never replaces a chosen one by another', async () => {
    await serve(join(folder, 'system.sock'), '28.0')
    expect(await foundVersion({ DOCKER_HOST: `unix://${folder}/other.sock` })).toBe('engine-absent')
    await addContext('work', `unix://${folder}/work.sock`)
    expect(await foundVersion({ DOCKER_CONTEXT: 'work' })).toBe('engine-absent')
  })

  it('asks the address it was told, whatever DOCKER_HOST of this process says', async () => {
    await serve(join(folder, 'system.sock'), '28.0')
    const before = process.env['DOCKER_HOST']
    process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:1'
    try {
      expect(await foundVersion()).toBe('28.0')
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST']
      else process.env['DOCKER_HOST'] = before
    }
  })

  it('tells an engine that was never there from one that stands still', async () => {
    expect(await foundVersion()).toBe('engine-absent')
    await mkdir(join(folder, 'bin'))
    await writeFile(join(folder, 'bin/dockerd'), '')
    expect(await foundVersion()).toBe('engine-stopped')
  })

  it('calls a socket without a listener a stopped engine', async () => {
    const path = join(folder, 'system.sock')
    // A program that is killed leaves its socket behind.
    const { execa } = await import('execa')
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`
    await execa(process.execPath, ['-e', script], { reject: false })
    expect(await findEngine(surroundings())).toEqual({
      ok: false,
      failure: { code: 'engine-stopped', facts: { socket: path } },
    })
  })
})
