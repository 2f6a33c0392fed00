import { posix } from 'node:path'
import type { ImageFacts, MissingPart } from '../../shared/image'
import { recipeOf } from '../../shared/recipe'
import { machineFacts } from './machine-facts'
import { kernelVersionOf, parseOsRelease, rootLoginOf, versionOfName } from './parse'
import type { EntryStat, TreeFiles } from './tree-files'
import type { InspectedImage } from './tree-source'

const KIB = 1024
const MIB = 1024 * KIB
/** Bytes of archive that are read to find a kernel's name, whatever a folder holds. */
const LIST_LIMIT = 512 * MIB
/** Kernels in /boot that are put in order and looked at; no machine has as many. */
const KERNEL_LIMIT = 100

/** What lies in a tree, apart from what its source says about itself. */
export type FileFacts = Omit<
  InspectedImage,
  'id' | 'name' | 'file' | 'architecture' | 'sizeBytes' | 'measured' | 'createdAt' | 'applications'
>

/**
 * Finds out what a root file system has, by reading a few of its files. What is read is bounded, whatever it holds.
 * @param files the tree's
 */
export async function fileFacts(files: TreeFiles): Promise<FileFacts> {
  const release =
    (await files.read('/etc/os-release', 64 * KIB)) ?? (await files.read('/usr/lib/os-release', 64 * KIB))
  const kernel = await findKernel(files)
  const initramfs = kernel === null ? null : await findInitramfs(files, kernel)
  const init = await findInit(files)
  const machine = await machineFacts(files, init)
  const distribution = release === null ? null : parseOsRelease(release.toString('utf8'))
  const canLogIn = (user: ImageFacts['users'][number]): boolean =>
    user.hasPassword || (user.hasKeys && machine.equipment.includes('sshd'))
  const has: Record<MissingPart, boolean> = {
    kernel: kernel !== null,
    initramfs: initramfs !== null,
    init: init !== null,
    login: machine.users.some(canLogIn),
    network: machine.network !== null,
  }
  return {
    distribution,
    kernel: kernel === null ? null : { path: kernel.path, version: kernel.version },
    initramfs,
    init,
    rootLogin: rootLoginOf(machine.files.shadow?.text ?? null),
    hasResolved: machine.equipment.includes('systemd-resolved'),
    ...machine,
    recipe: recipeOf(distribution, machine.packageManager),
    missing: (Object.keys(has) as MissingPart[]).filter((part) => !has[part]),
  }
}

interface FoundKernel {
  /** What the boot loader is to load. */
  path: string
  /** The file at the end of its links. */
  file: string
  version: string
}

/** Names of kernel files; characters are limited because the name goes into the boot loader's configuration. */
const kernelName = /^(?:vmlinuz|vmlinux|bzImage|Image|kernel)-([A-Za-z0-9._+~-]+)$/

/**
 * The kernel that the distribution itself would boot: the link that it keeps
 * (Debian /vmlinuz; Ubuntu and openSUSE /boot/vmlinuz), else the newest file in
 * /boot (Fedora, Arch, Alpine), else the newest of /usr/lib/modules (where
 * Fedora leaves it in containers).
 */
async function findKernel(files: TreeFiles): Promise<FoundKernel | null> {
  for (const path of ['/vmlinuz', '/boot/vmlinuz']) {
    const file = await files.resolve(path)
    if (isFilled(file)) return foundKernel(files, path, file.path)
  }
  const inBoot: string[] = []
  for await (const header of files.list('/boot', LIST_LIMIT)) {
    const [, name, ...deeper] = header.name.split('/')
    if (name !== undefined && deeper.length === 0 && kernelName.test(name) && !name.includes('rescue')) {
      inBoot.push(name)
      if (inBoot.length === KERNEL_LIMIT) break
    }
  }
  for (const name of inBoot.sort(byVersion).reverse()) {
    const file = await files.resolve(`/boot/${name}`)
    if (isFilled(file)) return foundKernel(files, `/boot/${name}`, file.path)
  }
  return (await newestModuleKernel(files, '/usr/lib/modules')) ?? newestModuleKernel(files, '/lib/modules')
}

