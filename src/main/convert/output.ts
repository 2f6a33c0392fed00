import { constants } from 'node:fs'
import {
  access,
  link,
  lstat,
  open,
  rename,
  rm,
  stat,
  statfs,
  unlink,
  type FileHandle,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import { partName, removeLeftovers } from '../library/leftovers'

const MIB = 1024 * 1024

/** File systems whose files have no holes: their magic (statfs(2)) and the bytes of their largest file. */
const fileSystems: readonly { magic: number; name: string; limitBytes: number }[] = [
  // A file's length is a u32 (Microsoft FAT specification, "FAT Directory Structure").
  { magic: 0x4d44, name: 'FAT', limitBytes: 0xffffffff },
  { magic: 0x2011bab0, name: 'exFAT', limitBytes: Number.MAX_SAFE_INTEGER },
]

/**
 * Checks that a new file may be made at a path.
 * @param path absolute
 * @returns `output-exists`, `output-folder-missing` or `output-forbidden`
 */
export async function checkOutputPath(path: string): Promise<Result<null>> {
  const folder = dirname(path)
  const found = await stat(folder).catch(() => null)
  if (found?.isDirectory() !== true) return fail('output-folder-missing', { path: folder })
  // lstat: a link that leads nowhere is something that exists, too.
  const existing = await lstat(path).catch(() => null)
  if (existing !== null) return fail('output-exists', { path })
  try {
    await access(folder, constants.W_OK | constants.X_OK)
  } catch {
    return fail('output-forbidden', { path: folder })
  }
  return ok(null)
}

/**
 * Checks that the file system can hold a disk, before anything is written.
 * @param path absolute, of the disk to be
 * @param sizeBytes of the disk, holes included
 * @param contentBytes of what will be in it
 * @returns `output-file-system` or `no-space`
 */
export async function checkOutputSpace(
  path: string,
  sizeBytes: number,
  contentBytes: number,
): Promise<Result<null>> {
  return judgeSpace(path, await statfs(dirname(path)), sizeBytes, contentBytes)
}

/**
 * The same for what statfs(2) said.
 * @param system `type` is the magic, `bavail` counts blocks of `bsize` bytes
 */
export function judgeSpace(
  path: string,
  system: { type: number; bavail: number; bsize: number },
  sizeBytes: number,
  contentBytes: number,
): Result<null> {
  const limited = fileSystems.find((one) => one.magic === system.type)
  if (limited !== undefined && sizeBytes > limited.limitBytes) {
    const { name, limitBytes } = limited
    return fail('output-file-system', { path, fileSystem: name, limitBytes })
  }
  // Where files have no holes the whole size is taken; elsewhere the content, 3 % of tables, and journal and boot files.
  const neededBytes = limited === undefined ? Math.min(sizeBytes, contentBytes * 1.03 + 96 * MIB) : sizeBytes
  const freeBytes = system.bavail * system.bsize
  if (freeBytes < neededBytes) return fail('no-space', { path, neededBytes, freeBytes })
  return ok(null)
}

/** A disk in the making, under a name of its own in the folder where it is to be. */
export interface OutputFile {
  /** Absolute path of the unfinished file, regular, empty and the user's own. */
  partPath: string
  /** Makes it durable and gives it its name, never in place of another file; `output-exists`. */
  finish(): Promise<Result<null>>
  /** Throws it away; nothing happens when it is finished. */
  discard: () => Promise<void>
}

/**
 * Begins a disk's file, after taking away what killed builds of the same disk left.
 * @param path absolute, of the finished disk
 * @returns `output-forbidden`
 */
export async function beginOutput(path: string): Promise<Result<OutputFile>> {
  const folder = dirname(path)
  await removeLeftovers(path)
  const partPath = join(folder, partName(path))
  let file: FileHandle
  try {
    // A disk holds password hashes and keys: nobody else's to read.
    file = await open(partPath, 'wx', 0o600)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      return fail('output-forbidden', { path: folder })
    }
    throw error
  }
  await file.close()
  return ok({
    partPath,
    async finish() {
      await syncPath(partPath)
      const named = await nameWithoutReplacing(partPath, path)
      if (named.ok) await syncPath(folder)
      return named
    },
    async discard() {
      await rm(partPath, { force: true })
    },
  })
}

/** rename(2) replaces what is there; link(2) does not, but not every file system has it. */
async function nameWithoutReplacing(from: string, to: string): Promise<Result<null>> {
  try {
    await link(from, to)
    await unlink(from)
    return ok(null)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return fail('output-exists', { path: to })
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
  }
  try {
    // Takes the name with an empty file of our own, which the rename may then replace.
    await (await open(to, 'wx', 0o600)).close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return fail('output-exists', { path: to })
    throw error
  }
  await rename(from, to)
  return ok(null)
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
