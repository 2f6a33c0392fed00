import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { fail, ok, type Result } from '../../../shared/failure'

/** Programs of the host that the kernel engine runs, with the Debian package that has each. */
const PROGRAMS = {
  e2fsck: 'e2fsprogs',
  extlinux: 'extlinux',
  mke2fs: 'e2fsprogs',
  mknod: 'coreutils',
  mount: 'mount',
  setpriv: 'util-linux',
  sync: 'coreutils',
  tar: 'tar',
  umount: 'mount',
  unshare: 'util-linux',
} as const

/** Only these are searched, never the user's PATH: what is found runs as root. */
const PROGRAM_DIRECTORIES = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Where distributions put syslinux' MBR: Debian (two packages), Arch, Fedora and openSUSE. */
const MBR_FILES = [
  '/usr/lib/EXTLINUX/mbr.bin',
  '/usr/lib/syslinux/mbr/mbr.bin',
  '/usr/lib/syslinux/bios/mbr.bin',
  '/usr/share/syslinux/mbr.bin',
]

/** Absolute paths of the programs and of the MBR's boot code. */
export type KernelTools = Record<keyof typeof PROGRAMS | 'mbr', string>

/**
 * Finds what the kernel engine needs. Asked before a password is, and again by the helper.
 * @returns absolute paths, or `tool-missing` with the first that is not there
 */
export function findKernelTools(): Result<KernelTools> {
  const tools: Partial<KernelTools> = {}
  for (const [name, owner] of Object.entries(PROGRAMS)) {
    const found = PROGRAM_DIRECTORIES.map((directory) => join(directory, name)).find(isExecutable)
    if (found === undefined) return fail('tool-missing', { tool: name, package: owner })
    tools[name as keyof typeof PROGRAMS] = found
  }
  const mbr = MBR_FILES.find((path) => isAccessible(path, constants.R_OK))
  if (mbr === undefined) return fail('tool-missing', { tool: 'mbr.bin', package: 'syslinux-common' })
  tools.mbr = mbr
  return ok(tools as KernelTools)
}

function isExecutable(path: string): boolean {
  return isAccessible(path, constants.X_OK)
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
