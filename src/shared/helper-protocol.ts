import { z } from 'zod'
import { driveIdentitySchema } from './drive'
import { failureSchema } from './failure'

/**
 * Between the unprivileged side and the elevated helper: a unix socket in a
 * fresh 0700 directory, on which the unprivileged side listens.
 *
 * A frame is u32 big-endian length of what follows, one kind byte, payload:
 *   1  JSON, one of the messages below
 *   2  data: u64 big-endian position (bytes), then bytes
 *
 * Both sides first prove that they know the secret of the 0600 file `secret`
 * in that directory (the helper unlinks it): helper `hello {nonce}`; main
 * `welcome {nonce, proof}` with proof = HMAC-SHA256(secret, "main" + helper's
 * nonce); helper `ready {proof}` with HMAC-SHA256(secret, "helper" + main's
 * nonce). Then one job. An unknown message, a wrong proof or a closed socket
 * makes either side stop and clean up.
 */
export const FRAME_JSON = 1
export const FRAME_DATA = 2
/** Bytes; no frame is longer. Larger writes are split by the sender. */
export const MAXIMUM_FRAME_BYTES = 4 * 1024 * 1024 + 64
/** Bytes of data in one data frame. */
export const MAXIMUM_DATA_BYTES = 4 * 1024 * 1024

const hex32 = z.string().regex(/^[0-9a-f]{64}$/)

export const kernelBuildRequestSchema = z.object({
  type: z.literal('build'),
  /** Absolute path of the file to fill: made by the asking user, regular, empty, his own. */
  path: z.string().startsWith('/'),
  sizeBytes: z.number().int().positive(),
  fileSystemUuid: z.uuid(),
  label: z.string().regex(/^[A-Za-z0-9_-]{1,16}$/),
  /** MBR disk signature, u32. */
  diskSignature: z.number().int().min(1).max(0xffffffff),
  kernelPath: z.string().startsWith('/'),
  initramfsPath: z.string().startsWith('/'),
  kernelArguments: z.string().regex(/^[\x20-\x7e]*$/),
})
export type KernelBuildRequest = z.infer<typeof kernelBuildRequestSchema>

/** Drives that one write may have; each takes a file descriptor or two and its share of the writing threads. */
export const MAXIMUM_TARGETS = 16

export const flashTargetSchema = z.object({
  /** The drive as the person confirmed it. */
  drive: driveIdentitySchema,
  /** What the person typed. */
  confirmation: z.string(),
  /** Unmount its volumes first. */
  unmount: z.boolean(),
  /** What was typed a second time, to allow a drive that is built in or larger than 128 GB; null without that. */
  expert: z.string().nullable(),
})
export type FlashTarget = z.infer<typeof flashTargetSchema>

export const flashRequestSchema = z.object({
  type: z.literal('flash'),
  /** The drives, each named once. */
  targets: z.array(flashTargetSchema).min(1).max(MAXIMUM_TARGETS),
  /** Bytes of the disk to be written, holes included; when `isSizeKnown` is false it has these at least. */
  sizeBytes: z.number().int().positive(),
  /** False for what is decompressed while it is written and does not tell its size. */
  isSizeKnown: z.boolean(),
  /** Bytes of all data frames that will come, for the progress and as a check; null while that is unknown. */
  dataBytes: z.number().int().nonnegative().nullable(),
  /**
   * Whether the data comes from the beginning to the end, as from a file, or in any order, as a disk that is made at
   * this moment; never twice to one place.
   */
  order: z.enum(['ascending', 'any']),
  /**
   * What the drives must not take from the asking user: the source file, Slipway's own files, the Docker data root.
   * The helper adds its own list to it; nothing here makes a drive writable.
   */
  needed: z.object({
    paths: z.array(z.string().startsWith('/').max(4096)).max(32),
    /** Device numbers of files (`8:16`) and their paths. */
    files: z.array(z.object({ device: z.string(), path: z.string() })).max(8),
  }),
  verify: z.boolean(),
  /** Take the drives away from the system when they are written, so that they can be pulled. */
  eject: z.boolean(),
})
export type FlashRequest = z.infer<typeof flashRequestSchema>

/** How one of several drives stands; bytes are those really on the device, or compared. */
export const targetStateSchema = z.object({
  state: z.enum(['write', 'verify', 'done', 'failed']),
  bytesDone: z.number(),
  bytesTotal: z.number().nullable(),
  /** It has not answered for a while. */
  stalled: z.boolean(),
  failure: failureSchema.nullable(),
})
export type TargetState = z.infer<typeof targetStateSchema>

/** To the helper. After the job: data frames (a tar stream for `build`, ranges for `flash`), then `end`. */
export const toHelperSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), nonce: hex32, proof: hex32 }),
  kernelBuildRequestSchema,
  flashRequestSchema,
  z.object({ type: z.literal('end') }),
  z.object({ type: z.literal('cancel') }),
])
export type ToHelper = z.infer<typeof toHelperSchema>

/** From the helper. `done` or `failed` is its last message; `failed` with null stands for cancelled. */
export const fromHelperSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), nonce: hex32 }),
  z.object({ type: z.literal('ready'), proof: hex32 }),
  /** The job was checked and may receive its data. */
  z.object({ type: z.literal('accepted') }),
  z.object({
    type: z.literal('progress'),
    phase: z.string(),
    bytesDone: z.number(),
    bytesTotal: z.number().nullable(),
  }),
  /** The drives of a write, in the order of the request. */
  z.object({ type: z.literal('targets'), targets: z.array(targetStateSchema) }),
  z.object({ type: z.literal('log'), line: z.string() }),
  z.object({ type: z.literal('done') }),
  z.object({ type: z.literal('failed'), failure: failureSchema.nullable() }),
])
export type FromHelper = z.infer<typeof fromHelperSchema>
