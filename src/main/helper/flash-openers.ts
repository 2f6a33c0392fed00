import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { deviceNumber } from '../drives/linux/device-number'
import { parseMountinfo } from '../drives/linux/parse'

/** Milliseconds between two looks, and looks: udev and the desktop open a drive for a moment after each change. */
const LOOK_INTERVAL = 300
const LOOKS = 10

/** File systems that can let a look wait for ever when their server or program does not answer. */
const canHang = /^(nfs4?|cifs|smb3|ceph|9p|afs|autofs|fuse(blk)?(\..*)?)$/

/**
 * Programs that have a drive or a partition of it open without holding it exclusively, such as a virtual machine or
 * a copy that runs: the exclusive open does not see those (open(2), O_EXCL on block devices).
 * @param numbers device numbers of the drive and of its partitions, `8:16`; by what name it was opened does not matter
 * @param folder of the processes, and `numberOf`, the number of the device that a path leads to; tests give their own
 * @returns names and process ids, this process left out
 */
export function openersOf(
  numbers: ReadonlySet<string>,
  folder = '/proc',
  numberOf: (path: string) => string | null = blockDevice,
): string[] {
  const openers: string[] = []
  for (const id of list(folder)) {
    if (!/^\d+$/.test(id) || id === String(process.pid)) continue
    const self = `${folder}/${id}`
    const files = list(`${self}/fd`).filter((fd) =>
      attempt(() => readlinkSync(`${self}/fd/${fd}`)).startsWith('/'),
    )
    if (files.length === 0) continue
    const mounts = parseMountinfo(attempt(() => readFileSync(`${self}/mountinfo`, 'utf8')))
    // A mount that is in no table any more, such as one taken away from under a server that is gone, is not asked.
    const safe = new Set(mounts.filter(({ type }) => !canHang.test(type)).map((mount) => mount.id))
    const isOpen = files.some((fd) => {
      const facts = attempt(() => readFileSync(`${self}/fdinfo/${fd}`, 'utf8'))
      if (!safe.has(/^mnt_id:\s*(\d+)$/m.exec(facts)?.[1] ?? '')) return false
      const number = numberOf(`${self}/fd/${fd}`)
      return number !== null && numbers.has(number)
    })
    if (isOpen) openers.push(`${attempt(() => readFileSync(`${self}/comm`, 'utf8')).trim()} (${id})`)
  }
  return openers
}

/**
 * Waits until nobody has the drive open any more, three seconds at most.
 * @param devices paths of the drive and of its partitions
 * @returns those who still have
 */
export async function waitForOpeners(devices: readonly string[]): Promise<string[]> {
  const numbers = new Set(devices.map(blockDevice).filter((number) => number !== null))
  let openers = openersOf(numbers)
  for (let look = 1; look < LOOKS && openers.length > 0; look++) {
    await sleep(LOOK_INTERVAL)
    openers = openersOf(numbers)
  }
  return openers
}

/** Number of the block device that a path leads to, or null. */
function blockDevice(path: string): string | null {
  try {
    const found = statSync(path, { bigint: true })
    return found.isBlockDevice() ? deviceNumber(found.rdev) : null
  } catch {
    return null
  }
}

/** Empty for what went away meanwhile. */
function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function attempt(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
