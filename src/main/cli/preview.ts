import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { cameUp, type MachineFirmware, type Proof } from '../../shared/proof'
import { describeProof, outcomeTexts } from '../../shared/sentences'
import type { JobWork } from '../jobs/manager'
import type { Library } from '../library/library'
import { watchBoot } from '../preview/boot-watch'
import { startMachine, type Machine } from '../preview/machine'
import { judgeEnding } from '../preview/preview-job'
import { fileToBoot, proofOf } from '../preview/prove'
import type { Command } from './arguments'
import { checkBootable, knownDisk, type KnownDisk } from './disk'
import type { ExitCode, Reporter } from './reporter'
import { runJob } from './run-job'

/** Ctrl-], with which telnet(1) is left too. */
const LEAVE_KEY = 0x1d

type PreviewCommand = Extract<Command, { name: 'preview' }>

/** What `preview --until-login` found; null where it was not asked for. */
interface PreviewEnd {
  proof: Proof | null
  accelerator: string
}

/** `slipway preview`. */
export async function runPreview(
  command: PreviewCommand,
  library: Library,
  reporter: Reporter,
): Promise<ExitCode> {
  const diskPath = resolve(command.disk)
  const bootable = await checkBootable(diskPath)
  if (!bootable.ok) return reporter.fail(bootable.failure)
  const disk = await knownDisk(diskPath, library)
  const firmware = command.choice.firmware ?? disk.firmware[0] ?? 'bios'
  const work: JobWork<PreviewEnd> = {
    kind: 'preview',
    title: diskPath,
    diskId: disk.id,
    locks: [],
    run: (context) => preview(context, command, disk, firmware, library, reporter),
  }
  return runJob(work, reporter, ({ proof, accelerator }) => {
    if (proof === null) return reporter.succeed({ disk: diskPath, accelerator }, 'The machine has ended.')
    const { milliseconds, lines, failedUnits } = proof
    const value = { disk: diskPath, firmware, accelerator, milliseconds, lines, failedUnits }
    const picture = command.picture === null ? {} : { picture: resolve(command.picture) }
    return reporter.succeed(
      { ...value, ...picture },
      [...lines.slice(-8).map((row) => `  ${row}`), describeProof(proof)].join('\n'),
    )
  })
}

async function preview(
  context: JobContext,
  command: PreviewCommand,
  disk: KnownDisk,
  firmware: MachineFirmware,
  library: Library,
  reporter: Reporter,
): Promise<Result<PreviewEnd>> {
  const { signal } = context
  const { attachment, memoryBytes, processors, keepChanges } = command.choice
  context.phase('start')
  const file = await fileToBoot(disk.path)
  if (!file.ok) return file
  const started = await startMachine({
    diskPath: disk.path,
    architecture: disk.architecture,
    firmware,
    attachment,
    keepChanges,
    ...(memoryBytes === null ? {} : { memoryBytes }),
    ...(processors === null ? {} : { processors }),
    ports: command.ports,
    signal,
    log: (line) => {
      context.log(line)
    },
  })
  if (!started.ok) return started
  const machine = started.value
  context.defer(async () => {
    await machine.stop()
  })
  // A machine that could not be started has changed nothing.
  if (keepChanges && disk.isListed) await library.invalidate(disk.id)
  for (const { hostPort, guestPort } of machine.forwards) {
    reporter.say(`Port ${guestPort} of the machine is 127.0.0.1:${hostPort} here.`)
  }
  if (!command.untilLogin) return converse(context, machine, keepChanges, reporter)
  const verdict = await watchBoot(machine, { timeoutMilliseconds: command.timeoutMilliseconds, signal })
  if (verdict.ending !== null) {
    const judged = await judgeEnding(context, keepChanges, verdict.ending)
    if (!judged.ok) return judged
  }
  const picture = await machine.screenshot()
  if (command.picture !== null) {
    if (!picture.ok) return picture
    await writeFile(resolve(command.picture), picture.value)
  }
  const proof = await proofOf({ file: file.value, firmware, attachment }, machine, verdict)
  if (!proof.ok) return proof
  if (disk.isListed) await library.addProof(disk.id, proof.value, picture.ok ? picture.value : null)
  if (cameUp(verdict)) return ok({ proof: proof.value, accelerator: machine.accelerator })
  const rows = verdict.lines.slice(-8).join('\n')
  return fail('preview-failed', {
    detail: `${outcomeTexts[verdict.outcome]}${rows === '' ? '' : `. The last rows on its console:\n${rows}\n`}`,
  })
}

/** Makes the terminal the machine's serial console until the machine ends. */
async function converse(
  context: JobContext,
  machine: Machine,
  keepChanges: boolean,
  reporter: Reporter,
): Promise<Result<PreviewEnd>> {
  context.phase('run')
  const leave = new AbortController()
  if (!reporter.json) {
    const { stdin, stdout } = process
    reporter.say(`The machine runs (${machine.accelerator}). A VNC viewer shows its screen at`)
    reporter.say(`unix:${machine.screenSocket}`)
    reporter.say(`Its serial port is this terminal. It ends with ${stdin.isTTY ? 'Ctrl-]' : 'Ctrl-C'}.`)
    context.defer(machine.onSerial((bytes) => void stdout.write(bytes)))
    const send = (bytes: Buffer): void => {
      if (stdin.isTTY && bytes.includes(LEAVE_KEY)) leave.abort()
      else machine.writeSerial(bytes)
    }
    stdin.on('data', send)
    // Each key at once and unechoed, Ctrl-C too: they are for the machine.
    if (stdin.isTTY) stdin.setRawMode(true)
    context.defer(() => {
      if (stdin.isTTY) stdin.setRawMode(false)
      stdin.off('data', send)
      stdin.pause()
    })
  }
  const ending = await Promise.race([machine.ended, aborted(context.signal), aborted(leave.signal)])
  context.signal.throwIfAborted()
  if (ending !== null) {
    const judged = await judgeEnding(context, keepChanges, ending)
    if (!judged.ok) return judged
  }
  return ok({ proof: null, accelerator: machine.accelerator })
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolveAborted) => {
    signal.addEventListener('abort', () => resolveAborted(null), { once: true })
  })
}
