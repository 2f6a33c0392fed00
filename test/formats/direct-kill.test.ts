import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeArchive } from './tar-members'
import { buildPrograms } from '../support/programs'

/** A build that ends at any moment: by force, or because somebody cancels it. */

const KILLS = 50
/** What the packages that stay outside of the bundle are found from. */
const programs = resolve('out/test-kill')
let folder: string
let disks: string
let wholeSum: string
let wholeTime: number

beforeAll(async () => {
  await buildPrograms(programs, ['cli', 'direct', 'archive'])
  folder = mkdtempSync(join(tmpdir(), 'slipway-kill-'))
  disks = join(folder, 'disks')
  mkdirSync(disks)
  const base = { mode: 0o644, uid: 0, gid: 0, seconds: 5, nanoseconds: 0 }
  const files = Array.from({ length: 40 }, (_, i) => {
    const data = randomBytes(1_000_000)
    return { type: 'file' as const, path: Buffer.from(`file ${i}`), data, ...base }
  })
  writeFileSync(join(folder, 'a.tar'), encodeArchive(files))
  const before = performance.now()
  expect(await start().ended).toBe(0)
  wholeTime = performance.now() - before
  wholeSum = sum()
  clear()
}, 120_000)
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(programs, { recursive: true })
})

function start(): { end: (signal: NodeJS.Signals) => void; ended: Promise<number | null> } {
  const words = ['build', '--rootfs', join(folder, 'a.tar'), '-o', join(disks, 'a.img'), '--no-boot']
  const child = spawn(process.execPath, [join(programs, 'cli/slipway.cjs'), ...words], {
    stdio: 'ignore',
    env: { ...process.env, XDG_DATA_HOME: join(folder, 'data'), SOURCE_DATE_EPOCH: '1700000000' },
  })
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  return { end: (signal) => void child.kill(signal), ended }
}

const sum = (): string =>
  createHash('sha256')
    .update(readFileSync(join(disks, 'a.img')))
    .digest('hex')
const clear = (): void => {
  for (const name of readdirSync(disks).filter((name) => !name.startsWith('.'))) rmSync(join(disks, name))
}

test('killed at any moment it leaves nothing that looks finished, and the next build tidies up', async () => {
  let finished = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const running = start()
    // One after the other over the whole time, with some chance in each: every phase is met.
    await sleep(((kill + Math.random()) / KILLS) * wholeTime)
    running.end('SIGKILL')
    await running.ended
    if (!existsSync(join(disks, 'a.img'))) continue
    expect(sum()).toBe(wholeSum)
    finished++
    clear()
  }
  expect(finished).toBeLessThan(KILLS)
  expect(await start().ended).toBe(0)
  expect(sum()).toBe(wholeSum)
  // What killed builds left beside it is gone.
  expect(readdirSync(disks).filter((name) => name.startsWith('.'))).toEqual([])
  clear()
}, 600_000)

test('cancelled at any moment it leaves nothing at all', async () => {
  for (let cancel = 0; cancel < KILLS / 2; cancel++) {
    const running = start()
    await sleep(((cancel + Math.random()) / (KILLS / 2)) * wholeTime)
    running.end('SIGINT')
    const code = await running.ended
    // Before it listens, and after its work is done, the signal ends it as any program.
    expect([0, 130, null]).toContain(code)
    if (code !== 130 && existsSync(join(disks, 'a.img'))) {
      expect(sum()).toBe(wholeSum)
      clear()
    }
    expect(readdirSync(disks)).toEqual([])
  }
}, 600_000)
