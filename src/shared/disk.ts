import { z } from 'zod'

/** A disk that Slipway built: what the window lists and what lies beside the file as `<disk>.slipway.json`. */
export const diskRecordSchema = z.object({
  /** Stable for the window: a hash of the path. */
  id: z.string(),
  /** Absolute path; shown, never accepted from the window. */
  path: z.string(),
  sizeBytes: z.number(),
  /** Milliseconds since 1970. */
  builtAt: z.number(),
  source: z.object({ image: z.string(), digest: z.string() }),
  engine: z.enum(['direct', 'kernel']),
  firmware: z.array(z.enum(['bios', 'uefi'])),
  /** What a boot of exactly this file has shown; null = unproven. */
  proof: z
    .object({ firmware: z.enum(['bios', 'uefi']), at: z.number(), millisecondsToLogin: z.number() })
    .nullable(),
})
export type DiskRecord = z.infer<typeof diskRecordSchema>
