import { listDrives } from '../../src/main/drives/list'
import { openScope } from '../../src/main/jobs/scope'
import type { HelperJob } from '../../src/main/helper/job'
import { driveName, type Drive } from '../../src/shared/drive'
import { identityOf } from '../../src/main/drives/watch'
import type { FlashRequest, FlashTarget, TargetState } from '../../src/shared/helper-protocol'
import type { JobContext } from '../../src/shared/job'

/** The drive as it is now; throws when there is none. */
export async function findDrive(device: string): Promise<Drive> {
  const drives = await listDrives({ paths: [], files: [] }, () => undefined)
  const drive = drives.ok ? drives.value.find((one) => one.device === device) : undefined
  if (drive === undefined) throw new Error(`no drive ${device}`)
  return drive
}

/** A drive as if it was confirmed plainly, changed as the test needs it. */
export function targetFor(drive: Drive, changes: Partial<FlashTarget> = {}): FlashTarget {
  const { confirmation = driveName(drive), unmount = false, expert = null } = changes
  return { drive: identityOf(drive), confirmation, unmount, expert }
}

/** A plain request for a drive, changed as the test needs it. */
export function requestFor(
  drive: Drive,
  sizeBytes: number,
  changes: Partial<FlashRequest> = {},
): FlashRequest {
  return {
    type: 'flash',
    targets: [targetFor(drive)],
    sizeBytes,
    isSizeKnown: true,
    dataBytes: sizeBytes,
    order: 'ascending',
    needed: { paths: [], files: [] },
    verify: true,
    eject: false,
    ...changes,
  }
}

export interface RecordedProgress {
  phase: string
  bytesDone: number
  bytesTotal: number | null
}

export interface TestJob extends HelperJob {
  abort: AbortController
  steps: RecordedProgress[]
  lines: string[]
  /** How the drives stood last. */
  states: readonly TargetState[]
  isAccepted(): boolean
  /** Runs what was deferred. */
  close(): Promise<void>
}

/** A helper's job whose data are the given pieces; `onProgress` sees every step. */
export function testJob(
  pieces: Iterable<{ position: number; bytes: Buffer }>,
  onProgress: (step: RecordedProgress, job: TestJob) => void = () => undefined,
): TestJob {
  const abort = new AbortController()
  const scope = openScope()
  let accepted = false
  const job: TestJob = {
    abort,
    steps: [],
    lines: [],
    states: [],
    signal: abort.signal,
    defer: (cleanUp) => scope.defer(cleanUp),
    accept() {
      accepted = true
    },
    progress(phase, bytesDone, bytesTotal) {
      const step = { phase, bytesDone, bytesTotal }
      job.steps.push(step)
      onProgress(step, job)
    },
    targets(states) {
      job.states = states
    },
    log: (line) => void job.lines.push(line),
    data: {
      async *[Symbol.asyncIterator]() {
        for (const piece of pieces) {
          await Promise.resolve()
          yield piece
        }
      },
    },
    isAccepted: () => accepted,
    close: () => scope.close(),
  }
  return job
}

/** Cuts bytes into pieces as the sender does. */
export function piecesOf(bytes: Buffer, pieceBytes = 4 * 1024 * 1024): { position: number; bytes: Buffer }[] {
  const pieces = []
  for (let position = 0; position < bytes.length; position += pieceBytes) {
    pieces.push({ position, bytes: bytes.subarray(position, position + pieceBytes) })
  }
  return pieces
}

/** A job context that keeps what it is told. */
export function testContext(
  onProgress: (phase: string, bytesDone: number, abort: AbortController) => void = () => undefined,
): {
  context: JobContext
  phases: string[]
  lines: string[]
  abort: AbortController
  close(): Promise<void>
} {
  const abort = new AbortController()
  const scope = openScope()
  const phases: string[] = []
  const lines: string[] = []
  const context: JobContext = {
    signal: abort.signal,
    defer: (cleanUp) => scope.defer(cleanUp),
    phase: (name) => void phases.push(name),
    progress(bytesDone) {
      onProgress(phases.at(-1) ?? '', bytesDone, abort)
    },
    steps: () => undefined,
    log: (line) => void lines.push(line),
  }
  return { context, phases, lines, abort, close: () => scope.close() }
}
