import { readFile, rm, stat } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import { z } from 'zod'
import { attachmentsOf, type Attachment, type MachineFirmware } from '../../shared/proof'
import type { Accelerator, Architecture, PortForward } from './arguments'
import { findQemu, firmwareMissing, type QemuPrograms } from './find'
import { findUefiFirmware, type UefiFirmware } from './firmware'
import {
  awaitLife,
  awaitReading,
  candidateAccelerators,
  firstLine,
  isAcceleratorProblem,
  prepareFiles,
  statusSchema,
  takePicture,
} from './launch'
import { readForwards } from './ports'
import {
  encodePng,
  isTextMode,
  readPicture,
  readTextMemory,
  showsPicture,
  TEXT_MEMORY_ADDRESS,
  TEXT_MEMORY_BYTES,
  type ScreenPicture,
  type TextScreen,
} from './screen'
import { startSession, type Session } from './session'
import { typeText } from './typing'
import { openWorkspace, sweepWorkspaces, type Workspace } from './workspace'

const GIB = 1024 ** 3
/** Bytes of serial output that a listener gets who comes late. */
const SCROLLBACK_BYTES = 256 * 1024
/**
 * Milliseconds from a reset in which more of them are the same one. SeaBIOS answers a reset with some of its own, until it runs from its ROM again
 * (SeaBIOS, src/fw/shadow.c, qemu_reboot).
 */
const RESET_BURST = 1000

export interface MachineOptions {
  /** A disk; it is only read unless `keepChanges` says otherwise. */
  diskPath: string
  firmware: MachineFirmware
  /** `amd64` unless given. */
  architecture?: Architecture
  /** What the guest writes goes to the disk itself, not to an overlay that is thrown away. */
  keepChanges?: boolean
  /** `usb` unless given. */
  attachment?: Attachment
  /** Bytes; 1 GiB unless given. */
  memoryBytes?: number
  /** Two, or what this host has, unless given. */
  processors?: number
  /** A host port of 0 is one that is free then; `forwards` tells which. */
  ports?: readonly PortForward[]
  /** What to try, in this order; unless given, what this host may have, and emulation last. */
  accelerators?: readonly Accelerator[]
  /** Ends a start that is under way. A machine that runs is ended by its `stop`. */
  signal: AbortSignal
  log: (line: string) => void
}

type SecurableFirmware = UefiFirmware & { secure: boolean }

/** How a machine came to its end. */
export type MachineEnding =
  | { reason: 'stopped' }
  /** The guest switched itself off. */
  | { reason: 'powered-off' }
  /** The folder with what the guest writes is full. */
  | { reason: 'no-space'; folder: string }
  /** QEMU failed or was killed; `detail` has its last words. */
  | { reason: 'failed'; detail: string }

/** An accelerator that was given up, and the first line of why. */
export interface Fallback {
  from: Accelerator
  detail: string
}

/** The text on a screen, row by row; U+FFFD and U+FFFC where there is none (screen.ts says what is recognised). */
export interface ScreenText extends TextScreen {
  /** Whether it shows a picture, whatever else can be read. */
  isPicture: boolean
}

/** A virtual machine that runs until `ended`. */
export interface Machine {
  /** What it runs on now; may change with a restart. */
  readonly accelerator: Accelerator
  /** What was tried last before it, or null; may change with a restart. */
  readonly fallback: Fallback | null
  /** QEMU's process id. */
  readonly processId: number
  /** Where the machine's ports are reached on 127.0.0.1; may change with a restart. */
  readonly forwards: readonly PortForward[]
  /** Unix socket that speaks RFB; the same after a restart. */
  readonly screenSocket: string
  /**
   * Calls back with what the serial port has said since the machine's last start or reset, then with all that it says;
   * answers the function that ends it.
   */
  onSerial(listener: (bytes: Buffer) => void): () => void
  writeSerial(bytes: Uint8Array): void
  /** Types a text on the machine's keyboard (typing.ts). Ends early, with success, when the signal is aborted. */
  typeText(text: string, signal: AbortSignal): Promise<Result<null>>
  /** Calls back when the machine was started again one step safer: all connections to its screen are gone. */
  onRestart(listener: () => void): () => void
  /** Calls back when the machine began again from its firmware, by the guest itself or by `reset`. */
  onReset(listener: (isByGuest: boolean) => void): () => void
  /** The screen as it is now. */
  readScreen(): Promise<Result<ScreenPicture>>
  /** The text on the screen as it is now, and what of it can be read that scrolled away. */
  readScreenText(): Promise<Result<ScreenText>>
  /** The screen as it is now, as PNG. */
  screenshot(): Promise<Result<Buffer>>
  /** Presses the power button (ACPI). A guest that has not booted ignores it. */
  powerDown(): Promise<Result<null>>
  reset(): Promise<Result<null>>
  /** Ends it at once. Resolves when process, sockets and files are gone. */
  stop(): Promise<MachineEnding>
  /** Resolves when process, sockets and files are gone, whatever the reason. */
  ended: Promise<MachineEnding>
}

