import { readFile } from 'node:fs/promises'
import { findDrives } from '../../src/main/drives/linux'
import { identityOf } from '../../src/main/drives/watch'
import { setHelperPaths } from '../../src/main/elevation/helper-client'
import { flashDisk } from '../../src/main/flash/flash'
import { openScope } from '../../src/main/jobs/scope'
import type { JobContext } from '../../src/shared/job'
import { deviceName, nameToType } from '../../src/shared/drive'
import type { RogueAttempt } from './sticks-guest'

/**
 * `rogue.cjs DISK ATTEMPTS`, run in the guest: an unprivileged side that has been taken over. It asks for no
 * confirmation and checks nothing, but hands everything on to the helper, one attempt after the other, and prints a
 * line of JSON for each: what the helper answered.
 */
async function main(): Promise<void> {
  const [diskPath = '', attemptsPath = ''] = process.argv.slice(2)
  const attempts = JSON.parse(await readFile(attemptsPath, 'utf8')) as RogueAttempt[]
  setHelperPaths({ executable: process.execPath, helper: '/opt/slipway/out/helper/helper.cjs' })
  const drives = await findDrives({ paths: [], files: [] })
  if (!drives.ok) throw new Error(drives.failure.code)
  for (const attempt of attempts) {
    const like = drives.value.find((drive) => drive.device === attempt.like)
    if (like === undefined) throw new Error(`no drive ${attempt.like}`)
    const scope = openScope()
    const context: JobContext = {
      signal: new AbortController().signal,
      defer: (cleanUp) => scope.defer(cleanUp),
      phase: () => undefined,
      progress: () => undefined,
      steps: () => undefined,
      log: () => undefined,
    }
    const drive = { ...identityOf(like), ...attempt.drive }
    const result = await flashDisk(context, {
      diskPath: attempt.disk ?? diskPath,
      targets: [
        {
          drive,
          confirmation: attempt.confirmation ?? nameToType(like, drives.value),
          unmount: attempt.unmount ?? true,
          expert: (attempt.expert ?? true) ? deviceName(drive) : null,
        },
      ],
      needed: [],
      everything: false,
      verify: false,
      eject: false,
    })
    await scope.close()
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
}

void main()
