import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  checkDrive,
  driveIdentitySchema,
  driveName,
  nameToType,
  type Drive,
  type DriveIdentity,
  type RefusalReason,
} from '../../shared/drive'
import type { Needed } from './linux/drives'
import { listDrives } from './list'

/** Milliseconds between two looks. */
const INTERVAL = 2000
/** The same where each look starts programs, as on macOS and Windows. */
const SLOW_INTERVAL = 10_000
/** Looks after which the whole list is made anew though nothing seemed to change: labels change without a trace. */
const FULL_EVERY = 15

/** Kinds of devices that nobody plugs in to be written. */
const neverShown = /^(loop|zram|ram|rom|floppy|nbd|dm|md|raid|mpath|lvm|crypt|mtdblock)/

/** A drive with the guards' verdict for a plain write; what the contract's topic `drives` is made of. */
export interface ListedDrive extends Drive {
  key: string
  name: string
  /** What confirms it. */
  nameToType: string
  reasons: RefusalReason[]
}

/** The identity alone, out of a drive as it is now: what is confirmed and sent to the helper. */
export function identityOf(drive: DriveIdentity): DriveIdentity {
  return driveIdentitySchema.parse(drive)
}

/**
 * The key by which the window names a drive: the same as long as nothing of the identity changes.
 * @returns a hash in hexadecimal
 */
export function driveKey(drive: DriveIdentity): string {
  return createHash('sha256')
    .update(JSON.stringify(identityOf(drive)))
    .digest('hex')
}

/**
 * The drives worth showing, each with the guards' verdict for a plain write.
 * @param drives all drives of the machine
 * @param loopTargets whether loop devices are shown too and count as targets (tests)
 */
export function listedDrives(drives: readonly Drive[], loopTargets: boolean): ListedDrive[] {
  const allowance = { unmount: false, expert: false, loopTargets }
  return drives
    .filter((drive) => !neverShown.test(drive.type) || isTestTarget(drive, loopTargets))
    .map((drive) => ({
      ...drive,
      key: driveKey(drive),
      name: driveName(drive),
      nameToType: nameToType(drive, drives),
      reasons: checkDrive(drive, 0, allowance),
    }))
}

/** Loop devices always exist; those with nothing attached are not shown. */
function isTestTarget(drive: Drive, loopTargets: boolean): boolean {
  return loopTargets && drive.type === 'loop' && drive.sizeBytes > 0
}

export interface DriveWatchOptions {
  /** What else the drives must not take from the running system. Asked at each look. */
  needed: () => Needed
  loopTargets: boolean
  onChange: (drives: ListedDrive[]) => void
  log: (line: string) => void
}

/**
 * Watches the drives: calls back with the first list and then with every list that differs from the one before.
 * @returns the function that ends it; nothing is called back after it
 */
export function watchDrives(options: DriveWatchOptions): () => void {
  let ended = false
  let timer: NodeJS.Timeout | undefined
  let lastFingerprint: string | null = null
  let lastList: string | null = null
  let looks = 0

  async function look(): Promise<void> {
    const fingerprint = process.platform === 'linux' ? await machineFingerprint() : null
    const isDue = looks % FULL_EVERY === 0
    looks += 1
    if (fingerprint !== null && fingerprint === lastFingerprint && !isDue) return
    const found = await listDrives(options.needed(), options.log)
    if (!found.ok) {
      options.log(`drives cannot be listed: ${JSON.stringify(found.failure)}`)
      return
    }
    lastFingerprint = fingerprint
    const drives = listedDrives(found.value, options.loopTargets)
    const list = JSON.stringify(drives)
    if (list === lastList || isEnded()) return
    lastList = list
    options.onChange(drives)
  }
  const isEnded = (): boolean => ended
  async function loop(): Promise<void> {
    try {
      await look()
    } catch (error) {
      options.log(`drives cannot be listed: ${String(error)}`)
    }
    if (!isEnded())
      timer = setTimeout(() => void loop(), process.platform === 'linux' ? INTERVAL : SLOW_INTERVAL)
  }
  void loop()
  return () => {
    ended = true
    clearTimeout(timer)
  }
}

/** A text that changes with every drive, partition, medium, mount and name: a few small reads instead of lsblk. */
async function machineFingerprint(): Promise<string> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
  const names = await readdir('/sys/block').catch(() => [])
  const media = names.flatMap((name) =>
    ['diskseq', 'size', 'ro'].map((file) => join('/sys/block', name, file)),
  )
  const byId = await readdir('/dev/disk/by-id').catch(() => [])
  const tables = ['/proc/partitions', '/proc/self/mountinfo', '/proc/swaps']
  const texts = await Promise.all([...tables, ...media].map(read))
  return [...names, ...byId, ...texts].join('\n')
}
