import { lstat, mkdir, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ok, type Result } from '../../shared/failure'
import type { KernelTools } from '../convert/kernel/tools'
import { runProgram } from './run'

/**
 * Everything is mounted below /tmp, on a file system of its own that only this
 * mount namespace has: no folder is made on the host, and when the helper's
 * last process is gone, the kernel takes all of it away, the loop device
 * included. (mount_namespaces(7))
 */
const PRIVATE_DIRECTORY = '/tmp'

/** The disk's file, bound: a name that the asking user cannot exchange for another between two programs. */
export const DISK_FILE = join(PRIVATE_DIRECTORY, 'disk')
/** What programs that handle the image's tree see as `/`. */
export const SANDBOX_ROOT = join(PRIVATE_DIRECTORY, 'root')
/** The machine's root, within the sandbox. */
export const MACHINE_DIRECTORY = '/machine'
/** The device that the machine's root is on, within the sandbox. */
export const SANDBOX_DISK = '/dev/disk'
/** The machine's root, from without. */
export const MACHINE_MOUNT = join(SANDBOX_ROOT, MACHINE_DIRECTORY)

/** Directories of programs and libraries; links into /usr where it is merged, directories elsewhere. */
const PROGRAM_TREES = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']

/**
 * Makes the private /tmp, binds the disk's file into it and prepares an almost
 * empty root: programs and libraries of the host, read-only, and nothing else.
 * A program in there cannot name any file of the host, so that neither a
 * symbolic link of the image nor a fault of tar reaches one.
 * @param tools of the host
 * @param disk open descriptor of the disk's file
 * @param signal kills a program that runs
 * @throws when the process is in the mount namespace of its parent: it was not started as it must be
 */
export async function openSandbox(
  tools: KernelTools,
  disk: number,
  signal: AbortSignal,
): Promise<Result<null>> {
  const own = await readlink('/proc/self/ns/mnt')
  if (own === (await readlink(`/proc/${process.ppid}/ns/mnt`))) {
    throw new Error('the helper needs a mount namespace of its own')
  }
  const mount = (...options: string[]): Promise<Result<string>> =>
    runProgram(tools.setpriv, [tools.mount, '-n', ...options], { signal })

  const privateMount = await mount(
    ...'-t tmpfs -o mode=0700,nosuid,nodev tmpfs'.split(' '),
    PRIVATE_DIRECTORY,
  )
  if (!privateMount.ok) return privateMount
  await writeFile(DISK_FILE, '')
  // Not canonicalized: the descriptor's own file is meant, not what its name points to by now.
  const diskBind = await mount('--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${disk}`, DISK_FILE)
  if (!diskBind.ok) return diskBind

  await mkdir(SANDBOX_ROOT)
  const rootMount = await mount(...'-t tmpfs -o mode=0755,nosuid tmpfs'.split(' '), SANDBOX_ROOT)
  if (!rootMount.ok) return rootMount
  await mkdir(join(SANDBOX_ROOT, 'dev'))
  await mkdir(MACHINE_MOUNT)
  for (const name of ['usr', ...PROGRAM_TREES]) {
    const kind = await lstat(join('/', name)).catch(() => null)
    const inside = join(SANDBOX_ROOT, name)
    if (kind?.isSymbolicLink()) await symlink(await readlink(join('/', name)), inside)
    else if (kind?.isDirectory()) {
      await mkdir(inside)
      const bind = await mount('--bind', '-o', 'ro,nosuid', join('/', name), inside)
      if (!bind.ok) return bind
    }
  }
  return ok(null)
}

/**
 * Puts the machine's device into the sandbox and makes the sandbox's own root
 * read-only: from then on nothing in there can change what it runs.
 * @param tools of the host
 * @param device the machine's device number, as stat(2) has it
 * @param signal kills a program that runs
 */
export async function sealSandbox(
  tools: KernelTools,
  device: number,
  signal: AbortSignal,
): Promise<Result<null>> {
  // Linux's layout of a dev_t (glibc's makedev(3)); no major number needs more than 12 bits.
  const major = Math.floor(device / 256) % 4096
  const minor = (device % 256) + Math.floor(device / 1048576) * 256
  const node = [tools.mknod, join(SANDBOX_ROOT, SANDBOX_DISK), 'b', String(major), String(minor)]
  const made = await runProgram(tools.setpriv, node, { signal })
  if (!made.ok) return made
  const remount = [tools.mount, '-n', '-o', 'remount,bind,ro,nosuid', SANDBOX_ROOT]
  const sealed = await runProgram(tools.setpriv, remount, { signal })
  return sealed.ok ? ok(null) : sealed
}

/** Linux capabilities (capabilities(7)) that a program in the sandbox keeps; all others are out of its reach. */
export type Capability =
  'chown' | 'dac_override' | 'fowner' | 'fsetid' | 'mknod' | 'setfcap' | 'linux_immutable'

/**
 * The command line that runs a program in the sandbox: no network, no IPC of
 * the host, the sandbox as root directory, and only the named capabilities.
 * @param tools of the host
 * @param capabilities what it keeps
 * @param command absolute path and arguments; paths are the sandbox's
 */
export function sandboxed(
  tools: KernelTools,
  capabilities: readonly Capability[],
  command: readonly string[],
): string[] {
  return [
    tools.unshare,
    '--net',
    '--ipc',
    '--uts',
    `--root=${SANDBOX_ROOT}`,
    '--wd=/',
    tools.setpriv,
    '--no-new-privs',
    '--inh-caps=-all',
    `--bounding-set=-all${capabilities.map((name) => `,+${name}`).join('')}`,
    '--',
    ...command,
  ]
}
