import type { Socket } from 'node:net'
import { FRAME_DATA, FRAME_JSON, MAXIMUM_DATA_BYTES, MAXIMUM_FRAME_BYTES } from '../../shared/helper-protocol'

/** Bytes of a JSON frame's payload. Only data needs the room of a whole frame. */
const MAXIMUM_JSON_BYTES = 64 * 1024
/** Bytes: u32 length and the kind. */
const HEADER_BYTES = 5
/** Bytes: the u64 position before a data frame's bytes. */
const POSITION_BYTES = 8

/** The peer did what the protocol does not allow. Whoever catches it stops and cleans up. */
export class ProtocolError extends Error {}

/** One frame as it came in; `value` is parsed JSON and nothing more. */
export type Frame = { kind: 'json'; value: unknown } | { kind: 'data'; position: number; bytes: Buffer }

/**
 * Cuts a stream of bytes into frames. It reads no further ahead than one
 * chunk, so a slow consumer slows the peer down, and holds one frame at most.
 * @param chunks the socket
 * @returns the frames in their order; ends with the stream, where an unfinished frame is lost
 * @throws ProtocolError for an unknown kind, a frame that is too long or too short, or bad JSON
 */
export async function* readFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame, void> {
  const header = Buffer.alloc(HEADER_BYTES)
  let headerFilled = 0
  let payload: Buffer | null = null
  let payloadFilled = 0
  for await (const chunk of chunks) {
    let offset = 0
    while (offset < chunk.length) {
      if (payload === null) {
        const taken = chunk.copy(header, headerFilled, offset)
        offset += taken
        headerFilled += taken
        if (headerFilled < HEADER_BYTES) break
        payload = Buffer.allocUnsafe(payloadLength(header))
        payloadFilled = 0
      }
      const taken = chunk.copy(payload, payloadFilled, offset)
      offset += taken
      payloadFilled += taken
      if (payloadFilled === payload.length) {
        yield parseFrame(header.readUInt8(4), payload)
        payload = null
        headerFilled = 0
      }
    }
  }
}

/** Bytes of payload that the header announces. Checked before anything is allocated for it. */
function payloadLength(header: Buffer): number {
  const length = header.readUInt32BE(0)
  const kind = header.readUInt8(4)
  if (kind !== FRAME_JSON && kind !== FRAME_DATA) throw new ProtocolError(`unknown frame kind ${kind}`)
  const smallest = kind === FRAME_DATA ? 1 + POSITION_BYTES + 1 : 1 + 2
  const largest = kind === FRAME_DATA ? MAXIMUM_FRAME_BYTES : 1 + MAXIMUM_JSON_BYTES
  if (length < smallest || length > largest) throw new ProtocolError(`frame of ${length} bytes`)
  return length - 1
}

function parseFrame(kind: number, payload: Buffer): Frame {
  if (kind === FRAME_DATA) {
    const position = payload.readBigUInt64BE(0)
    if (position > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtocolError('position out of range')
    return { kind: 'data', position: Number(position), bytes: payload.subarray(POSITION_BYTES) }
  }
  try {
    return { kind: 'json', value: JSON.parse(payload.toString('utf8')) as unknown }
  } catch {
    throw new ProtocolError('a message that is not JSON')
  }
}

/** The sending half of one connection. */
export interface FrameWriter {
  /** Sends a message. Rejects when the connection is gone. */
  json(message: unknown): Promise<void>
  /**
   * Sends bytes that belong at `position` (bytes), split where they are longer
   * than a frame may be. Resolves when the system has taken them: the buffer
   * may be used again, and a slow peer has slowed the sender down.
   */
  data(position: number, bytes: Uint8Array): Promise<void>
}

/** Makes the sending half of a connection. */
export function createFrameWriter(socket: Socket): FrameWriter {
  const send = (head: Uint8Array, body: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.cork()
      socket.write(head)
      socket.write(body, (error) => {
        if (error) reject(error)
        else resolve()
      })
      socket.uncork()
    })
  return {
    json(message) {
      const body = Buffer.from(JSON.stringify(message))
      if (body.length > MAXIMUM_JSON_BYTES) {
        return Promise.reject(new ProtocolError(`message of ${body.length} bytes`))
      }
      const head = Buffer.alloc(HEADER_BYTES)
      head.writeUInt32BE(1 + body.length, 0)
      head.writeUInt8(FRAME_JSON, 4)
      return send(head, body)
    },
    async data(position, bytes) {
      for (let start = 0; start < bytes.length; start += MAXIMUM_DATA_BYTES) {
        const body = bytes.subarray(start, start + MAXIMUM_DATA_BYTES)
        const head = Buffer.alloc(HEADER_BYTES + POSITION_BYTES)
        head.writeUInt32BE(1 + POSITION_BYTES + body.length, 0)
        head.writeUInt8(FRAME_DATA, 4)
        head.writeBigUInt64BE(BigInt(position + start), HEADER_BYTES)
        await send(head, body)
      }
    },
  }
}
