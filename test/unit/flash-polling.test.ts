import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { suspendPolling } from '../../src/main/helper/flash-device'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-polling-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('the kernel asks for another medium as it did before, and not meanwhile', async () => {
  const file = join(folder, 'events_poll_msecs')
  await writeFile(file, '-1\n')
  const resume = await suspendPolling(file)
  expect(await readFile(file, 'utf8')).toBe('0')
  await resume()
  expect(await readFile(file, 'utf8')).toBe('-1')
})

test('a drive that tells of no such thing is as good', async () => {
  const resume = await suspendPolling(join(folder, 'nothing/events_poll_msecs'))
  await expect(resume()).resolves.toBeUndefined()
})
