import { execa } from 'execa'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Range } from '../../src/main/disk/outlet'
import { blockMapOf } from '../../src/main/library/block-map'
import { driveName } from '../../src/shared/drive'
import { makeTar } from '../support/daemon'
import { findDrive } from '../support/flash'
import { attachLoop, detachLoop } from '../support/loop'
import { buildPrograms } from '../support/programs'

/** Straight onto a drive, by the terminal form and the real helper; loop devices stand for sticks. */
const run = promisify(execFile)
const MIB = 1024 * 1024
const OLD = 0xaa
const DRIVE_BYTES = 300 * MIB
const PIECE = 16 * MIB
/** An image with a kernel, where an engine of the tests has one. */
const howto = process.env['SLIPWAY_TEST_HOWTO_IMAGE']

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp('/var/tmp/slipway-straight-')
  await buildPrograms(join(folder, 'programs'), ['cli', 'direct', 'archive', 'helper'])
  const files = Array.from({ length: 300 }, (_, index) => ({
    name: `data/${index}`,
    content: randomBytes((index * 977) % 100_000),
  }))
  const tar = makeTar([
    ...['data', 'etc'].map((name) => ({ name, type: '5' as const })),
    ...files,
    { name: 'etc/large', content: randomBytes(40 * MIB) },
  ])
  await writeFile(join(folder, 'tree.tar'), tar)
  await writeFile(join(folder, 'cut.tar'), tar.subarray(0, 30 * MIB))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function slipway(words: string[]): Promise<{ exitCode: number | undefined; answer: unknown }> {
  const { stdout, exitCode } = await execa(
    process.execPath,
    [join(folder, 'programs/cli/slipway.cjs'), 'build', ...words, '--json'],
    {
      cwd: folder,
      env: {
        XDG_DATA_HOME: join(folder, 'data'),
        SLIPWAY_TEST_LOOP_TARGETS: '1',
        NODE_PATH: resolve('node_modules'),
      },
      reject: false,
    },
  )
  return { exitCode, answer: JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as unknown }
}

/** A drive that was used before, for as long as the work takes. */
async function withDrive(
  sizeBytes: number,
  work: (device: string, name: string, file: string) => Promise<void>,
): Promise<void> {
  const file = join(folder, 'drive.img')
  const handle = await open(file, 'w')
  for (let at = 0; at < sizeBytes; at += MIB) await handle.write(Buffer.alloc(MIB, OLD), 0, MIB, at)
  await handle.close()
  const device = await attachLoop(file)
  try {
    await work(device, driveName(await findDrive(device)), file)
  } finally {
    await detachLoop(device, file)
    await rm(file)
  }
}

const isAll = (bytes: Buffer, value: number): boolean => bytes.equals(Buffer.alloc(bytes.length, value))

async function part(file: string, position: number, length: number): Promise<Buffer> {
  const handle = await open(file)
  try {
    return (await handle.read(Buffer.alloc(length), 0, length, position)).buffer
  } finally {
    await handle.close()
  }
}

for (const table of ['mbr', 'gpt']) {
  test(`the drive holds the very disk that a file would be, in all that matters (${table})`, async () => {
    const options = ['--rootfs', 'tree.tar', '--no-boot', '--table', table]
    await withDrive(DRIVE_BYTES, async (device, name, file) => {
      expect(await slipway([...options, '--onto', device, '--confirm', name])).toMatchObject({
        exitCode: 0,
        answer: { ok: true, verified: true },
      })
      const disk = join(folder, `disk-${table}.img`)
      expect(await slipway([...options, '-o', disk, '--size', String(DRIVE_BYTES)])).toMatchObject({
        exitCode: 0,
      })
      const map = await expectSame(file, disk)
      // What nobody needs was left alone: not the whole drive was written.
      const gaps = map.flatMap(({ offset, length }, index) => {
        const next = map[index + 1]?.offset ?? DRIVE_BYTES
        return next - offset - length >= MIB ? [offset + length] : []
      })
      expect(gaps.length).toBeGreaterThan(0)
      for (const gap of gaps) expect(isAll(await part(file, gap, MIB), OLD)).toBe(true)
      const root = join(folder, 'root.img')
      await writeFile(root, await part(file, MIB, DRIVE_BYTES - 3 * MIB))
      await run('truncate', ['--size', String(await rootBytes(disk)), root])
      await run('e2fsck', ['-fn', root])
      if (table === 'gpt')
        expect((await run('sgdisk', ['--verify', file])).stdout).toContain('No problems found')
      for (const left of [disk, root]) await rm(left)
    })
  })
}

