import type { Drive as PortableDrive } from 'drivelist'
import type { Drive } from '../../shared/drive'
import { fail, type Result } from '../../shared/failure'
import { findDrives } from './linux'
import type { Needed } from './linux/drives'
import { findMacosDrives } from './macos'
import { findWindowsDrives } from './windows'

/** The part of the drivelist package that is used. */
export interface DriveLister {
  list(): Promise<PortableDrive[]>
}

/**
 * The whole drives of this machine, by the module of its system. drivelist gives a coarse list of every platform and
 * is only compared with ours: it asks no mount table (a root disk on USB is "not a system drive" to it).
 *
 * macOS and Windows: not yet proven on hardware.
 * @param needed paths and files that the drives must not take from the running system
 * @param log where to say that drivelist does not work
 * @param load how to get drivelist; tests give their own
 * @returns the drives; a failure where nothing could list them
 */
export async function listDrives(
  needed: Needed,
  log: (line: string) => void,
  load: () => Promise<DriveLister> = loadDrivelist,
): Promise<Result<Drive[]>> {
  const portable = await portableDrives(log, load)
  const found = await findOwn(needed)
  if (!found.ok || portable === null) return found
  // What drivelist alone sees is not shown: a drive that the kernel's own list lacks cannot be judged.
  const known = new Set(found.value.map((drive) => drive.device))
  for (const { device } of portable) if (!known.has(device)) log(`drivelist alone sees ${device}`)
  return found
}

/** What the module of this system finds; no other system has one. */
function findOwn(needed: Needed): Promise<Result<Drive[]>> {
  switch (process.platform) {
    case 'linux':
      return findDrives(needed)
    case 'darwin':
      return findMacosDrives(needed)
    case 'win32':
      return findWindowsDrives(needed)
    default:
      return Promise.resolve(fail('not-supported', { what: 'listing drives on this system' }))
  }
}

let saidThatItFails = false

/** null when drivelist cannot be loaded or fails; it is native code, which may be missing for this machine. */
async function portableDrives(
  log: (line: string) => void,
  load: () => Promise<DriveLister>,
): Promise<PortableDrive[] | null> {
  try {
    const lister = await load()
    return await lister.list()
  } catch (error) {
    if (!saidThatItFails) log(`drivelist does not work here: ${String(error).split('\n', 1).join()}`)
    saidThatItFails = true
    return null
  }
}

async function loadDrivelist(): Promise<DriveLister> {
  const module = (await import('drivelist')) as DriveLister & { default?: DriveLister }
  return module.default ?? module
}