/**
 * Starts a machine on a disk. What it writes goes to an overlay that is thrown
 * away, unless its changes are to be kept. Accelerators are tried in turn and believed only when the
 * firmware shows a sign of life; when one fails later, or the firmware never reads the disk, the machine starts
 * again from the beginning on the next, and `log` says so. What fails for another reason is not tried again.
 * @returns the machine once it is running. Fails with `tool-missing`, `disk-missing`, `not-supported` (Windows, or a
 *   machine that there is not), or `preview-failed` with QEMU's words. Throws the signal's reason when it was aborted.
 */
export async function startMachine(options: MachineOptions): Promise<Result<Machine>> {
  const { signal, log } = options
  signal.throwIfAborted()
  // Its VNC and control run over unix sockets, which Node does not have there.
  if (process.platform === 'win32') return fail('not-supported', { what: 'preview on Windows' })
  const architecture = options.architecture ?? 'amd64'
  const secure = options.firmware === 'secure-boot'
  if (architecture === 'arm64' && options.firmware === 'bios') {
    return fail('not-supported', { what: 'an arm64 machine with a BIOS, which there is none of' })
  }
  if (!attachmentsOf(architecture).includes(options.attachment ?? 'usb')) {
    return fail('not-supported', {
      what: 'an arm64 machine with a SATA drive, on which its firmware finds nothing',
    })
  }
  const programs = await findQemu(architecture)
  if (!programs.ok) return programs
  let uefi: SecurableFirmware | null = null
  if (options.firmware !== 'bios') {
    const found = await findUefiFirmware({ architecture, secure })
    if (found === null) return firmwareMissing(architecture)
    uefi = { ...found, secure }
  }
  try {
    if (!(await stat(options.diskPath)).isFile()) return fail('disk-missing', { path: options.diskPath })
  } catch {
    return fail('disk-missing', { path: options.diskPath })
  }
  const accelerators = options.accelerators ?? (await candidateAccelerators(architecture, log))
  await sweepWorkspaces()
  const workspace = await openWorkspace()
  try {
    const started = await runMachine(options, programs.value, uefi, accelerators, workspace)
    if (!started.ok) {
      await workspace.close()
      signal.throwIfAborted()
    }
    return started
  } catch (error) {
    await workspace.close()
    throw error
  }
}

