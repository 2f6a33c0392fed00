import { realpath } from 'node:fs/promises'
import type { Drive } from '../../../shared/drive'
import { ok, type Result } from '../../../shared/failure'
import { drivesOf, type Needed } from './drives'
import { readMachineState } from './reader'
import { linkedSystemPaths } from './system-paths'

/**
 * All whole drives of this machine, the unsuitable ones included, as the guards judge them.
 * @param needed paths (links are followed) and files that the drives must not take from the running system
 * @returns the drives; `tool-missing` or `tool-failed` when lsblk does not work
 */
export async function findDrives(needed: Needed): Promise<Result<Drive[]>> {
  const state = await readMachineState()
  if (!state.ok) return state
  const wanted = [...needed.paths, ...(await linkedSystemPaths())]
  const paths = await Promise.all(wanted.map((path) => realpath(path).catch(() => path)))
  return ok(drivesOf(state.value, { ...needed, paths }))
}
