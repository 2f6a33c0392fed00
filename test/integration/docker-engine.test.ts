import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { findEngine, ownSurroundings } from '../../src/main/docker/connect'
import { JOB_LABEL } from '../../src/main/docker/container'
import { prepareExport } from '../../src/main/docker/export'
import { ownMark } from '../../src/main/docker/owner'
import { watchEngine, type EngineWatcher } from '../../src/main/docker/watch'
import { openScope } from '../../src/main/jobs/scope'
import { importImage, makeTar, startDaemon, type Daemon } from '../support/daemon'

let daemon: Daemon
let watcher: EngineWatcher

const find = () =>
  findEngine({ ...ownSurroundings(), environment: { DOCKER_HOST: `unix://${daemon.socket}` } })
const waiting = { timeout: 30_000, interval: 50 }
const state = (): string => watcher.state().state
const names = (): string[] => watcher.images().flatMap((image) => image.names)
const ownContainers = async (): Promise<string[]> =>
  (await daemon.docker.listContainers({ all: true, filters: { label: [JOB_LABEL] } })).map((one) => one.Id)

beforeAll(async () => {
  daemon = await startDaemon()
  watcher = watchEngine(find)
  await vi.waitFor(() => expect(state()).toBe('ready'), waiting)
})
afterAll(async () => {
  await watcher.close()
  await daemon.remove()
})

describe('watchEngine', () => {
  test('shows images as they come, are named and go', async () => {
    const { docker } = daemon
    const seen = vi.fn()
    const end = watcher.onImages(seen)
    const id = await importImage(docker, makeTar([{ name: 'a', content: 'a' }]), 'one:1')
    await vi.waitFor(() => expect(names()).toEqual(['one:1']), waiting)
    expect(watcher.images()[0]).toMatchObject({ id, architecture: 'amd64' })
    await docker.getImage(id).tag({ repo: 'two', tag: '2' })
    await vi.waitFor(() => expect(names()).toEqual(['one:1', 'two:2']), waiting)
    await docker.getImage('one:1').remove()
    await vi.waitFor(() => expect(names()).toEqual(['two:2']), waiting)
    // An image without a name comes last, however new.
    await importImage(docker, makeTar([{ name: 'b', content: 'b' }]), null)
    await vi.waitFor(
      () => expect(watcher.images().map((image) => image.names)).toEqual([['two:2'], []]),
      waiting,
    )
    await docker.pruneImages()
    await docker.getImage('two:2').remove()
    await vi.waitFor(() => expect(watcher.images()).toEqual([]), waiting)
    expect(seen.mock.calls.length).toBeGreaterThanOrEqual(5)
    end()
  })

  test('sees what docker build and docker commit make', async () => {
    const { docker } = daemon
    const base = await importImage(docker, makeTar([{ name: 'a', content: 'a' }]), 'base:1')
    const container = await docker.createContainer({ Image: base, Cmd: ['x'] })
    await container.commit({ repo: 'committed', tag: '1' })
    await container.remove()
    const context = makeTar([{ name: 'Dockerfile', content: 'FROM base:1\nLABEL a=b\n' }])
    const { Readable } = await import('node:stream')
    const answer = await docker.buildImage(Readable.from([context]), { t: 'built:1', rm: true })
    answer.resume()
    await once(answer, 'end')
    await vi.waitFor(
      () => expect(names()).toEqual(expect.arrayContaining(['built:1', 'committed:1'])),
      waiting,
    )
    for (const name of ['built:1', 'committed:1', 'base:1'])
      await docker.getImage(name).remove({ force: true })
  })

  test('says when the engine stops, by kill or in good order, and comes back with it', async () => {
    await importImage(daemon.docker, makeTar([{ name: 'a', content: 'a' }]), 'kept:1')
    await vi.waitFor(() => expect(names()).toEqual(['kept:1']), waiting)
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await daemon.end(signal)
      await vi.waitFor(() => {
        expect(watcher.state()).toMatchObject({ state: 'unavailable', failure: { code: 'engine-stopped' } })
      }, waiting)
      expect(watcher.images()).toEqual([])
      expect(watcher.engine()).toMatchObject({ ok: false, failure: { code: 'engine-stopped' } })
      await daemon.start()
      const backAt = Date.now()
      await vi.waitFor(() => expect(state()).toBe('ready'), waiting)
      expect(Date.now() - backAt).toBeLessThan(15_000)
      expect(names()).toEqual(['kept:1'])
    }
    await daemon.docker.getImage('kept:1').remove()
  })
})

