import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'

/** Absolute paths of the two programs that a preview needs. */
export interface QemuPrograms {
  system: string
  image: string
}

/** Where programs lie that a desktop's short PATH leaves out: Homebrew and MacPorts. */
const moreFolders = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/opt/local/bin']

/** Package names and the command that installs them, by `ID` or `ID_LIKE` of os-release(5). */
const distributions: Record<string, { system: string; image: string; firmware: string; install: string }> = {
  debian: { system: 'qemu-system-x86', image: 'qemu-utils', firmware: 'ovmf', install: 'sudo apt install' },
  fedora: {
    system: 'qemu-system-x86',
    image: 'qemu-img',
    firmware: 'edk2-ovmf',
    install: 'sudo dnf install',
  },
  arch: { system: 'qemu-system-x86', image: 'qemu-img', firmware: 'edk2-ovmf', install: 'sudo pacman -S' },
  suse: {
    system: 'qemu-x86',
    image: 'qemu-img',
    firmware: 'qemu-ovmf-x86_64',
    install: 'sudo zypper install',
  },
  alpine: { system: 'qemu-system-x86_64', image: 'qemu-img', firmware: 'ovmf', install: 'sudo apk add' },
  darwin: { system: 'qemu', image: 'qemu', firmware: 'qemu', install: 'brew install' },
}
const unknownDistribution = { system: 'qemu', image: 'qemu', firmware: 'OVMF', install: '' }

/** The packages of this system. An unreadable os-release gives QEMU's general names. */
async function packagesHere(): Promise<typeof unknownDistribution> {
  if (process.platform === 'darwin') return distributions['darwin'] ?? unknownDistribution
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const names = [...text.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap(
    (match) => match[1]?.split(' ') ?? [],
  )
  for (const name of names) {
    const known = distributions[name.startsWith('opensuse') ? 'suse' : name]
    if (known !== undefined) return known
  }
  return unknownDistribution
}

/**
 * Finds a program in PATH and in a few folders that a desktop's PATH leaves out.
 * @returns its absolute path, or null
 */
export async function findProgram(name: string): Promise<string | null> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...moreFolders]
  for (const folder of folders) {
    if (!folder.startsWith('/')) continue
    const path = join(folder, name)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // Not here.
    }
  }
  return null
}

/** Finds QEMU. Fails with `tool-missing`, whose package is the one of this system. */
export async function findQemu(): Promise<Result<QemuPrograms>> {
  const packages = await packagesHere()
  const system = await findProgram('qemu-system-x86_64')
  if (system === null) return fail('tool-missing', { tool: 'qemu-system-x86_64', package: packages.system })
  const image = await findProgram('qemu-img')
  if (image === null) return fail('tool-missing', { tool: 'qemu-img', package: packages.image })
  return ok({ system, image })
}

/** The failure for UEFI firmware that is not there. */
export async function firmwareMissing(): Promise<Result<never>> {
  return fail('tool-missing', { tool: 'OVMF', package: (await packagesHere()).firmware })
}

/**
 * Whether previews can be had here, for the window to say before one is tried.
 * @returns `remedy` is the command that installs QEMU, or empty on a system whose package manager is unknown
 */
export async function describeQemu(): Promise<{ found: boolean; remedy: string }> {
  const { system, image, firmware, install } = await packagesHere()
  const remedy = install === '' ? '' : [install, ...new Set([system, image, firmware])].join(' ')
  return { found: (await findQemu()).ok, remedy }
}
