import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Names a running process of this machine in a way that does not come again
 * when its id is used anew: field 22 of /proc/PID/stat is its start in clock
 * ticks (proc(5)). What a process leaves behind when it is killed carries this
 * mark, so that a later one can tell it from the work of one that still runs.
 * @param processId of any process
 * @returns `machine-id-start`, of hexadecimal digits; null when there is no such process, and on systems without /proc
 */
export function ownerMark(processId: number): string | null {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, 'latin1')
    // The second field is in brackets and may hold anything; what follows starts with the third.
    const start = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    return `${machineMark()}-${processId.toString(16)}-${start.toString(16)}`
  } catch {
    return null
  }
}

/** The mark of this process; random-free even without /proc, where nothing is ever taken for left behind. */
export function ownMark(): string {
  return ownerMark(process.pid) ?? `unknown-${process.pid.toString(16)}-0`
}

/**
 * Whether a mark is that of a process of this machine which no longer runs.
 * False for marks of other machines (shared folders, remote engines) and for what is no mark.
 */
export function isOrphaned(mark: string): boolean {
  const [machine, id] = mark.split('-')
  if (machine !== machineMark() || id === undefined) return false
  return ownerMark(Number.parseInt(id, 16)) !== mark
}

/** The host's name and process namespace: ids mean nothing in another one. */
function machineMark(): string {
  let space = ''
  try {
    space = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')
  } catch {
    // No /proc: ownerMark answers null before this matters.
  }
  return createHash('sha256').update(`${hostname()}\n${space}`).digest('hex').slice(0, 8)
}
