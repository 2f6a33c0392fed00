import { z } from 'zod'
import { diskFormats } from './disk'
import { kernelWords } from './kernel-arguments'
import { machineSettingsSchema, plainMachineSettings, type MachineSettings } from './machine'

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
  /** Go's names: amd64, arm64, …; empty where only an inspection finds it out. */
  architecture: z.string(),
  /** The archive that it was opened from, for display; null for an image of the engine. */
  file: z.string().nullable(),
})
export type ImageSummary = z.infer<typeof imageSummarySchema>

/** Architectures that there are boot loaders for, by Go's names. */
export const bootableArchitectures = ['amd64', 'arm64'] as const

/** Init systems that Slipway can tell apart. */
export const initKinds = ['systemd', 'openrc', 'sysvinit', 'busybox', 'unknown'] as const

/** What installs packages in an image. */
export const packageManagers = ['apt', 'apk', 'dnf', 'microdnf', 'pacman', 'zypper'] as const

/** What sets up the machine's network by itself when it boots. */
export const networkManagers = ['systemd-networkd', 'NetworkManager', 'ifupdown'] as const

/** What settings of the machine need of the image, and inspection looks for: programs by their names, the time zones, drivers' firmware, and whatever sets the clock by the network. */
export const equipmentNames = [
  'sshd',
  'sudo',
  'wpa_supplicant',
  'localedef',
  'setupcon',
  'sfdisk',
  'resize2fs',
  'zoneinfo',
  'systemd-networkd',
  'systemd-resolved',
  'NetworkManager',
  'ifup',
  'firmware',
  'time-daemon',
] as const
export type Equipment = (typeof equipmentNames)[number]

/** Distributions that share one way of becoming bootable. */
export const recipeFamilies = ['debian', 'ubuntu', 'alpine', 'fedora', 'arch', 'opensuse'] as const
export type RecipeFamily = (typeof recipeFamilies)[number]

/** What an image may lack to become a machine somebody can use. */
export const missingParts = ['kernel', 'initramfs', 'init', 'login', 'network'] as const
export type MissingPart = (typeof missingParts)[number]

/** What was found in an image without starting it. Paths are the machine's own, with a leading slash. */
export const imageFactsSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** The archive that it lies in, which no preparation can change; null for an image of the engine. */
  file: z.string().nullable(),
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
    /** `NAME=value`. */
    environment: z.array(z.string()),
    /** Where they run; `/` when the image does not say. */
    workingDirectory: z.string(),
    /** As whom: a name or a number, perhaps with a group after a colon; empty for root. */
    user: z.string(),
    /** Folders that a container would keep apart. */
    volumes: z.array(z.string()),
  }),
  packageManager: z.enum(packageManagers).nullable(),
  /** What sets up its network when it boots; null when nothing does. */
  network: z.enum(networkManagers).nullable(),
  /** Who may log in: users with a shell, and whether a password or keys let them in. */
  users: z.array(
    z.object({ name: z.string(), id: z.number(), hasPassword: z.boolean(), hasKeys: z.boolean() }),
  ),
  equipment: z.array(z.enum(equipmentNames)),
  /** How it could be prepared; `proven` when machines of this family and version were booted. */
  recipe: z.object({ family: z.enum(recipeFamilies), proven: z.boolean() }).nullable(),
  /** What it lacks. Without the first three nothing boots; the others can be set without preparing the image. */
  missing: z.array(z.enum(missingParts)),
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
  /** Whether the disk is booted when it is built, as a job of its own. Settings of before it was kept say nothing. */
  prove: z.boolean().default(false),
  /** More words for the kernel's command line, such as `console=tty0 console=ttyS0`; the last console is the machine's main one. */
  kernelArguments: z
    .string()
    .max(1000)
    .refine((text) => kernelWords(text) !== null),
  machine: machineSettingsSchema,
  /**
   * Null: the image is taken as it is. Else a derived image is built first, by
   * this Dockerfile, or with `dockerfile: null` by the one that `proposeDockerfile` answers.
   * `anew`: although it was built before, so that packages are of today.
   */
  preparation: z
    .object({ dockerfile: z.string().max(65_536).nullable(), anew: z.boolean().default(false) })
    .nullable(),
})
export type BuildSettings = z.infer<typeof buildSettingsSchema>

