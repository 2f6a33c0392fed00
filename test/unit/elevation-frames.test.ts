import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { createFrameWriter, ProtocolError, readFrames, type Frame } from '../../src/main/elevation/frames'
import { makeNonce, makeProof, proofHolds } from '../../src/main/elevation/handshake'
import { MAXIMUM_DATA_BYTES } from '../../src/shared/helper-protocol'

function jsonFrame(text: string): Buffer {
  const body = Buffer.from(text)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length)
  head.writeUInt8(1, 4)
  return Buffer.concat([head, body])
}

function dataFrame(position: bigint, bytes: Buffer): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(9 + bytes.length)
  head.writeUInt8(2, 4)
  head.writeBigUInt64BE(position, 5)
  return Buffer.concat([head, bytes])
}

/** The stream cut into chunks of the given lengths, over and over. */
async function* cut(bytes: Buffer, lengths: number[]): AsyncGenerator<Buffer> {
  let start = 0
  for (let index = 0; start < bytes.length; index++) {
    const length = lengths[index % lengths.length] ?? 1
    yield bytes.subarray(start, start + length)
    start += length
    await Promise.resolve()
  }
}

async function collect(bytes: Buffer, lengths = [bytes.length]): Promise<Frame[]> {
  const frames: Frame[] = []
  for await (const frame of readFrames(cut(bytes, lengths))) frames.push(frame)
  return frames
}

describe('readFrames', () => {
  it('finds the same frames however the stream is cut', async () => {
    const stream = Buffer.concat([
      jsonFrame('{"type":"end"}'),
      dataFrame(7n, Buffer.from('abc')),
      dataFrame(2n ** 52n, Buffer.alloc(3000, 9)),
      jsonFrame('[1]'),
    ])
    const whole = await collect(stream)
    expect(whole.map((frame) => (frame.kind === 'json' ? frame.value : frame.position))).toEqual([
      { type: 'end' },
      7,
      2 ** 52,
      [1],
    ])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), async (lengths) => {
        expect(await collect(stream, lengths)).toEqual(whole)
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['an unknown kind', Buffer.from([0, 0, 0, 5, 3, 1, 2, 3, 4])],
    ['no length', Buffer.from([0, 0, 0, 0, 1])],
    ['a data frame without bytes', Buffer.from([0, 0, 0, 9, 2, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['a length of 4 GiB', Buffer.from([255, 255, 255, 255, 2])],
    ['data just above the limit', Buffer.from([0, 0x40, 0, 65, 2])],
    ['a message of a data frame’s length', Buffer.from([0, 0x20, 0, 0, 1])],
    ['what is not JSON', jsonFrame('{"type":')],
    ['a position beyond 2^53', dataFrame(2n ** 60n, Buffer.from('a'))],
  ])('refuses %s', async (_, bytes) => {
    await expect(collect(bytes)).rejects.toBeInstanceOf(ProtocolError)
  })

  it('gives nothing for a frame that is cut off', async () => {
    const bytes = jsonFrame('{"type":"end"}')
    expect(await collect(bytes.subarray(0, bytes.length - 1))).toEqual([])
  })
})

describe('createFrameWriter', () => {
  const opened: { destroy(): void }[] = []
  let directory: string | null = null
  afterEach(() => {
    for (const one of opened.splice(0)) one.destroy()
    if (directory !== null) rmSync(directory, { recursive: true })
    directory = null
  })

  async function pair(): Promise<[Socket, Socket]> {
    directory = mkdtempSync(join(tmpdir(), 'slipway-test-'))
    const path = join(directory, 's')
    const server = createServer()
    server.listen(path)
    await once(server, 'listening')
    const near = connect(path)
    const [far] = (await once(server, 'connection')) as [Socket]
    server.close()
    opened.push(near, far)
    return [near, far]
  }

  it('splits what is longer than a frame', async () => {
    const [near, far] = await pair()
    const bytes = Buffer.alloc(MAXIMUM_DATA_BYTES + 10, 7)
    const sending = createFrameWriter(near)
      .data(100, bytes)
      .then(() => near.end())
    const frames: Frame[] = []
    for await (const frame of readFrames(far)) frames.push(frame)
    await sending
    expect(frames.map((frame) => frame.kind === 'data' && [frame.position, frame.bytes.length])).toEqual([
      [100, MAXIMUM_DATA_BYTES],
      [100 + MAXIMUM_DATA_BYTES, 10],
    ])
  })

  it('waits for a peer that does not read', async () => {
    const [near, far] = await pair()
    far.pause()
    let isSent = false
    const sending = createFrameWriter(near)
      .data(0, Buffer.alloc(MAXIMUM_DATA_BYTES))
      .then(() => (isSent = true))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(isSent).toBe(false)
    far.resume()
    await sending
  })

  it('rejects when the peer is gone', async () => {
    const [near, far] = await pair()
    near.on('error', () => undefined)
    far.destroy()
    await once(near, 'close')
    await expect(createFrameWriter(near).json({ type: 'end' })).rejects.toThrow()
  })
})

describe('proofs', () => {
  const secret = Buffer.alloc(32, 1)
  const nonce = makeNonce()

  it('hold for the same secret, role and nonce only', () => {
    const proof = makeProof(secret, 'main', nonce)
    expect(proofHolds(secret, 'main', nonce, proof)).toBe(true)
    expect(proofHolds(secret, 'helper', nonce, proof)).toBe(false)
    expect(proofHolds(Buffer.alloc(32, 2), 'main', nonce, proof)).toBe(false)
    expect(proofHolds(secret, 'main', makeNonce(), proof)).toBe(false)
    expect(proofHolds(secret, 'main', nonce, proof.slice(1))).toBe(false)
  })
})
