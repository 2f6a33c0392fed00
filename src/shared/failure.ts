import { z } from 'zod'
import { bootOutcomes, machineFirmwares } from './proof'

/** What boots of a disk have come to, and the firmware that could not be tried because its program is not installed. */
const proofFacts = z.object({
  path: z.string(),
  boots: z.array(z.object({ firmware: z.enum(machineFirmwares), outcome: z.enum(bootOutcomes) })),
  untried: z.array(z.object({ firmware: z.enum(machineFirmwares), tool: z.string(), package: z.string() })),
})

/** Settings of the machine that need something of the image (`equippedSettings`). */
const equippedSetting = z.enum([
  'ssh',
  'sudo',
  'network',
  'wifi',
  'timeZone',
  'locale',
  'keyboard',
  'grow',
  'firmware',
])

/**
 * Every expected failure: its code and the facts a sentence about it needs.
 * Codes and facts cross process boundaries; the sentences are made in the
 * window and in the terminal form. Sizes are bytes, paths are for display.
 */
const failureFacts = {
  // Docker Engine
  'engine-absent': z.object({ tried: z.array(z.string()) }),
  'engine-stopped': z.object({ socket: z.string() }),
  'engine-forbidden': z.object({ socket: z.string() }),
  'engine-lost': z.object({ detail: z.string() }),
  'engine-refused': z.object({ detail: z.string() }),
  'image-gone': z.object({ image: z.string() }),
  // Archives of images, and tars of root file systems
  'archive-missing': z.object({ path: z.string(), detail: z.string() }),
  'archive-invalid': z.object({ path: z.string(), reason: z.string() }),
  'archive-digest': z.object({ path: z.string(), part: z.string(), expected: z.string(), found: z.string() }),
  'archive-no-room': z.object({
    path: z.string(),
    folder: z.string(),
    neededBytes: z.number(),
    freeBytes: z.number(),
  }),
  'archive-choice': z.object({ path: z.string(), asked: z.string(), images: z.array(z.string()) }),
  // What the image is made of
  'image-architecture': z.object({ image: z.string(), architecture: z.string(), supported: z.string() }),
  'kernel-missing': z.object({ image: z.string() }),
  'initramfs-missing': z.object({ image: z.string() }),
  'init-missing': z.object({ image: z.string() }),
  /** No recipe knows the distribution. */
  'recipe-missing': z.object({ image: z.string(), distribution: z.string() }),
  /** `output`: the last lines of the step that failed, empty when none was begun; `reason` what they say. */
  'preparation-failed': z.object({
    image: z.string(),
    reason: z.enum(['step', 'network', 'space', 'dockerfile', 'architecture']),
    step: z.string(),
    output: z.string(),
  }),
  /** The image has no program for a setting of the machine. */
  'setting-unmet': z.object({
    image: z.string(),
    setting: equippedSetting,
  }),
  /** Nor does the recipe of its distribution know a package that brings one. */
  'setting-unavailable': z.object({ image: z.string(), setting: equippedSetting }),
  /** Nothing can be started at boot by an init of a kind that nobody knows. */
  'init-unknown': z.object({ image: z.string(), path: z.string() }),
  'setting-invalid': z.object({ setting: z.string(), reason: z.string() }),
  'tar-invalid': z.object({ offset: z.number(), reason: z.string() }),
  // The disk file
  'size-too-small': z.object({ sizeBytes: z.number(), neededBytes: z.number() }),
  'size-too-large': z.object({ sizeBytes: z.number(), limitBytes: z.number() }),
  'size-invalid': z.object({ text: z.string() }),
  'output-exists': z.object({ path: z.string() }),
  'output-folder-missing': z.object({ path: z.string() }),
  'output-forbidden': z.object({ path: z.string() }),
  'output-file-system': z.object({ path: z.string(), fileSystem: z.string(), limitBytes: z.number() }),
  'output-too-large': z.object({ path: z.string() }),
  'no-space': z.object({ path: z.string(), neededBytes: z.number(), freeBytes: z.number() }),
  'disk-missing': z.object({ path: z.string() }),
  'disk-changed': z.object({ path: z.string() }),
  'disk-not-bootable': z.object({ path: z.string() }),
  'disk-damaged': z.object({ path: z.string(), detail: z.string() }),
  'disk-check-failed': z.object({ output: z.string() }),
  // Programs of the host
  'tool-missing': z.object({ tool: z.string(), package: z.string() }),
  'tool-failed': z.object({ tool: z.string(), exitCode: z.number().nullable(), output: z.string() }),
  // Elevation
  'elevation-refused': z.object({}),
  'elevation-no-agent': z.object({}),
  'elevation-missing': z.object({}),
  'elevation-unsafe-path': z.object({ path: z.string() }),
  'elevation-unprotected': z.object({ path: z.string() }),
  'helper-lost': z.object({ detail: z.string() }),
  'helper-protocol': z.object({ detail: z.string() }),
  // Drives
  'write-declined': z.object({}),
  'drive-gone': z.object({ device: z.string() }),
  'drive-changed': z.object({
    device: z.string(),
    field: z.string(),
    confirmed: z.string(),
    found: z.string(),
  }),
  'drive-refused': z.object({ device: z.string(), reasons: z.array(z.string()) }),
  'drive-busy': z.object({ device: z.string(), detail: z.string() }),
  'drive-io': z.object({ device: z.string(), offset: z.number(), detail: z.string() }),
  'verify-mismatch': z.object({ device: z.string(), offset: z.number(), length: z.number() }),
  'drive-too-small': z.object({ device: z.string(), sizeBytes: z.number() }),
  'drives-failed': z.object({ failed: z.array(z.string()), total: z.number() }),
  'confirmation-wrong': z.object({ expected: z.string() }),
  // Preview
  /** `changesKept`: the machine ran, and wrote to the disk itself. */
  'preview-failed': z.object({ detail: z.string(), changesKept: z.literal(true).optional() }),
  /** What the machine wrote filled the folder, with an overlay or with the disk itself. */
  'preview-no-room': z.object({ folder: z.string(), freeBytes: z.number(), changesKept: z.boolean() }),
  /** The disk was booted and did not come up: under which firmware, and what each boot came to. */
  'proof-failed': proofFacts,
  /** It came up wherever that could be told, but it was not told under each firmware that it claims. */
  'proof-incomplete': proofFacts,
  /** It was made without anything that boots. */
  'disk-without-boot': z.object({ path: z.string() }),
  // Anything asked of a thing that is not there, or not now
  'not-found': z.object({ what: z.string() }),
  busy: z.object({ what: z.string() }),
  'not-supported': z.object({ what: z.string() }),
  // Mistakes of our own that reached a job's edge: shown as such, with the log
  'clean-up-failed': z.object({ detail: z.string() }),
  internal: z.object({ detail: z.string() }),
} as const

