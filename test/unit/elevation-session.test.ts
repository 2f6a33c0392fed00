import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFrameWriter, ProtocolError, readFrames, type Frame } from '../../src/main/elevation/frames'
import { makeNonce, makeProof } from '../../src/main/elevation/handshake'
import type { HelperJob } from '../../src/main/helper/job'
import { serve, type RunHelperJob } from '../../src/main/helper/session'
import { ok } from '../../src/shared/failure'

const secret = Buffer.alloc(32, 5)
const request = {
  type: 'build',
  path: '/tmp/x.img',
  sizeBytes: 1,
  fileSystemUuid: '0f5d9b0e-5a3c-4f57-9c4f-3b8f2c1f4f11',
  label: 'x',
  diskSignature: 1,
  kernelPath: '/vmlinuz',
  initramfsPath: '/initrd.img',
  kernelArguments: '',
}

let directory: string
let helperSocket: Socket
let peer: Socket
let frames: AsyncGenerator<Frame, void>
let writer: ReturnType<typeof createFrameWriter>
let stop: AbortController

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-test-'))
  const server = createServer()
  server.listen(join(directory, 's'))
  await once(server, 'listening')
  helperSocket = connect(join(directory, 's'))
  ;[peer] = (await once(server, 'connection')) as [Socket]
  server.close()
  peer.on('error', () => undefined)
  frames = readFrames(peer)
  writer = createFrameWriter(peer)
  stop = new AbortController()
})
afterEach(() => {
  peer.destroy()
  helperSocket.destroy()
  rmSync(directory, { recursive: true })
})

/** The next message from the helper, or null at the end. */
async function next(): Promise<Record<string, unknown> | null> {
  const frame = await frames.next()
  if (frame.done === true) return null
  if (frame.value.kind !== 'json') throw new Error('data from the helper')
  return frame.value.value as Record<string, unknown>
}

/** Our side of the handshake with whatever secret. */
async function shakeHands(ourSecret: Buffer): Promise<Record<string, unknown> | null> {
  const hello = await next()
  const nonce = makeNonce()
  await writer.json({ type: 'welcome', nonce, proof: makeProof(ourSecret, 'main', String(hello?.['nonce'])) })
  const ready = await next()
  if (ready !== null) expect(ready).toEqual({ type: 'ready', proof: makeProof(secret, 'helper', nonce) })
  return ready
}

const neverRun: RunHelperJob = () => {
  throw new Error('the job ran')
}

/** A job that adds up its data. */
function adding(totals: number[]): RunHelperJob {
  return async (_, job) => {
    job.accept()
    for await (const { bytes } of job.data) totals.push(bytes.length)
    return ok(null)
  }
}

/** Starts a session whose job reads data, up to `accepted`. */
async function startJob(run: RunHelperJob): Promise<{ served: Promise<boolean> }> {
  const served = serve(helperSocket, secret, stop.signal, run)
  await shakeHands(secret)
  await writer.json(request)
  expect(await next()).toEqual({ type: 'accepted' })
  return { served }
}

