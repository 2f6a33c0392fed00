import { stat } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { fail, ok, type FailureFacts, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { cameUp, verdictOf, type Attachment, type MachineFirmware, type Proof } from '../../shared/proof'
import { firmwareTitles, outcomeTexts } from '../../shared/sentences'
import type { Accelerator, Architecture } from './arguments'
import { watchBoot, type BootVerdict } from './boot-watch'
import { startMachine, type Machine } from './machine'
import { judgeEnding } from './preview-job'

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
 * @returns the proofs when it came up in each boot. `disk-without-boot` when there is no firmware to boot it under;
 *   `proof-failed` when one boot did not come up; `proof-incomplete` when none failed, but what one came to is unclear
 *   or its firmware is not installed here; the `tool-missing` of the firmware when none could be tried;
 *   `disk-missing` also when the file was replaced meanwhile. Else the failures of `startMachine`, and of `judgeEnding`
 *   where the machine did not end by itself: nothing is kept of that boot.
 * @throws the signal's reason when the job was cancelled
 */
export async function proveDisk(context: JobContext, input: ProveInput): Promise<Result<Proof[]>> {
  const { diskPath } = input
  const { length } = input.firmware
  if (length === 0) return fail('disk-without-boot', { path: diskPath })
  const proofs: Proof[] = []
  const untried: FailureFacts<'proof-failed'>['untried'] = []
  context.phase('boot')
  for (const [index, firmware] of input.firmware.entries()) {
    if (length === 1) context.progress(0, null)
    else context.steps(index, length)
    const booted = await bootOnce(context, input, firmware)
    if (booted.ok) proofs.push(booted.value)
    else if (booted.failure.code === 'tool-missing') {
      untried.push({ firmware, ...booted.failure.facts })
      context.log(`${firmwareTitles[firmware]}: not tried, ${booted.failure.facts.tool} is not installed`)
      if (untried.length === length) return booted
    } else return booted
  }
  if (proofs.every(cameUp) && untried.length === 0) return ok(proofs)
  const boots = proofs.map(({ firmware, outcome }) => ({ firmware, outcome }))
  const failed = proofs.some((proof) => verdictOf(proof) === 'fails')
  return fail(failed ? 'proof-failed' : 'proof-incomplete', { path: diskPath, boots, untried })
}

/**
 * One boot, and a second one by emulation where an accelerated machine hung: some accelerators stop a guest without
 * saying so, and its kernel is not to blame then.
 */
async function bootOnce(
  context: JobContext,
  input: ProveInput,
  firmware: MachineFirmware,
): Promise<Result<Proof>> {
  let booted = await boot(context, input, firmware, null)
  if (booted.ok && booted.value.proof.outcome === 'hang' && booted.value.proof.accelerator !== 'tcg') {
    const { accelerator } = booted.value.proof
    context.log(`${firmwareTitles[firmware]}: nothing came with ${accelerator}: booting again with tcg`)
    booted = await boot(context, input, firmware, ['tcg'])
  }
  if (!booted.ok) return booted
  const { proof, picture } = booted.value
  context.log(`${firmwareTitles[firmware]}: ${outcomeTexts[proof.outcome]}`)
  await input.onProof(proof, picture)
  return ok(proof)
}

async function boot(
  context: JobContext,
  input: ProveInput,
  firmware: MachineFirmware,
  accelerators: readonly Accelerator[] | null,
): Promise<Result<{ proof: Proof; picture: Buffer | null }>> {
  const { signal } = context
  const { diskPath, attachment, timeoutMilliseconds, architecture } = input
  const file = await fileToBoot(diskPath)
  if (!file.ok) return file
  const started = await startMachine({
    diskPath,
    firmware,
    architecture,
    attachment,
    ...(input.memoryBytes === undefined ? {} : { memoryBytes: input.memoryBytes }),
    ...(input.processors === undefined ? {} : { processors: input.processors }),
    ...(accelerators === null ? {} : { accelerators }),
    signal,
    log: (line) => {
      context.log(line)
    },
  })
  if (!started.ok) return started
  const machine = started.value
  try {
    const verdict = await watchBoot(machine, { timeoutMilliseconds, signal })
    if (verdict.ending !== null) {
      const judged = await judgeEnding(context, false, verdict.ending)
      if (!judged.ok) return judged
    }
    const picture = await machine.screenshot()
    const proof = await proofOf({ file: file.value, firmware, attachment }, machine, verdict)
    if (!proof.ok) return proof
    return ok({ proof: proof.value, picture: picture.ok ? picture.value : null })
  } finally {
    await machine.stop()
  }
}

/** A disk's file as it is before a machine starts on it. */
export interface FileToBoot {
  path: string
  modifiedAt: number
  sizeBytes: number
  /** Of the file itself, whatever lies under its path later. */
  device: number
  inode: number
}

/**
 * Looks at a disk's file before a machine starts on it: a running machine goes on with it when it was deleted and
 * another one has its path, of which the boot then says nothing.
 * @returns `disk-missing` when there is none
 */
export async function fileToBoot(path: string): Promise<Result<FileToBoot>> {
  try {
    const { mtimeMs, size, dev, ino } = await stat(path)
    return ok({ path, modifiedAt: mtimeMs, sizeBytes: size, device: dev, inode: ino })
  } catch {
    return fail('disk-missing', { path })
  }
}

/**
 * A boot's verdict as what is kept of it.
 * @param booted what was booted and how
 * @param machine on which it was
 * @returns `disk-missing` when the file is another one by now, was written to, or is gone
 */
export async function proofOf(
  booted: { file: FileToBoot; firmware: MachineFirmware; attachment: Attachment },
  machine: Pick<Machine, 'accelerator'>,
  verdict: BootVerdict,
): Promise<Result<Proof>> {
  const { path, modifiedAt, sizeBytes } = booted.file
  const now = await fileToBoot(path)
  if (!now.ok) return now
  if (!isDeepStrictEqual(now.value, booted.file)) return fail('disk-missing', { path })
  return ok({
    firmware: booted.firmware,
    outcome: verdict.outcome,
    at: Date.now(),
    milliseconds: verdict.milliseconds,
    attachment: booted.attachment,
    accelerator: machine.accelerator,
    failedUnits: verdict.failedUnits,
    lines: verdict.lines,
    picture: false,
    file: { modifiedAt, sizeBytes },
  })
}
