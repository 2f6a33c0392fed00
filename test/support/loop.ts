import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Attaches a file to a free loop device, or to the named one. Answers its path; throws when losetup fails. */
export async function attachLoop(file: string, ...options: string[]): Promise<string> {
  const { stdout } = await run('losetup', ['--find', '--show', ...options, file])
  return stdout.trim()
}

/** Puts another file behind the same loop device, as when a stick is pulled and another one plugged in. */
export async function swapLoop(device: string, from: string, to: string): Promise<void> {
  await detachLoop(device, from)
  await run('losetup', [device, to])
}

/** Detaches a loop device, if it is still the one with this file behind it. */
export async function detachLoop(device: string, file: string): Promise<void> {
  const path = `/sys/block/${basename(device)}/loop/backing_file`
  const backing = await readFile(path, 'utf8').catch(() => '')
  if (backing.trim() === file) await run('losetup', ['--detach', device])
}