describe('a helper’s session', () => {
  it('does its job and says so', async () => {
    const totals: number[] = []
    const { served } = await startJob(adding(totals))
    await writer.data(0, Buffer.alloc(10))
    await writer.data(10, Buffer.alloc(20))
    await writer.json({ type: 'end' })
    expect(await next()).toEqual({ type: 'done' })
    expect(await next()).toBeNull()
    expect(await served).toBe(true)
    expect(totals).toEqual([10, 20])
  })

  it('does nothing for a peer with another secret', async () => {
    const served = serve(helperSocket, secret, stop.signal, neverRun)
    const expectation = expect(served).rejects.toBeInstanceOf(ProtocolError)
    helperSocket.once('error', () => undefined)
    void shakeHands(Buffer.alloc(32, 6)).catch(() => undefined)
    await expectation
  })

  it('does nothing for a job without a proof', async () => {
    const served = serve(helperSocket, secret, stop.signal, neverRun)
    const expectation = expect(served).rejects.toBeInstanceOf(ProtocolError)
    await next()
    await writer.json(request)
    await expectation
  })

  it.each([
    ['an unknown message', { type: 'format' }],
    ['a build of a relative path', { ...request, path: 'x.img' }],
    ['a build with an odd label', { ...request, label: '$(id)' }],
    ['a message of its own kind', { type: 'end' }],
  ])('does nothing for %s instead of a job', async (_, message) => {
    const served = serve(helperSocket, secret, stop.signal, neverRun)
    const expectation = expect(served).rejects.toBeInstanceOf(ProtocolError)
    await shakeHands(secret)
    await writer.json(message)
    await expectation
  })

  it.each<[string, () => Promise<void>]>([
    ['an unknown message', () => writer.json({ type: 'faster' })],
    ['a second job', () => writer.json(request)],
    ['a second end', () => writer.json({ type: 'end' }).then(() => writer.json({ type: 'end' }))],
    [
      'a frame of an unknown kind',
      () => new Promise((resolve) => peer.write(Buffer.from([0, 0, 0, 2, 9, 0]), () => resolve())),
    ],
  ])('stops, cleans up and tells after %s', async (_, misbehave) => {
    const done: string[] = []
    const { served } = await startJob(async (_request, job) => {
      job.defer(() => void done.push('cleaned'))
      job.accept()
      await once(job.signal, 'abort')
      throw new Error('aborted')
    })
    await misbehave()
    expect(await next()).toMatchObject({ type: 'failed', failure: { code: 'helper-protocol' } })
    expect(await served).toBe(true)
    expect(done).toEqual(['cleaned'])
  })

  it('takes no data before it has accepted the job', async () => {
    const served = serve(helperSocket, secret, stop.signal, async (_, job) => {
      await once(job.signal, 'abort')
      return ok(null)
    })
    await shakeHands(secret)
    await writer.json(request)
    await writer.data(0, Buffer.alloc(1))
    await served
    expect(await next()).toMatchObject({ type: 'failed', failure: { code: 'helper-protocol' } })
  })

  it.each<[string, () => void, unknown]>([
    ['cancel', () => void writer.json({ type: 'cancel' }), { type: 'failed', failure: null }],
    [
      'a signal',
      () => {
        stop.abort()
      },
      { type: 'failed', failure: null },
    ],
    [
      'a closed connection',
      () => {
        peer.destroy()
      },
      null,
    ],
  ])('stops and cleans up after %s', async (_, end, told) => {
    const done: string[] = []
    const totals: number[] = []
    const { served } = await startJob((request_, job) => {
      job.defer(() => void done.push('cleaned'))
      return adding(totals)(request_, job)
    })
    await writer.data(0, Buffer.alloc(5))
    end()
    if (told !== null) expect(await next()).toEqual(told)
    expect(await served).toBe(told !== null)
    expect(done).toEqual(['cleaned'])
  })

  it('holds the sender up while the job is slow, and its memory with it', async () => {
    const gate: { open: () => void } = { open: () => undefined }
    const opened = new Promise<void>((resolve) => (gate.open = resolve))
    let received = 0
    const { served } = await startJob(async (_, job: HelperJob) => {
      job.accept()
      await opened
      for await (const { bytes } of job.data) received += bytes.length
      return ok(null)
    })
    let sent = 0
    const bytes = Buffer.alloc(1024 * 1024)
    const sending = (async () => {
      for (; sent < 64; sent++) await writer.data(sent * bytes.length, bytes)
      await writer.json({ type: 'end' })
    })()
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(sent).toBeGreaterThan(10)
    expect(sent).toBeLessThan(24)
    gate.open()
    await sending
    expect(await next()).toEqual({ type: 'done' })
    await served
    expect(received).toBe(64 * bytes.length)
  })

  it('tells a clean-up that failed', async () => {
    const { served } = await startJob((_, job) => {
      job.defer(() => {
        throw new Error('still mounted')
      })
      job.accept()
      return Promise.resolve(ok(null))
    })
    expect(await next()).toMatchObject({ type: 'failed', failure: { code: 'clean-up-failed' } })
    await served
  })
})
