import { connect } from 'node:net'
import type { Machine } from './machine'

/** What is used of Electron's MessagePortMain. */
export interface BridgePort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { data: unknown }) => void): unknown
  on(event: 'close', listener: () => void): unknown
  start(): void
  close(): void
}

export interface Bridge {
  /** Ends both sides. */
  close(): void
}

/**
 * Bytes that may wait for QEMU. Keys, pointer and paste are far below; a
 * window that sends more while QEMU reads nothing is cut off.
 */
const WAITING_LIMIT = 4 * 1024 * 1024
/** Milliseconds between two messages of serial output: a guest that writes without pause makes 60 messages a second, not thousands. */
const SERIAL_INTERVAL = 16
/** Bytes of serial output in one message. More in one interval is dropped from its beginning, as on a real line without flow control. */
const SERIAL_MESSAGE_BYTES = 64 * 1024

/** The bytes of a message of the window, or null for anything else. */
function bytesOf(data: unknown): Uint8Array | null {
  if (data instanceof Uint8Array) return data
  return data instanceof ArrayBuffer ? new Uint8Array(data) : null
}

/**
 * Whether a message to the screen has a key in it: KeyEvent (RFC 6143, 7.5.4) or QEMU's own, whose type is 255 and
 * subtype 0 (rfbproto, "QEMU Extended Key Event Message"). noVNC sends each event as a message of its own.
 */
function isKey(bytes: Uint8Array): boolean {
  return bytes[0] === 4 || (bytes[0] === 255 && bytes[1] === 0)
}

/** What a terminal answers by itself when a machine asks what it is and where its cursor stands (ECMA-48 DA, CPR, DSR). */
// eslint-disable-next-line no-control-regex
const terminalAnswer = /^(?:\u001b\[[?>]?[\d;]*[cRn])+$/

/**
 * Joins the machine's screen (RFB over its unix socket) to a port: every
 * message either way is bytes. When one side closes, so does the other.
 * RFB itself holds the machine back: QEMU sends a picture only when the window asked for one.
 * @param onKey called when somebody presses a key
 */
export function bridgeScreen(
  machine: Pick<Machine, 'screenSocket'>,
  port: BridgePort,
  onKey: () => void,
): Bridge {
  const socket = connect(machine.screenSocket)
  let closed = false
  const close = (): void => {
    if (closed) return
    closed = true
    socket.destroy()
    port.close()
  }
  socket.on('data', (bytes: Buffer) => {
    // A copy of its own: a slice would carry the whole buffer of the socket along.
    if (!closed) port.postMessage(Uint8Array.from(bytes))
  })
  socket.on('error', close)
  socket.on('close', close)
  port.on('message', ({ data }) => {
    const bytes = bytesOf(data)
    if (bytes === null || closed || socket.writableLength + bytes.length > WAITING_LIMIT) {
      close()
      return
    }
    if (isKey(bytes)) onKey()
    socket.write(bytes)
  })
  port.on('close', close)
  port.start()
  return { close }
}

/**
 * Joins the machine's serial port to a port: every message either way is
 * bytes. What the machine said before comes first. Closes when the machine ends.
 * @param onInput called when somebody types; what a terminal answers by itself does not count
 */
export function bridgeSerial(
  machine: Pick<Machine, 'onSerial' | 'writeSerial' | 'ended'>,
  port: BridgePort,
  onInput: () => void,
): Bridge {
  let waiting: Buffer[] = []
  let timer: NodeJS.Timeout | null = null
  let closed = false
  const flush = (): void => {
    timer = null
    if (closed) return
    port.postMessage(Uint8Array.from(Buffer.concat(waiting).subarray(-SERIAL_MESSAGE_BYTES)))
    waiting = []
  }
  const unsubscribe = machine.onSerial((bytes) => {
    waiting.push(bytes)
    // Keeps what waits bounded within one interval too.
    if (waiting.length > 1024) waiting = [Buffer.concat(waiting).subarray(-SERIAL_MESSAGE_BYTES)]
    timer ??= setTimeout(flush, SERIAL_INTERVAL)
  })
  const close = (): void => {
    if (closed) return
    if (timer !== null) {
      clearTimeout(timer)
      flush()
    }
    closed = true
    unsubscribe()
    port.close()
  }
  port.on('message', ({ data }) => {
    const bytes = bytesOf(data)
    if (bytes === null || bytes.length > WAITING_LIMIT) close()
    else if (!closed) {
      if (!terminalAnswer.test(Buffer.from(bytes).toString('latin1'))) onInput()
      machine.writeSerial(bytes)
    }
  })
  port.on('close', close)
  port.start()
  void machine.ended.then(close)
  return { close }
}