export const defaultBuildSettings: BuildSettings = {
  sizeBytes: null,
  engine: 'direct',
  table: 'mbr',
  format: 'raw',
  boot: true,
  manifest: false,
  prove: false,
  kernelArguments: '',
  machine: plainMachineSettings,
  preparation: null,
}

/** Whether an image boots as it is. */
export function isBootable({ missing }: ImageFacts): boolean {
  return !missing.some((part) => part === 'kernel' || part === 'initramfs' || part === 'init')
}

/**
 * The settings that an image starts with: one that boots is left alone,
 * another is prepared where there is a recipe.
 * @param facts what the image has
 */
export function defaultSettingsFor(facts: ImageFacts): BuildSettings {
  return {
    ...defaultBuildSettings,
    machine: defaultMachineSettings(facts),
    preparation: !isBootable(facts) && facts.recipe !== null ? { dockerfile: null, anew: false } : null,
  }
}

/**
 * What a machine of an image is like when nobody chose: an image that boots
 * stays as it is; another gets a network and a login, takes the whole drive,
 * and runs what the container would have run.
 * @param facts what the image has
 */
export function defaultMachineSettings(facts: ImageFacts): MachineSettings {
  if (isBootable(facts)) return plainMachineSettings
  return {
    ...plainMachineSettings,
    // As in the HOWTO: whoever sits at the machine may log in; nobody may over the network.
    rootPassword: facts.missing.includes('login') ? { kind: 'empty' } : { kind: 'keep' },
    network: facts.missing.includes('network') ? { kind: 'dhcp' } : { kind: 'keep' },
    growRoot: true,
    runCommand: hasCommand(facts),
  }
}

/** Whether what a container of the image runs is more than a shell for somebody to type into. */
export function hasCommand({ applications }: ImageFacts): boolean {
  const all = [...applications.entrypoint, ...applications.command]
  const words = all[0]?.split('/').at(-1) === 'busybox' ? all.slice(1) : all
  const program = words[0]?.split('/').at(-1) ?? ''
  const isShell = ['sh', 'bash', 'ash', 'dash', 'zsh', 'fish'].includes(program)
  const isInit = ['init', 'systemd'].includes(program)
  // With a file to read or a command it does something; with options alone it waits for somebody to type.
  const isInteractive = isShell && words.slice(1).every((word) => /^-(?!c)/.test(word))
  return words.length > 0 && !isInit && !isInteractive
}

/**
 * Settings that need something of the image, which a preparation brings: each
 * names groups of equipment, one of which must be there as a whole.
 */
export const equippedSettings = {
  ssh: [['sshd']],
  sudo: [['sudo']],
  // networkd leaves the resolver to another service.
  network: [['systemd-networkd', 'systemd-resolved'], ['NetworkManager'], ['ifup']],
  wifi: [['wpa_supplicant']],
  timeZone: [['zoneinfo']],
  locale: [['localedef']],
  keyboard: [['setupcon']],
  grow: [['sfdisk', 'resize2fs']],
  firmware: [['firmware']],
} as const satisfies Record<string, readonly (readonly Equipment[])[]>
export type EquippedSetting = keyof typeof equippedSettings

/**
 * The chosen settings that need equipment.
 * @param machine what was chosen
 */
export function wishesOf(machine: MachineSettings): EquippedSetting[] {
  const wishes: Record<EquippedSetting, boolean> = {
    ssh: machine.sshServer,
    sudo: machine.user?.sudo === true,
    network: machine.network.kind !== 'keep' || machine.wifi !== null,
    wifi: machine.wifi !== null,
    timeZone: machine.timeZone !== null,
    // C and POSIX are in the library itself.
    locale: machine.locale !== null && !/^(?:C|POSIX)\b/.test(machine.locale),
    keyboard: machine.keyboard !== null,
    grow: machine.growRoot,
    firmware: machine.deviceFirmware,
  }
  return (Object.keys(wishes) as EquippedSetting[]).filter((name) => wishes[name])
}

