import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { root } from '../setup/paths.mjs'

/**
 * `node one-disk.mjs JSON`: the direct engine alone, in a process of its own, makes a data disk of a tar, as genext2fs
 * makes one. Prints what it cost, as JSON.
 * @typedef {{ tar: string } | { socket: string }} Content a tar in a file, or served by `servedTar`
 * @typedef {{ content: Content, path: string, diskBytes: number, worker?: string }} Wanted worker: the engine's built
 * thread, when not the one in out/
 */

/** @type {Wanted} */
const { content, path, diskBytes, worker: workerFile } = JSON.parse(process.argv[2])

await (await open(path, 'w')).close()
const settings = {
  size: { bytes: diskBytes },
  table: 'mbr',
  uuid: '11111111-2222-4333-8444-555555555555',
  label: 'bench',
  diskSignature: 1,
  time: 0,
  edits: { removed: [], emptied: [], added: [] },
  boot: null,
  manifest: false,
}
const source =
  'tar' in content
    ? { kind: 'file', path: content.tar }
    : { kind: 'engine', address: { path: content.socket }, request: '/' }
const start = performance.now()
const worker = new Worker(workerFile ?? join(root, 'out/direct/direct.cjs'), {
  workerData: { source, path, settings },
  // As src/main/convert/direct/run.ts starts it.
  resourceLimits: { maxYoungGenerationSizeMb: 4 },
})
const summary = await new Promise((resolve, reject) => {
  worker.on('error', reject)
  worker.on('message', (message) => {
    if (message.type === 'done') resolve(message.summary)
    if (message.type === 'failed' || message.type === 'error') reject(new Error(JSON.stringify(message)))
  })
})
const seconds = (performance.now() - start) / 1000
await worker.terminate()
const { userCPUTime, systemCPUTime } = process.resourceUsage()
// proc(5), VmHWM: what getrusage(2) says counts the process that started this one, too.
const most = /^VmHWM:\s+(\d+)/m.exec(await readFile('/proc/self/status', 'utf8'))
process.stdout.write(
  JSON.stringify({
    seconds,
    processorSeconds: (userCPUTime + systemCPUTime) / 1e6,
    memoryBytes: Number(most[1]) * 1024,
    bytesWritten: summary.bytesWritten,
  }),
)
