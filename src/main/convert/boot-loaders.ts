import { readFile } from 'node:fs/promises'
import { fail, ok, type Result } from '../../shared/failure'
import type { BootLoaders } from './direct/boot'

/** Where distributions put the files; the first that is there is taken. Debian, Arch, Fedora. */
const bootCodePaths = [
  '/usr/lib/syslinux/mbr/mbr.bin',
  '/usr/lib/syslinux/bios/mbr.bin',
  '/usr/share/syslinux/mbr.bin',
]
const extlinuxPaths = ['/usr/bin/extlinux', '/usr/sbin/extlinux', '/sbin/extlinux']

/**
 * Debian's and Ubuntu's signed chain (packages shim-signed and grub-efi-amd64-signed): it starts under Secure Boot
 * and without it. GRUB's own configuration path is built in as /EFI/debian or /EFI/ubuntu.
 */
const SHIM = '/usr/lib/shim/shimx64.efi.signed'
const SIGNED_GRUB = '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed'
/** Debian's GRUB in one file, unsigned (package grub-efi-amd64-bin). */
const MONOLITHIC_GRUB = '/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi'
const grubConfigurationPaths = ['EFI/debian/grub.cfg', 'EFI/ubuntu/grub.cfg']

async function readFirst(paths: readonly string[]): Promise<Uint8Array | null> {
  for (const path of paths) {
    const bytes = await readFile(path).catch(() => null)
    if (bytes !== null) return bytes
  }
  return null
}

/**
 * Reads the boot loaders that this host's packages have. None is part of Slipway.
 * @returns BIOS and UEFI, each null where the host lacks it; `tool-missing` when it has neither
 */
export async function findBootLoaders(): Promise<Result<BootLoaders>> {
  const [bootCode, extlinux, shim, signedGrub, grub] = await Promise.all([
    readFirst(bootCodePaths),
    readFirst(extlinuxPaths),
    readFirst([SHIM]),
    readFirst([SIGNED_GRUB]),
    readFirst([MONOLITHIC_GRUB]),
  ])
  const bios = bootCode === null || extlinux === null ? null : { bootCode, extlinux }
  const configurationPaths = grubConfigurationPaths
  let uefi: BootLoaders['uefi'] = null
  if (shim !== null && signedGrub !== null) {
    const files = [
      { path: 'EFI/BOOT/BOOTX64.EFI', data: shim },
      { path: 'EFI/BOOT/grubx64.efi', data: signedGrub },
    ]
    uefi = { files, configurationPaths, secureBoot: true }
  } else if (grub !== null) {
    uefi = { files: [{ path: 'EFI/BOOT/BOOTX64.EFI', data: grub }], configurationPaths, secureBoot: false }
  }
  if (bios === null && uefi === null) {
    return fail('tool-missing', { tool: 'extlinux', package: 'extlinux syslinux-common' })
  }
  return ok({ bios, uefi })
}
