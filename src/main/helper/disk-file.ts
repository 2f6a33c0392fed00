import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { fail, ok, type Result } from '../../shared/failure'

/** O_PATH of Linux (open(2)), on x86 and ARM alike: names a file without opening it, so that no device acts on it. */
const O_PATH = 0o10000000

/**
 * Opens the file that a disk is to be built in, for the user who asked. It must
 * be his own, regular, empty and known by one name: then nothing that he could
 * not write himself is written for him.
 * @param path absolute
 * @param owner uid of the asking user
 * @returns the open file, or `output-forbidden`
 */
export async function openDiskFile(path: string, owner: number): Promise<Result<FileHandle>> {
  const forbidden = fail('output-forbidden', { path })
  let named: FileHandle
  try {
    named = await open(path, O_PATH | constants.O_NOFOLLOW)
  } catch {
    return forbidden
  }
  try {
    const stat = await named.stat()
    if (!stat.isFile() || stat.uid !== owner || stat.size !== 0 || stat.nlink !== 1) return forbidden
    // The checked file itself, whatever its name stands for by now.
    return ok(await open(`/proc/self/fd/${named.fd}`, constants.O_RDWR))
  } catch {
    return forbidden
  } finally {
    await named.close()
  }
}
