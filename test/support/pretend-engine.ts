import Docker from 'dockerode'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Something that speaks an engine's HTTP as far as a test needs it. */
export interface PretendEngine {
  docker: Docker
  stop: () => Promise<void>
}

/** A question: `method` and path with its search decoded, without the version, and its body. */
export interface Question {
  method: string
  url: string
  body: string
}

/** Answers each question of a client by a function. */
export async function pretendEngine(
  answer: (question: Question, response: ServerResponse) => void,
): Promise<PretendEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-engine-'))
  const socketPath = join(folder, 'docker.sock')
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString('latin1')))
    request.on('end', () => {
      const url = decodeURIComponent(request.url ?? '').replace(/^\/v[\d.]+/, '')
      answer({ method: request.method ?? '', url, body }, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    docker: new Docker({ socketPath }),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true })
    },
  }
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}
