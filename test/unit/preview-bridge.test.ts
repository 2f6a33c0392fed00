import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bridgeScreen, bridgeSerial, type BridgePort } from '../../src/main/preview/bridge'
import type { MachineEnding } from '../../src/main/preview/machine'

/** A port of worker_threads with the manners of Electron's: a message is an event with `data`. */
function asElectron(port: MessagePort): BridgePort {
  return {
    postMessage: (message) => {
      port.postMessage(message)
    },
    on: (event: string, listener: (event: { data: unknown }) => void) =>
      port.on(event, (data: unknown) => listener({ data })),
    start: () => port.start(),
    close: () => port.close(),
  }
}

let folder = ''
let server: Server
let accepted: Promise<Socket>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  server = createServer()
  accepted = once(server, 'connection').then(([socket]) => socket as Socket)
  await new Promise<void>((resolve) => server.listen(join(folder, 'screen.sock'), resolve))
})
afterEach(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

/** Gathers bytes until there are so many. */
function gather(port: MessagePort, length: number): Promise<Buffer> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    port.on('message', (message: Uint8Array) => {
      bytes = Buffer.concat([bytes, message])
      if (bytes.length >= length) resolve(bytes)
    })
  })
}

test('bytes go both ways, whole and in order', async () => {
  const { port1, port2 } = new MessageChannel()
  bridgeScreen({ screenSocket: join(folder, 'screen.sock') }, asElectron(port1), () => undefined)
  port2.postMessage(Uint8Array.from([1, 2, 3]))
  port2.postMessage(Uint8Array.from([4]).buffer)
  const socket = await accepted
  let received = Buffer.alloc(0)
  await new Promise<void>((resolve) => {
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      if (received.length === 4) resolve()
    })
  })
  expect([...received]).toEqual([1, 2, 3, 4])
  const picture = Buffer.alloc(3_000_000, 'abcdefg')
  const gathered = gather(port2, picture.length)
  socket.write(picture)
  expect((await gathered).equals(picture)).toBe(true)
  socket.destroy()
  await once(port2, 'close')
})

test('when the window closes its side, the machine loses its client', async () => {
  const { port1, port2 } = new MessageChannel()
  bridgeScreen({ screenSocket: join(folder, 'screen.sock') }, asElectron(port1), () => undefined)
  const socket = await accepted
  port2.close()
  socket.resume()
  await once(socket, 'close')
})

test.each<[string, unknown]>([
  ['a text', 'hello'],
  ['an object', { data: [1] }],
  ['too much at once', new Uint8Array(5 * 1024 * 1024)],
])('a message that is no bytes, or too many, ends it: %s', async (_name, message) => {
  const { port1, port2 } = new MessageChannel()
  bridgeScreen({ screenSocket: join(folder, 'screen.sock') }, asElectron(port1), () => undefined)
  port2.postMessage(message)
  await once(port2, 'close')
})

test('no machine at the other end: the port closes', async () => {
  const { port1, port2 } = new MessageChannel()
  bridgeScreen({ screenSocket: join(folder, 'none.sock') }, asElectron(port1), () => undefined)
  await once(port2, 'close')
})

test('a key is told, of whichever kind, and nothing else that a window sends', async () => {
  const { port1, port2 } = new MessageChannel()
  let keys = 0
  bridgeScreen({ screenSocket: join(folder, 'screen.sock') }, asElectron(port1), () => keys++)
  const socket = await accepted
  let received = 0
  socket.on('data', (bytes: Buffer) => (received += bytes.length))
  // The client's part of a handshake, SetEncodings, FramebufferUpdateRequest, PointerEvent, SetDesktopSize.
  const others = ['RFB 003.008\n', '\x01', '\x02\0\0\x01\0\0\0\0', '\x03\0\0\0\0\0\0\x01\0\x01']
  for (const message of [...others, '\x05\0\0\0\0\0', '\xfb\0\0\0\0\0\0\0']) {
    port2.postMessage(Buffer.from(message, 'latin1'))
  }
  await expect.poll(() => received).toBe(45)
  expect(keys).toBe(0)
  port2.postMessage(Buffer.from('\x04\x01\0\0\0\0\0\x61', 'latin1'))
  port2.postMessage(Buffer.from('\xff\0\0\x01\0\0\0\x61\0\0\0\x1e', 'latin1'))
  await expect.poll(() => keys).toBe(2)
  port2.close()
})

/** A machine of which only the serial port is there. */
function pretendSerial(): {
  machine: Parameters<typeof bridgeSerial>[0]
  say: (text: string) => void
  end: () => void
  written: Buffer[]
} {
  const listeners = new Set<(bytes: Buffer) => void>()
  const written: Buffer[] = []
  let end: (ending: MachineEnding) => void = () => undefined
  const ended = new Promise<MachineEnding>((resolve) => (end = resolve))
  return {
    machine: {
      onSerial: (listener) => {
        listener(Buffer.from('before '))
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      writeSerial: (bytes) => void written.push(Buffer.from(bytes)),
      ended,
    },
    say: (text) => {
      for (const listener of listeners) listener(Buffer.from(text))
    },
    end: () => end({ reason: 'stopped' }),
    written,
  }
}

test('serial: what was said before, what is said now, what is typed, and the end', async () => {
  const { machine, say, end, written } = pretendSerial()
  const { port1, port2 } = new MessageChannel()
  bridgeSerial(machine, asElectron(port1), () => undefined)
  const gathered = gather(port2, 10)
  say('now')
  expect((await gathered).toString()).toBe('before now')
  port2.postMessage(Buffer.from('root\n'))
  await expect.poll(() => Buffer.concat(written).toString()).toBe('root\n')
  say('last words')
  const last = gather(port2, 10)
  end()
  expect((await last).toString()).toBe('last words')
  await once(port2, 'close')
})

test('serial: a flood comes as few messages of bounded size, and its end is kept', async () => {
  const { machine, say, end } = pretendSerial()
  const { port1, port2 } = new MessageChannel()
  bridgeSerial(machine, asElectron(port1), () => undefined)
  const sizes: number[] = []
  let text = ''
  port2.on('message', (message: Uint8Array) => {
    sizes.push(message.length)
    text += Buffer.from(message).toString()
  })
  for (let count = 0; count < 5000; count++) say('x'.repeat(1000))
  say('the end')
  end()
  await once(port2, 'close')
  expect(sizes.length).toBeLessThan(50)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024)
  expect(text.endsWith('the end')).toBe(true)
})

test.each([
  ['what is typed', 'root', 1],
  ['a key that is a sequence', '\u001b[A', 1],
  ['the answers that a terminal gives by itself', '\u001b[?1;2c\u001b[24;80R', 0],
])('serial: %s', async (_name, text, times) => {
  const { machine, end, written } = pretendSerial()
  const { port1, port2 } = new MessageChannel()
  let inputs = 0
  bridgeSerial(machine, asElectron(port1), () => inputs++)
  port2.postMessage(Buffer.from(text))
  await expect.poll(() => Buffer.concat(written).toString()).toBe(text)
  expect(inputs).toBe(times)
  end()
})
