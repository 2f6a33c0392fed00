import { parseArgs, type ParseArgsConfig } from 'node:util'
import { MAXIMUM_TARGETS } from '../../shared/helper-protocol'
import { formatOfPath } from '../../shared/disk'
import {
  buildSettingsSchema,
  defaultBuildSettings,
  partitionTables,
  type BuildSettings,
} from '../../shared/image'
import { attachments, machineFirmwares, type Attachment, type MachineFirmware } from '../../shared/proof'
import type { PortForward } from '../preview/arguments'

/** A machine as far as it was chosen; null for the default. */
export interface CommandMachine {
  attachment: Attachment
  memoryBytes: number | null
  processors: number | null
}

/** What a command line asks for. Paths are as typed; sizes are bytes. */
export type Command =
  | { name: 'help'; topic: CommandName | null }
  | { name: 'version' }
  | { name: 'images'; json: boolean }
  | {
      name: 'build'
      json: boolean
      source: BuildSource
      target: { kind: 'file'; path: string } | { kind: 'drives'; choice: DriveChoice }
      /** Without those of the machine, which depend on the image. */
      settings: BuildSettings
      /** A file with settings of the machine. */
      machineFile: string | null
      /** A file with the Dockerfile of the preparation; null for the proposed one, or for none. */
      dockerfile: string | null
    }
  | { name: 'prepare'; json: boolean; image: string; machineFile: string | null }
  | {
      name: 'preview'
      json: boolean
      disk: string
      choice: CommandMachine & { firmware: MachineFirmware | null; keepChanges: boolean }
      ports: PortForward[]
      untilLogin: boolean
      picture: string | null
      timeoutMilliseconds: number
    }
  | {
      name: 'prove'
      json: boolean
      disk: string
      /** Empty for those that the disk claims. */
      firmware: MachineFirmware[]
      machine: CommandMachine
      timeoutMilliseconds: number
    }
  | { name: 'drives'; json: boolean }
  | {
      name: 'flash'
      json: boolean
      disk: string
      choice: DriveChoice
      everything: boolean
    }

/** Drives that are to be written. */
export interface DriveChoice {
  /** One or more. */
  devices: string[]
  /** What was typed in advance, in the order of the devices; none to ask. */
  confirmations: string[]
  /** Device names that were typed in advance for the expert setting. */
  deviceConfirmations: string[]
  unmount: boolean
  expert: boolean
  verify: boolean
  eject: boolean
}

/** What to build from: an engine's image by name or id, a root file system's tar by path, or an image of an archive. */
export type BuildSource =
  | { kind: 'image'; image: string }
  | { kind: 'rootfs'; path: string }
  | { kind: 'archive'; path: string; image: string | null; platform: string | null }

export const commandNames = ['images', 'prepare', 'build', 'preview', 'prove', 'drives', 'flash'] as const
export type CommandName = (typeof commandNames)[number]

/** Milliseconds that `prove` and `preview --until-login` wait unless told otherwise; emulation alone takes one minute. */
export const LOGIN_TIMEOUT = 300_000

/** A command line that means nothing. The message is a whole sentence. */
class UsageError extends Error {}

export type ParsedCommand =
  { ok: true; command: Command } | { ok: false; message: string; topic: CommandName | null; json: boolean }

/**
 * Reads a command line.
 * @param words without the program's own name
 * @returns what it asks for, or a sentence on what is wrong with it
 */
export function parseCommand(words: readonly string[]): ParsedCommand {
  const [first, ...rest] = words
  const topic = commandNames.find((name) => name === first) ?? null
  if (words.includes('--help') || words.includes('-h') || first === 'help' || first === undefined) {
    const asked = first === 'help' ? rest[0] : first
    const helpTopic = commandNames.find((name) => name === asked) ?? null
    return { ok: true, command: { name: 'help', topic: helpTopic } }
  }
  if (first === '--version') return { ok: true, command: { name: 'version' } }
  try {
    if (topic === null) throw new UsageError(`There is no command “${first}”.`)
    return { ok: true, command: readers[topic](rest) }
  } catch (error) {
    if (!(error instanceof UsageError) && !isParseArgsError(error)) throw error
    return { ok: false, message: error.message, topic, json: words.includes('--json') }
  }
}

