import { z } from 'zod'
import { proofSchema } from './proof'

/** Kinds of disk files: raw and compressed ones by Slipway itself or a packer, the others by qemu-img. */
export const diskFormats = ['raw', 'qcow2', 'vmdk', 'vdi', 'vhdx', 'gz', 'xz', 'zst'] as const
export type DiskFormat = (typeof diskFormats)[number]

/**
 * The format that a file's name asks for by its ending; raw for all that is none of the others.
 * @param path of the disk
 */
export function formatOfPath(path: string): DiskFormat {
  const ending = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase()
  return diskFormats.find((format) => format === ending) ?? 'raw'
}

/**
 * A path with the ending that a format has; raw disks keep what they are called.
 * @param path of a disk to be
 */
export function pathForFormat(path: string, format: DiskFormat): string {
  if (formatOfPath(path) === format) return path
  const stem = path.replace(/\.(?:img|raw|qcow2|vmdk|vdi|vhdx|gz|xz|zst)$/i, '')
  return `${stem}.${format === 'raw' ? 'img' : format}`
}

/** A disk that Slipway built: what the window lists and what lies beside the file as `<disk>.slipway.json`. */
export const diskRecordSchema = z.object({
  /** Stable for the window: a hash of the path. */
  id: z.string(),
  /** Absolute path; shown, never accepted from the window. */
  path: z.string(),
  /** Of the disk that a machine sees; a file that is not raw has another length. */
  sizeBytes: z.number(),
  /** Records of before the other formats are of raw files. */
  format: z.enum(diskFormats).default('raw'),
  /** Milliseconds since 1970. */
  builtAt: z.number(),
  source: z.object({ image: z.string(), digest: z.string() }),
  engine: z.enum(['direct', 'kernel']),
  table: z.enum(['mbr', 'gpt']).default('mbr'),
  /** For which it has boot files; none on a data disk. */
  firmware: z.array(z.enum(['bios', 'uefi'])),
  /** Whether it has a signed chain of boot loaders, which firmware with Secure Boot starts. */
  secureBoot: z.boolean().default(false),
  /** Of the machine that boots it, as Docker names it. */
  architecture: z.enum(['amd64', 'arm64']).default('amd64'),
  /** TCP ports that the image says it serves (EXPOSE). */
  ports: z.array(z.number()).default([]),
  /** What boots of exactly this file have shown, at most one for each firmware; none = unproven. */
  proofs: z.array(proofSchema).default([]),
})
export type DiskRecord = z.infer<typeof diskRecordSchema>