/**
 * The chosen settings that the image cannot fulfil as it is, so that it must
 * be prepared for them, be it bootable or not.
 * @param facts what the image has
 * @param machine what was chosen
 */
export function unmetSettings(facts: ImageFacts, machine: MachineSettings): EquippedSetting[] {
  return wishesOf(machine).filter((name) => {
    const all: readonly (readonly Equipment[])[] = equippedSettings[name]
    // What sets up the network already is what has to be told.
    const groups =
      name === 'network' && facts.network === 'systemd-networkd' ? [equippedSettings.network[0]] : all
    // What systemd starts is no use to another init.
    const isStarted = (needed: Equipment): boolean =>
      !['systemd-networkd', 'NetworkManager'].includes(needed) ||
      (facts.init?.kind ?? 'systemd') === 'systemd'
    return !groups.some((group) =>
      group.every((needed) => facts.equipment.includes(needed) && isStarted(needed)),
    )
  })
}

/**
 * What a swap file, which the machine makes for itself, adds to the sizes below. The smallest disk has no room for it
 * where the root grows: it may find that on the drive. A disk of data alone has none.
 * @param settings what was chosen
 * @returns bytes for `neededDiskBytes`, and for `defaultDiskBytes` and `headroom`
 */
export function swapRoom({ boot, machine }: Pick<BuildSettings, 'boot' | 'machine'>): {
  neededBytes: number
  defaultBytes: number
} {
  const swapBytes = boot ? (machine.swapBytes ?? 0) : 0
  return { neededBytes: machine.growRoot ? 0 : swapBytes, defaultBytes: swapBytes }
}

const MIB = 1024 * 1024

/**
 * The smallest disk that surely holds an image: its layers, 6 % for block
 * rounding and directories, inode tables (256 bytes per 16 KiB = 1.6 %), the
 * 64 MiB of the EFI system partition, and 32 MiB for the rest: the journal is
 * smaller on a small disk, and the 6 % have room for a large one's.
 * The sum of the layers is at least the size of their union, so this errs upwards.
 * @param contentBytes bytes of all layers
 * @param boots false for a disk of data alone, which has no EFI system partition
 * @returns bytes, a multiple of 1 MiB
 */
export function neededDiskBytes(contentBytes: number, boots = true): number {
  return Math.ceil((contentBytes * 1.08) / MIB + (boots ? 64 + 32 : 16)) * MIB
}

/** The room that is left free when nobody chose a size: a share of the content, and bytes to work with. */
export const headroom = { share: 1 / 4, bytes: 512 * MIB }

/**
 * About the size of a disk when nobody chose one, rounded up to 64 MiB. The direct engine makes it as large as the
 * content turns out to need; the kernel engine makes it exactly so large.
 * @param contentBytes bytes of all layers
 * @returns bytes
 */
export function defaultDiskBytes(contentBytes: number): number {
  const bytes = neededDiskBytes(contentBytes) + contentBytes * headroom.share + headroom.bytes
  return Math.ceil(bytes / (64 * MIB)) * 64 * MIB
}

/** What programs an engine's computer runs, by Go's names of the architectures. */
export const engineArchitecturesSchema = z.object({
  own: z.string(),
  /** Those that it emulates; null where that cannot be known before it is tried. */
  emulated: z.array(z.string()).nullable(),
})
export type EngineArchitectures = z.infer<typeof engineArchitecturesSchema>

/**
 * Whether an engine can run programs of an image, as a preparation does.
 * @param engine what it runs
 * @param architecture the image's
 * @returns null when that is not known
 */
export function engineRuns({ own, emulated }: EngineArchitectures, architecture: string): boolean | null {
  if (own === architecture) return true
  return emulated === null ? null : emulated.includes(architecture)
}