type FactsTable = typeof failureFacts
export type FailureCode = keyof FactsTable
export type FailureFacts<C extends FailureCode> = z.infer<FactsTable[C]>
export type Failure = { [C in FailureCode]: { code: C; facts: FailureFacts<C> } }[FailureCode]

/** Success with a value, or an expected failure. */
export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure }

/** A failed result. The facts are checked against the code by the compiler. */
export function fail<C extends FailureCode>(
  code: C,
  facts: FailureFacts<C>,
): { ok: false; failure: Failure } {
  return { ok: false, failure: { code, facts } as Failure }
}

/** A successful result. */
export function ok<T>(value: T): { ok: true; value: T } {
  return { ok: true, value }
}

/** Parses a failure that came from another process. Throws (zod) when the code is unknown or a fact is missing. */
export const failureSchema: z.ZodType<Failure> = z
  .object({ code: z.string(), facts: z.unknown() })
  .transform((raw, context) => {
    if (!Object.hasOwn(failureFacts, raw.code)) {
      context.addIssue({ code: 'custom', message: `unknown failure code ${raw.code}` })
      return z.NEVER
    }
    const code = raw.code as FailureCode
    const facts = failureFacts[code].safeParse(raw.facts)
    if (!facts.success) {
      context.addIssue({ code: 'custom', message: `wrong facts for failure ${code}` })
      return z.NEVER
    }
    return { code, facts: facts.data } as Failure
  })

/** For the last branch of an exhaustive switch: does not compile while a case is open. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`)
}
