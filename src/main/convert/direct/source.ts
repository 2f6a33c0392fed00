import { Buffer } from 'node:buffer'
import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { refuse } from '../../disk/refusal'

/** Where an archive comes from. Read by the worker itself wherever it can: each hand-over costs. */
export type DiskSource =
  | { kind: 'file'; path: string }
  /** an engine's answer to GET, such as `/containers/ID/export`, by a socket's path or by host and port */
  | { kind: 'engine'; address: { path: string } | { host: string; port: number }; request: string }
  /** chunks that come as messages */
  | { kind: 'messages' }

/** Bytes of a chunk of a file, and of what is taken from a socket at once: a socket never has as much. */
const FILE_CHUNK = 2 * 1024 * 1024
const SOCKET_CHUNK = 1024 * 1024

/**
 * Reads a file in chunks of 2 MiB, the next one while the last is worked on, into two buffers that are used in
 * turn. Throws what the file system says.
 */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const handle = await open(path, 'r')
  try {
    const buffers = [Buffer.allocUnsafeSlow(FILE_CHUNK), Buffer.allocUnsafeSlow(FILE_CHUNK)] as const
    let reading: Promise<{ bytesRead: number; buffer: Buffer }> = handle.read(buffers[0], 0, FILE_CHUNK)
    for (let turn = 0; ; turn ^= 1) {
      const { bytesRead, buffer } = await reading
      if (bytesRead === 0) return
      reading = handle.read(buffers[turn ^ 1] as Buffer, 0, FILE_CHUNK)
      // A reader that stops early leaves this one alone.
      reading.catch(() => undefined)
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

const END_OF_HEAD = Buffer.from('\r\n\r\n')

/**
 * Asks an engine for a stream by HTTP/1.0, which has no chunks to take apart, and reads it from the bare socket:
 * the client of Node costs 1.8 s for each gigabyte (measured). One buffer is used again and again; the socket rests
 * while it is worked on.
 * @param onSocket is given the socket, to destroy it when the reader is to stop
 * @throws a refusal `engine-refused` for any answer but 200, and what the socket says
 */
export async function* engineChunks(
  source: Extract<DiskSource, { kind: 'engine' }>,
  onSocket: (socket: Socket) => void,
): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(SOCKET_CHUNK)
  let ready: ((count: number) => void) | null = null
  let failed: ((error: Error) => void) | null = null
  let waiting: number | null = null
  let ended: { error: Error | null } | null = null
  const socket = connect({
    ...source.address,
    onread: {
      buffer,
      callback: (count: number) => {
        if (ready === null) waiting = count
        else ready(count)
        return false
      },
    },
  })
  onSocket(socket)
  const end = (error: Error | null): void => {
    ended ??= { error }
    if (ended.error === null) ready?.(0)
    else failed?.(ended.error)
  }
  socket.on('end', () => end(null))
  socket.on('error', (error) => end(error))
  socket.on('close', () => end(null))
  socket.write(`GET ${source.request} HTTP/1.0\r\nHost: engine\r\n\r\n`)

  /** Bytes that now stand in the buffer; 0 at the end. */
  const next = async (): Promise<number> => {
    socket.resume()
    const count = await new Promise<number>((resolve, reject) => {
      ready = resolve
      failed = reject
      if (waiting !== null) resolve(waiting)
      else if (ended !== null) end(null)
    })
    ready = null
    failed = null
    waiting = null
    return count
  }

  try {
    let head = Buffer.alloc(0)
    let isBody = false
    for (;;) {
      const count = await next()
      if (count === 0) break
      const bytes = buffer.subarray(0, count)
      if (isBody) {
        yield bytes
        continue
      }
      head = Buffer.concat([head, bytes])
      const at = head.indexOf(END_OF_HEAD)
      if (at < 0 && head.length < 65536) continue
      const status = head.toString('latin1', 0, Math.max(0, head.indexOf('\r\n')))
      if (at < 0 || !/^HTTP\/1\.[01] 200 /.test(`${status} `))
        refuse('engine-refused', { detail: status.slice(0, 200) })
      isBody = true
      if (head.length > at + 4) yield head.subarray(at + 4)
    }
  } finally {
    socket.destroy()
  }
}
