import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram, isRoot, run, runAsRoot } from './run.mjs'

const START_TIMEOUT = 60_000
const STOP_TIMEOUT = 60_000

/**
 * @param {string} host as DOCKER_HOST has it
 * @returns {Promise<boolean>} whether an engine answers there
 */
export async function engineAnswers(host) {
  const answer = await docker(host, ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 })
  return answer.code === 0
}

/** @returns {Promise<string | null>} the DOCKER_HOST of the person's own engine, where one answers */
export async function personsEngine() {
  const context = await run('docker', ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'])
  const hosts = [process.env.DOCKER_HOST, context.stdout.trim(), 'unix:///var/run/docker.sock']
  for (const host of hosts) {
    if (host && (await engineAnswers(host))) {
      return host
    }
  }
  return null
}

/**
 * Runs the docker command against one engine.
 * @param {string} host
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function docker(host, args, options) {
  return run('docker', ['--host', host, ...args], options)
}

/**
 * Starts a Docker Engine of our own that touches nothing else on the machine: own data, own socket, own
 * containerd namespace, and a bridge of its own that leads nowhere: on docker0 it would hand out addresses that are
 * taken, and told to have none it deletes docker0, whosesoever that is (daemon_unix.go,
 * removeDefaultBridgeInterface). The firewall is left alone. Builds therefore need `--network host`.
 * @returns {Promise<{ host: string, socket: string, directory: string, stop: () => Promise<void> }>}
 *   host: for DOCKER_HOST; stop: ends it and removes all its data
 * @throws {Error} when it does not start; nothing is left then
 */
export async function startEngine() {
  // Not in /tmp, which is memory on many systems: an engine's data takes gigabytes.
  const directory = await mkdtemp('/var/tmp/slipway-engine-')
  const socket = join(directory, 'docker.sock')
  const host = `unix://${socket}`
  // Names of interfaces have at most 15 characters (linux/if.h, IFNAMSIZ).
  const bridge = `slw-${basename(directory).slice(-6)}`
  const stop = () => stopEngine(directory, bridge)
  await mkdir(join(directory, 'exec'))
  const log = openSync(join(directory, 'dockerd.log'), 'a')
  const args = [
    ...['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
    ...[
      '--pidfile',
      join(directory, 'dockerd.pid'),
      '--host',
      host,
      '--group',
      String(process.getgid?.() ?? 0),
    ],
    ...['--bridge', bridge, '--iptables=false', '--ip-forward=false', '--ip-masq=false'],
    ...['--containerd-namespace', basename(directory)],
    ...['--containerd-plugins-namespace', `${basename(directory)}-plugins`],
  ]
  await addBridge(bridge)
  const dockerd = findProgram('dockerd') ?? 'dockerd'
  const [command, commandArgs] = isRoot() ? [dockerd, args] : ['sudo', ['--', dockerd, ...args]]
  // In a session of its own: Ctrl-C would end it before its containers are gone.
  const child = spawn(command, commandArgs, { detached: true, stdio: ['ignore', log, log] })
  let ended = null
  child.on('error', (error) => (ended = error.message))
  child.on('exit', (code) => (ended = `exit code ${code}`))
  child.unref()
  const deadline = Date.now() + START_TIMEOUT
  while (!(await engineAnswers(host))) {
    if (ended !== null || Date.now() > deadline) {
      const lastWords = (await readFile(join(directory, 'dockerd.log'), 'utf8')).trim().split('\n').slice(-5)
      await stop()
      throw new Error(`Docker Engine did not start (${ended ?? 'no answer'}):\n${lastWords.join('\n')}`)
    }
    await sleep(200)
  }
  return { host, socket, directory, stop }
}

/**
 * Makes a bridge without members. Its address is one for tests between devices (RFC 2544, 198.18.0.0/15), which
 * no network that somebody uses has.
 */
async function addBridge(bridge) {
  const host = Math.floor(Math.random() * 0x3fff) * 4 + 1
  const address = `198.18.${host >> 8}.${host & 255}/30`
  for (const words of [
    ['link', 'add', bridge, 'type', 'bridge'],
    ['address', 'add', address, 'dev', bridge],
  ]) {
    const added = await runAsRoot('ip', words)
    if (added.code !== 0) {
      throw new Error(`A bridge for the engine cannot be made: ${added.stderr.trim()}`)
    }
  }
}

async function stopEngine(directory, bridge) {
  const pid = await readFile(join(directory, 'dockerd.pid'), 'utf8').catch(() => null)
  if (pid !== null) {
    await runAsRoot('kill', ['-TERM', pid.trim()])
    const deadline = Date.now() + STOP_TIMEOUT
    while (Date.now() < deadline && (await runAsRoot('kill', ['-0', pid.trim()])).code === 0) {
      await sleep(100)
    }
  }
  await runAsRoot('ip', ['link', 'delete', bridge])
  for (const mountPoint of await mountPoints()) {
    if (mountPoint.startsWith(`${directory}/`)) {
      await runAsRoot('umount', [mountPoint])
    }
  }
  if (isRoot()) {
    await rm(directory, { recursive: true, force: true })
  } else {
    await runAsRoot('rm', ['-rf', '--one-file-system', directory])
  }
}

/** @returns {Promise<string[]>} all mount points, the last mounted first (proc_pid_mountinfo(5), field 5) */
export async function mountPoints() {
  const table = await readFile('/proc/self/mountinfo', 'utf8')
  return table
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .reverse()
}
