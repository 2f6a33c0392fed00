import type Docker from 'dockerode'
import { open, readdir } from 'node:fs/promises'
import { platform, release } from 'node:os'
import { join } from 'node:path'
import type { EngineArchitectures } from '../../shared/image'
import { architectureOf } from '../source/architecture'

/** Where a Linux kernel says which programs it hands to an emulator (docs.kernel.org/admin-guide/binfmt-misc.html). */
const BINFMT_FOLDER = '/proc/sys/fs/binfmt_misc'
/** Bytes of a rule that are read. */
const RULE_LIMIT = 4096

/**
 * Which architectures' programs an engine's computer runs. What it emulates is known where it shares this computer's
 * kernel, and so its rules; it does not where the engine is far away or in a virtual machine.
 * Throws what dockerode throws when the engine does not answer.
 */
export async function engineArchitectures(docker: Docker): Promise<EngineArchitectures> {
  const { Arch, KernelVersion } = (await docker.version()) as { Arch: string; KernelVersion?: string }
  const isHere = platform() === 'linux' && KernelVersion === release()
  return { own: Arch, emulated: isHere ? await emulatedArchitectures(BINFMT_FOLDER) : null }
}

/**
 * The architectures that a kernel emulates, by Go's names.
 * @param folder with its rules
 * @returns null when they cannot be seen from here
 */
export async function emulatedArchitectures(folder: string): Promise<string[] | null> {
  let names
  try {
    names = await readdir(folder)
  } catch {
    return null
  }
  // Without it nothing is mounted there.
  if (!names.includes('status')) return null
  const found = await Promise.all(names.map(async (name) => emulatedBy(await readRule(join(folder, name)))))
  return [...new Set(found.filter((name) => name !== null))]
}

async function readRule(path: string): Promise<string> {
  try {
    const file = await open(path)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(RULE_LIMIT), 0, RULE_LIMIT)
      return buffer.toString('latin1', 0, bytesRead)
    } finally {
      await file.close()
    }
  } catch {
    // `register` can only be written.
    return ''
  }
}

/** A rule that is enabled says the first bytes of its programs, which for another architecture's are an ELF header. */
function emulatedBy(rule: string): string | null {
  const magic = /^enabled\n[^]*^magic ([0-9a-f]+)$/m.exec(rule)?.[1]
  return magic === undefined ? null : architectureOf(Buffer.from(magic, 'hex'))
}