/**
 * Reads a size as truncate(1) does: `4G` and `4GiB` count in 1024, `4GB` in 1000, a bare number is bytes.
 * @returns bytes, at least 1, or null when it is no size
 */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?(?:([KMGT])(iB|B)?|B)?$/i.exec(text.trim())
  if (match === null) return null
  const power = match[2] === undefined ? 0 : 'KMGT'.indexOf(match[2].toUpperCase()) + 1
  const step = match[3]?.toUpperCase() === 'B' ? 1000 : 1024
  const bytes = Math.round(Number(match[1]) * step ** power)
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : null
}

type Options = NonNullable<ParseArgsConfig['options']>

const json = { json: { type: 'boolean', default: false } } as const satisfies Options

const machineOptions = {
  attachment: { type: 'string', default: 'usb' },
  memory: { type: 'string' },
  processors: { type: 'string' },
} as const satisfies Options

const driveOptions = {
  confirm: { type: 'string', multiple: true, default: [] },
  'confirm-device': { type: 'string', multiple: true, default: [] },
  unmount: { type: 'boolean', default: false },
  expert: { type: 'boolean', default: false },
  'no-verify': { type: 'boolean', default: false },
  eject: { type: 'boolean', default: false },
} as const satisfies Options

function driveChoice(
  devices: string[],
  values: {
    confirm: string[]
    'confirm-device': string[]
    unmount: boolean
    expert: boolean
    'no-verify': boolean
    eject: boolean
  },
): DriveChoice {
  if (devices.length > MAXIMUM_TARGETS) throw new UsageError(`At most ${MAXIMUM_TARGETS} drives at once.`)
  return {
    devices,
    confirmations: values.confirm,
    deviceConfirmations: values['confirm-device'],
    unmount: values.unmount,
    expert: values.expert,
    verify: !values['no-verify'],
    eject: values.eject,
  }
}

function machine(values: {
  attachment: string
  memory?: string | undefined
  processors?: string | undefined
}): CommandMachine {
  const { memory, processors } = values
  const isCount = processors === undefined || /^[1-9]\d?$/.test(processors)
  if (!isCount) throw new UsageError(`--processors: “${processors}” is not a number from 1 to 99.`)
  return {
    attachment: oneOf('--attachment', values.attachment, attachments),
    memoryBytes: memory === undefined ? null : size('--memory', memory),
    processors: processors === undefined ? null : Number(processors),
  }
}

/** `80` for a host port that is free then, or `8080:80`. */
function portForward(given: string): PortForward {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(given)
  const [hostPort, guestPort] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)]
  if (guestPort < 1 || guestPort > 65_535 || hostPort > 65_535) {
    throw new UsageError(`--port: “${given}” is not a port of the machine, such as 80 or 8080:80.`)
  }
  return { hostPort, guestPort }
}

