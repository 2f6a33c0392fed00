import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { chunkWriter } from './chunk-writer'

/**
 * Serves a tar once, as an engine serves an export, for the direct engine's thread to read by itself: hand-overs between
 * threads leave a gigabyte of buffers for two collectors, and 200 MB of them are there at a time (measured).
 * @param chunks each may be overwritten when the next but one is asked for
 * @param onReady told the socket's path, in a folder of its own that only this user enters; both are gone at every end
 * @param unread aborted when nobody will come to read any more: it then ends, unless somebody reads already
 * @throws what the chunks throw; whoever reads sees the tar break off then
 */
export async function serveTar(
  chunks: AsyncIterable<Uint8Array>,
  onReady: (path: string) => void,
  signal: AbortSignal,
  unread: AbortSignal,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-archive-'))
  const server = createServer()
  let socket: Socket | null = null
  try {
    const isWindows = process.platform === 'win32'
    const path = isWindows ? `\\\\.\\pipe\\${basename(folder)}` : join(folder, 'tar.sock')
    server.listen(path)
    await once(server, 'listening', { signal })
    const connection = once(server, 'connection', { signal: AbortSignal.any([signal, unread]) })
    onReady(path)
    try {
      ;[socket] = (await connection) as [Socket]
    } catch (error) {
      // A reader that never came is no failure of the tar.
      if (unread.aborted) return
      throw error
    }
    // Nobody else: the name may go as soon as somebody reads.
    server.close()
    await rm(folder, { recursive: true, force: true })
    await send(socket, chunks, signal)
  } finally {
    socket?.destroy()
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function send(socket: Socket, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
  })
  // A reader that has gone away is no failure of the tar.
  socket.on('error', () => undefined)
  signal.addEventListener('abort', () => socket.destroy(), { once: true })
  // The request says nothing that matters.
  socket.resume()
  socket.write('HTTP/1.0 200 OK\r\n\r\n')
  const write = chunkWriter(socket)
  let last = Promise.resolve(true)
  for await (const chunk of chunks) {
    const before = last
    last = write(chunk)
    // The next may be made meanwhile, in another buffer.
    if (!(await before)) return
  }
  socket.end()
  await gone
}
