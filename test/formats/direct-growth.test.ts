import { execa } from 'execa'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { spend } from '../../scripts/bench/measure.mjs'
import { servedTar, writeTar } from '../../scripts/bench/tar.mjs'
import { buildPrograms } from '../support/programs'

/** What a disk costs when it holds more: the figures of `npm run bench -- convert`, with less of everything. */

const MIB = 1024 * 1024
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-growth-'))
  mkdirSync(join(folder, 'built'))
  await build({
    configFile: resolve('vite.node.config.ts'),
    mode: 'direct',
    logLevel: 'error',
    build: { outDir: join(folder, 'built') },
  })
}, 60_000)
afterAll(() => {
  rmSync(folder, { recursive: true })
})

interface Cost {
  processorSeconds: number
  memoryBytes: number
  bytesWritten: number
}

/** Makes a disk of 64 GiB in a process of its own, out of a tar that this one makes up. */
async function costOf(files: number, bytesEach: number, perDirectory: number): Promise<Cost> {
  const socket = join(folder, 'tar.sock')
  const stop = await servedTar(socket, { files, bytesEach, perDirectory })
  const wanted = {
    content: { socket },
    path: join(folder, 'disk.img'),
    diskBytes: 65536 * MIB,
    worker: join(folder, 'built/direct.cjs'),
  }
  try {
    const { stdout } = await execa(process.execPath, ['scripts/bench/one-disk.mjs', JSON.stringify(wanted)])
    return JSON.parse(stdout) as Cost
  } finally {
    stop()
  }
}

test('ten times the files take no more than eleven times the time, and few bytes of memory each', async () => {
  const few = await costOf(15_000, 500, 50)
  const many = await costOf(150_000, 500, 50)
  expect(many.processorSeconds).toBeLessThan(11 * few.processorSeconds)
  // Objects and strings for each file would take more than 200 (measured: 105).
  expect((many.memoryBytes - few.memoryBytes) / 135_000).toBeLessThan(160)
  expect(many.memoryBytes).toBeLessThan(120e6)
})

test('a directory of 100,000 files is no harder than many directories', async () => {
  const few = await costOf(10_000, 0, 10_000)
  const many = await costOf(100_000, 0, 100_000)
  expect(many.processorSeconds).toBeLessThan(11 * few.processorSeconds)
  expect(many.memoryBytes).toBeLessThan(120e6)
})

test('memory does not depend on the size of the content, and little is written beyond it', async () => {
  const small = await costOf(10, 5 * MIB, 10)
  const large = await costOf(160, 5 * MIB, 10)
  // The collector's moments differ by a few megabytes from run to run.
  expect(large.memoryBytes - small.memoryBytes).toBeLessThan(12e6)
  expect(large.bytesWritten - 800 * MIB).toBeLessThan(0.01 * 800 * MIB + 80 * MIB)
})

test('the terminal form takes no more than 160 MB for a tar of 400,000 files', async () => {
  const programs = join(folder, 'programs')
  await buildPrograms(programs, ['cli', 'direct', 'archive'])
  const tar = join(folder, 'crowd.tar')
  await writeTar(tar, { files: 400_000, bytesEach: 0, perDirectory: 50 })
  const words = ['build', '--rootfs', tar, '-o', join(folder, 'crowd.img'), '--no-boot']
  const env = { ...process.env, XDG_DATA_HOME: join(folder, 'data'), NODE_PATH: resolve('node_modules') }
  // Measured: 150 MB; with an index of objects in the main thread it was 296.
  expect(await spend(process.execPath, [join(programs, 'cli/slipway.cjs'), ...words], { env })).toBeLessThan(
    160e6,
  )
})
