import { createReadStream } from 'node:fs'
import { buildWithKernelEngine } from '../../src/main/convert/kernel/engine'
import { setHelperPaths } from '../../src/main/elevation/helper-client'

/** What elevation-process builds; its one argument, as JSON. */
export interface ElevationOrder {
  executable: string
  helper: string
  tar: string
  path: string
  sizeBytes: number
  uuid: string
}

/**
 * Builds a disk with the kernel engine in a process of its own, which an
 * ordinary user may be given. Each phase is a line of JSON on standard output,
 * the result the last; a line on standard input cancels.
 */
async function main(): Promise<void> {
  const order = JSON.parse(process.argv[2] ?? '') as ElevationOrder
  setHelperPaths({ executable: order.executable, helper: order.helper })
  const abort = new AbortController()
  process.stdin.once('data', () => {
    abort.abort(new Error('cancelled'))
  })
  const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
  const context = {
    signal: abort.signal,
    defer: () => undefined,
    phase: (name: string) => {
      say({ phase: name })
    },
    progress: (done: number) => {
      if (done > 0) say({ done })
    },
    steps: () => undefined,
    log: (line: string) => {
      say({ log: line })
    },
  }
  try {
    const result = await buildWithKernelEngine(context, {
      tar: createReadStream(order.tar),
      path: order.path,
      sizeBytes: order.sizeBytes,
      uuid: order.uuid,
      diskSignature: 0x51495077,
      kernelPath: '/vmlinuz',
      initramfsPath: '/initrd.img',
      kernelArguments: '',
      serialConsole: false,
      edits: { removed: ['.dockerenv'], emptied: [], added: [] },
      tarBytesTotal: null,
    })
    say({ result })
  } catch (error) {
    say({ thrown: String(error) })
  }
  process.stdin.destroy()
}

void main()
