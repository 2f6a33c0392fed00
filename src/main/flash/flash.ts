import { resolve } from 'node:path'
import { driveName, writesDrives, type DriveIdentity } from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import type { FlashRequest, TargetState } from '../../shared/helper-protocol'
import type { JobContext, JobTarget } from '../../shared/job'
import { runHelperJob, type SendData } from '../elevation/helper-client'
import { openSource } from './source/open'

/** One drive as the person confirmed it. */
export interface FlashInputTarget {
  drive: DriveIdentity
  /** What the person typed. */
  confirmation: string
  /** Unmount its volumes first. */
  unmount: boolean
  /** What was typed a second time, to write to a drive that is not removable or larger than 128 GB; else null. */
  expert: string | null
}

export interface FlashInput {
  /** A disk, an ISO, one of these compressed, or a QCOW2 image. */
  diskPath: string
  targets: readonly FlashInputTarget[]
  /** Real or linked paths that the drives must not take: Slipway's own files, the Docker data root. */
  needed: readonly string[]
  /** Write also what no file system uses. */
  everything: boolean
  /** Read everything back and compare. */
  verify: boolean
  /** Take the drives away from the system afterwards. */
  eject: boolean
}

/**
 * Writes a disk to one or more drives through the elevated helper, all from one reading of the file. The
 * file is opened and read with the user's own rights; the helper never sees its name but to refuse the drive
 * on which it lies.
 * @param context of the job
 * @param input what was confirmed
 * @returns null when written and, if asked for, compared; the failures of `checkSystem` and `openSource`,
 *   `disk-changed`, or what the helper answers
 */
export async function flashDisk(context: JobContext, input: FlashInput): Promise<Result<null>> {
  const possible = checkSystem()
  if (!possible.ok) return possible
  const path = resolve(input.diskPath)
  context.phase('prepare')
  const opened = await openSource(path, input.everything, context.signal)
  if (!opened.ok) return opened
  const source = opened.value
  context.defer(() => source.close())

  return writeDrives(context, input, {
    sizeBytes: source.sizeBytes,
    isSizeKnown: source.isSizeKnown,
    dataBytes: source.dataBytes,
    order: 'ascending',
    needed: {
      paths: [path, ...input.needed],
      files: [{ device: source.device, path }],
    },
    send: (send) => source.send(send, context.signal),
    fractionRead: () => source.fractionRead(),
  })
}

/**
 * Says so where drives cannot be written: `not-supported`.
 * @param platform as Node names it; tests give another
 */
export function checkSystem(platform: string = process.platform): Result<null> {
  if (writesDrives(platform)) return ok(null)
  return fail('not-supported', { what: 'writing drives on this system, where it was never proven' })
}

/** What drives are written with. */
export interface DriveData extends Pick<
  FlashRequest,
  'sizeBytes' | 'isSizeKnown' | 'dataBytes' | 'order' | 'needed'
> {
  /** Sends all of it. */
  send: (send: SendData) => Promise<Result<null>>
  /** How much of what is read was read, 0 to 1: where the bytes to come are unknown, this tells how far it is. */
  fractionRead: () => number
}

/**
 * Writes drives through the elevated helper.
 * @param context of the job
 * @param choice what was confirmed
 * @param data what to write
 * @returns null when written and, if asked for, compared; what `send` answers, or what the helper does
 */
export function writeDrives(
  context: JobContext,
  { targets, verify, eject }: Pick<FlashInput, 'targets' | 'verify' | 'eject'>,
  { send, fractionRead, ...about }: DriveData,
): Promise<Result<null>> {
  const request: FlashRequest = { type: 'flash', targets: [...targets], ...about, verify, eject }
  let states: readonly TargetState[] = []
  let begun: readonly boolean[] = []
  const show = (): void => {
    context.targets?.(
      targets.map(({ drive }, index) => targetOf(drive, states[index] ?? null, begun[index] ?? false)),
    )
  }
  show()
  context.phase('elevate')
  return runHelperJob(
    {
      ...context,
      progress(bytesDone, bytesTotal) {
        const fraction = fractionRead()
        const total = bytesTotal ?? (fraction > 0 ? bytesDone / fraction : null)
        context.progress(bytesDone, total)
      },
    },
    request,
    (sendData) => {
      // Data is asked for when the helper blanks what it claimed; what failed until now it leaves as it is.
      begun = targets.map((_, index) => states[index]?.state !== 'failed')
      show()
      return send(sendData)
    },
    (told) => {
      states = told
      show()
    },
  )
}

function targetOf(drive: DriveIdentity, state: TargetState | null, isBegun: boolean): JobTarget {
  const about = { name: driveName(drive), device: drive.device, isBegun }
  if (state === null) return { ...about, state: 'waiting', fraction: null, stalled: false, failure: null }
  const { bytesDone, bytesTotal, stalled, failure } = state
  const fraction = bytesTotal === null || bytesTotal === 0 ? null : Math.min(1, bytesDone / bytesTotal)
  return { ...about, state: state.state, fraction, stalled, failure }
}
