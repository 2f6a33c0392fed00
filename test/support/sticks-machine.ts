import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { findQemu } from '../../src/main/preview/find'
import { connectQmp } from '../../src/main/preview/qmp'
import type { Machine } from '../../src/main/preview/machine'
import { devicesOf, nodesOf, speedOf, type QemuObject, type Stick } from './sticks'

/** A machine that runs from a stick and has more of them. */
export interface StickMachine extends Pick<Machine, 'onSerial' | 'writeSerial'> {
  /** Bytes written so far to each stick that is plugged in, by name; what is written to other media of a reader counts as the reader's. */
  written(): Promise<Record<string, number>>
  /** Waits until so many bytes were written to a stick. */
  hasWritten(name: string, bytes: number): Promise<void>
  /** Changes how fast a stick is that was made with a speed, in bytes a second. */
  setSpeed(stick: Stick, bytesPerSecond: number): Promise<void>
  plug(stick: Stick): Promise<void>
  /** Pulls a stick out, whatever is being done with it. */
  pull(stick: Stick): Promise<void>
  /** Takes the medium out of a reader, and after a second, which is quick for a hand, puts another stick's into it. */
  exchangeMedium(reader: Stick, medium: Stick): Promise<void>
  /** Ends QEMU. */
  stop(): Promise<void>
}

/** Milliseconds for what QEMU does at once. */
const QEMU_TIMEOUT = 20_000
/** Milliseconds for a guest to write what is waited for, under emulation and next to other work. */
const WRITE_TIMEOUT = 120_000
/** Milliseconds between two looks at how much was written. */
const WRITE_INTERVAL = 30

const statisticsSchema = z.array(
  z.object({ qdev: z.string().optional(), stats: z.object({ wr_bytes: z.number() }) }),
)

/**
 * Milliseconds that a reader is empty. What is written to it fails meanwhile. QEMU can exchange a medium within a
 * millisecond, as no hand can, and then mostly, but not always, fails the first command that comes to the new one.
 */
const EMPTY_TIME = 1000

/** Where the sticks' USB ports are: enough for all of them, as both kinds of port. */
const USB = { driver: 'qemu-xhci', id: 'usb', p2: 15, p3: 15 }

/**
 * Starts a machine on sticks.
 * @param folder for its sockets; a short path
 * @param root the stick that it boots from; it is written
 * @param sticks the others; those in `later` are not plugged in yet
 * @throws with QEMU's words when it does not start; nothing is left then
 */
