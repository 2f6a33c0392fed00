import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FINISHED_LABEL, PREPARED_LABEL } from '../../src/main/docker/container'
import { buildPreparedImage } from '../../src/main/prepare/build-image'
import { pretendEngine, sendJson, type PretendEngine, type Question } from '../support/pretend-engine'

/** How often the engine cannot end its container yet, as one under load (moby, daemon/kill.go, `Kill`). */
const REFUSALS = 2
const DOCKERFILE = 'FROM sha256:base\nRUN sleep 600\n'
const HASH = createHash('sha256').update(`sha256:base\n${DOCKERFILE}`).digest('hex')
const TAG = 'slipway/prepared:base'
/** Of what the same preparation came to once, and of all that people made of it. */
const finished = { [PREPARED_LABEL]: HASH, [FINISHED_LABEL]: HASH }

let engine: PretendEngine
let left: { container: boolean; image: boolean }
let refusals = 0
/** What was removed though it is somebody's own. */
let others: string[]
/** Images with a name. */
let named: { Id: string; RepoTags: string[]; Labels: Record<string, string> }[]
/** Id and labels of nameless images before the build. */
let nameless: { Id: string; Labels: Record<string, string> }[]

beforeEach(async () => {
  left = { container: false, image: false }
  refusals = 0
  others = []
  named = []
  nameless = [{ Id: 'own-image', Labels: finished }]
  engine = await pretendEngine(answer)
})
afterEach(() => engine.stop())

function answer(question: Question, response: ServerResponse): void {
  if (question.url.startsWith('/build') && !question.url.includes('nocache=true')) {
    left = { container: true, image: true }
    response.writeHead(200, { 'content-type': 'application/json' })
    // A step that does not end.
    response.write(`${JSON.stringify({ stream: 'waiting\n' })}\n`)
    return
  }
  const { status, value } = answerTo(question)
  sendJson(response, value, status)
}

function answerTo({ method, url }: Question): { status: number; value: unknown } {
  const json = (value: unknown, status = 200) => ({ status, value })
  if (url.startsWith('/build')) return json({ stream: 'Successfully built\n' })
  if (url.startsWith('/containers/json')) {
    const step = left.container ? [{ Id: 'step', Labels: { [PREPARED_LABEL]: HASH } }] : []
    return json([...step, { Id: 'own-container', Labels: finished }])
  }
  if (url.startsWith('/images/json')) {
    if (!url.includes('"dangling":["true"]')) return json(named)
    return json([...nameless, ...(left.image ? [{ Id: 'layer', Labels: { [PREPARED_LABEL]: HASH } }] : [])])
  }
  if (method === 'DELETE' && url.startsWith('/containers/step')) {
    if (refusals++ < REFUSALS) return json({ message: 'did not receive an exit event' }, 500)
    left.container = false
    return json({}, 204)
  }
  if (method === 'DELETE' && url.startsWith('/images/layer')) {
    if (left.container) return json({ message: 'image is being used' }, 409)
    left.image = false
    return json([])
  }
  if (method === 'DELETE') others.push(url.replace(/\?.*/, ''))
  return json({ Id: 'sha256:new', Config: {} })
}

const prepare = (control: AbortController, anew = false) =>
  buildPreparedImage(
    engine.docker,
    { baseId: 'sha256:base', baseName: 'debian:12', dockerfile: DOCKERFILE, anew },
    {
      signal: control.signal,
      log: (line) => {
        if (line === 'waiting') control.abort(new Error('cancelled'))
      },
    },
  )

it('takes away what a cancelled build left, as soon as the engine is able to, and nothing of anybody’s', async () => {
  await expect(prepare(new AbortController())).rejects.toThrow('cancelled')
  expect(refusals).toBe(REFUSALS + 1)
  expect(left).toEqual({ container: false, image: false })
  expect(others).toEqual([])
})

it('takes what was prepared before by its name, not what somebody built of it', async () => {
  named = [
    { Id: 'sha256:derived', RepoTags: ['mine:1'], Labels: finished },
    { Id: 'sha256:known', RepoTags: [`localhost/${TAG}`], Labels: finished },
  ]
  expect(await prepare(new AbortController())).toEqual({ ok: true, value: 'sha256:known' })
})

it('takes away the image that had the name, not a nameless one that somebody built of it', async () => {
  named = [{ Id: 'sha256:known', RepoTags: [TAG], Labels: finished }]
  nameless.push({ Id: 'sha256:known', Labels: finished })
  expect(await prepare(new AbortController(), true)).toEqual({ ok: true, value: 'sha256:new' })
  expect(others).toEqual(['/images/sha256:known'])
})
