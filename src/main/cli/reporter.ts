import type { Failure } from '../../shared/failure'
import { overallFraction, type JobSnapshot, type JobTarget } from '../../shared/job'
import { formatBytes, formatDuration } from '../../shared/amounts'
import { describeFailure, describeUnfinished, phaseTitle, takenAway } from '../../shared/sentences'

/** The exit codes of the terminal form; `slipway --help` names them. */
export const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3, unproven: 4, cancelled: 130 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Where a command says what it does. Text for people goes through `plain`, so that no name can drive the terminal. */
export interface Reporter {
  json: boolean
  /** A line for people on stderr, which is no result; nothing with --json. */
  say(line: string): void
  /** The state of the job that runs. */
  progress(job: JobSnapshot): void
  /** How each of several drives ended. */
  targets(targets: readonly JobTarget[]): void
  /** A line of the job's log: shown with --json, and after a failure. */
  log(line: string): void
  /** The end: the object for --json, the text for people. */
  succeed(value: object, text: string): ExitCode
  /** A failure; `more` is added to the object for --json, `targets` are the drives of a write. */
  fail(failure: Failure, more?: object, targets?: readonly JobTarget[]): ExitCode
  cancelled(targets?: readonly JobTarget[]): ExitCode
  usage(message: string, hint: string): ExitCode
}

interface Output {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** Milliseconds between two lines of progress where there is no terminal to draw on. */
const LINE_INTERVAL = 5000
/** Lines of the log that are shown after a failure. */
const LOG_TAIL = 30
const BAR_WIDTH = 24

/** Control characters but the line feed, and those that turn the direction of writing, as `displayName` takes them out of drives' names. */
// eslint-disable-next-line no-control-regex
const deceptive = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text that cannot do anything to a terminal. */
export function plain(text: string): string {
  return text.replace(deceptive, '\ufffd')
}

/** Which exit code a failure has. */
export function exitCodeOf(failure: Failure): ExitCode {
  switch (failure.code) {
    case 'drive-refused':
    case 'drive-changed':
    case 'confirmation-wrong':
    case 'elevation-refused':
    case 'elevation-no-agent':
    case 'elevation-missing':
    case 'elevation-unsafe-path':
      return exitCodes.refused
    case 'size-invalid':
      return exitCodes.usage
    case 'proof-incomplete':
      return exitCodes.unproven
    default:
      return exitCodes.failed
  }
}

/**
 * Makes a reporter.
 * @param json one object on stdout and JSON lines on stderr, instead of text
 * @param stdout takes results
 * @param stderr takes progress and failures
 */
export function createReporter(json: boolean, stdout: Output, stderr: Output): Reporter {
  const log: string[] = []
  const draws = !json && stderr.isTTY === true
  let drawn = ''
  let lastPhase = ''
  let lastLineAt = 0

  const clear = (): void => {
    if (drawn !== '') stderr.write('\r\u001b[K')
    drawn = ''
  }
  const line = (output: Output, text: string): void => {
    clear()
    output.write(`${plain(text)}\n`)
  }
  const jsonLine = (output: Output, value: object): void => {
    output.write(`${JSON.stringify(value)}\n`)
  }

  return {
    json,
    say(text) {
      if (!json) line(stderr, text)
    },
    progress(job) {
      if (job.state !== 'running' || job.phase === '') return
      if (json) {
        const { phase, fraction, bytesPerSecond, remaining, targets } = job
        jsonLine(stderr, { type: 'progress', phase, fraction, bytesPerSecond, remaining, targets })
      } else if (draws) {
        const text = plain(progressBar(job)).slice(0, (stderr.columns ?? 80) - 1)
        if (text === drawn) return
        stderr.write(`\r\u001b[K${text}`)
        drawn = text
      } else if (job.phase !== lastPhase || Date.now() - lastLineAt > LINE_INTERVAL) {
        line(stderr, job.phase === lastPhase ? progressText(job) : phaseTitle(job.phase))
        lastLineAt = Date.now()
      }
      lastPhase = job.phase
    },
    targets(targets) {
      if (json) jsonLine(stderr, { type: 'targets', targets })
      else for (const target of targets) line(stderr, targetText(target))
    },
    log(text) {
      if (json) jsonLine(stderr, { type: 'log', line: text })
      log.push(text)
    },
    succeed(value, text) {
      if (json) jsonLine(stdout, { ok: true, ...value })
      else if (text !== '') line(stdout, text)
      clear()
      return exitCodes.done
    },
    fail(failure, more = {}, targets = []) {
      const text = describeFailure(failure, targets)
      if (json) jsonLine(stdout, { ok: false, failure, text, ...more })
      else {
        const tail = log.slice(-LOG_TAIL)
        if (tail.length > 0) line(stderr, ['Log:', ...tail.map((entry) => `  ${entry}`)].join('\n'))
        line(stderr, [text.happened, text.kept, text.remedy].filter((sentence) => sentence !== '').join('\n'))
      }
      return exitCodeOf(failure)
    },
    cancelled(targets = []) {
      if (json) jsonLine(stdout, { ok: false, cancelled: true })
      else line(stderr, `Cancelled. ${describeUnfinished(targets) ?? takenAway}`)
      return exitCodes.cancelled
    },
    usage(message, hint) {
      if (json) jsonLine(stdout, { ok: false, usage: message })
      else line(stderr, `${message}\n${hint}`)
      return exitCodes.usage
    },
  }
}

function targetText({ name, device, state, failure }: JobTarget): string {
  const about = `${device} (${name}): `
  if (state === 'done') return `${about}written.`
  return about + (failure === null ? 'not written to its end.' : describeFailure(failure).happened)
}

type RunningJob = Extract<JobSnapshot, { state: 'running' }>

function progressText(job: RunningJob): string {
  const parts = [phaseTitle(job.phase)]
  if (job.fraction !== null) parts.push(`${Math.floor(job.fraction * 100)} %`)
  if (job.bytesPerSecond !== null) parts.push(`${formatBytes(job.bytesPerSecond)}/s`)
  if (job.remaining !== null) parts.push(`${formatDuration(job.remaining)} left`)
  const stalled = (job.targets ?? []).filter((target) => target.stalled).map(({ device }) => device)
  if (stalled.length > 0) parts.push(`no answer from ${stalled.join(', ')}`)
  return parts.join('  ')
}

function progressBar(job: RunningJob): string {
  // Where nothing is known of the phase, the bar at least keeps what was done before it.
  const done = Math.round((job.fraction ?? overallFraction(job.kind, job.phase, 0)) * BAR_WIDTH)
  return `[${'#'.repeat(done)}${'-'.repeat(BAR_WIDTH - done)}] ${progressText(job)}`
}
