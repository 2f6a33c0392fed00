import { resolve } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { formatDuration } from '../../shared/sentences'
import type { JobWork } from '../jobs/manager'
import { diskIdOf, type Library } from '../library/library'
import { watchBoot, type BootOutcome, type BootVerdict } from '../preview/boot-watch'
import { judgeEnding } from '../preview/preview-job'
import { startMachine, type Machine } from '../preview/machine'
import type { Command } from './arguments'
import { checkDisk } from './disk'
import type { ExitCode, Reporter } from './reporter'
import { runJob } from './run-job'

/** Ctrl-], with which telnet(1) is left too. */
const LEAVE_KEY = 0x1d

type PreviewCommand = Extract<Command, { name: 'preview' }>

/** What `preview --until-login` found; null where it was not asked for. */
interface PreviewEnd {
  verdict: BootVerdict | null
  accelerator: string
}

/** `slipway preview`. */
export async function runPreview(
  command: PreviewCommand,
  library: Library,
  reporter: Reporter,
): Promise<ExitCode> {
  const diskPath = resolve(command.disk)
  const size = await checkDisk(diskPath)
  if (!size.ok) return reporter.fail(size.failure)
  const work: JobWork<PreviewEnd> = {
    kind: 'preview',
    title: diskPath,
    diskId: diskIdOf(diskPath),
    locks: [],
    run: (context) => preview(context, command, diskPath, reporter),
  }
  return runJob(work, reporter, async ({ verdict, accelerator }) => {
    if (verdict === null) return reporter.succeed({ disk: diskPath, accelerator }, 'The machine has ended.')
    const { firmware } = command
    await library.setProof(diskIdOf(diskPath), {
      firmware,
      at: Date.now(),
      millisecondsToLogin: verdict.milliseconds,
    })
    const { lines, seenOn, failedUnits, milliseconds } = verdict
    const value = { disk: diskPath, firmware, accelerator, milliseconds, seenOn, lines, failedUnits }
    const picture = command.picture === null ? {} : { picture: resolve(command.picture) }
    const units = failedUnits.length === 0 ? '' : ` Units that failed: ${failedUnits.join(', ')}.`
    return reporter.succeed(
      { ...value, ...picture },
      [
        ...lines.slice(-8).map((row) => `  ${row}`),
        `It boots: login after ${formatDuration(milliseconds)}, by ${firmware.toUpperCase()}, on ${accelerator}.${units}`,
      ].join('\n'),
    )
  })
}

async function preview(
  context: JobContext,
  command: PreviewCommand,
  diskPath: string,
  reporter: Reporter,
): Promise<Result<PreviewEnd>> {
  const { signal } = context
  context.phase('start')
  const started = await startMachine({
    diskPath,
    firmware: command.firmware,
    ...(command.memoryBytes === null ? {} : { memoryBytes: command.memoryBytes }),
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
  if (!command.untilLogin) return converse(context, machine, diskPath, reporter)
  const verdict = await watchBoot(machine, { timeoutMilliseconds: command.timeoutMilliseconds, signal })
  const pictured = await takePicture(machine, command.picture)
  if (!pictured.ok) return pictured
  if (verdict.outcome === 'login') return ok({ verdict, accelerator: machine.accelerator })
  const rows = verdict.lines.slice(-8).join('\n')
  return fail('preview-failed', {
    detail: `${outcomeTexts[verdict.outcome]}${rows === '' ? '' : `. The last rows on its console:\n${rows}\n`}`,
  })
}

/** Makes the terminal the machine's serial console until the machine ends. */
async function converse(
  context: JobContext,
  machine: Machine,
  diskPath: string,
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
    const judged = await judgeEnding(context, diskPath, ending)
    if (!judged.ok) return judged
  }
  return ok({ verdict: null, accelerator: machine.accelerator })
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolveAborted) => {
    signal.addEventListener('abort', () => resolveAborted(null), { once: true })
  })
}

async function takePicture(machine: Machine, path: string | null): Promise<Result<null>> {
  return path === null ? ok(null) : machine.screenshot(resolve(path))
}

const outcomeTexts: Record<BootOutcome, string> = {
  login: 'it came to a login',
  'target-reached': 'the machine is up, but no login prompt came',
  'kernel-panic': 'the kernel gave up (panic)',
  'initramfs-shell': 'the kernel found no root file system',
  'emergency-shell': 'the machine came up in its emergency mode only',
  'boot-loader-prompt': 'the boot loader found nothing to boot',
  'no-bootable-device': 'the firmware found nothing to boot on the disk',
  hang: 'no login prompt came in the time given',
  ended: 'the machine ended before a login prompt came',
}
