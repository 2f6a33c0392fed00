import { expect, it } from 'vitest'
import { createUnstarted } from '../../src/main/docker/container'
import { inspectImage } from '../../src/main/docker/inspect'
import { pretendEngine, sendJson } from '../support/pretend-engine'

it('remembers nothing of an image whose container somebody took away meanwhile', async () => {
  let isTakenAway = true
  let containers = 0
  const engine = await pretendEngine(({ method, url }, response) => {
    if (url.startsWith('/images/')) sendJson(response, { Id: 'sha256:one', Architecture: 'amd64', Size: 1 })
    else if (url.startsWith('/containers/create')) sendJson(response, { Id: `c${++containers}` }, 201)
    else if (method === 'GET' && url.endsWith('/json') && !isTakenAway) sendJson(response, { Id: 'c' })
    // The same for a file that is not there.
    else sendJson(response, { message: 'No such container' }, 404)
  })
  const inspect = () => inspectImage(engine.docker, 'sha256:one', new AbortController().signal)
  try {
    expect(await inspect()).toMatchObject({ failure: { code: 'engine-lost' } })
    isTakenAway = false
    expect(await inspect()).toMatchObject({ ok: true, value: { kernel: null } })
    expect(await inspect()).toMatchObject({ ok: true, value: { kernel: null } })
    expect(containers).toBe(2)
  } finally {
    await engine.stop()
  }
})

it('looks into a container whose working directory is not made for it', async () => {
  const bodies: unknown[] = []
  const engine = await pretendEngine(({ body }, response) => {
    bodies.push(JSON.parse(body))
    sendJson(response, { Id: 'c' }, 201)
  })
  try {
    expect((await createUnstarted(engine.docker, 'sha256:two')).ok).toBe(true)
    expect(bodies).toMatchObject([{ Image: 'sha256:two', WorkingDir: '/' }])
  } finally {
    await engine.stop()
  }
})
