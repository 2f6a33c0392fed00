import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { clipboard, dialog, MessageChannelMain, shell, type BrowserWindow } from 'electron'
import { fail, ok, type Result } from '../../shared/failure'
import { PREVIEW_PORT_CHANNEL } from '../../shared/ipc/channels'
import type { ListedDisk } from '../../shared/ipc/contract'
import type { MachineChoice, PreviewState } from '../../shared/preview'
import { claimedFirmware, verdictOf } from '../../shared/proof'
import type { JobManager } from '../jobs/manager'
import type { Library } from '../library/library'
import { watchBoot } from '../preview/boot-watch'
import { bridgeScreen, bridgeSerial } from '../preview/bridge'
import type { Machine } from '../preview/machine'
import { askPort } from '../preview/ports'
import { runPreview } from '../preview/preview-job'
import { proofOf, proveDisk } from '../preview/prove'

/** Milliseconds between two questions at the machine's ports. */
const PORT_INTERVAL = 3000
/** Milliseconds for which a preview's boot is watched; somebody may have stopped it at its boot loader to look around. */
const WATCH_TIMEOUT = 600_000
/** Milliseconds after which a boot of a proof counts as hung; emulation takes one to two minutes on a busy host. */
export const PROOF_TIMEOUT = 300_000

/** The machines that run in the window, and the boots that are decided without one. */
export interface Previews {
  /** Starts a machine on a disk and answers when it runs; its ports have been sent to the page by then. */
  start(disk: ListedDisk, choice: MachineChoice): Promise<Result<{ jobId: string; previewId: string }>>
  /** Ends a machine at once. */
  stop(previewId: string): Promise<Result<null>>
  /** Presses the power button. */
  powerDown(previewId: string): Promise<Result<null>>
  reset(previewId: string): Promise<Result<null>>
  /** Types the clipboard's text into a machine. */
  paste(previewId: string): Promise<Result<null>>
  /** Saves a machine's screen where the person says; null when the dialog was closed. */
  savePicture(previewId: string): Promise<Result<string | null>>
  /** Opens a web server of the machine in the browser. */
  openPort(previewId: string, guestPort: number): Promise<Result<null>>
  /** Boots a disk under each firmware that it claims, as a job. */
  prove(disk: ListedDisk): Result<{ jobId: string }>
}

interface Running {
  machine: Machine
  state: PreviewState
}

/**
 * Previews as jobs, with their screens and serial consoles sent to the window's page.
 * @param onState is told of all running machines after each change
 */
