import { z } from 'zod'
import { attachments, bootOutcomes, machineFirmwares } from './proof'

const MIB = 1024 * 1024

/** What machine a preview is. */
export const machineChoiceSchema = z.object({
  firmware: z.enum(machineFirmwares),
  attachment: z.enum(attachments),
  memoryBytes: z
    .number()
    .int()
    .min(64 * MIB)
    .max(2 ** 40),
  processors: z.number().int().min(1).max(64),
  /** What the machine writes goes to the disk's file; else it is thrown away. */
  keepChanges: z.boolean(),
})
export type MachineChoice = z.infer<typeof machineChoiceSchema>

/** Memory and processors of a machine when nobody chose; processors are fewer where the host has fewer. */
export const defaultMemoryBytes = 1024 * MIB
export const defaultProcessors = 2

/** Where a text is typed: on the keyboard that belongs to the screen, or into the serial console. */
export const typingPlaces = ['screen', 'serial'] as const
export type TypingPlace = (typeof typingPlaces)[number]

/** A machine that runs in the window. */
export const previewStateSchema = z.object({
  previewId: z.string(),
  jobId: z.string(),
  diskId: z.string(),
  choice: machineChoiceSchema,
  /** `kvm`, `hvf` or `tcg`, which is emulation. */
  accelerator: z.string(),
  /** The accelerator that was given up before it, and why, in QEMU's words; null when none was. */
  fallback: z.object({ from: z.string(), detail: z.string() }).nullable(),
  /** TCP ports of the machine that lead to 127.0.0.1; `answer` is what answers there, or null while nothing does. */
  ports: z.array(
    z.object({
      guestPort: z.number(),
      hostPort: z.number(),
      answer: z.enum(['http', 'https', 'other']).nullable(),
    }),
  ),
  /** What the boot came to, or null while it is watched. */
  outcome: z.enum(bootOutcomes).nullable(),
})
export type PreviewState = z.infer<typeof previewStateSchema>
