import { execFile } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'vite'
import { afterAll, beforeAll, test } from 'vitest'
import { setHelperPaths } from '../../src/main/elevation/helper-client'
import { flashDisk, type FlashInput } from '../../src/main/flash/flash'
import { openScope } from '../../src/main/jobs/scope'
import type { FlashTarget } from '../../src/shared/helper-protocol'
import type { Result } from '../../src/shared/failure'
import type { JobTarget } from '../../src/shared/job'
import { findDrive, targetFor, testContext } from './flash'
import { attachLoop, detachLoop } from './loop'
import { OLD } from './memory-drive'

const run = promisify(execFile)

export interface Stick {
  file: string
  device: string
}

/** What the tests of one file have in common: loop devices as sticks, disks, the built helper, clean-ups. */
export interface Flashing {
  /** Absolute; there while tests run, with the helper in `out`. */
  folder: () => string
  /** A test after which everything that it asked for is done, whatever came of it. */
  flashTest: (name: string, work: () => Promise<void>) => void
  /** Asks for a clean-up after the test at hand, the last one first. */
  whenDone: (cleanUp: () => Promise<void>) => void
  newFile: (name: string) => string
  /** A loop device full of old data. */
  stick: (sizeBytes: number, ...options: string[]) => Promise<Stick>
  /** A disk file of noise. */
  disk: (sizeBytes: number) => Promise<{ path: string; bytes: Buffer }>
  /** Makes a file system on the stick and mounts it; answers where. */
  mounted: (target: Stick) => Promise<string>
}

/** Sets all of that up for the file that calls it; as root, with the helper's switch for loop devices. */
export function flashing(): Flashing {
  let folder = ''
  let cleanUps: (() => Promise<void>)[] = []

  beforeAll(async () => {
    folder = await mkdtemp('/var/tmp/slipway-flash-')
    await build({
      configFile: resolve('vite.node.config.ts'),
      mode: 'helper',
      logLevel: 'error',
      build: { outDir: join(folder, 'out') },
    })
    setHelperPaths({ executable: process.execPath, helper: join(folder, 'out', 'helper.cjs') })
    process.env['SLIPWAY_TEST_LOOP_TARGETS'] = '1'
  })
  afterAll(async () => {
    delete process.env['SLIPWAY_TEST_LOOP_TARGETS']
    await rm(folder, { recursive: true })
  })

  /** Runs a test's work and then, whatever came of it, its clean-ups, the last one first. */
  async function withCleanUps(work: () => Promise<void>): Promise<void> {
    cleanUps = []
    try {
      await work()
    } finally {
      const scope = openScope()
      cleanUps.forEach((cleanUp) => scope.defer(cleanUp))
      await scope.close()
    }
  }

  const whenDone = (cleanUp: () => Promise<void>): void => void cleanUps.push(cleanUp)
  const flashTest = (name: string, work: () => Promise<void>): void => test(name, () => withCleanUps(work))

  let files = 0
  function newFile(name: string): string {
    const file = join(folder, `${name}-${files++}.img`)
    whenDone(() => rm(file, { force: true }))
    return file
  }

  async function stick(sizeBytes: number, ...options: string[]): Promise<Stick> {
    const file = newFile('stick')
    await writeFile(file, Buffer.alloc(sizeBytes, OLD))
    const device = await attachLoop(file, ...options)
    whenDone(() => detachLoop(device, file))
    return { file, device }
  }

  async function disk(sizeBytes: number): Promise<{ path: string; bytes: Buffer }> {
    const path = newFile('disk')
    const bytes = bootable(sizeBytes)
    await writeFile(path, bytes)
    return { path, bytes }
  }

  async function mounted(target: Stick): Promise<string> {
    await run('mkfs.ext4', ['-q', target.device])
    const mountpoint = await mkdtemp('/tmp/slipway-mount-')
    whenDone(() => rm(mountpoint, { recursive: true }))
    await run('mount', [target.device, mountpoint])
    whenDone(async () => {
      const { stdout } = await run('findmnt', ['--noheadings', '--list', '--output', 'TARGET'])
      if (stdout.split('\n').includes(mountpoint)) await run('umount', [mountpoint])
    })
    return mountpoint
  }
  return { folder: () => folder, flashTest, whenDone, newFile, stick, disk, mounted }
}

/** Noise with the signature of a boot record. */
export function bootable(sizeBytes: number): Buffer {
  const bytes = randomFillSync(Buffer.alloc(sizeBytes))
  bytes.writeUInt16BE(0x55aa, 510)
  // Noise is no partition table.
  bytes.fill(0, 446, 510)
  return bytes
}

/** What is really on the medium. */
export const content = (target: Stick): Promise<Buffer> => readFile(target.file)

export async function inputFor(target: Stick, diskPath: string): Promise<FlashInput> {
  return inputForAll([target], diskPath)
}

export async function inputForAll(
  targets: Stick[],
  diskPath: string,
  changes: Partial<FlashTarget> = {},
): Promise<FlashInput> {
  const drives = await Promise.all(targets.map(({ device }) => findDrive(device)))
  const confirmed = drives.map((drive) => targetFor(drive, changes))
  return { diskPath, targets: confirmed, needed: [], everything: false, verify: true, eject: false }
}

/** The same with its only drive changed. */
export function withTarget(input: FlashInput, changes: Partial<FlashTarget>): FlashInput {
  return { ...input, targets: input.targets.map((target) => ({ ...target, ...changes })) }
}

/** Flashes through the real helper, as root. */
export async function flash(
  input: FlashInput,
  onProgress?: Parameters<typeof testContext>[0],
  onTargets: (targets: JobTarget[]) => void = () => undefined,
): Promise<{ result: Result<null>; phases: string[]; lines: string[] }> {
  const job = testContext(onProgress)
  try {
    const context = { ...job.context, targets: onTargets }
    return { result: await flashDisk(context, input), phases: job.phases, lines: job.lines }
  } finally {
    await job.close()
  }
}

/** What comes of a flash that is refused. */
export const refused = (code: string, facts: object): object => ({ ok: false, failure: { code, facts } })
