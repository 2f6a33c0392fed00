import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { partName, removeLeftovers } from './leftovers'

/**
 * Writes a file so that readers see the old one or the new one and nothing in between, after taking away what killed
 * writers of it left. Throws what the file system says.
 */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await removeLeftovers(path)
  // Two writers of one process may be at the same file.
  const temporary = join(dirname(path), partName(`${path}.${randomUUID()}`))
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
