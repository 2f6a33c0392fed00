import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds between two looks, and looks: udev and the desktop open a drive for a moment after each change. */
const LOOK_INTERVAL = 300
const LOOKS = 10

/**
 * Programs that have a drive or a partition of it open without holding it exclusively, such as a virtual machine or
 * a copy that runs: the exclusive open does not see those (open(2), O_EXCL on block devices).
 * @param devices paths of the drive and of its partitions
 * @param folder of the processes; tests give their own
 * @returns names and process ids, this process left out
 */
export function openersOf(devices: readonly string[], folder = '/proc'): string[] {
  const openers: string[] = []
  for (const id of list(folder)) {
    if (!/^\d+$/.test(id) || id === String(process.pid)) continue
    // The links' texts alone: to follow one can wait for ever on a file system that hangs.
    const isOpen = list(`${folder}/${id}/fd`).some((fd) => {
      const target = attempt(() => readlinkSync(`${folder}/${id}/fd/${fd}`)).replace(/ \(deleted\)$/, '')
      return devices.includes(target)
    })
    if (isOpen) openers.push(`${attempt(() => readFileSync(`${folder}/${id}/comm`, 'utf8')).trim()} (${id})`)
  }
  return openers
}

/**
 * Waits until nobody has the drive open any more, three seconds at most.
 * @returns those who still have
 */
export async function waitForOpeners(devices: readonly string[]): Promise<string[]> {
  let openers = openersOf(devices)
  for (let look = 1; look < LOOKS && openers.length > 0; look++) {
    await sleep(LOOK_INTERVAL)
    openers = openersOf(devices)
  }
  return openers
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
