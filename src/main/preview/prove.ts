import { stat } from 'node:fs/promises'
import { fail, ok, type Failure, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { verdictOf, type Attachment, type MachineFirmware, type Proof } from '../../shared/proof'
import { firmwareTitles, outcomeTexts } from '../../shared/sentences'
import type { Architecture } from './arguments'
import { watchBoot, type BootVerdict } from './boot-watch'
import { startMachine, type Machine } from './machine'

export interface ProveInput {
  /** It stays as it is. */
  diskPath: string
  /** Under which firmware it is booted, one after the other. */
  firmware: readonly MachineFirmware[]
  architecture: Architecture
  attachment: Attachment
  /** Bytes; the preview's own default unless given. */
  memoryBytes?: number
  processors?: number
  /** After which a boot counts as hung. */
  timeoutMilliseconds: number
  /** Told of each boot when it is decided; `picture` is the screen then, as PNG. */
  onProof: (proof: Proof, picture: Buffer | null) => Promise<void>
}

/**
 * Boots a disk without a window under each firmware and decides what each boot came to.
 * @param context a job of kind `proof`
 * @returns the proofs when it came up in each boot; `proof-failed` when one did not. Firmware that is not installed
 *   here is passed over and logged; when none is left, its `tool-missing`. Else the failures of `startMachine`.
 * @throws the signal's reason when the job was cancelled
 */
export async function proveDisk(context: JobContext, input: ProveInput): Promise<Result<Proof[]>> {
  const proofs: Proof[] = []
  let missing: Failure | null = null
  context.phase('boot')
  for (const [index, firmware] of input.firmware.entries()) {
    // One boot is not done by halves: how far it is cannot be known.
    const { length } = input.firmware
    context.progress(index, length === 1 ? null : length)
    const booted = await bootOnce(context, input, firmware)
    if (booted.ok) proofs.push(booted.value)
    else if (booted.failure.code === 'tool-missing') {
      missing = booted.failure
      context.log(`${firmwareTitles[firmware]}: not tried, ${missing.facts.tool} is not installed`)
    } else return booted
  }
  if (proofs.length === 0 && missing !== null) return { ok: false, failure: missing }
  if (proofs.every((proof) => verdictOf(proof) !== 'fails')) return ok(proofs)
  const boots = proofs.map(({ firmware, outcome }) => ({ firmware, outcome }))
  return fail('proof-failed', { path: input.diskPath, boots })
}

async function bootOnce(
  context: JobContext,
  input: ProveInput,
  firmware: MachineFirmware,
): Promise<Result<Proof>> {
  const { signal } = context
  const { diskPath, attachment, timeoutMilliseconds, architecture } = input
  const started = await startMachine({
    diskPath,
    firmware,
    architecture,
    attachment,
    ...(input.memoryBytes === undefined ? {} : { memoryBytes: input.memoryBytes }),
    ...(input.processors === undefined ? {} : { processors: input.processors }),
    signal,
    log: (line) => {
      context.log(line)
    },
  })
  if (!started.ok) return started
  const machine = started.value
  try {
    const verdict = await watchBoot(machine, { timeoutMilliseconds, signal })
    const picture = await machine.screenshot()
    const proof = await proofOf({ diskPath, firmware, attachment }, machine, verdict)
    context.log(`${firmwareTitles[firmware]}: ${outcomeTexts[verdict.outcome]}`)
    await input.onProof(proof, picture.ok ? picture.value : null)
    return ok(proof)
  } finally {
    await machine.stop()
  }
}

/**
 * A boot's verdict as what is kept of it.
 * @param boot what was booted and how
 * @param machine on which it was
 */
export async function proofOf(
  boot: { diskPath: string; firmware: MachineFirmware; attachment: Attachment },
  machine: Pick<Machine, 'accelerator'>,
  verdict: BootVerdict,
): Promise<Proof> {
  const { mtimeMs, size } = await stat(boot.diskPath)
  return {
    firmware: boot.firmware,
    outcome: verdict.outcome,
    at: Date.now(),
    milliseconds: verdict.milliseconds,
    attachment: boot.attachment,
    accelerator: machine.accelerator,
    failedUnits: verdict.failedUnits,
    lines: verdict.lines,
    picture: false,
    file: { modifiedAt: mtimeMs, sizeBytes: size },
  }
}
