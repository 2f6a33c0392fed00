import type { Socket } from 'node:net'
import { z } from 'zod'
import { fail, ok, type Result } from '../../shared/failure'

/** Messages of the QEMU Machine Protocol (QEMU docs/interop/qmp-spec.rst), one JSON object a line. */
const messageSchema = z.union([
  z.object({ QMP: z.object({}) }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.number().optional() }),
  z.object({ return: z.unknown(), id: z.number() }),
])
export type QmpMessage = z.infer<typeof messageSchema>

export interface QmpEvent {
  name: string
  data: Record<string, unknown>
}

/** Bytes; a longer line is no QMP. */
const MAXIMUM_LINE = 16 * 1024 * 1024
/** Milliseconds that a command may take when its caller says nothing else. */
const COMMAND_TIMEOUT = 5000

/**
 * Cuts a byte stream into QMP messages.
 * @returns a function that takes the next bytes and answers the messages that they complete;
 *   it throws on a line that is not QMP
 */
export function qmpParser(): (bytes: Buffer) => QmpMessage[] {
  let pending: Buffer = Buffer.alloc(0)
  return (bytes) => {
    pending = Buffer.concat([pending, bytes])
    const messages: QmpMessage[] = []
    for (let end = pending.indexOf(0x0a); end !== -1; end = pending.indexOf(0x0a)) {
      const line = pending.subarray(0, end).toString('utf8').trim()
      pending = pending.subarray(end + 1)
      if (line !== '') messages.push(messageSchema.parse(JSON.parse(line)))
    }
    if (pending.length > MAXIMUM_LINE) throw new Error('QMP line too long')
    return messages
  }
}

/** A control connection that has passed its capabilities negotiation. */
export interface QmpClient {
  /**
   * Runs a command.
   * @param timeout milliseconds
   * @returns what QEMU answers; `preview-failed` when it refuses, when time is up, or when the connection is closed
   */
  execute: (
    command: string,
    commandArguments?: Record<string, unknown>,
    timeout?: number,
  ) => Promise<Result<unknown>>
  /** Calls back with every event; answers the function that ends it. */
  onEvent(listener: (event: QmpEvent) => void): () => void
  close(): void
}

/**
 * Speaks QMP on a connected socket. Sends `qmp_capabilities` first, without which QEMU takes no other command.
 * @returns the client, or `preview-failed` when the negotiation does not end within 5 s
 */
export async function connectQmp(socket: Socket): Promise<Result<QmpClient>> {
  const waiting = new Map<number, (result: Result<unknown>) => void>()
  const listeners = new Set<(event: QmpEvent) => void>()
  const parse = qmpParser()
  let lastId = 0

  const end = (detail: string): void => {
    for (const settle of waiting.values()) settle(fail('preview-failed', { detail }))
    waiting.clear()
    socket.destroy()
  }
  const handle = (message: QmpMessage): void => {
    if ('event' in message) {
      for (const listener of listeners) listener({ name: message.event, data: message.data })
    } else if ('error' in message) {
      // An error without an id answers a line that QEMU could not read at all: a mistake of ours.
      if (message.id === undefined) end(message.error.desc)
      else waiting.get(message.id)?.(fail('preview-failed', { detail: message.error.desc }))
    } else if ('id' in message) {
      waiting.get(message.id)?.(ok(message.return))
    }
  }
  socket.on('data', (bytes: Buffer) => {
    try {
      parse(bytes).forEach(handle)
    } catch (error) {
      end(`QMP: ${String(error)}`)
    }
  })
  socket.on('error', (error) => end(error.message))
  socket.on('close', () => end('QEMU closed its control connection'))

  const execute: QmpClient['execute'] = (command, commandArguments = {}, timeout = COMMAND_TIMEOUT) =>
    new Promise((resolve) => {
      if (socket.destroyed) {
        resolve(fail('preview-failed', { detail: 'QEMU closed its control connection' }))
        return
      }
      const id = ++lastId
      const settle = (result: Result<unknown>): void => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(result)
      }
      const timer = setTimeout(
        () => settle(fail('preview-failed', { detail: `QEMU did not answer ${command} in ${timeout} ms` })),
        timeout,
      )
      waiting.set(id, settle)
      socket.write(`${JSON.stringify({ execute: command, arguments: commandArguments, id })}\n`)
    })

  const negotiated = await execute('qmp_capabilities')
  if (!negotiated.ok) {
    socket.destroy()
    return negotiated
  }
  return ok({
    execute,
    onEvent(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => socket.destroy(),
  })
}
