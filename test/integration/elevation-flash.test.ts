import { execa } from 'execa'
import { randomFillSync } from 'node:crypto'
import { constants } from 'node:fs'
import { chown, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseMountinfo } from '../../src/main/drives/linux/parse'
import { bundleForNode } from '../support/bundle'
import { eventually, makeFolder, processesNaming } from '../support/elevation'
import type { FlashOrder } from '../support/flash-process'
import { attachLoop, detachLoop } from '../support/loop'
import { startDbusAndPolkit, type TestPolkit } from '../support/polkit'

const MIB = 1024 * 1024
const OLD = 0xaa

let folder = ''
/** Where a mount is no part of the system. */
let places = ''
let helper = ''
let disk = ''
let bytes = Buffer.alloc(0)
let stick = { file: '', device: '' }
let polkit: TestPolkit
/** What is mounted in a test, the last one first. */
let mountpoints: string[] = []

beforeAll(async () => {
  ;({ folder, helper } = await makeFolder())
  await bundleForNode(resolve('test/support/flash-process.ts'), folder, 'flash')
  places = await mkdtemp('/tmp/slipway-mounts-')
  polkit = await startDbusAndPolkit('grant')
  const home = join(folder, 'home')
  await mkdir(home, { mode: 0o700 })
  await chown(home, polkit.user.uid, polkit.user.gid)
  disk = join(home, 'disk.img')
  bytes = randomFillSync(Buffer.alloc(100 * MIB))
  // A boot sector without a partition.
  bytes.fill(0, 446, 510).writeUInt16BE(0x55aa, 510)
  await writeFile(disk, bytes, { mode: 0o600 })
  await chown(disk, polkit.user.uid, polkit.user.gid)
})
afterEach(async () => {
  for (const mountpoint of mountpoints) {
    if (isMounted(mountpoint, await tableOf('self'))) await execa('umount', [mountpoint])
  }
  mountpoints = []
  await detachLoop(stick.device, stick.file)
  await rm(stick.file, { force: true })
  expect(await eventually(async () => (await processesNaming(helper)).length === 0)).toBe(true)
})
afterAll(async () => {
  await polkit.stop()
  await rm(folder, { recursive: true })
  await rm(places, { recursive: true })
})

const tableOf = (id: string): Promise<string> => readFile(`/proc/${id}/mountinfo`, 'utf8')
const isMounted = (mountpoint: string, table: string): boolean =>
  parseMountinfo(table).some((mount) => mount.mountpoint === mountpoint)

/** A loop device full of old data, or with a file system. */
async function makeStick(formatted: boolean): Promise<void> {
  const file = join(folder, 'stick.img')
  await writeFile(file, Buffer.alloc(120 * MIB, OLD))
  stick = { file, device: await attachLoop(file) }
  if (formatted) await execa('mkfs.ext4', ['-q', stick.device])
}

async function mount(name: string, ...words: string[]): Promise<string> {
  const mountpoint = join(places, name)
  await mkdir(mountpoint, { recursive: true })
  await execa('mount', [...words, mountpoint])
  mountpoints.unshift(mountpoint)
  return mountpoint
}
const mountStick = (name: string): Promise<string> => mount(name, stick.device)
const mountOther = (name: string): Promise<string> => mount(name, '-t', 'tmpfs', 'tmpfs')

interface Said {
  phase?: string
  bytesDone?: number
  result?: unknown
  thrown?: string
}

interface Flashing {
  unmount?: boolean
  executable?: string
  isInstalled?: boolean
  /** Without polkit, as root. */
  asRoot?: boolean
  /** Whether to cancel, seen what was said. */
  cancelOn?: (said: Said) => boolean
}

/** Writes the disk to the stick in a process of the user's own; answers the last that it said. */
async function flash({
  unmount = false,
  executable = process.execPath,
  isInstalled = false,
  asRoot = false,
  cancelOn,
}: Flashing): Promise<Said | undefined> {
  const order: FlashOrder = { executable, helper, isInstalled, diskPath: disk, device: stick.device, unmount }
  const asUser = [`--reuid=${polkit.user.uid}`, `--regid=${polkit.user.gid}`, '--clear-groups', '--']
  const program = [process.execPath, join(folder, 'flash.cjs'), JSON.stringify(order)]
  const child = execa('setpriv', [...(asRoot ? [] : asUser), ...program], {
    env: { ...polkit.env, SLIPWAY_TEST_LOOP_TARGETS: '1' },
    extendEnv: false,
    cwd: polkit.user.home,
    reject: false,
    stdin: 'pipe',
  })
  let last: Said | undefined
  for await (const line of createInterface(child.stdout)) {
    last = JSON.parse(line) as Said
    if (cancelOn?.(last) === true) child.stdin.end('cancel\n')
  }
  await child
  return last
}

