import Docker from 'dockerode'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'

/** An engine that a test may stop, kill and start again. Root only. */
export interface Daemon {
  socket: string
  docker: Docker
  start(): Promise<void>
  /** `SIGTERM`: in good order, its socket goes too. `SIGKILL`: its socket stays without a listener. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

/** Makes a Docker Engine with data, socket and containerd of its own, and starts it. */
export async function startDaemon(): Promise<Daemon> {
  const folder = await mkdtemp('/var/tmp/slipway-daemon-')
  const socket = join(folder, 'docker.sock')
  const docker = new Docker({ socketPath: socket })
  const words = [
    ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
    ...['--pidfile', join(folder, 'pid'), '--host', `unix://${socket}`, '--group', '0'],
    ...['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'],
    // Where the system has a containerd of its own, names must not meet.
    ...[
      '--containerd-namespace',
      basename(folder),
      '--containerd-plugins-namespace',
      `${basename(folder)}-p`,
    ],
  ]
  let child: ChildProcess | null = null

  async function start(): Promise<void> {
    const log = openSync(join(folder, 'log'), 'a')
    // In a network of its own: without a bridge dockerd deletes docker0, whosesoever it is.
    const started = spawn('unshare', ['--net', '--', 'dockerd', ...words], {
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    child = started
    for (let tries = 0; tries < 300; tries++) {
      if (started.exitCode !== null) break
      if (await docker.ping().catch(() => null)) return
      await sleep(100)
    }
    throw new Error(`dockerd did not start:\n${(await readFile(join(folder, 'log'), 'utf8')).slice(-2000)}`)
  }
  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const running = child
    if (running === null || running.exitCode !== null || running.signalCode !== null) return
    const gone = once(running, 'exit')
    running.kill(signal)
    await gone
    if (signal === 'SIGTERM') return
    // Its containerd dies with it. While nobody has reaped that, the next dockerd takes it for alive and waits for it.
    const pidFile = join(folder, 'exec/containerd/containerd.pid')
    const left = Number(await readFile(pidFile, 'utf8').catch(() => '0'))
    for (let tries = 0; left > 0 && tries < 250 && isThere(left); tries++) await sleep(20)
    await rm(pidFile, { force: true })
  }
  const daemon: Daemon = {
    socket,
    docker,
    start,
    end,
    async remove() {
      await end('SIGTERM')
      const mounts = await readFile('/proc/self/mountinfo', 'utf8')
      for (const line of mounts.split('\n').reverse()) {
        const point = line.split(' ')[4] ?? ''
        if (point.startsWith(`${folder}/`)) await execa('umount', [point])
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    await start()
  } catch (error) {
    await daemon.remove()
    throw error
  }
  return daemon
}

/** Whether a process is there, be it as a zombie. */
function isThere(processId: number): boolean {
  return existsSync(`/proc/${processId}`)
}

/** An entry of a tar archive that no honest program would make. */
export interface Member {
  name: string | Buffer
  /** `0` file, `1` hard link, `2` symbolic link, `3` character device, `5` directory, `6` pipe. */
  type?: '0' | '1' | '2' | '3' | '5' | '6'
  content?: Buffer | string
  target?: string
  mode?: number
  device?: [number, number]
}

/** Makes a ustar archive (POSIX.1-2017, pax). */
export function makeTar(members: readonly Member[]): Buffer {
  const parts = members.flatMap((member) => {
    const content = Buffer.from(member.content ?? '')
    const header = Buffer.alloc(512)
    const octal = (value: number, width: number, at: number): void => {
      header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1')
    }
    Buffer.from(member.name).copy(header)
    octal(member.mode ?? (member.type === '5' ? 0o755 : 0o644), 8, 100)
    octal(0, 8, 108)
    octal(0, 8, 116)
    octal(content.length, 12, 124)
    octal(0, 12, 136)
    header.fill(' ', 148, 156)
    header.write(member.type ?? '0', 156)
    header.write(member.target ?? '', 157, 'latin1')
    header.write('ustar\0' + '00', 257, 'latin1')
    const [major, minor] = member.device ?? [0, 0]
    octal(major, 8, 329)
    octal(minor, 8, 337)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    return [header, content, Buffer.alloc(-content.length & 511)]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

/**
 * Makes an image of a tar archive.
 * @param name `repository:tag`, or null for an image without a name
 * @returns its id
 */
export async function importImage(docker: Docker, tar: Buffer, name: string | null): Promise<string> {
  const [repo, tag] = name?.split(':') ?? []
  const answer = await docker.importImage(Readable.from([tar]), name === null ? {} : { repo, tag })
  const events = await new Promise<{ status?: string; error?: string }[]>((resolve, reject) => {
    docker.modem.followProgress(answer, (error, all: { status?: string; error?: string }[]) => {
      if (error === null) resolve(all)
      else reject(error)
    })
  })
  const id = events.find((event) => event.status?.startsWith('sha256:'))?.status
  if (id === undefined) throw new Error(`no image came of it: ${JSON.stringify(events)}`)
  return id
}
