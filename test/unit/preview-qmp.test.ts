import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectQmp, qmpParser, type QmpEvent } from '../../src/main/preview/qmp'

test('messages are cut at line ends, wherever the bytes are cut', () => {
  const stream = [
    '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}',
    '{"return": {}, "id": 1}',
    '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}',
    '{"id": 2, "error": {"class": "GenericError", "desc": "Größe"}}',
  ]
    .map((line) => `${line}\r\n`)
    .join('')
  const bytes = Buffer.from(stream)
  for (const step of [1, 7, bytes.length]) {
    const parse = qmpParser()
    const messages = []
    for (let at = 0; at < bytes.length; at += step) messages.push(...parse(bytes.subarray(at, at + step)))
    expect(messages).toEqual([
      { QMP: {} },
      { return: {}, id: 1 },
      { event: 'STOP', data: {} },
      { id: 2, error: { class: 'GenericError', desc: 'Größe' } },
    ])
  }
})

test.each(['garbage\n', '{"id": 1}\n', '[]\n'])('a line that is no QMP throws: %j', (line) => {
  expect(() => qmpParser()(Buffer.from(line))).toThrow()
})

let folder = ''
let server: Server | null = null
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
})
afterEach(async () => {
  server?.close()
  server = null
  await rm(folder, { recursive: true })
})

/** A QEMU of the test's: answers each command by `answer`, which gets its name and id. */
async function pretend(answer: (command: string, id: number, socket: Socket) => void): Promise<Socket> {
  const listener = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write('{"QMP": {}}\n')
    socket.on('data', (bytes: Buffer) => {
      for (const line of bytes.toString().trim().split('\n')) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: number }
        if (execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${id}}\n`)
        else answer(execute, id, socket)
      }
    })
  })
  const path = join(folder, 'qmp.sock')
  server = listener
  await new Promise<void>((resolve) => listener.listen(path, resolve))
  return connect(path)
}

test('answers find their commands in any order, events their listener', async () => {
  const kept: [string, number][] = []
  const socket = await pretend((command, id, peer) => {
    kept.push([command, id])
    if (kept.length < 2) return
    peer.write('{"event": "RESET", "data": {"guest": true}}\n')
    for (const [name, number] of kept.reverse()) peer.write(`{"return": "${name}", "id": ${number}}\n`)
  })
  const client = await connectQmp(socket)
  if (!client.ok) throw new Error('no client')
  const events: QmpEvent[] = []
  client.value.onEvent((event) => events.push(event))
  const answers = await Promise.all([client.value.execute('first'), client.value.execute('second')])
  expect(answers).toEqual([
    { ok: true, value: 'first' },
    { ok: true, value: 'second' },
  ])
  expect(events).toEqual([{ name: 'RESET', data: { guest: true } }])
  client.value.close()
})

test('a refusal, a silence and a closed connection are failures', async () => {
  const socket = await pretend((command, id, peer) => {
    if (command === 'refused')
      peer.write(`{"error": {"class": "GenericError", "desc": "not now"}, "id": ${id}}\n`)
    if (command === 'fatal') peer.destroy()
  })
  const client = await connectQmp(socket)
  if (!client.ok) throw new Error('no client')
  const { execute } = client.value
  const failed = (detail: string): unknown => ({
    ok: false,
    failure: { code: 'preview-failed', facts: { detail } },
  })
  expect(await execute('refused')).toEqual(failed('not now'))
  expect(await execute('silent', {}, 20)).toEqual(failed('QEMU did not answer silent in 20 ms'))
  const closed = failed('QEMU closed its control connection')
  expect(await execute('fatal')).toEqual(closed)
  expect(await execute('late')).toEqual(closed)
})