const readers: Record<CommandName, (words: string[]) => Command> = {
  images(words) {
    const { values, positionals } = parseArgs({ args: words, options: json, allowPositionals: true })
    operands(positionals, [])
    return { name: 'images', json: values.json }
  },
  prepare(words) {
    const options = {
      ...json,
      print: { type: 'boolean', default: false },
      machine: { type: 'string' },
    } as const satisfies Options
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true })
    const [image = ''] = operands(positionals, ['IMAGE'])
    if (!values.print) throw new UsageError('Say --print. An image is prepared by: slipway build --prepare')
    return { name: 'prepare', json: values.json, image, machineFile: values.machine ?? null }
  },
  build(words) {
    const options = {
      ...json,
      ...driveOptions,
      output: { type: 'string', short: 'o' },
      onto: { type: 'string', multiple: true, default: [] },
      rootfs: { type: 'string' },
      archive: { type: 'string' },
      name: { type: 'string' },
      platform: { type: 'string' },
      size: { type: 'string' },
      engine: { type: 'string', default: defaultBuildSettings.engine },
      table: { type: 'string', default: defaultBuildSettings.table },
      'no-boot': { type: 'boolean', default: false },
      manifest: { type: 'boolean', default: false },
      prove: { type: 'boolean', default: false },
      prepare: { type: 'boolean', default: false },
      'prepare-anew': { type: 'boolean', default: false },
      dockerfile: { type: 'string' },
      machine: { type: 'string' },
      'kernel-arguments': { type: 'string', default: defaultBuildSettings.kernelArguments },
    } as const satisfies Options
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true })
    const source = buildSource(positionals, values)
    const target = buildTarget(values)
    const engine = oneOf('--engine', values.engine, ['kernel', 'direct'])
    const sizeBytes = values.size === undefined ? null : size('--size', values.size)
    const kernelArguments = values['kernel-arguments']
    if (!buildSettingsSchema.shape.kernelArguments.safeParse(kernelArguments).success) {
      throw new UsageError(
        "--kernel-arguments takes at most 1000 characters of plain ASCII, without \\ and ', and with double quotes only around a whole value.",
      )
    }
    const isPrepared = values.prepare || values['prepare-anew'] || values.dockerfile !== undefined
    const settings: BuildSettings = {
      ...defaultBuildSettings,
      sizeBytes,
      engine,
      table: oneOf('--table', values.table, partitionTables),
      format: target.kind === 'file' ? formatOfPath(target.path) : 'raw',
      boot: !values['no-boot'],
      manifest: values.manifest,
      prove: values.prove,
      kernelArguments,
      preparation: isPrepared ? { dockerfile: null, anew: values['prepare-anew'] } : null,
    }
    if (values.prove && !settings.boot) throw new UsageError('--prove does not go with --no-boot.')
    if (values.prove && ['gz', 'xz', 'zst'].includes(settings.format)) {
      throw new UsageError('--prove does not go with a packed disk, which is not booted.')
    }
    const machineFile = values.machine ?? null
    const dockerfile = values.dockerfile ?? null
    return { name: 'build', json: values.json, source, target, settings, machineFile, dockerfile }
  },
  preview(words) {
    const options = {
      ...json,
      ...machineOptions,
      firmware: { type: 'string' },
      port: { type: 'string', multiple: true, default: [] },
      'keep-changes': { type: 'boolean', default: false },
      'until-login': { type: 'boolean', default: false },
      picture: { type: 'string' },
      timeout: { type: 'string' },
    } as const satisfies Options
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true })
    const [disk = ''] = operands(positionals, ['DISK'])
    const untilLogin = values['until-login']
    const keepChanges = values['keep-changes']
    for (const option of ['timeout', 'picture'] as const) {
      if (values[option] !== undefined && !untilLogin) {
        throw new UsageError(`--${option} goes with --until-login.`)
      }
    }
    // A machine that is stopped at its login has written half of what it was about to.
    if (keepChanges && untilLogin) throw new UsageError('--keep-changes does not go with --until-login.')
    const firmware =
      values.firmware === undefined ? null : oneOf('--firmware', values.firmware, machineFirmwares)
    return {
      name: 'preview',
      json: values.json,
      disk,
      choice: { ...machine(values), firmware, keepChanges },
      ports: values.port.map(portForward),
      untilLogin,
      picture: values.picture ?? null,
      timeoutMilliseconds: values.timeout === undefined ? LOGIN_TIMEOUT : seconds(values.timeout) * 1000,
    }
  },
  prove(words) {
    const options = {
      ...json,
      ...machineOptions,
      firmware: { type: 'string', multiple: true, default: [] },
      timeout: { type: 'string' },
    } as const satisfies Options
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true })
    const [disk = ''] = operands(positionals, ['DISK'])
    const firmware = values.firmware.map((given) => oneOf('--firmware', given, machineFirmwares))
    return {
      name: 'prove',
      json: values.json,
      disk,
      firmware: machineFirmwares.filter((name) => firmware.includes(name)),
      machine: machine(values),
      timeoutMilliseconds: values.timeout === undefined ? LOGIN_TIMEOUT : seconds(values.timeout) * 1000,
    }
  },
  drives(words) {
    const { values, positionals } = parseArgs({ args: words, options: json, allowPositionals: true })
    operands(positionals, [])
    return { name: 'drives', json: values.json }
  },
  flash(words) {
    const options = {
      ...json,
      ...driveOptions,
      everything: { type: 'boolean', default: false },
    } as const satisfies Options
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true })
    const [disk = '', ...devices] = positionals
    operands(positionals.slice(0, 2), ['DISK', 'DEVICE'])
    return {
      name: 'flash',
      json: values.json,
      disk,
      choice: driveChoice(devices, values),
      everything: values.everything,
    }
  },
}