describe('prepareExport', () => {
  /** An image too large to be in any buffer as a whole. */
  const makeImage = (name: string): Promise<string> =>
    importImage(daemon.docker, makeTar([{ name: 'large', content: randomBytes(64_000_000) }]), name)

  async function open(imageId: string, signal = AbortSignal.timeout(60_000)) {
    const scope = openScope()
    const prepared = await prepareExport(
      daemon.docker,
      { id: imageId, sizeBytes: 64_000_000 },
      {
        signal,
        defer: (cleanUp) => scope.defer(cleanUp),
      },
    )
    if (!prepared.ok) throw new Error(prepared.failure.code)
    const stream = await prepared.value.open()
    if (!stream.ok) throw new Error(stream.failure.code)
    return { scope, opened: { ...prepared.value, stream: stream.value } }
  }
  /** Reads to the end; answers the error that came before it. */
  async function drain(
    { stream }: { stream: Readable },
    onFirst: () => Promise<void> | void,
  ): Promise<unknown> {
    let bytes = 0
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        if (bytes === 0) await onFirst()
        bytes += chunk.length
      }
    } catch (error) {
      return error
    }
    expect(bytes).toBeGreaterThan(64_000_000)
    return null
  }

  test('an engine that is killed in the middle is told from a removed image', async () => {
    const id = await makeImage('mid:1')
    const { scope, opened } = await open(id)
    const error = await drain(opened, () => daemon.end('SIGKILL'))
    expect(error).toBeInstanceOf(Error)
    expect(await opened.explain(error)).toMatchObject({ code: 'engine-lost' })
    // The container cannot be removed now; that is no failure of the clean-up …
    await scope.close()
    await daemon.start()
    // … because the watcher does it when the engine is back.
    await vi.waitFor(async () => expect(await ownContainers()).toEqual([]), waiting)
    await daemon.docker.getImage('mid:1').remove()
  })

  test('an image that is removed while it is exported comes whole or is said to be gone', async () => {
    const id = await makeImage('removed:1')
    const { scope, opened } = await open(id)
    const error = await drain(opened, async () => {
      await daemon.docker.getImage('removed:1').remove({ force: true })
    })
    if (error !== null) expect(await opened.explain(error)).toMatchObject({ code: 'image-gone' })
    expect(await opened.explain(new Error('whatever'))).toMatchObject({ code: 'image-gone' })
    await scope.close()
    expect(await ownContainers()).toEqual([])
  })

  test('cancelling ends the stream and removes the container', async () => {
    const id = await makeImage('cancelled:1')
    const abort = new AbortController()
    const { scope, opened } = await open(id, abort.signal)
    expect(await ownContainers()).toHaveLength(1)
    expect(await drain(opened, () => abort.abort())).toBeInstanceOf(Error)
    await scope.close()
    expect(await ownContainers()).toEqual([])
    await expect(open(id, abort.signal)).rejects.toBe(abort.signal.reason)
    await daemon.docker.getImage('cancelled:1').remove()
  })

  test('what a killed Slipway left is removed, what a running one uses is not', async () => {
    const id = await importImage(daemon.docker, makeTar([{ name: 'a', content: 'a' }]), 'left:1')
    const create = (owner: string) =>
      daemon.docker.createContainer({
        Image: id,
        Cmd: ['x'],
        Labels: { [JOB_LABEL]: 'left', 'slipway.owner': owner },
      })
    await create(ownMark().replace(/-[^-]+$/, '-1'))
    const used = await create(ownMark())
    await daemon.end('SIGTERM')
    await daemon.start()
    await vi.waitFor(async () => expect(await ownContainers()).toEqual([used.id]), waiting)
    await used.remove()
    await daemon.docker.getImage('left:1').remove()
  })
})
