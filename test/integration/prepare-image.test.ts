import Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { asReadable } from '../../src/main/docker/connect'
import { PREPARED_LABEL } from '../../src/main/docker/container'
import { listImages } from '../../src/main/docker/images'
import { BASE_LABEL, buildPreparedImage } from '../../src/main/prepare/build-image'
import { contextTar } from '../../src/main/prepare/context-tar'
import { openScope } from '../../src/main/jobs/scope'
import type { FailureFacts, Result } from '../../src/shared/failure'
import { BASE_IMAGE, testEngine } from '../support/engine'

const scope = openScope()
let docker: Docker
let baseId = ''
let lines: string[] = []

beforeAll(async () => {
  const engine = await testEngine()
  scope.defer(() => engine.stop())
  docker = new Docker({ socketPath: engine.socket })
  baseId = (await docker.getImage(BASE_IMAGE).inspect()).Id
})
afterAll(() => scope.close())

/** The network of the tests' engine leads nowhere unless `host` is asked for. */
function prepare(
  steps: string,
  { signal = new AbortController().signal, from = baseId, anew = false } = {},
): Promise<Result<string>> {
  lines = []
  const dockerfile = `FROM ${from}\n${steps}\n`
  const log = (line: string): void => {
    lines.push(line)
  }
  return buildPreparedImage(docker, { baseId: from, baseName: BASE_IMAGE, dockerfile, anew }, { signal, log })
}

async function failureOf(steps: string): Promise<FailureFacts<'preparation-failed'>> {
  const built = await prepare(steps)
  if (built.ok || built.failure.code !== 'preparation-failed') throw new Error(JSON.stringify(built))
  return built.failure.facts
}

/** Containers and nameless images of preparations of an image; an engine that is shared has those of others, too. */
async function remains(from = baseId): Promise<string[]> {
  const label = [PREPARED_LABEL, `${BASE_LABEL}=${from}`]
  const containers = await docker.listContainers({ all: true, filters: { label } })
  const images = await docker.listImages({ filters: { label, dangling: ['true'] } })
  return [...containers, ...images].map(({ Id }) => Id)
}

describe('preparing an image', () => {
  test('makes another one, keeps the first as it was, and is done once', async () => {
    const before = await docker.getImage(BASE_IMAGE).inspect()
    const steps = 'USER root\nRUN echo hello from the step && touch /prepared'
    const built = await prepare(steps)
    if (!built.ok) throw new Error(JSON.stringify(built.failure))
    expect(lines).toContain('hello from the step')
    expect(await docker.getImage(BASE_IMAGE).inspect()).toEqual(before)
    const made = await docker.getImage(built.value).inspect()
    expect(made.RepoTags).toEqual([`slipway/prepared:${baseId.slice(7, 19)}`])
    expect((await listImages(docker)).map(({ id }) => id)).not.toContain(built.value)

    expect(await prepare(steps)).toEqual(built)
    expect(lines).toEqual([`prepared before: ${built.value}`])

    // Anew every step runs again, and the image of before is gone.
    const again = await prepare(steps, { anew: true })
    if (!again.ok) throw new Error(JSON.stringify(again.failure))
    expect(lines).toContain('hello from the step')
    expect(again.value).not.toBe(built.value)

    // Another Dockerfile takes the name over, and the image that had it goes.
    const next = await prepare('RUN touch /prepared-otherwise')
    if (!next.ok) throw new Error(JSON.stringify(next.failure))
    await expect(docker.getImage(built.value).inspect()).rejects.toMatchObject({ statusCode: 404 })
    await docker.getImage(next.value).remove()
    expect(await remains()).toEqual([])
  })

  test('says which step failed, in its own words', async () => {
    const facts = await failureOf('RUN echo before\nRUN echo the wheel is stuck >&2; exit 3')
    expect(facts).toMatchObject({ reason: 'step', step: 'RUN echo the wheel is stuck >&2; exit 3' })
    expect(facts.output).toContain('the wheel is stuck')
    expect(facts.output).not.toContain('before')
    expect(await remains()).toEqual([])
  })

  test('says that there is no network', async () => {
    // Resolvers ask for long otherwise.
    const soon = 'echo options timeout:1 attempts:1 >> /etc/resolv.conf'
    const words = `${soon} && apt-get update && apt-get install --yes hello`
    expect(await failureOf(`RUN ${words}`)).toMatchObject({ reason: 'network' })
    expect(await remains()).toEqual([])
  })

  test('says that a drive is full', async () => {
    // The engine gives a container 64 MB of /dev/shm.
    const facts = await failureOf('RUN dd if=/dev/zero of=/dev/shm/large bs=1M')
    expect(facts).toMatchObject({ reason: 'space' })
    expect(facts.output).toContain('No space left on device')
  })

  test('says that a Dockerfile is none', async () => {
    expect(await failureOf('INSTALL a kernel')).toMatchObject({ reason: 'dockerfile', step: '' })
  })

  test('leaves out what the image would have done to one that is built of it', async () => {
    const onbuild = contextTar('Dockerfile', `FROM ${baseId}\nENV KEPT=yes\nONBUILD RUN false\n`)
    const answer = await docker.buildImage(Readable.from([onbuild]), { t: 'slipway-test-onbuild:1' })
    answer.resume()
    await finished(asReadable(answer))
    const { Id } = await docker.getImage('slipway-test-onbuild:1').inspect()
    const built = await prepare('RUN test "$KEPT" = yes && touch /prepared', { from: Id })
    if (!built.ok) throw new Error(JSON.stringify(built.failure))
    await docker.getImage(built.value).remove()
    await docker.getImage('slipway-test-onbuild:1').remove()
    expect(await remains(Id)).toEqual([])
  })

  test('leaves nothing when it is cancelled', async () => {
    const control = new AbortController()
    const building = prepare('RUN touch /first\nRUN echo waiting; sleep 600', { signal: control.signal })
    while (!lines.includes('waiting')) await new Promise((resolve) => setTimeout(resolve, 50))
    control.abort(new Error('cancelled'))
    await expect(building).rejects.toThrow('cancelled')
    expect(await remains()).toEqual([])
  })
})
