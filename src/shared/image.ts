import { z } from 'zod'
import { diskFormats } from './disk'

/** One local image of the engine, a row of the window's list. */
export const imageSummarySchema = z.object({
  /** The image's digest as the engine names it, `sha256:…`. */
  id: z.string(),
  /** `name:tag`s; empty for an untagged image. */
  names: z.array(z.string()),
  /** Bytes of all its layers together. */
  sizeBytes: z.number(),
  /** Milliseconds since 1970. */
  createdAt: z.number(),
  /** Go's names: amd64, arm64, … */
  architecture: z.string(),
})
export type ImageSummary = z.infer<typeof imageSummarySchema>

/** Init systems that Slipway can tell apart. */
export const initKinds = ['systemd', 'openrc', 'sysvinit', 'busybox', 'unknown'] as const

/** What was found in an image without starting it. Paths are the machine's own, with a leading slash. */
export const imageFactsSchema = z.object({
  id: z.string(),
  name: z.string(),
  architecture: z.string(),
  sizeBytes: z.number(),
  createdAt: z.number(),
  /** From os-release: `ID`, `VERSION_ID`, `PRETTY_NAME`; null when the image has none. */
  distribution: z.object({ id: z.string(), version: z.string(), prettyName: z.string() }).nullable(),
  /** The kernel that the boot loader is to load; `path` is what the distribution's own link is called, where there is one. */
  kernel: z.object({ path: z.string(), version: z.string() }).nullable(),
  initramfs: z.object({ path: z.string() }).nullable(),
  init: z.object({ kind: z.enum(initKinds), path: z.string() }).nullable(),
  /** Whether somebody can log in at the console: root without a password or with one, locked, or no /etc/shadow. */
  rootLogin: z.enum(['no-password', 'password', 'locked', 'unknown']),
  applications: z.object({
    entrypoint: z.array(z.string()),
    command: z.array(z.string()),
    ports: z.array(z.string()),
  }),
})
export type ImageFacts = z.infer<typeof imageFactsSchema>

/** Partition tables that a disk may have. */
export const partitionTables = ['mbr', 'gpt'] as const
export type PartitionTable = (typeof partitionTables)[number]

/** What a person may choose for a disk. */
export const buildSettingsSchema = z.object({
  /** Bytes, or null for content plus headroom. */
  sizeBytes: z.number().int().positive().nullable(),
  engine: z.enum(['direct', 'kernel']),
  table: z.enum(partitionTables),
  /** The kind of file; its name ends in it. */
  format: z.enum(diskFormats),
  /** False: a data disk, without boot files and without a look for a kernel. */
  boot: z.boolean(),
  /** Whether a list of all files with their SHA-256 goes beside the disk. */
  manifest: z.boolean(),
  /** More words for the kernel's command line, such as `console=tty0 console=ttyS0`; the last console is the machine's main one. */
  kernelArguments: z
    .string()
    .max(1000)
    .regex(/^[\x20-\x7e]*$/),
})
export type BuildSettings = z.infer<typeof buildSettingsSchema>

export const defaultBuildSettings: BuildSettings = {
  sizeBytes: null,
  engine: 'direct',
  table: 'mbr',
  format: 'raw',
  boot: true,
  manifest: false,
  kernelArguments: '',
}

export const chainLinkNames = ['disk', 'partition', 'bootloader', 'kernel', 'init', 'applications'] as const
export type ChainLinkName = (typeof chainLinkNames)[number]

/** `has`: the image brings it. `added`: Slipway adds it. `wrong`: it is missing and nothing adds it. */
export interface ChainLink {
  name: ChainLinkName
  state: 'has' | 'added' | 'wrong'
  /** A short value for display under the link: `2.1 GB` is made by the window, so sizes travel as bytes. */
  value: { kind: 'bytes'; bytes: number } | { kind: 'text'; text: string } | { kind: 'none' }
}

const MIB = 1024 * 1024

/**
 * The smallest disk that surely holds an image: its layers, 6 % for block
 * rounding and directories, inode tables (256 bytes per 16 KiB = 1.6 %), the
 * 64 MiB of the EFI system partition, and 32 MiB for the rest: the journal is
 * smaller on a small disk, and the 6 % have room for a large one's.
 * The sum of the layers is at least the size of their union, so this errs upwards.
 * @param contentBytes bytes of all layers
 * @returns bytes, a multiple of 1 MiB
 */
export function neededDiskBytes(contentBytes: number): number {
  return Math.ceil((contentBytes * 1.08) / MIB + 64 + 32) * MIB
}

/**
 * The room that is left free when nobody chose a size: a quarter of the content, and 512 MiB to work with.
 * @param contentBytes bytes of all layers
 * @returns bytes
 */
export function headroomBytes(contentBytes: number): number {
  return Math.ceil((contentBytes / 4 + 512 * MIB) / MIB) * MIB
}

/**
 * About the size of a disk when nobody chose one, rounded up to 64 MiB. The direct engine makes it as large as the
 * content turns out to need; the kernel engine makes it exactly so large.
 * @param contentBytes bytes of all layers
 * @returns bytes
 */
export function defaultDiskBytes(contentBytes: number): number {
  const bytes = neededDiskBytes(contentBytes) + headroomBytes(contentBytes)
  return Math.ceil(bytes / (64 * MIB)) * 64 * MIB
}

/**
 * The HOWTO's chain for one image.
 * @param facts what the image has
 * @param settings what was chosen
 * @param firmware for which the chosen engine's disks boot; empty where it lacks its boot loaders
 * @returns the six links in their order
 */
export function chainOf(
  facts: ImageFacts,
  settings: BuildSettings,
  firmware: readonly ('bios' | 'uefi')[],
): ChainLink[] {
  const text = (value: string): ChainLink['value'] => ({ kind: 'text', text: value })
  const applications = [...facts.applications.entrypoint, ...facts.applications.command].join(' ')
  return [
    {
      name: 'disk',
      state: 'added',
      value: { kind: 'bytes', bytes: settings.sizeBytes ?? defaultDiskBytes(facts.sizeBytes) },
    },
    { name: 'partition', state: 'added', value: text(settings.table.toUpperCase()) },
    {
      name: 'bootloader',
      state: firmware.length === 0 ? 'wrong' : 'added',
      value: firmware.length === 0 ? { kind: 'none' } : text(firmware.join(' + ').toUpperCase()),
    },
    {
      name: 'kernel',
      state: facts.kernel !== null && facts.initramfs !== null ? 'has' : 'wrong',
      value: facts.kernel === null ? { kind: 'none' } : text(facts.kernel.version),
    },
    {
      name: 'init',
      state: facts.init === null ? 'wrong' : 'has',
      value: facts.init === null ? { kind: 'none' } : text(facts.init.kind),
    },
    {
      name: 'applications',
      state: 'has',
      value: applications === '' ? { kind: 'none' } : text(applications),
    },
  ]
}
