import Docker from 'dockerode'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { PREPARED_LABEL } from '../../src/main/docker/container'
import { buildPreparedImage } from '../../src/main/prepare/build-image'

/** How often the engine cannot end its container yet, as one under load (moby, daemon/kill.go, `Kill`). */
const REFUSALS = 2

let folder = ''
let server: Server
let docker: Docker
let left: { container: boolean; image: boolean }
let refusals = 0

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-remains-'))
  left = { container: false, image: false }
  refusals = 0
  const socket = join(folder, 'docker.sock')
  server = createServer((request, response) => {
    const { status, body } = answer(request)
    response.writeHead(status, { 'content-type': 'application/json' })
    // A step that does not end.
    if (request.url?.includes('/build') === true) response.write(`${body}\n`)
    else response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  docker = new Docker({ socketPath: socket })
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
})

function answer({ method = '', url = '' }: IncomingMessage): { status: number; body: string } {
  const json = (value: unknown, status = 200): { status: number; body: string } => ({
    status,
    body: JSON.stringify(value),
  })
  if (url.includes('/build')) {
    left = { container: true, image: true }
    return json({ stream: 'waiting\n' })
  }
  if (url.includes('/containers/json')) {
    return json(left.container ? [{ Id: 'step', Labels: { [PREPARED_LABEL]: 'x' } }] : [])
  }
  if (url.includes('/images/json')) {
    const isDangling = decodeURIComponent(url).includes('"dangling":["true"]')
    return json(left.image && isDangling ? [{ Id: 'layer' }] : [])
  }
  if (method === 'DELETE' && url.includes('/containers/step')) {
    if (refusals++ < REFUSALS) return json({ message: 'did not receive an exit event' }, 500)
    left.container = false
    return json({}, 204)
  }
  if (method === 'DELETE' && url.includes('/images/layer')) {
    if (left.container) return json({ message: 'image is being used' }, 409)
    left.image = false
    return json([])
  }
  return json({ Config: {} })
}

it('takes away what a cancelled build left, as soon as the engine is able to', async () => {
  const control = new AbortController()
  const building = buildPreparedImage(
    docker,
    {
      baseId: 'sha256:base',
      baseName: 'debian:12',
      dockerfile: 'FROM sha256:base\nRUN sleep 600\n',
      anew: false,
    },
    { signal: control.signal, log: () => control.abort(new Error('cancelled')) },
  )
  await expect(building).rejects.toThrow('cancelled')
  expect(refusals).toBe(REFUSALS + 1)
  expect(left).toEqual({ container: false, image: false })
})
