import { execFile } from 'node:child_process'
import type { Drive } from '../../../shared/drive'
import { fail, ok, type Result } from '../../../shared/failure'
import type { Needed } from '../linux/drives'
import { diskutilInfoSchema, diskutilListSchema, macosDrives, type DiskutilInfo } from './drives'
import { parsePlist, type PlistValue } from './plist'

const DISKUTIL = '/usr/sbin/diskutil'

/** Runs diskutil(8), without a shell, and answers what it prints; `tool-failed`. */
export function runDiskutil(words: readonly string[]): Promise<Result<string>> {
  return new Promise((resolve) => {
    execFile(DISKUTIL, words, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(ok(stdout))
      else {
        const exitCode = typeof error.code === 'number' ? error.code : null
        // What stands against an unmount goes to the one or the other.
        const output = [stderr, stdout].map((text) => text.trim()).filter((text) => text !== '')
        resolve(fail('tool-failed', { tool: DISKUTIL, exitCode, output: output.join('\n') }))
      }
    })
  })
}

/** Asks diskutil(8) for a property list; `tool-failed`. */
export async function diskutil(words: readonly string[]): Promise<Result<PlistValue>> {
  const told = await runDiskutil(words)
  if (!told.ok) return told
  const value = parsePlist(told.value)
  return value === null
    ? fail('tool-failed', { tool: DISKUTIL, exitCode: 0, output: 'no property list' })
    : ok(value)
}

/** The whole drives of this Mac; `tool-failed`. Not yet proven on hardware. */
export async function findMacosDrives(needed: Needed): Promise<Result<Drive[]>> {
  const told = await diskutil(['list', '-plist'])
  if (!told.ok) return told
  const list = diskutilListSchema.safeParse(told.value)
  if (!list.success) return fail('tool-failed', { tool: DISKUTIL, exitCode: 0, output: list.error.message })
  const infos: DiskutilInfo[] = []
  for (const { DeviceIdentifier } of list.data.AllDisksAndPartitions) {
    // A disk may go between the two questions.
    const info = await diskutil(['info', '-plist', DeviceIdentifier])
    const parsed = diskutilInfoSchema.safeParse(info.ok ? info.value : null)
    if (parsed.success) infos.push(parsed.data)
  }
  return ok(macosDrives(list.data, infos, needed))
}