export async function startStickMachine(
  folder: string,
  root: Stick,
  sticks: readonly Stick[],
  later: readonly Stick[],
): Promise<StickMachine> {
  const programs = await findQemu('amd64')
  if (!programs.ok) throw new Error(JSON.stringify(programs.failure))
  const control = await acceptOne(join(folder, 'control.sock'))
  const serial = await acceptOne(join(folder, 'serial.sock'))
  const words = argumentsOf(root, sticks, later, control.path, serial.path)
  // The kernel kills QEMU when this process dies, whichever way (setpriv(1), prctl(2), PR_SET_PDEATHSIG).
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', programs.value.system, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let messages = ''
  child.stderr.on('data', (bytes: Buffer) => (messages += bytes.toString()))
  const exited = once(child, 'close')
  const connections = Promise.all([control.connection, serial.connection])
  const gone = exited.then(() => null)
  const connected = await Promise.race([connections, gone, sleep(QEMU_TIMEOUT, null)])
  control.server.close()
  serial.server.close()
  const giveUp = async (): Promise<never> => {
    child.kill('SIGKILL')
    await exited
    throw new Error(`QEMU did not start: ${messages}`)
  }
  if (connected === null) return giveUp()
  const [controlSocket, serialSocket] = connected
  serialSocket.on('error', () => undefined)
  let lastWords = ''
  serialSocket.on('data', (bytes: Buffer) => {
    lastWords = (lastWords + bytes.toString('latin1')).slice(-1000)
  })
  const negotiated = await connectQmp(controlSocket)
  if (!negotiated.ok) return giveUp()
  const qmp = negotiated.value

  async function command(name: string, given: Record<string, unknown> = {}): Promise<unknown> {
    const result = await qmp.execute(name, given)
    if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.failure)}`)
    return result.value
  }
  async function written(): Promise<Record<string, number>> {
    const devices = statisticsSchema.parse(await command('query-blockstats'))
    return Object.fromEntries(devices.map(({ qdev, stats }) => [deviceIdOf(qdev ?? ''), stats.wr_bytes]))
  }
  return {
    onSerial(listener) {
      serialSocket.on('data', listener)
      return () => serialSocket.off('data', listener)
    },
    writeSerial: (bytes) => serialSocket.write(bytes),
    written,
    async hasWritten(name, bytes) {
      let now = 0
      // Looks are counted, not time: whoever stops this process and QEMU for a while changes nothing.
      for (let look = 0; look * WRITE_INTERVAL < WRITE_TIMEOUT; look++) {
        now = (await written())[name] ?? 0
        if (now >= bytes) return
        await sleep(WRITE_INTERVAL)
      }
      throw new Error(
        `${name}: ${now} bytes were written, not ${bytes}; the guest's last words: ${lastWords}`,
      )
    },
    async setSpeed(stick, bytesPerSecond) {
      const { path, property } = speedOf(stick)
      await command('qom-set', { path, property, value: { 'bps-write': bytesPerSecond } })
    },
    async plug(stick) {
      for (const device of devicesOf(stick)) await command('device_add', device)
    },
    async pull(stick) {
      const devices = devicesOf(stick).map((device) => String(device['id']))
      const outermost = devices[0] ?? stick.name
      let unsubscribe: () => void = () => undefined
      const pulled = new Promise<true>((resolve) => {
        unsubscribe = qmp.onEvent(({ name, data }) => {
          if (name === 'DEVICE_DELETED' && data['device'] === outermost) resolve(true)
        })
      })
      await command('device_del', { id: outermost })
      const isPulled = await Promise.race([pulled, sleep(QEMU_TIMEOUT, false)])
      unsubscribe()
      if (!isPulled) throw new Error(`QEMU kept ${outermost}; the guest's last words: ${lastWords}`)
    },
    async exchangeMedium(reader, medium) {
      const id = reader.name
      await command('blockdev-open-tray', { id, force: true })
      await command('blockdev-remove-medium', { id })
      await sleep(EMPTY_TIME)
      await command('blockdev-insert-medium', { id, 'node-name': medium.name })
      await command('blockdev-close-tray', { id })
    },
    async stop() {
      void qmp.execute('quit')
      const isGone = await Promise.race([gone, sleep(5000, 'running')])
      if (isGone !== null) child.kill('SIGKILL')
      await exited
    },
  }
}

/** The id that a device was given, from what QEMU calls it: the id, or the path of a SCSI disk within a USB device. */
function deviceIdOf(path: string): string {
  return path.replace('/machine/peripheral/', '').split('/', 1).join()
}

/** Listens on a unix socket for one connection. QEMU connects to us: when we are dead, it finds nobody and ends. */
async function acceptOne(
  path: string,
): Promise<{ path: string; server: Server; connection: Promise<Socket> }> {
  const server = createServer()
  const connection = once(server, 'connection').then(([socket]: unknown[]) => socket as Socket)
  server.listen(path)
  await once(server, 'listening')
  return { path, server, connection }
}

/** QEMU's arguments: emulation, because it is the same everywhere. */
function argumentsOf(
  root: Stick,
  sticks: readonly Stick[],
  later: readonly Stick[],
  controlPath: string,
  serialPath: string,
): string[] {
  const option = (name: string, value: QemuObject): string[] => [name, JSON.stringify(value)]
  const plugged = [root, ...sticks]
  const nodes = [...plugged, ...later].map(nodesOf)
  const boot = devicesOf(root).map((device) => ({ ...device, bootindex: 0 }))
  const devices = [USB, ...boot, ...sticks.flatMap((stick) => devicesOf(stick))]
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-name', 'slipway-sticks'],
    ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max,la57=off'],
    ...['-smp', '2', '-m', '1024M', '-boot', 'strict=on'],
    ...['-chardev', `socket,id=control,path=${controlPath}`, '-mon', 'chardev=control,mode=control'],
    ...['-chardev', `socket,id=serial,path=${serialPath}`, '-serial', 'chardev:serial'],
    ...nodes.flatMap(({ objects }) => objects.flatMap((object) => option('-object', object))),
    ...nodes.flatMap(({ node }) => option('-blockdev', node)),
    ...devices.flatMap((device) => option('-device', device)),
  ]
}
