import type { Drive as PortableDrive } from 'drivelist'
import type { Drive } from '../../shared/drive'
import { ok, type Result } from '../../shared/failure'
import { findDrives } from './linux'
import type { Needed } from './linux/drives'

/** The part of the drivelist package that is used. */
export interface DriveLister {
  list(): Promise<PortableDrive[]>
}

/**
 * The whole drives of this machine. drivelist gives the coarse list of every
 * platform; on Linux our own pass replaces every fact of it, because drivelist
 * asks no mount table (a root disk on USB is "not a system drive" to it).
 *
 * macOS and Windows: drivelist's word alone, not yet proven on hardware.
 * @param needed paths and files that the drives must not take from the running system (Linux)
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
  if (process.platform !== 'linux') return ok((portable ?? []).map(fromPortable))
  const found = await findDrives(needed)
  if (!found.ok || portable === null) return found
  // What drivelist alone sees is not shown: a drive that the kernel's own list lacks cannot be judged.
  const known = new Set(found.value.map((drive) => drive.device))
  for (const { device } of portable) if (!known.has(device)) log(`drivelist alone sees ${device}`)
  return found
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

/**
 * A drive as drivelist tells it, for macOS and Windows (unproven). It has no
 * serial and no ancestry: a drive it calls a system drive is one, as is any
 * that it does not call removable.
 */
export function fromPortable(drive: PortableDrive): Drive {
  const mountpoints = drive.mountpoints.map((mountpoint) => mountpoint.path)
  return {
    device: drive.device,
    majorMinor: '',
    sizeBytes: drive.size ?? 0,
    vendor: '',
    model: drive.description,
    serial: '',
    wwn: '',
    bus: drive.isUSB === true ? 'usb' : drive.busType.toLowerCase(),
    port: drive.devicePath ?? '',
    diskSequence: null,
    byId: [],
    type: drive.isVirtual === true ? 'virtual' : 'disk',
    readOnly: drive.isReadOnly,
    removable: drive.isRemovable,
    volumes: drive.mountpoints.map((mountpoint) => ({
      device: drive.device,
      label: mountpoint.label,
      fileSystem: null,
      sizeBytes: 0,
      startBytes: null,
      usedBytes: null,
      mountpoints: [mountpoint.path],
    })),
    mountpoints,
    systemPaths: drive.isSystem ? [mountpoints[0] ?? drive.device] : [],
    holders: [],
  }
}