test.skipIf(howto === undefined)('a machine that boots is built onto a drive as into a file', async () => {
  const bytes = 2200 * MIB
  await withDrive(bytes, async (device, name, file) => {
    expect(await slipway([howto ?? '', '--onto', device, '--confirm', name])).toMatchObject({ exitCode: 0 })
    const disk = join(folder, 'machine.img')
    expect(await slipway([howto ?? '', '-o', disk, '--size', String(bytes)])).toMatchObject({ exitCode: 0 })
    await expectSame(file, disk)
    await rm(disk)
  })
})

/** All that matters of a disk is on the drive, too. */
async function expectSame(drive: string, disk: string): Promise<Range[]> {
  const map = (await blockMapOf(disk, await stat(disk, { bigint: true }))) ?? []
  expect(map.length).toBeGreaterThan(1)
  for (const { offset, length } of map) {
    for (let done = 0; done < length; done += PIECE) {
      const size = Math.min(PIECE, length - done)
      const [found, wanted] = await Promise.all([
        part(drive, offset + done, size),
        part(disk, offset + done, size),
      ])
      expect([offset + done, found.equals(wanted)]).toEqual([offset + done, true])
    }
  }
  return map
}

/** Bytes of the root partition, by sfdisk's own eyes. */
async function rootBytes(disk: string): Promise<number> {
  const { stdout } = await run('sfdisk', ['--json', disk])
  const { partitiontable } = JSON.parse(stdout) as { partitiontable: { partitions: { size: number }[] } }
  return (partitiontable.partitions[0]?.size ?? 0) * 512
}

test('a drive that is too small is refused before anything of it is lost', async () => {
  await withDrive(32 * MIB, async (device, name, file) => {
    expect(
      await slipway(['--rootfs', 'tree.tar', '--no-boot', '--onto', device, '--confirm', name]),
    ).toMatchObject({
      answer: { ok: false, failure: { code: 'drive-refused', facts: { reasons: ['too-small'] } } },
    })
    expect(isAll(await readFile(file), OLD)).toBe(true)
  })
})

test.skipIf(howto === undefined)(
  'an image of more small files than the drive has room for is refused before anything is lost',
  async () => {
    const image = 'slipway-test-small-files:1'
    const files = Array.from({ length: 20_000 }, (_, index) => ({
      name: `f${index}`,
      content: 'x'.repeat(600),
    }))
    const tar = join(folder, 'small.tar')
    await writeFile(tar, makeTar(files))
    await run('docker', ['import', tar, image])
    try {
      // The layer has 12 MB, and its files take 80.
      await withDrive(72 * MIB, async (device, name, file) => {
        const { answer } = await slipway([image, '--no-boot', '--onto', device, '--confirm', name])
        expect(answer).toMatchObject({
          failure: { code: 'drive-refused', facts: { reasons: ['too-small'] } },
        })
        expect(isAll(await readFile(file), OLD)).toBe(true)
      })
    } finally {
      await run('docker', ['rmi', image])
      await rm(tar)
    }
  },
)

test('an image that cannot boot is refused before anything of the drive is lost', async () => {
  await withDrive(DRIVE_BYTES, async (device, name, file) => {
    const { answer } = await slipway(['--rootfs', 'tree.tar', '--onto', device, '--confirm', name])
    expect(answer).toMatchObject({ ok: false })
    expect(isAll(await readFile(file), OLD)).toBe(true)
  })
})

test('a tree that is cut off is refused before anything of the drive is lost', async () => {
  await withDrive(DRIVE_BYTES, async (device, name, file) => {
    const { answer } = await slipway([
      ...['--rootfs', 'cut.tar', '--no-boot', '--onto', device, '--confirm', name],
    ])
    expect(answer).toMatchObject({ ok: false, failure: { code: 'archive-invalid' } })
    expect(isAll(await readFile(file), OLD)).toBe(true)
  })
})

test('what belongs to a drive goes with a drive alone', async () => {
  const usage = async (...words: string[]): Promise<number | undefined> =>
    (
      await execa(process.execPath, [join(folder, 'programs/cli/slipway.cjs'), 'build', 'x', ...words], {
        reject: false,
        env: { NODE_PATH: resolve('node_modules') },
      })
    ).exitCode
  expect(await usage('-o', 'disk.img', '--eject')).toBe(2)
  expect(await usage('-o', 'disk.img', '--onto', '/dev/sdx')).toBe(2)
  expect(await usage('--onto', '/dev/sdx', '--size', '4G')).toBe(2)
  expect(await usage('--onto', '/dev/sdx', '--engine', 'kernel')).toBe(2)
})
