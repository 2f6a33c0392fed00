import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parsePublicKeys } from '../../../shared/machine'

/** A key's file is below 1 KB for RSA of 4096 bits; certificates and comments are larger. */
const LIMIT = 16_384
const MOST_FILES = 50

/**
 * The person's own public keys: what ends in `.pub` in `~/.ssh` and is one.
 * Private keys are never opened; what is no regular file is left alone.
 * @param folder for tests
 * @returns file names and keys, by name; empty when there are none
 */
export async function listPublicKeys(
  folder = join(homedir(), '.ssh'),
): Promise<{ file: string; key: string }[]> {
  const names = await readdir(folder).catch(() => [])
  const files = names.filter((name) => name.endsWith('.pub')).sort()
  const found = await Promise.all(
    files.slice(0, MOST_FILES).map(async (file) => {
      const text = await readStart(join(folder, file)).catch(() => '')
      return (parsePublicKeys(text) ?? []).map((key) => ({ file, key }))
    }),
  )
  return found.flat()
}

async function readStart(path: string): Promise<string> {
  // Not blocking: opening a pipe would wait for somebody to write into it.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const { size } = await handle.stat()
    if (!(await handle.stat()).isFile() || size > LIMIT) return ''
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(LIMIT), 0, LIMIT, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
