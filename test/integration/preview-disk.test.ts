import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { expect, test } from 'vitest'
import { watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine } from '../../src/main/preview/machine'

/** A disk with the HOWTO's Debian, made by whoever runs this test. */
const disk = process.env['SLIPWAY_TEST_HOWTO_DISK']

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer)
  return hash.digest('hex')
}

test.skipIf(disk === undefined)("the HOWTO's Debian boots to its login on the screen", async () => {
  const diskPath = disk ?? ''
  const before = await hashOf(diskPath)
  const { signal } = new AbortController()
  const machine = await startMachine({ diskPath, firmware: 'bios', signal, log: (line) => console.log(line) })
  if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
  try {
    const verdict = await watchBoot(machine.value, { timeoutMilliseconds: 300_000, signal })
    console.log(verdict)
    const picture = process.env['SLIPWAY_TEST_PICTURE']
    if (picture !== undefined) await machine.value.screenshot(picture)
    expect(verdict).toMatchObject({ outcome: 'login', failedUnits: [] })
    await machine.value.powerDown()
    expect(await machine.value.ended).toEqual({ reason: 'powered-off' })
  } finally {
    await machine.value.stop()
  }
  expect(await hashOf(diskPath)).toBe(before)
})
