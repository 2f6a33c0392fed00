import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import type { MachineFirmware } from '../../shared/proof'
import type { Architecture } from './arguments'
import { findUefiFirmware } from './firmware'

/** Absolute paths of the two programs that a preview needs. */
export interface QemuPrograms {
  system: string
  image: string
}

/** Where programs lie that a desktop's short PATH leaves out: Homebrew, MacPorts, and QEMU's own installer for Windows. */
const moreFolders =
  process.platform === 'win32'
    ? [join(process.env['ProgramFiles'] ?? 'C:\\Program Files', 'qemu')]
    : ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/opt/local/bin']
const PROGRAM_ENDING = process.platform === 'win32' ? '.exe' : ''

/** Package names and the command that installs them. `arm` and `armFirmware` are for arm64 machines. */
export interface Packages {
  system: string
  image: string
  firmware: string
  arm: string
  armFirmware: string
  install: string
}

/** By `ID` or `ID_LIKE` of os-release(5). */
const distributions: Record<string, Packages> = {
  debian: {
    system: 'qemu-system-x86',
    image: 'qemu-utils',
    firmware: 'ovmf',
    arm: 'qemu-system-arm',
    armFirmware: 'qemu-efi-aarch64',
    install: 'sudo apt install',
  },
  fedora: {
    system: 'qemu-system-x86',
    image: 'qemu-img',
    firmware: 'edk2-ovmf',
    arm: 'qemu-system-aarch64',
    armFirmware: 'edk2-aarch64',
    install: 'sudo dnf install',
  },
  arch: {
    system: 'qemu-system-x86',
    image: 'qemu-img',
    firmware: 'edk2-ovmf',
    arm: 'qemu-system-aarch64',
    armFirmware: 'edk2-aarch64',
    install: 'sudo pacman -S',
  },
  suse: {
    system: 'qemu-x86',
    image: 'qemu-img',
    firmware: 'qemu-ovmf-x86_64',
    arm: 'qemu-arm',
    armFirmware: 'qemu-uefi-aarch64',
    install: 'sudo zypper install',
  },
  alpine: {
    system: 'qemu-system-x86_64',
    image: 'qemu-img',
    firmware: 'ovmf',
    arm: 'qemu-system-aarch64',
    armFirmware: 'aavmf',
    install: 'sudo apk add',
  },
  darwin: {
    system: 'qemu',
    image: 'qemu',
    firmware: 'qemu',
    arm: 'qemu',
    armFirmware: 'qemu',
    install: 'brew install',
  },
}
const unknownDistribution: Packages = {
  system: 'qemu',
  image: 'qemu',
  firmware: 'OVMF',
  arm: 'qemu',
  armFirmware: 'AAVMF',
  install: '',
}

/**
 * The packages of a system.
 * @param platform Node's name of it
 * @param osRelease the text of /etc/os-release; QEMU's general names when it tells nothing that is known
 */
export function packagesFor(platform: NodeJS.Platform, osRelease: string): Packages {
  if (platform === 'darwin') return distributions['darwin'] ?? unknownDistribution
  const names = [...osRelease.matchAll(/^ID(?:_LIKE)?=["']?([^"'\n]*)["']?$/gm)].flatMap(
    (match) => match[1]?.split(' ') ?? [],
  )
  for (const name of names) {
    const known = distributions[/^(?:opensuse|sles|sled)/.test(name) ? 'suse' : name]
    if (known !== undefined) return known
  }
  return unknownDistribution
}

async function packagesHere(): Promise<Packages> {
  return packagesFor(process.platform, await readFile('/etc/os-release', 'utf8').catch(() => ''))
}

/**
 * Finds a program in PATH and in a few folders that a desktop's PATH leaves out.
 * @returns its absolute path, or null
 */
export async function findProgram(name: string): Promise<string | null> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...moreFolders]
  for (const folder of folders) {
    // A relative one would be whatever lies where we were started.
    if (!isAbsolute(folder)) continue
    const path = join(folder, `${name}${PROGRAM_ENDING}`)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // Not here.
    }
  }
  return null
}

/** Finds QEMU for an architecture. Fails with `tool-missing`, whose package is the one of this system. */
export async function findQemu(architecture: Architecture): Promise<Result<QemuPrograms>> {
  const packages = await packagesHere()
  const name = architecture === 'amd64' ? 'qemu-system-x86_64' : 'qemu-system-aarch64'
  const system = await findProgram(name)
  if (system === null) {
    return fail('tool-missing', {
      tool: name,
      package: architecture === 'amd64' ? packages.system : packages.arm,
    })
  }
  const image = await findProgram('qemu-img')
  if (image === null) return fail('tool-missing', { tool: 'qemu-img', package: packages.image })
  return ok({ system, image })
}

/** The failure for UEFI firmware that is not there. */
export async function firmwareMissing(architecture: Architecture): Promise<Result<never>> {
  const packages = await packagesHere()
  return architecture === 'amd64'
    ? fail('tool-missing', { tool: 'OVMF', package: packages.firmware })
    : fail('tool-missing', { tool: 'AAVMF', package: packages.armFirmware })
}

/** What previews can be had here, for the window to say before one is tried, for machines of each architecture. */
export interface QemuAbility {
  /** Under which a machine can be started; none without QEMU, or without the one firmware that it needs. */
  firmware: Record<Architecture, MachineFirmware[]>
  /** The command that installs QEMU with all its firmware, or empty on a system whose package manager is unknown. */
  remedy: Record<Architecture, string>
}

/**
 * The command that installs QEMU for machines of an architecture.
 * @returns empty where the package manager is unknown
 */
export function installCommand(packages: Packages, architecture: Architecture): string {
  const { system, image, firmware, arm, armFirmware, install } = packages
  const names = architecture === 'amd64' ? [system, image, firmware] : [arm, image, armFirmware]
  return install === '' ? '' : [install, ...new Set(names)].join(' ')
}

/** Looks what previews can be had here. */
export async function describeQemu(): Promise<QemuAbility> {
  const packages = await packagesHere()
  return {
    firmware: { amd64: await firmwareHere('amd64'), arm64: await firmwareHere('arm64') },
    remedy: { amd64: installCommand(packages, 'amd64'), arm64: installCommand(packages, 'arm64') },
  }
}

async function firmwareHere(architecture: Architecture): Promise<MachineFirmware[]> {
  if (!(await findQemu(architecture)).ok) return []
  const has = async (secure: boolean): Promise<boolean> =>
    (await findUefiFirmware({ architecture, secure })) !== null
  return [
    // QEMU brings its own BIOS, and there is none for arm64.
    ...(architecture === 'amd64' ? (['bios'] as const) : []),
    ...((await has(false)) ? (['uefi'] as const) : []),
    ...((await has(true)) ? (['secure-boot'] as const) : []),
  ]
}