/** A file, or drives; and nothing that has no meaning for what was chosen. */
function buildTarget(
  values: Parameters<typeof driveChoice>[1] & {
    output?: string | undefined
    onto: string[]
    size?: string | undefined
    engine: string
    manifest: boolean
    prove: boolean
  },
): Extract<Command, { name: 'build' }>['target'] {
  const { output, onto } = values
  if (onto.length === 0) {
    const words = Object.keys(driveOptions) as (keyof typeof driveOptions)[]
    const given = words.find((word) => (Array.isArray(values[word]) ? values[word].length > 0 : values[word]))
    if (given !== undefined) throw new UsageError(`--${given} goes with --onto.`)
    if (output === undefined || output === '') {
      throw new UsageError('Say where the disk is to be made: -o DISK, or --onto DEVICE.')
    }
    return { kind: 'file', path: output }
  }
  if (output !== undefined) throw new UsageError('-o and --onto do not go together.')
  if (values.size !== undefined)
    throw new UsageError('--size does not go with --onto: the disk fills the drive.')
  if (values.engine !== 'direct') throw new UsageError('--engine kernel does not go with --onto.')
  if (values.manifest) throw new UsageError('--manifest does not go with --onto.')
  if (values.prove) throw new UsageError('--prove does not go with --onto.')
  return { kind: 'drives', choice: driveChoice(onto, values) }
}

function buildSource(
  positionals: readonly string[],
  values: { rootfs?: string; archive?: string; name?: string; platform?: string },
): BuildSource {
  const { rootfs, archive, name, platform } = values
  if (archive === undefined && (name !== undefined || platform !== undefined)) {
    throw new UsageError('--name and --platform go with --archive.')
  }
  if (rootfs === undefined && archive === undefined) {
    const [image = ''] = operands(positionals, ['IMAGE'])
    return { kind: 'image', image }
  }
  if (rootfs !== undefined && archive !== undefined) {
    throw new UsageError('--rootfs and --archive do not go together.')
  }
  if (rootfs === '' || archive === '') throw new UsageError('--rootfs and --archive take a path.')
  operands(positionals, [])
  if (archive === undefined) return { kind: 'rootfs', path: rootfs ?? '' }
  return { kind: 'archive', path: archive, image: name ?? null, platform: platform ?? null }
}

function operands(given: readonly string[], names: readonly string[]): readonly string[] {
  const missing = names[given.filter((word) => word !== '').length]
  if (missing !== undefined) throw new UsageError(`${missing} is missing.`)
  const extra = given[names.length]
  if (extra !== undefined) throw new UsageError(`“${extra}” is one word too many.`)
  return given
}

function oneOf<T extends string>(option: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === given)
  if (found === undefined) throw new UsageError(`${option} is ${allowed.join(' or ')}, not “${given}”.`)
  return found
}

function size(option: string, given: string): number {
  const bytes = parseSize(given)
  if (bytes === null) {
    throw new UsageError(`${option}: “${given}” is not a size. Write a number with a unit, such as 4G.`)
  }
  return bytes
}

function seconds(given: string): number {
  if (!/^\d{1,6}$/.test(given) || Number(given) === 0) {
    throw new UsageError(`--timeout: “${given}” is not a number of seconds.`)
  }
  return Number(given)
}

/** parseArgs throws TypeErrors with these codes for a wrong command line (nodejs.org/api/errors.html). */
function isParseArgsError(error: unknown): error is Error {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')
}
