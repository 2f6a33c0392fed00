import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Architecture } from './arguments'

/** Two files that belong together: 2M code does not start with 4M variables. */
export interface UefiFirmware {
  codePath: string
  variablesTemplatePath: string
}

/**
 * What is used of a firmware descriptor (QEMU docs/interop/firmware.json).
 * `mode` came with QEMU 7: `split` is code and variables in two files.
 */
const descriptorSchema = z.object({
  'interface-types': z.array(z.string()),
  mapping: z.object({
    device: z.literal('flash'),
    mode: z.literal('split').default('split'),
    executable: z.object({ filename: z.string(), format: z.literal('raw') }),
    'nvram-template': z.object({ filename: z.string(), format: z.literal('raw') }),
  }),
  targets: z.array(z.object({ architecture: z.string(), machines: z.array(z.string()) })),
  features: z.array(z.string()),
})

/** Descriptor folders in the order of their precedence, the administrator's before the packages'. */
const descriptorFolders = ['/etc/qemu/firmware', '/usr/local/share/qemu/firmware', '/usr/share/qemu/firmware']

/** What a machine wants of its UEFI. `secure`: Secure Boot with Microsoft's keys enrolled. */
export interface FirmwareWish {
  architecture: Architecture
  secure: boolean
}

type Pair = readonly [code: string, variables: string]

/** Pairs of systems that have no descriptors: Debian, Fedora, Arch, Homebrew. */
const plainPairs: readonly Pair[] = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
  ['/usr/share/edk2/x64/OVMF_CODE.4m.fd', '/usr/share/edk2/x64/OVMF_VARS.4m.fd'],
  ['/opt/homebrew/share/qemu/edk2-x86_64-code.fd', '/opt/homebrew/share/qemu/edk2-i386-vars.fd'],
  ['/usr/local/share/qemu/edk2-x86_64-code.fd', '/usr/local/share/qemu/edk2-i386-vars.fd'],
]
/** Debian and Ubuntu, Fedora. */
const securePairs: readonly Pair[] = [
  ['/usr/share/OVMF/OVMF_CODE_4M.secboot.fd', '/usr/share/OVMF/OVMF_VARS_4M.ms.fd'],
  ['/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd', '/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd'],
]
/** Debian, Fedora, Homebrew. */
const armPairs: readonly Pair[] = [
  ['/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd'],
  ['/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw', '/usr/share/edk2/aarch64/vars-template-pflash.raw'],
  ['/opt/homebrew/share/qemu/edk2-aarch64-code.fd', '/opt/homebrew/share/qemu/edk2-arm-vars.fd'],
]

/** Debian. */
const secureArmPairs: readonly Pair[] = [
  ['/usr/share/AAVMF/AAVMF_CODE.ms.fd', '/usr/share/AAVMF/AAVMF_VARS.ms.fd'],
]

/** Features that firmware with Microsoft's keys has and plain firmware has not. Arm has no System Management Mode. */
const secureFeatures: Record<Architecture, readonly string[]> = {
  amd64: ['requires-smm', 'enrolled-keys'],
  arm64: ['secure-boot', 'enrolled-keys'],
}

/** Architecture and machine as the descriptors name them. */
const targetNames: Record<Architecture, readonly [architecture: string, machine: string]> = {
  amd64: ['x86_64', 'pc-q35'],
  arm64: ['aarch64', 'virt'],
}

/**
 * Reads one descriptor.
 * @returns its two files when it is what is wished: UEFI for the architecture's board, with all features of Secure Boot
 *   or with none; else null
 */
export function readDescriptor(text: string, wish: FirmwareWish): UefiFirmware | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return null
  }
  const descriptor = descriptorSchema.safeParse(parsed)
  if (!descriptor.success) return null
  const { mapping, targets, features } = descriptor.data
  const [wantedArchitecture, wantedMachine] = targetNames[wish.architecture]
  const fits =
    descriptor.data['interface-types'].includes('uefi') &&
    targets.some(
      ({ architecture, machines }) =>
        architecture === wantedArchitecture && machines.some((machine) => machine.startsWith(wantedMachine)),
    )
  const marks = secureFeatures[wish.architecture].map((feature) => features.includes(feature))
  if (!fits || marks.some((mark) => mark !== wish.secure)) return null
  return { codePath: mapping.executable.filename, variablesTemplatePath: mapping['nvram-template'].filename }
}

async function bothExist(firmware: UefiFirmware): Promise<boolean> {
  try {
    await access(firmware.codePath)
    await access(firmware.variablesTemplatePath)
    return true
  } catch {
    return false
  }
}

/**
 * Finds UEFI firmware: first by the descriptors that
 * distributions install for this purpose (by name within a folder, the order
 * that QEMU's document prescribes), then at known places.
 * @returns null when there is none
 */
export async function findUefiFirmware(wish: FirmwareWish): Promise<UefiFirmware | null> {
  for (const folder of descriptorFolders) {
    let names: string[]
    try {
      names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
    } catch {
      continue
    }
    for (const name of names) {
      const firmware = readDescriptor(await readFile(join(folder, name), 'utf8'), wish)
      if (firmware !== null && (await bothExist(firmware))) return firmware
    }
  }
  const [plain, secure] =
    wish.architecture === 'arm64' ? [armPairs, secureArmPairs] : [plainPairs, securePairs]
  const pairs = wish.secure ? secure : plain
  for (const [codePath, variablesTemplatePath] of pairs) {
    const firmware = { codePath, variablesTemplatePath }
    if (await bothExist(firmware)) return firmware
  }
  return null
}
