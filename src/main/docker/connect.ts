import type Docker from 'dockerode'
import { createHash } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { fail, ok, type Result } from '../../shared/failure'

/** Milliseconds that an engine has for its first answer. */
const ANSWER_TIMEOUT = 10_000

/** Where an engine may listen. */
export interface EngineAddress {
  /** For display: a socket's path, or `tcp://host:port`. */
  socket: string
  /** True when the person chose it (DOCKER_HOST, a docker context): then no other one takes its place. */
  chosen: boolean
  options: Docker.DockerOptions
}

/** An engine that answered. */
export interface Engine {
  docker: Docker
  /** `Docker` or `Podman`. */
  name: string
  version: string
  /** For display. */
  socket: string
}

/** What the search depends on; a parameter so that tests have their own. */
export interface EngineSurroundings {
  environment: Readonly<Record<string, string | undefined>>
  home: string
  /** Sockets tried when nothing was chosen. */
  systemSocket: string
  podmanSystemSocket: string
  /** Where an engine's program lies when one is installed. */
  programFolders: readonly string[]
}

/** The surroundings of this process. */
export function ownSurroundings(): EngineSurroundings {
  return {
    environment: process.env,
    home: homedir(),
    systemSocket: '/var/run/docker.sock',
    podmanSystemSocket: '/run/podman/podman.sock',
    // /usr/sbin is not on every user's PATH.
    programFolders: [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'],
  }
}

/**
 * Lists where to look for an engine, best first: DOCKER_HOST, then the current
 * docker context, each alone; else the system's socket, rootless Docker,
 * rootless Podman, Podman of the system. The precedence is that of
 * `docker context` (docs.docker.com/engine/manage-resources/contexts).
 * @param surroundings environment, home and fixed paths
 * @returns `not-supported` for ssh, `engine-absent` for a context that does not exist, `engine-refused` for a wrong address or unreadable certificates
 */
export async function engineAddresses(surroundings: EngineSurroundings): Promise<Result<EngineAddress[]>> {
  const { environment, home } = surroundings
  const host = environment['DOCKER_HOST'] ?? ''
  if (host !== '') {
    const verify = environment['DOCKER_TLS_VERIFY'] ?? ''
    const folder = environment['DOCKER_CERT_PATH'] ?? ''
    const certificates = folder === '' ? (verify === '' ? null : join(home, '.docker')) : folder
    return one(await addressOf(host, certificates))
  }
  const configFolder = environment['DOCKER_CONFIG'] ?? join(home, '.docker')
  const context = environment['DOCKER_CONTEXT'] ?? (await currentContext(configFolder))
  if (context !== '' && context !== 'default') return one(await contextAddress(configFolder, context))
  const sockets = [surroundings.systemSocket]
  const runtime = environment['XDG_RUNTIME_DIR'] ?? ''
  if (runtime !== '') sockets.push(join(runtime, 'docker.sock'), join(runtime, 'podman/podman.sock'))
  sockets.push(surroundings.podmanSystemSocket)
  return ok(sockets.map((path) => socketAddress(path, false)))
}

/**
 * Finds the engine to use: the first address that answers.
 * @param surroundings where to look; this process's own when absent
 * @returns the engine, or the failure that says most about why there is none:
 *   forbidden before stopped before absent; those of `engineAddresses`
 */
export async function findEngine(surroundings = ownSurroundings()): Promise<Result<Engine>> {
  const addresses = await engineAddresses(surroundings)
  if (!addresses.ok) return addresses
  let forbidden: string | null = null
  let stopped: string | null = null
  for (const address of addresses.value) {
    try {
      return ok(await openEngine(address))
    } catch (error) {
      const code = errorCode(error)
      if (code === 'EACCES' || code === 'EPERM') forbidden ??= address.socket
      else if (code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'ABORT_ERR') {
        stopped ??= address.socket
      } else if (code !== 'ENOENT' && code !== 'ENOTDIR') {
        if (address.chosen) return fail('engine-refused', { detail: errorText(error) })
        stopped ??= address.socket
      }
    }
  }
  if (forbidden !== null) return fail('engine-forbidden', { socket: forbidden })
  if (stopped !== null) return fail('engine-stopped', { socket: stopped })
  const tried = addresses.value.map((address) => address.socket)
  // An engine that was shut down in good order takes its socket along, which looks like one never installed.
  const first = tried[0]
  if (first !== undefined && (await isInstalled(surroundings.programFolders))) {
    return fail('engine-stopped', { socket: first })
  }
  return fail('engine-absent', { tried })
}

async function openEngine(address: EngineAddress): Promise<Engine> {
  // Loaded when it is needed: with all that it brings along it takes longer than the rest of the terminal form.
  const { default: Client } = await import('dockerode')
  const docker = new Client(address.options)
  // dockerode takes options here as everywhere, which its types leave out.
  const askVersion = docker.version.bind(docker) as (options: {
    abortSignal: AbortSignal
  }) => Promise<Docker.DockerVersion>
  const version = await askVersion({ abortSignal: AbortSignal.timeout(ANSWER_TIMEOUT) })
  // docs.docker.com/reference/api/engine: Podman names its component "Podman Engine".
  const components = z
    .array(z.object({ Name: z.string() }))
    .catch([])
    .parse(version.Components)
  const isPodman = components.some((component) => component.Name.startsWith('Podman'))
  return { docker, name: isPodman ? 'Podman' : 'Docker', version: version.Version, socket: address.socket }
}

/** The code of a system error (`ECONNREFUSED`, …), or an empty string. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const { code } = error as NodeJS.ErrnoException
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'ABORT_ERR'
  return typeof code === 'string' ? code : ''
}

/** An error of dockerode in words: its own text without the HTTP code in front. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/^\(HTTP code \d+\) [a-z ,]* - /, '').trim()
}

/** The HTTP status that the engine answered, or null when it was not the engine that failed. */
export function statusCode(error: unknown): number | null {
  const status = error instanceof Error ? (error as Error & { statusCode?: unknown }).statusCode : undefined
  return typeof status === 'number' ? status : null
}

/** The stream of an answer, as the class that it is. */
export function asReadable(stream: NodeJS.ReadableStream): Readable {
  if (!(stream instanceof Readable))
    throw new TypeError('dockerode answered with something that is no stream')
  return stream
}

function one(address: Result<EngineAddress>): Result<EngineAddress[]> {
  return address.ok ? ok([address.value]) : address
}

function socketAddress(path: string, chosen: boolean): EngineAddress {
  // dockerode fills what is left out from DOCKER_HOST, which would lead elsewhere: so nothing is left out.
  const plain = { host: undefined, ca: undefined, cert: undefined, key: undefined, timeout: undefined }
  return { socket: path, chosen, options: { ...plain, protocol: 'http', socketPath: path } }
}

/**
 * Reads an address as in DOCKER_HOST.
 * @param text `unix://PATH`, `tcp://HOST:PORT`, `http(s)://…`, or HOST:PORT
 * @param certificates folder with ca.pem, cert.pem, key.pem, or null for none
 */
async function addressOf(text: string, certificates: string | null): Promise<Result<EngineAddress>> {
  if (text.startsWith('unix://')) return ok(socketAddress(text.slice('unix://'.length), true))
  if (text.startsWith('ssh://')) return fail('not-supported', { what: `an engine over ssh (${text})` })
  let url
  try {
    url = new URL(text.includes('//') ? text : `tcp://${text}`)
  } catch {
    return fail('engine-refused', { detail: `“${text}” is not the address of an engine` })
  }
  const isSecure = certificates !== null || url.port === '2376' || url.protocol === 'https:'
  // 2375 and 2376 are the registered ports (IANA: docker, docker-s).
  const port = url.port === '' ? (isSecure ? 2376 : 2375) : Number(url.port)
  const options: Docker.DockerOptions = {
    socketPath: undefined,
    host: url.hostname,
    port,
    protocol: isSecure ? 'https' : 'http',
    ca: undefined,
    cert: undefined,
    key: undefined,
    timeout: undefined,
  }
  if (certificates !== null) {
    try {
      options.ca = await readFile(join(certificates, 'ca.pem'))
      options.cert = await readFile(join(certificates, 'cert.pem'))
      options.key = await readFile(join(certificates, 'key.pem'))
    } catch (error) {
      return fail('engine-refused', { detail: `its certificates cannot be read: ${errorText(error)}` })
    }
  }
  return ok({ socket: `tcp://${url.hostname}:${port}`, chosen: true, options })
}

async function currentContext(configFolder: string): Promise<string> {
  try {
    const config = JSON.parse(await readFile(join(configFolder, 'config.json'), 'utf8')) as unknown
    return z.object({ currentContext: z.string().default('') }).parse(config).currentContext
  } catch {
    return ''
  }
}

const contextSchema = z.object({ Endpoints: z.object({ docker: z.object({ Host: z.string() }) }) })

/** Reads a context as the docker command stores it: meta and tls below the SHA-256 of its name (docker/cli, cli/context/store). */
async function contextAddress(configFolder: string, name: string): Promise<Result<EngineAddress>> {
  const digest = createHash('sha256').update(name).digest('hex')
  let host
  try {
    const meta = await readFile(join(configFolder, 'contexts/meta', digest, 'meta.json'), 'utf8')
    host = contextSchema.parse(JSON.parse(meta)).Endpoints.docker.Host
  } catch {
    return fail('engine-absent', { tried: [`docker context ${name}`] })
  }
  const certificates = join(configFolder, 'contexts/tls', digest, 'docker')
  return addressOf(host, (await exists(join(certificates, 'cert.pem'))) ? certificates : null)
}

async function isInstalled(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    if (folder !== '' && (await exists(join(folder, 'dockerd')))) return true
  }
  return false
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