const written = { result: { ok: true, value: null } }
const content = (): Promise<Buffer> => readFile(stick.file)

describe('an ordinary user whom polkit grants it', () => {
  test('writes a stick, byte for byte', async () => {
    await makeStick(false)
    expect(await flash({})).toEqual(written)
    expect((await content()).subarray(0, bytes.length).equals(bytes)).toBe(true)
  })

  test('has a mounted stick unmounted, wherever it is, and written', async () => {
    await makeStick(true)
    const both = [await mountStick('one'), await mountStick('two')]
    expect(await flash({ unmount: true })).toEqual(written)
    const table = await tableOf('self')
    for (const place of both) expect(isMounted(place, table)).toBe(false)
    expect((await content()).subarray(0, bytes.length).equals(bytes)).toBe(true)
  })

  test('is refused a mounted stick without saying that it may be unmounted', async () => {
    await makeStick(true)
    const place = await mountStick('one')
    const facts = { device: stick.device, reasons: ['mounted'] }
    expect(await flash({})).toEqual({ result: { ok: false, failure: { code: 'drive-refused', facts } } })
    expect(isMounted(place, await tableOf('self'))).toBe(true)
  })

  test('cancels it: the stick is blank at its beginning, and nobody holds it any more', async () => {
    await makeStick(false)
    const said = await flash({ cancelOn: ({ phase, bytesDone = 0 }) => phase === 'write' && bytesDone > 0 })
    expect(said).toEqual({ thrown: 'Error: cancelled' })
    expect((await content()).subarray(0, MIB).equals(Buffer.alloc(MIB))).toBe(true)
    await (await open(stick.device, constants.O_RDONLY | constants.O_EXCL)).close()
  })
})

test('an installed Slipway that its user can change does not ask to run as root', async () => {
  await makeStick(false)
  const said = await flash({ isInstalled: true })
  expect(said).toMatchObject({ result: { ok: false, failure: { code: 'elevation-unprotected' } } })
  expect((await content()).every((byte) => byte === OLD)).toBe(true)
})

describe('what is not the stick’s stays mounted', () => {
  const busy = (detail: string): object => ({
    result: { ok: false, failure: { code: 'drive-busy', facts: { device: stick.device, detail } } },
  })

  test('when it is mounted over the stick’s mount point', async () => {
    await makeStick(true)
    const place = await mountStick('one')
    await mountOther('one')
    expect(await flash({ unmount: true })).toEqual(busy(`${place} is mounted on it`))
    const mounted = parseMountinfo(await tableOf('self')).filter(({ mountpoint }) => mountpoint === place)
    expect(mounted.map(({ type }) => type)).toEqual(['ext4', 'tmpfs'])
    await execa('umount', [place])
  })

  test('when the way to the stick’s mount point leads elsewhere by now', async () => {
    await makeStick(true)
    await mountStick('way/stick')
    const way = await mountOther('way')
    const other = await mountOther('way/stick')
    expect(await flash({ unmount: true })).toEqual(busy(`${other} is elsewhere`))
    const mounted = parseMountinfo(await tableOf('self')).filter(({ mountpoint }) => mountpoint === other)
    expect(mounted.map(({ type }) => type)).toEqual(['ext4', 'tmpfs'])
    await execa('umount', [other, way])
  })
})

/**
 * Stands where the asking user's process does, as the helper's parent: it moves into a user and a mount namespace of
 * its own, puts a program of its own in the place of umount there, and only then lets the helper start.
 */
const moved = (canary: string, start: string, end: string): string => `#!/bin/sh
( read -r go <${start}; exec 3>${end} ${process.execPath} "$@" ) &
exec unshare --user --map-root-user --mount --propagation private sh -c '
  mount --bind ${canary} "$(readlink -f /usr/bin/umount)" && echo go >${start} && cat ${end}'
`

test('a user who moved into a mount namespace of his own has none of his programs run', async () => {
  await makeStick(true)
  const place = await mountStick('one')
  const [sung, canary, start, end] = ['sung', 'canary', 'start', 'end'].map((name) => join(folder, name))
  if (sung === undefined || canary === undefined || start === undefined || end === undefined)
    throw new Error()
  await writeFile(canary, `#!/bin/sh\necho "$@" >>${sung}\n`, { mode: 0o755 })
  await execa('mkfifo', [start, end])
  const executable = join(folder, 'moved')
  await writeFile(executable, moved(canary, start, end), { mode: 0o755 })
  const said = await flash({ unmount: true, executable, asRoot: true })
  await expect(readFile(sung)).rejects.toThrow('ENOENT')
  // Unmounted for everybody else, it is mounted there still.
  const detail = `it is mounted at ${place}`
  expect(said).toEqual({
    result: { ok: false, failure: { code: 'drive-busy', facts: { device: stick.device, detail } } },
  })
  expect(isMounted(place, await tableOf('self'))).toBe(false)
})
