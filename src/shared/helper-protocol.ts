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

export const flashRequestSchema = z.object({
  type: z.literal('flash'),
  /** The drive as the person confirmed it. */
  drive: driveIdentitySchema,
  /** What the person typed. */
  confirmation: z.string(),
  /** Bytes of the disk to be written, holes included. */
  sizeBytes: z.number().int().positive(),
  /** Bytes of all data frames that will come, for the progress. */
  dataBytes: z.number().int().nonnegative(),
  /** Device number (`8:16`) and path of the source file, so that the drive it lies on is refused; null when the source is no file. */
  source: z.object({ device: z.string(), path: z.string() }).nullable(),
  unmount: z.boolean(),
  expert: z.boolean(),
  verify: z.boolean(),
})
export type FlashRequest = z.infer<typeof flashRequestSchema>

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
  z.object({ type: z.literal('log'), line: z.string() }),
  z.object({ type: z.literal('done') }),
  z.object({ type: z.literal('failed'), failure: failureSchema.nullable() }),
])
export type FromHelper = z.infer<typeof fromHelperSchema>
