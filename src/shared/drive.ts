import { z } from 'zod'

/** A partition or other child of a drive, with what would be lost. */
export const volumeSchema = z.object({
  device: z.string(),
  label: z.string().nullable(),
  fileSystem: z.string().nullable(),
  /** Bytes. */
  sizeBytes: z.number(),
  /** Byte offset on the drive, or null when the volume is the whole drive. */
  startBytes: z.number().nullable(),
  /** Bytes in use, where the system knows (mounted volumes), else null. */
  usedBytes: z.number().nullable(),
  mountpoints: z.array(z.string()),
})
export type Volume = z.infer<typeof volumeSchema>

/**
 * What makes a drive that drive. Shown, confirmed, and recomputed by the
 * elevated helper; a difference in any of these is a refusal.
 */
export const driveIdentitySchema = z.object({
  /** `/dev/sdb`. */
  device: z.string(),
  /** Kernel device number, `8:16`. */
  majorMinor: z.string(),
  sizeBytes: z.number(),
  vendor: z.string(),
  model: z.string(),
  serial: z.string(),
  wwn: z.string(),
  /** `usb`, `sata`, `nvme`, `mmc`, `loop`, …; empty when the kernel does not say. */
  bus: z.string(),
  /** Where it is plugged in, the sysfs device path from the bus on. */
  port: z.string(),
  /** The kernel's diskseq: changes whenever another medium appears under the same name (Linux 5.15); null when absent. */
  diskSequence: z.string().nullable(),
  /** Names under /dev/disk/by-id of the whole drive, sorted. */
  byId: z.array(z.string()),
  /** A digest of where its partitions begin and end; empty where nothing is written. */
  layout: z.string(),
  /** A digest of the file systems, labels and ids on it; null where the looking process cannot know them. */
  contents: z.string().nullable(),
})
export type DriveIdentity = z.infer<typeof driveIdentitySchema>

/** A drive as it is now. */
export const driveSchema = driveIdentitySchema.extend({
  /** `disk` for a whole drive; lsblk's TYPE otherwise. */
  type: z.string(),
  readOnly: z.boolean(),
  removable: z.boolean(),
  volumes: z.array(volumeSchema),
  /** Mountpoints of the drive and of everything stacked on it, through partitions, dm, LVM, LUKS, md, loop. */
  mountpoints: z.array(z.string()),
  /** Paths of the running system that live on it: `/`, `/boot`, swap, the Docker data root, the source file, … */
  systemPaths: z.array(z.string()),
  /** Device names of dm, md, bcache, … devices that hold it or its partitions open. */
  holders: z.array(z.string()),
})
export type Drive = z.infer<typeof driveSchema>

/** Why a drive may not be written, in the order in which a person should hear it. */
export const refusalReasons = [
  'system',
  'type',
  'not-removable',
  'read-only',
  'no-medium',
  'too-small',
  'in-use',
  'mounted',
  'large',
] as const
export type RefusalReason = (typeof refusalReasons)[number]

/** Drives above this need the expert setting: they are more often someone's backup than a stick (facts: 128 GB, as Etcher warns). */
export const LARGE_DRIVE_BYTES = 128_000_000_000

/** What the person allowed beyond the plain case, each confirmed by itself. */
export interface DriveAllowance {
  /** Unmount its volumes first. Never lazily. */
  unmount: boolean
  /** Write to a drive that is not removable or larger than 128 GB. */
  expert: boolean
  /** Loop devices as targets: the helper's own test switch, which no packaged build honours. */
  loopTargets: boolean
}

/**
 * Whether Slipway writes drives on a system at all.
 * @param platform as Node names it
 */
export function writesDrives(platform: string): boolean {
  return platform === 'linux' || platform === 'darwin'
}

/**
 * The guards, as a pure function: the window greys by it and the helper refuses by it.
 * @param drive the drive as it is now
 * @param neededBytes bytes that are to be written, counted from the drive's start
 * @param allowance what the person allowed
 * @returns the reasons against it, empty when it may be written
 */
