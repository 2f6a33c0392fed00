import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { clipboard, dialog, MessageChannelMain, shell, type BrowserWindow } from 'electron'
import { fail, ok, type Result } from '../../shared/failure'
import { PREVIEW_PORT_CHANNEL } from '../../shared/ipc/channels'
import type { ListedDisk } from '../../shared/ipc/contract'
import type { MachineChoice, PreviewState, TypingPlace } from '../../shared/preview'
import { cameUp, claimedFirmware } from '../../shared/proof'
import type { JobManager } from '../jobs/manager'
import type { Library } from '../library/library'
import { nextStart, watchBoot } from '../preview/boot-watch'
import { bridgeScreen, bridgeSerial, type Bridge } from '../preview/bridge'
import type { Machine } from '../preview/machine'
import { askPort } from '../preview/ports'
import { runPreview } from '../preview/preview-job'
import { fileToBoot, proofOf, proveDisk, type FileToBoot } from '../preview/prove'

/** Milliseconds between two questions at the machine's ports. */
const PORT_INTERVAL = 3000
/** Milliseconds for which a preview's boot is watched; somebody may have stopped it at its boot loader to look around. */
const WATCH_TIMEOUT = 600_000
/** Milliseconds after which a boot of a proof counts as hung; emulation takes one to two minutes on a busy host. */
export const PROOF_TIMEOUT = 300_000

/** The machines that run in the window, and the boots that are decided without one. */
export interface Previews {
  /** Starts a machine on a disk and answers when it runs. */
  start(disk: ListedDisk, choice: MachineChoice): Promise<Result<{ jobId: string; previewId: string }>>
  /** Sends the page a machine's screen and serial console, in place of those that it had. */
  attach(previewId: string): Promise<Result<null>>
  /** Ends a machine at once. */
  stop(previewId: string): Promise<Result<null>>
  /** Presses the power button. */
  powerDown(previewId: string): Promise<Result<null>>
  reset(previewId: string): Promise<Result<null>>
  /** Types the clipboard's text into a machine; answers when it is typed or was stopped. */
  paste(previewId: string, place: TypingPlace): Promise<Result<null>>
  stopPaste(previewId: string): Promise<Result<null>>
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
  /** Whether the page has its screen and console, and what carries them. */
  isAttached: boolean
  bridges: Record<'screen' | 'serial', Bridge | null>
  /** Whether keys, a paste or serial bytes went in: what the machine comes to is then no proof of its disk. */
  isTouched: boolean
  typing: AbortController | null
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

  function send(running: Running, stream: 'screen' | 'serial'): void {
    const { port1, port2 } = new MessageChannelMain()
    const touch = (): void => {
      running.isTouched = true
    }
    running.bridges[stream]?.close()
    running.bridges[stream] =
      stream === 'screen'
        ? bridgeScreen(running.machine, port1, touch)
        : bridgeSerial(running.machine, port1, touch)
    contents.postMessage(PREVIEW_PORT_CHANNEL, { previewId: running.state.previewId, stream }, [port2])
  }

  function find(previewId: string): Result<Running> {
    const found = running.get(previewId)
    return found === undefined ? fail('not-found', { what: 'preview' }) : ok(found)
  }

  /** Does something with a machine that runs. */
  async function withMachine<T>(
    previewId: string,
    work: (machine: Machine, running: Running) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const found = find(previewId)
    return found.ok ? work(found.value.machine, found.value) : found
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
   * Decides what each boot of the machine came to, from one reset to the next. Only a boot that nobody put a hand to is
   * noted with the disk: an edited kernel line may be why it came up. And only one that came up, because the power
   * button may be why another did not.
   */
  async function watchPreview(
    previewId: string,
    disk: ListedDisk,
    file: FileToBoot,
    choice: MachineChoice,
    machine: Machine,
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      const verdict = await watchBoot(machine, { timeoutMilliseconds: WATCH_TIMEOUT, signal })
      const again = nextStart(machine)
      change(previewId, { outcome: verdict.outcome })
      if (cameUp(verdict) && !choice.keepChanges && running.get(previewId)?.isTouched === false) {
        const picture = await machine.screenshot()
        const proof = await proofOf({ file, ...choice }, machine, verdict)
        if (proof.ok) await library.addProof(disk.id, proof.value, picture.ok ? picture.value : null)
      }
      if (!(await again)) return
      change(previewId, { outcome: null })
    }
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
        // Two machines may look at one disk that is only read, and a drive be written from it at the same time. Between
        // two boots of a proof the disk is nobody's, and must not change.
        locks: choice.keepChanges ? [`file:${disk.path}`, `proof:${disk.path}`] : [],
        run: async (context) => {
          context.defer(() => {
            running.delete(previewId)
            publish()
          })
          const file = await fileToBoot(disk.path)
          if (!file.ok) return file
          return runPreview(context, {
            diskPath: disk.path,
            architecture: disk.architecture,
            ...choice,
            ports: disk.ports.map((guestPort) => ({ hostPort: 0, guestPort })),
            async onMachine(machine) {
              // A machine that could not be started has changed nothing.
              if (choice.keepChanges) await library.invalidate(disk.id)
              const { accelerator, fallback } = machine
              const ports = machine.forwards.map((forward) => ({ ...forward, answer: null }))
              const about = { previewId, jobId: jobId(), diskId: disk.id, choice }
              const own: Running = {
                machine,
                state: { ...about, accelerator, fallback, ports, outcome: null },
                isAttached: false,
                bridges: { screen: null, serial: null },
                isTouched: false,
                typing: null,
              }
              running.set(previewId, own)
              publish()
              machine.onRestart(() => {
                // The screen of a machine that was started again is another connection.
                if (own.isAttached) send(own, 'screen')
                change(previewId, { accelerator: machine.accelerator, fallback: machine.fallback })
              })
              void watchPorts(previewId, machine)
              void watchPreview(previewId, disk, file.value, choice, machine, context.signal).catch(
                (error: unknown) => {
                  if (!context.signal.aborted) context.log(`the boot was not watched: ${String(error)}`)
                },
              )
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
    attach: (previewId) =>
      withMachine(previewId, (_machine, own) => {
        own.isAttached = true
        send(own, 'screen')
        send(own, 'serial')
        return Promise.resolve(ok(null))
      }),
    stop: (previewId) =>
      withMachine(previewId, async (machine) => {
        await machine.stop()
        return ok(null)
      }),
    powerDown: (previewId) => withMachine(previewId, (machine) => machine.powerDown()),
    reset: (previewId) => withMachine(previewId, (machine) => machine.reset()),
    paste: (previewId, place) =>
      withMachine(previewId, async (machine, own) => {
        const text = await clipboard.readText()
        own.isTouched = true
        if (place === 'serial') {
          // A terminal's Enter is a carriage return.
          machine.writeSerial(Buffer.from(text.replace(/\r\n?|\n/g, '\r')))
          return ok(null)
        }
        own.typing?.abort()
        own.typing = new AbortController()
        return machine.typeText(text, own.typing.signal)
      }),
    stopPaste: (previewId) =>
      withMachine(previewId, (_machine, { typing }) => {
        typing?.abort()
        return Promise.resolve(ok(null))
      }),
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
