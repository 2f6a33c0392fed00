import type { FileHandle } from 'node:fs/promises'

/** How an open file is given to a program: by its descriptor, where the system has a name for it. */
export interface HandedOver {
  /** What the program is to open. */
  name: string
  /** For execa: the file becomes the program's descriptor 3. */
  stdio: ['ignore', 'pipe', 'pipe', 3]
}

/** The program's own name for its descriptor 3 (proc(5); macOS fd(4)); Windows has none. */
const names: Partial<Record<NodeJS.Platform, string>> = { linux: '/proc/self/fd/3', darwin: '/dev/fd/3' }

/**
 * Gives an open file to a program that wants a name, so that what stands under the file's own name by then does not
 * matter.
 * @param file open for reading
 * @param path where it was opened, for systems without such names
 */
export function handOver(file: FileHandle, path: string): HandedOver {
  // execa takes any number; its types name those up to 9.
  return { name: names[process.platform] ?? path, stdio: ['ignore', 'pipe', 'pipe', file.fd as 3] }
}