export function createPreviews(
  window: BrowserWindow,
  jobs: JobManager,
  library: Library,
  onState: (previews: PreviewState[]) => void,
): Previews {
  const contents = window.webContents
  const running = new Map<string, Running>()

  const publish = (): void => onState([...running.values()].map(({ state }) => state))

  function send(previewId: string, stream: 'screen' | 'serial', machine: Machine): void {
    const { port1, port2 } = new MessageChannelMain()
    if (stream === 'screen') bridgeScreen(machine, port1)
    else bridgeSerial(machine, port1)
    contents.postMessage(PREVIEW_PORT_CHANNEL, { previewId, stream }, [port2])
  }

  function find(previewId: string): Result<Running> {
    const found = running.get(previewId)
    return found === undefined ? fail('not-found', { what: 'preview' }) : ok(found)
  }

  /** Does something with a machine that runs. */
  async function withMachine<T>(
    previewId: string,
    work: (machine: Machine) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const found = find(previewId)
    return found.ok ? work(found.value.machine) : found
  }

  function change(previewId: string, changed: Partial<PreviewState>): void {
    const found = running.get(previewId)
    if (found === undefined) return
    found.state = { ...found.state, ...changed }
    publish()
  }

  /** Notes what is reachable in the machine, until it ends. */
  async function watchPorts(previewId: string, machine: Machine): Promise<void> {
    if (machine.forwards.length === 0) return
    while (running.has(previewId)) {
      const ports = await Promise.all(
        machine.forwards.map(async (forward) => ({ ...forward, answer: await askPort(forward.hostPort) })),
      )
      const before = running.get(previewId)?.state.ports
      if (JSON.stringify(ports) !== JSON.stringify(before)) change(previewId, { ports })
      await new Promise((resolve) => setTimeout(resolve, PORT_INTERVAL))
    }
  }

  /**
   * Decides what the boot came to. Only a boot that came up is noted with the
   * disk: one that did not may have been stopped by the keys of whoever watched it.
   */
  async function watchPreview(
    previewId: string,
    disk: ListedDisk,
    choice: MachineChoice,
    machine: Machine,
    signal: AbortSignal,
  ): Promise<void> {
    const verdict = await watchBoot(machine, { timeoutMilliseconds: WATCH_TIMEOUT, signal })
    change(previewId, { outcome: verdict.outcome })
    if (verdictOf(verdict) === 'fails' || choice.keepChanges) return
    const picture = await machine.screenshot()
    const proof = await proofOf({ diskPath: disk.path, ...choice }, machine, verdict)
    await library.addProof(disk.id, proof, picture.ok ? picture.value : null)
  }

  return {
    async start(disk, choice) {
      const previewId = randomUUID()
      let announce: (running: true) => void = () => undefined
      const isRunning = new Promise<true>((resolve) => (announce = resolve))
      const started = jobs.start({
        kind: 'preview',
        title: disk.name,
        diskId: disk.id,
        // Two machines may look at one disk that is only read, and a drive be written from it at the same time.
        locks: choice.keepChanges ? [`file:${disk.path}`] : [],
        run: async (context) => {
          context.defer(() => {
            running.delete(previewId)
            publish()
          })
          if (choice.keepChanges) await library.invalidate(disk.id)
          return runPreview(context, {
            diskPath: disk.path,
            architecture: disk.architecture,
            ...choice,
            ports: disk.ports.map((guestPort) => ({ hostPort: 0, guestPort })),
            onMachine(machine) {
              const { accelerator } = machine
              const ports = machine.forwards.map((forward) => ({ ...forward, answer: null }))
              const state = { previewId, jobId: jobId(), diskId: disk.id, choice, accelerator, ports }
              running.set(previewId, { machine, state: { ...state, outcome: null } })
              publish()
              send(previewId, 'screen', machine)
              send(previewId, 'serial', machine)
              machine.onRestart(() => {
                // The screen of a machine that was started again is another connection.
                send(previewId, 'screen', machine)
                change(previewId, { accelerator: machine.accelerator })
              })
              void watchPorts(previewId, machine)
              void watchPreview(previewId, disk, choice, machine, context.signal).catch((error: unknown) => {
                if (!context.signal.aborted) context.log(`the boot was not watched: ${String(error)}`)
              })
              announce(true)
            },
          })
        },
      })
      if (!started.ok) return started
      // The job begins after this function has its id (manager.ts).
      const jobId = (): string => started.value.id
      const outcome = await Promise.race([isRunning, started.value.ending])
      if (outcome === true) return ok({ jobId: jobId(), previewId })
      if (outcome.state === 'failed') return { ok: false, failure: outcome.failure }
      return fail('preview-failed', { detail: 'stopped before it ran' })
    },
    stop: (previewId) =>
      withMachine(previewId, async (machine) => {
        await machine.stop()
        return ok(null)
      }),
    powerDown: (previewId) => withMachine(previewId, (machine) => machine.powerDown()),
    reset: (previewId) => withMachine(previewId, (machine) => machine.reset()),
    paste: (previewId) =>
      withMachine(previewId, async (machine) => machine.typeText(await clipboard.readText())),
    savePicture: (previewId) =>
      withMachine(previewId, async (machine) => {
        // The screen as it was when the button was pressed.
        const picture = await machine.screenshot()
        if (!picture.ok) return picture
        const answer = await dialog.showSaveDialog(window, {
          title: 'Save a picture of the screen',
          defaultPath: 'slipway-screen.png',
          filters: [{ name: 'PNG', extensions: ['png'] }],
          properties: ['createDirectory', 'showOverwriteConfirmation'],
        })
        if (answer.canceled || answer.filePath === '') return ok(null)
        try {
          await writeFile(answer.filePath, picture.value)
        } catch {
          return fail('output-forbidden', { path: answer.filePath })
        }
        return ok(answer.filePath)
      }),
    async openPort(previewId, guestPort) {
      const found = find(previewId)
      if (!found.ok) return found
      const port = found.value.state.ports.find((one) => one.guestPort === guestPort)
      if (port === undefined || port.answer === null || port.answer === 'other') {
        return fail('not-found', { what: `web server at the machine’s port ${guestPort}` })
      }
      await shell.openExternal(`${port.answer}://127.0.0.1:${port.hostPort}/`)
      return ok(null)
    },
    prove(disk) {
      const started = jobs.start({
        kind: 'proof',
        title: disk.name,
        diskId: disk.id,
        locks: [`proof:${disk.path}`],
        run: (context) =>
          proveDisk(context, {
            diskPath: disk.path,
            firmware: claimedFirmware(disk),
            architecture: disk.architecture,
            attachment: 'usb',
            timeoutMilliseconds: PROOF_TIMEOUT,
            onProof: async (proof, picture) => {
              await library.addProof(disk.id, proof, picture)
            },
          }),
      })
      return started.ok ? ok({ jobId: started.value.id }) : started
    },
  }
}
