import type { Ext4Writer } from '../../disk/ext4/writer'
import { S_IFMT, S_IFREG } from '../../disk/ext4/layout'

/** A kernel and its initial RAM disk, as paths in the machine with a leading slash. */
export interface KernelPaths {
  kernelPath: string
  initramfsPath: string
}

/** The links that distributions keep at the newest kernel: an upgrade inside the machine moves them. */
const LINKS: readonly KernelPaths[] = [
  { kernelPath: '/vmlinuz', initramfsPath: '/initrd.img' },
  { kernelPath: '/boot/vmlinuz', initramfsPath: '/boot/initrd.img' },
  { kernelPath: '/boot/vmlinuz', initramfsPath: '/boot/initrd' },
]

/** Names of an initial RAM disk beside a kernel `vmlinuz-VERSION`: Debian, Fedora, Alpine and Arch, openSUSE. */
const INITRAMFS = [
  (version: string): string => `initrd.img-${version}`,
  (version: string): string => `initramfs-${version}.img`,
  (version: string): string => `initramfs-${version}`,
  (version: string): string => `initrd-${version}`,
]

/** Whether a path leads, by way of any links, to a regular file that is not empty. */
export function isFile(writer: Ext4Writer, path: string): boolean {
  const inode = writer.tree.resolve(path)
  if (inode === null) return false
  return (writer.inodes.mode.get(inode) & S_IFMT) === S_IFREG && writer.inodes.size.get(inode) > 0
}

/**
 * All kernels with their initial RAM disks that a tree has: first what the distribution's own links point to, then
 * those in /boot, the highest version first.
 */
export function kernelsIn(writer: Ext4Writer): KernelPaths[] {
  const found = LINKS.filter((pair) => isFile(writer, pair.kernelPath) && isFile(writer, pair.initramfsPath))
  const boot = writer.tree.resolve('/boot')
  const names = boot === null ? [] : writer.tree.namesIn(boot)
  const kernels = names.filter((name) => name.startsWith('vmlinuz-'))
  kernels.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  for (const kernel of kernels) {
    const version = kernel.slice('vmlinuz-'.length)
    const initramfs = INITRAMFS.map((name) => `/boot/${name(version)}`).find((path) => isFile(writer, path))
    if (initramfs !== undefined) found.push({ kernelPath: `/boot/${kernel}`, initramfsPath: initramfs })
  }
  return found
}
