import { fail, ok, type Result } from '../../../shared/failure'
import type { PartitionTable } from '../../../shared/image'
import { extlinuxParts } from '../../disk/extlinux'
import type { BootLoaders } from '../direct/boot'
import { efiProgram } from './efi-program'

/** A place where boot loaders may lie: an image, the host, or an image made for them. */
export interface LoaderPlace {
  /** `ID` of os-release(5), whose signatures its signed files carry; null when it is not known. */
  distribution: string | null
  /** The first `limit` bytes of a file after links; null when there is none. */
  read(path: string, limit: number): Promise<Uint8Array | null>
}

/** What is to be booted. */
export interface BootTarget {
  /** Go's name. */
  architecture: string
  table: PartitionTable
  /** `ID` of os-release(5), or null. */
  distribution: string | null
  /** Whether the kernel carries a signature. */
  isKernelSigned: boolean
}

/** What was found, and where. */
export interface FoundLoaders {
  loaders: BootLoaders
  secureBoot: boolean
}

/** Bytes that a boot loader may have: all of them together have to fit on an ESP of 64 MiB. */
const LIMIT = 16 * 1024 * 1024
/** The part of the boot record that is for code (UEFI specification, table 5.1). */
const BOOT_CODE_BYTES = 440

/** Where distributions put the boot record's code; the first that is there is taken. Debian, Arch, Fedora and Alpine. */
const bootCodeFolders = [
  '/usr/lib/syslinux/mbr',
  '/usr/lib/EXTLINUX',
  '/usr/lib/syslinux/bios',
  '/usr/share/syslinux',
]
const bootCodeNames: Record<PartitionTable, string> = { mbr: 'mbr.bin', gpt: 'gptmbr.bin' }
const extlinuxPaths = ['/usr/bin/extlinux', '/usr/sbin/extlinux', '/sbin/extlinux']

/** How EFI programs are called for each architecture (UEFI specification, 3.5.1.1), and the folder of GRUB's modules. */
const efiNames: Readonly<Record<string, { suffix: string; grubFolder: string }>> = {
  amd64: { suffix: 'x64', grubFolder: 'x86_64-efi' },
  arm64: { suffix: 'aa64', grubFolder: 'arm64-efi' },
}
/** Debian's and Ubuntu's GRUB look for their configuration in a folder of their own. */
const configurationPaths = ['EFI/debian/grub.cfg', 'EFI/ubuntu/grub.cfg']

/**
 * Looks for boot loaders, place by place; BIOS and UEFI may come from two of them. What is found is judged before
 * it is taken: its size is bounded, and it has to be what its name says.
 * @param places in the order of preference
 * @param target what is to be booted
 * @returns BIOS and UEFI, each null where no place has it; `tool-missing` when neither was found
 */
export async function findBootLoaders(
  places: readonly LoaderPlace[],
  target: BootTarget,
): Promise<Result<FoundLoaders>> {
  let bios: BootLoaders['bios'] = null
  let uefi: BootLoaders['uefi'] = null
  let secureBoot = false
  for (const place of places) {
    if (target.architecture === 'amd64') bios ??= await findBios(place, target.table)
    if (uefi !== null) continue
    const found = await findUefi(place, target.architecture)
    if (found === null) continue
    uefi = found.uefi
    // The chain accepts only kernels that its own distribution signed.
    const isOwn = place.distribution !== null && place.distribution === target.distribution
    secureBoot = found.isSigned && isOwn && target.isKernelSigned
  }
  if (bios === null && uefi === null) {
    return target.architecture === 'amd64'
      ? fail('tool-missing', { tool: 'extlinux', package: 'extlinux syslinux-common' })
      : fail('tool-missing', { tool: 'GRUB', package: `grub-efi-${target.architecture}-bin` })
  }
  return ok({ loaders: { bios, uefi }, secureBoot })
}

async function findBios(place: LoaderPlace, table: PartitionTable): Promise<BootLoaders['bios']> {
  const extlinux = await readFirst(place, extlinuxPaths)
  if (extlinux === null || !isExtlinux(extlinux)) return null
  const paths = bootCodeFolders.map((folder) => `${folder}/${bootCodeNames[table]}`)
  const bootCode = await readFirst(place, paths)
  return bootCode === null || bootCode.length > BOOT_CODE_BYTES ? null : { bootCode, extlinux }
}

/** Whether all that extlinux installs can be taken out of it. */
function isExtlinux(program: Uint8Array): boolean {
  try {
    return extlinuxParts(program) !== null
  } catch (error) {
    // A place in the file that lies outside of it.
    if (error instanceof RangeError) return false
    throw error
  }
}

/**
 * The signed chain of shim and GRUB (packages shim-signed and grub-efi-…-signed), which starts under Secure Boot and
 * without it; or GRUB in one file, unsigned (package grub-efi-…-bin).
 */
async function findUefi(
  place: LoaderPlace,
  architecture: string,
): Promise<{ uefi: NonNullable<BootLoaders['uefi']>; isSigned: boolean } | null> {
  const names = efiNames[architecture]
  if (names === undefined) return null
  const { suffix, grubFolder } = names
  const program = async (path: string): Promise<{ data: Uint8Array; isSigned: boolean } | null> => {
    const data = await readFirst(place, [path])
    const header = data === null ? null : efiProgram(data)
    if (data === null || header?.architecture !== architecture) return null
    return { data, isSigned: header.isSigned }
  }
  const first = `EFI/BOOT/BOOT${suffix.toUpperCase()}.EFI`
  const shim = await program(`/usr/lib/shim/shim${suffix}.efi.signed`)
  const signedGrub = await program(`/usr/lib/grub/${grubFolder}-signed/grub${suffix}.efi.signed`)
  if (shim !== null && signedGrub !== null) {
    const files = [
      { path: first, data: shim.data },
      { path: `EFI/BOOT/grub${suffix}.efi`, data: signedGrub.data },
    ]
    return { uefi: { files, configurationPaths }, isSigned: shim.isSigned && signedGrub.isSigned }
  }
  const grub = await program(`/usr/lib/grub/${grubFolder}/monolithic/grub${suffix}.efi`)
  if (grub === null) return null
  return { uefi: { files: [{ path: first, data: grub.data }], configurationPaths }, isSigned: false }
}

/** The first of the files that is there and not too large. */
async function readFirst(place: LoaderPlace, paths: readonly string[]): Promise<Uint8Array | null> {
  for (const path of paths) {
    const bytes = await place.read(path, LIMIT + 1)
    if (bytes !== null && bytes.length > 0 && bytes.length <= LIMIT) return bytes
  }
  return null
}
