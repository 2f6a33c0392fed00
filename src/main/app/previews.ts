import { randomUUID } from 'node:crypto'
import { MessageChannelMain, type WebContents } from 'electron'
import { fail, ok, type Result } from '../../shared/failure'
import { PREVIEW_PORT_CHANNEL } from '../../shared/ipc/channels'
import type { ListedDisk } from '../../shared/ipc/contract'
import type { JobManager } from '../jobs/manager'
import { bridgeScreen, bridgeSerial } from '../preview/bridge'
import type { Machine } from '../preview/machine'
import { runPreview } from '../preview/preview-job'

/** The machines that run in the window. */
export interface Previews {
  /** Starts a machine on a disk and answers when it runs; its ports have been sent to the page by then. */
  start(disk: ListedDisk): Promise<Result<{ jobId: string; previewId: string }>>
  /** Ends a machine at once. */
  stop(previewId: string): Promise<Result<null>>
  /** Presses the power button. */
  powerDown(previewId: string): Promise<Result<null>>
}

/**
 * Previews as jobs, with their screens and serial consoles sent to one page.
 * @param contents the page
 * @param jobs runs them
 */
export function createPreviews(contents: WebContents, jobs: JobManager): Previews {
  const machines = new Map<string, Machine>()

  function send(previewId: string, stream: 'screen' | 'serial', machine: Machine): void {
    const { port1, port2 } = new MessageChannelMain()
    if (stream === 'screen') bridgeScreen(machine, port1)
    else bridgeSerial(machine, port1)
    contents.postMessage(PREVIEW_PORT_CHANNEL, { previewId, stream }, [port2])
  }

  function find(previewId: string): Result<Machine> {
    const machine = machines.get(previewId)
    return machine === undefined ? fail('not-found', { what: 'preview' }) : ok(machine)
  }

  return {
    async start(disk) {
      const previewId = randomUUID()
      let announce: (running: true) => void = () => undefined
      const running = new Promise<true>((resolve) => (announce = resolve))
      const started = jobs.start({
        kind: 'preview',
        title: disk.name,
        diskId: disk.id,
        // Two machines may look at one disk, which is only read; a drive is written from it at the same time too.
        locks: [],
        run: async (context) => {
          context.defer(() => void machines.delete(previewId))
          return runPreview(context, {
            diskPath: disk.path,
            firmware: disk.firmware.includes('bios') ? 'bios' : 'uefi',
            onMachine(machine) {
              machines.set(previewId, machine)
              send(previewId, 'screen', machine)
              send(previewId, 'serial', machine)
              // The screen of a machine that was started again is another connection.
              machine.onRestart(() => {
                send(previewId, 'screen', machine)
              })
              announce(true)
            },
          })
        },
      })
      if (!started.ok) return started
      const outcome = await Promise.race([running, started.value.ending])
      if (outcome === true) return ok({ jobId: started.value.id, previewId })
      if (outcome.state === 'failed') return { ok: false, failure: outcome.failure }
      return fail('preview-failed', { detail: 'stopped before it ran' })
    },
    async stop(previewId) {
      const found = find(previewId)
      if (!found.ok) return found
      await found.value.stop()
      return ok(null)
    },
    async powerDown(previewId) {
      const found = find(previewId)
      return found.ok ? found.value.powerDown() : found
    },
  }
}