export function checkDrive(drive: Drive, neededBytes: number, allowance: DriveAllowance): RefusalReason[] {
  const isTestLoop = drive.type === 'loop' && allowance.loopTargets
  const isPlug = drive.bus === 'usb' || drive.bus === 'mmc'
  const isBootArea = /^\/dev\/mmcblk\d+(boot|rpmb|gp)\d*$/.test(drive.device)
  const reasons: RefusalReason[] = []
  if (drive.systemPaths.length > 0) reasons.push('system')
  if ((drive.type !== 'disk' && !isTestLoop) || isBootArea) reasons.push('type')
  if (!drive.removable && !isPlug && !isTestLoop && !allowance.expert) reasons.push('not-removable')
  if (drive.readOnly) reasons.push('read-only')
  if (drive.sizeBytes === 0) reasons.push('no-medium')
  else if (drive.sizeBytes < neededBytes) reasons.push('too-small')
  if (drive.holders.length > 0) reasons.push('in-use')
  if (drive.mountpoints.length > 0 && !allowance.unmount) reasons.push('mounted')
  if (drive.sizeBytes > LARGE_DRIVE_BYTES && !allowance.expert) reasons.push('large')
  return reasons
}

const identityFields = [
  'device',
  'majorMinor',
  'sizeBytes',
  'vendor',
  'model',
  'serial',
  'wwn',
  'bus',
  'port',
  'diskSequence',
  'layout',
] as const

/**
 * Compares what was confirmed with what is there.
 * @returns the first field that differs with both values, or null when it is the same drive
 */
export function identityDifference(
  confirmed: DriveIdentity,
  found: DriveIdentity,
): { field: string; confirmed: string; found: string } | null {
  for (const field of identityFields) {
    if (confirmed[field] !== found[field]) {
      return { field, confirmed: String(confirmed[field]), found: String(found[field]) }
    }
  }
  if (confirmed.byId.join('\n') !== found.byId.join('\n')) {
    return { field: 'byId', confirmed: confirmed.byId.join(' '), found: found.byId.join(' ') }
  }
  // The helper sees what an ordinary user may not.
  if (confirmed.contents !== null && found.contents !== null && confirmed.contents !== found.contents) {
    return { field: 'contents', confirmed: confirmed.contents, found: found.contents }
  }
  return null
}

/** Control characters and bidirectional overrides (Unicode TR9), with which a drive could lie about its name. */
// eslint-disable-next-line no-control-regex
const deceptive = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g

/** A name reported by a device, safe to show: deceptive characters out, blanks folded. */
export function displayName(raw: string): string {
  return raw.replace(deceptive, '').replace(/\s+/g, ' ').trim()
}

/** The name that is shown and that a person types to confirm: maker and model, else the device's short name. */
export function driveName(drive: DriveIdentity): string {
  const name = displayName(`${drive.vendor} ${drive.model}`)
  return name === '' ? deviceName(drive) : name
}

/** Whether only the expert setting lets the drive be written: it is built in, or larger than 128 GB. */
export function needsExpert(drive: Drive, loopTargets: boolean): boolean {
  const reasons = checkDrive(drive, 0, { unmount: true, expert: false, loopTargets })
  return reasons.includes('not-removable') || reasons.includes('large')
}

/** What a person types a second time for a drive that only the expert setting allows: `sda`. */
export function deviceName(drive: DriveIdentity): string {
  return drive.device.replace(/^\/dev\//, '')
}

/** Whether the text typed for the expert setting names the drive; `/dev/` before it does not matter. */
export function confirmsAgain(typed: string, drive: DriveIdentity): boolean {
  return typed.trim().replace(/^\/dev\//, '') === deviceName(drive)
}

/**
 * What a person types to confirm a drive: its name, and with it its device's where another drive has the same name,
 * so that nobody confirms one of two alike sticks and means the other.
 * @param drives all drives that are there
 */
export function nameToType(drive: DriveIdentity, drives: readonly DriveIdentity[]): string {
  const name = driveName(drive)
  const isTwin = drives.some(
    (other) => other.device !== drive.device && driveName(other).toLowerCase() === name.toLowerCase(),
  )
  return isTwin ? `${name} ${deviceName(drive)}` : name
}

/** Whether the typed text is the name to type; case and surrounding blanks do not matter. */
export function confirms(typed: string, nameToType: string): boolean {
  return typed.replace(/\s+/g, ' ').trim().toLowerCase() === nameToType.toLowerCase()
}