async function runMachine(
  options: MachineOptions,
  programs: QemuPrograms,
  uefi: SecurableFirmware | null,
  accelerators: readonly Accelerator[],
  workspace: Workspace,
): Promise<Result<Machine>> {
  const { signal, log } = options
  const inFolder = (name: string): string => join(workspace.directory, name)
  const screenSocket = inFolder('screen.sock')
  /** Where what the guest writes takes room. */
  const writtenFolder = options.keepChanges === true ? dirname(options.diskPath) : tmpdir()
  const serialListeners = new Set<(bytes: Buffer) => void>()
  const restartListeners = new Set<() => void>()
  const resetListeners = new Set<(isByGuest: boolean) => void>()
  let scrollback: Buffer[] = []
  let scrollbackBytes = 0
  let pictures = 0
  let lastPicture: { picture: ScreenPicture; rows: string[] } | null = null
  let attempt = 0
  let fallback: Fallback | null = null
  let forwards: PortForward[] = []
  let stopping = false
  /** Why the session that runs now is about to end, when we or the guest decided it. */
  let ending: MachineEnding | null = null
  let settle: (ending: MachineEnding) => void = () => undefined
  const ended = new Promise<MachineEnding>((resolve) => (settle = resolve))

  async function forwardsOf(session: Session): Promise<PortForward[]> {
    if ((options.ports ?? []).length === 0) return []
    const told = await session.qmp.execute('human-monitor-command', { 'command-line': 'info usernet' })
    return told.ok ? readForwards(z.string().parse(told.value)) : []
  }
  const isUnwanted = (): boolean => stopping || signal.aborted
  const nextPicture = (): string => inFolder(`screen-${++pictures}.ppm`)
  const currentAccelerator = (): Accelerator => accelerators[attempt] ?? 'tcg'

  function keepSerial(bytes: Buffer): void {
    scrollback.push(bytes)
    scrollbackBytes += bytes.length
    while (scrollbackBytes > SCROLLBACK_BYTES) scrollbackBytes -= scrollback.shift()?.length ?? 0
    for (const listener of serialListeners) listener(bytes)
  }

  function forgetSerial(): void {
    scrollback = []
    scrollbackBytes = 0
  }

  /** One run of QEMU on the current accelerator, up to a sign of life where it is not the last one. */
  async function tryOnce(): Promise<Result<Session>> {
    forgetSerial()
    const files = await prepareFiles(
      programs,
      options.diskPath,
      options.keepChanges === true,
      uefi,
      workspace.directory,
    )
    if (!files.ok) return files
    const session = await startSession(programs.system, {
      ...files.value,
      architecture: options.architecture ?? 'amd64',
      accelerator: currentAccelerator(),
      attachment: options.attachment ?? 'usb',
      memoryBytes: options.memoryBytes ?? GIB,
      processors: options.processors ?? Math.min(2, availableParallelism()),
      screenSocket,
      serialSocket: inFolder('serial.sock'),
      controlSocket: inFolder('control.sock'),
      ports: options.ports ?? [],
      sandbox: process.platform === 'linux',
    })
    if (!session.ok) return session
    session.value.serial.on('data', keepSerial)
    forwards = await forwardsOf(session.value)
    if (attempt === accelerators.length - 1) return session
    const problem = await awaitLife(session.value, nextPicture(), isUnwanted)
    if (problem === null) return session
    await session.value.stop()
    return fail('preview-failed', { detail: problem })
  }

  /** Runs QEMU on the current accelerator, or on the next one where that one does not work. */
  async function begin(): Promise<Result<Session>> {
    for (;;) {
      const session = await tryOnce()
      const next = accelerators[attempt + 1]
      if (session.ok || next === undefined || isUnwanted()) return session
      const { failure } = session
      if (failure.code !== 'preview-failed' || !isAcceleratorProblem(failure.facts.detail)) return session
      const detail = firstLine(failure.facts.detail)
      fallback = { from: currentAccelerator(), detail }
      log(`${fallback.from} does not work on this host (${detail}): starting again with ${next}`)
      attempt++
    }
  }

  async function finish(how: MachineEnding): Promise<void> {
    await workspace.close()
    settle(how)
  }

  /** Watches a session, and replaces it by a safer one when its accelerator fails. */
  function watch(session: Session): void {
    let problem: string | null = null
    let lastReset = 0
    const giveUp = (why: string): void => {
      problem ??= why
      void session.stop()
    }
    const askWhyStopped = (): void => {
      void session.qmp.execute('query-status').then((status) => {
        if (!status.ok || statusSchema.parse(status.value).status !== 'internal-error') return
        giveUp('the machine stopped with an internal error')
      })
    }
    session.qmp.onEvent(({ name, data }) => {
      if (name === 'SHUTDOWN' && data['guest'] === true) ending ??= { reason: 'powered-off' }
      if (name === 'RESET') {
        // What was said before is no part of the boot that begins.
        forgetSerial()
        if (Date.now() - lastReset < RESET_BURST) return
        lastReset = Date.now()
        for (const listener of resetListeners) listener(data['guest'] === true)
      }
      if (name === 'BLOCK_IO_ERROR' && data['nospace'] === true) {
        ending ??= { reason: 'no-space', folder: writtenFolder }
        void session.stop()
      }
      if (name === 'STOP') askWhyStopped()
    })
    // It may have stopped before anybody listened.
    askWhyStopped()
    if (accelerators[attempt + 1] !== undefined) {
      void awaitReading(session, isUnwanted).then((why) => {
        if (why !== null) giveUp(why)
      })
    }
    void session.exited.then(async (last) => {
      const next = accelerators[attempt + 1]
      if (isAcceleratorProblem(last)) problem ??= firstLine(last)
      if (ending !== null || stopping || next === undefined || problem === null) {
        await finish(ending ?? (stopping ? { reason: 'stopped' } : { reason: 'failed', detail: last }))
        return
      }
      fallback = { from: currentAccelerator(), detail: problem }
      log(`${fallback.from} failed (${problem}): starting again with ${next}`)
      attempt++
      // Nobody hears what is thrown here, and the machine would never end.
      restarting = begin().catch((error: unknown) => fail('preview-failed', { detail: String(error) }))
      const restarted = await restarting
      if (!restarted.ok) {
        const why = JSON.stringify(restarted.failure.facts)
        await finish(isUnwanted() ? { reason: 'stopped' } : { reason: 'failed', detail: why })
        return
      }
      // A stop that was asked for meanwhile waits for this one and ends it.
      current = restarted.value
      watch(current)
      for (const listener of restartListeners) listener()
    })
  }

  const first = await begin()
  if (!first.ok) return first
  if (signal.aborted) {
    await first.value.stop()
    signal.throwIfAborted()
  }
  let current = first.value
  let restarting: Promise<Result<Session>> | null = null
  watch(current)

  const command = async (name: string): Promise<Result<null>> => {
    const result = await current.qmp.execute(name)
    return result.ok ? ok(null) : result
  }
  const readScreen = (): Promise<Result<ScreenPicture>> => takePicture(current, nextPicture())

  return ok({
    get accelerator() {
      return currentAccelerator()
    },
    get fallback() {
      return fallback
    },
    get processId() {
      return current.pid
    },
    get forwards() {
      return forwards
    },
    screenSocket,
    onSerial(listener) {
      if (scrollbackBytes > 0) listener(Buffer.concat(scrollback))
      serialListeners.add(listener)
      return () => serialListeners.delete(listener)
    },
    writeSerial: (bytes) => current.serial.write(bytes),
    typeText: (text, signal) => typeText(current.qmp, text, signal),
    onRestart(listener) {
      restartListeners.add(listener)
      return () => restartListeners.delete(listener)
    },
    onReset(listener) {
      resetListeners.add(listener)
      return () => resetListeners.delete(listener)
    },
    readScreen,
    async readScreenText() {
      const picture = await readScreen()
      if (!picture.ok) return picture
      if (!isTextMode(picture.value)) {
        // Most looks show what the last one showed, and comparing is quicker than reading.
        if (lastPicture?.picture.pixels.equals(picture.value.pixels) !== true) {
          lastPicture = { picture: picture.value, rows: readPicture(picture.value) }
        }
        const { rows } = lastPicture
        return ok({ rows, memoryRows: rows, isPicture: showsPicture(rows) })
      }
      const path = `${nextPicture()}.memory`
      const saved = await current.qmp.execute('pmemsave', {
        val: TEXT_MEMORY_ADDRESS,
        size: TEXT_MEMORY_BYTES,
        filename: path,
      })
      if (!saved.ok) return saved
      try {
        const memory = await readFile(path)
        await rm(path, { force: true })
        return ok({ ...readTextMemory(picture.value, memory), isPicture: false })
      } catch (error) {
        // The machine ended in between, and its folder with it.
        return fail('preview-failed', { detail: String(error) })
      }
    },
    async screenshot() {
      const picture = await readScreen()
      return picture.ok ? ok(encodePng(picture.value)) : picture
    },
    powerDown: () => command('system_powerdown'),
    reset: () => command('system_reset'),
    async stop() {
      stopping = true
      await restarting
      await current.stop()
      return ended
    },
    ended,
  })
}