async function newestModuleKernel(files: TreeFiles, folder: string): Promise<FoundKernel | null> {
  const seen = new Set<string>()
  for await (const header of files.list(folder, LIST_LIMIT)) {
    const version = header.name.split('/')[1] ?? ''
    if (seen.has(version) || !/^[A-Za-z0-9._+~-]+$/.test(version)) continue
    seen.add(version)
    const path = `${folder}/${version}/vmlinuz`
    const file = await files.resolve(path)
    // The first is taken: looking for a second would mean reading all modules, hundreds of megabytes.
    if (isFilled(file)) return { path, file: file.path, version }
  }
  return null
}

async function foundKernel(files: TreeFiles, path: string, file: string): Promise<FoundKernel> {
  const named = versionOfName(posix.basename(file))
  if (named !== null) return { path, file, version: named }
  // Alpine's vmlinuz-lts and Arch's vmlinuz-linux do not say it; the kernel itself does.
  const start = await files.read(file, 68 * KIB)
  const version = (start === null ? null : kernelVersionOf(start)) ?? posix.basename(file)
  return { path, file, version }
}

/** The initial RAM disk that belongs to a kernel, by the names that Debian, Fedora, openSUSE, Arch and Alpine give. */
async function findInitramfs(files: TreeFiles, kernel: FoundKernel): Promise<{ path: string } | null> {
  const folder = posix.dirname(kernel.path)
  for (const link of ['initrd.img', 'initrd', 'initramfs.img']) {
    const path = posix.join(folder, link)
    const file = await files.resolve(path)
    // A link to another kernel's would start with that one's modules.
    if (isFilled(file) && isForVersion(posix.basename(file.path), kernel.version)) return { path }
  }
  const suffix = kernelName.exec(posix.basename(kernel.file))?.[1]
  const names = [kernel.version, ...(suffix === undefined ? [] : [suffix])].flatMap((version) => [
    `initrd.img-${version}`,
    `initramfs-${version}.img`,
    `initrd-${version}`,
    `initramfs-${version}`,
  ])
  for (const boot of new Set([posix.dirname(kernel.file), '/boot'])) {
    for (const name of names) {
      const path = posix.join(boot, name)
      if (/^[\x21-\x7e]+$/.test(path) && isFilled(await files.resolve(path))) return { path }
    }
  }
  return null
}

function isForVersion(name: string, version: string): boolean {
  return versionOfName(name) === null || name.includes(version)
}

/**
 * The init that the kernel would start (kernel.org, admin-guide/init: /sbin/init,
 * /etc/init, /bin/init), or a systemd that only lacks the link of systemd-sysv.
 */
async function findInit(files: TreeFiles): Promise<ImageFacts['init']> {
  for (const path of ['/sbin/init', '/etc/init', '/bin/init']) {
    const file = await files.resolve(path)
    if (!isFilled(file) || (file.permissions & 0o111) === 0) continue
    const name = posix.basename(file.path)
    if (name === 'systemd') return { kind: 'systemd', path }
    if (name === 'openrc-init' || (await files.resolve('/sbin/openrc')) !== null) {
      return { kind: 'openrc', path }
    }
    if (name === 'busybox') return { kind: 'busybox', path }
    const isSysvinit = name === 'init' && (await files.resolve('/etc/inittab')) !== null
    return { kind: isSysvinit ? 'sysvinit' : 'unknown', path }
  }
  for (const path of ['/usr/lib/systemd/systemd', '/lib/systemd/systemd']) {
    if (isFilled(await files.resolve(path))) return { kind: 'systemd', path }
  }
  return null
}

/** A regular file with something in it. */
function isFilled(entry: EntryStat | null): entry is EntryStat {
  return entry?.kind === 'file' && entry.sizeBytes > 0
}

/** Orders file names by the numbers in them, so that 6.10 comes after 6.9. */
function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
