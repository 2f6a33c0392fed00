import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Accelerator, Architecture } from '../../src/main/preview/arguments'
import { nextStart, watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import { attachments, attachmentsOf, type Attachment } from '../../src/shared/proof'
import { writeTinyEspDisk } from '../support/esp-disk'
import { writeTinyDisk } from '../support/tiny-disk'

const execute = promisify(execFile)
let folder = ''
let disk = ''
let espDisk = ''
let virtualDisk = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  disk = join(folder, 'a, disk.img')
  await writeTinyDisk(disk, 'tiny login: ')
  virtualDisk = join(folder, 'disk.vmdk')
  await execute('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', disk, virtualDisk])
  espDisk = join(folder, 'esp.img')
  await writeTinyEspDisk(espDisk, '\r\ntiny login: ')
})
afterAll(() => rm(folder, { recursive: true }))

const never = new AbortController().signal

async function start(options: {
  architecture?: Architecture
  firmware?: 'bios' | 'uefi'
  attachment?: Attachment
  accelerators?: Accelerator[]
  diskPath?: string
  keepChanges?: boolean
  log?: (line: string) => void
}): Promise<Machine> {
  const { diskPath = disk, firmware = 'bios', log = () => undefined, ...more } = options
  const machine = await startMachine({
    diskPath,
    firmware,
    signal: never,
    log,
    memoryBytes: 256 * 2 ** 20,
    ...more,
  })
  if (!machine.ok) throw new Error(JSON.stringify(machine.failure))
  return machine.value
}

/** Folders of machines of this process. */
const workspaces = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`slipway-preview-${process.pid}-`))

const machines: readonly (readonly [Architecture, 'bios' | 'uefi', Attachment])[] = [
  ...attachments.map((attachment) => ['amd64', 'bios', attachment] as const),
  ...attachments.map((attachment) => ['amd64', 'uefi', attachment] as const),
  ...attachmentsOf('arm64').map((attachment) => ['arm64', 'uefi', attachment] as const),
]

describe('a machine', () => {
  test.each(machines)(
    '%s under %s boots a disk attached as %s',
    async (architecture, firmware, attachment) => {
      const machine = await start({
        architecture,
        firmware,
        attachment,
        accelerators: ['tcg'],
        diskPath: firmware === 'uefi' ? espDisk : attachment === 'virtio' ? virtualDisk : disk,
      })
      try {
        const verdict = await watchBoot(machine, { timeoutMilliseconds: 120_000, signal: never })
        // UEFI writes its console to both, and its letters on the screen are no console's.
        const seenOn = firmware === 'bios' ? 'screen' : 'serial'
        expect(verdict).toMatchObject({ outcome: 'login', seenOn })
        expect(verdict.lines.at(-1)).toBe('tiny login:')
      } finally {
        await machine.stop()
      }
    },
  )

  test('of arm64 has no SATA drive', async () => {
    const refused = {
      architecture: 'arm64',
      firmware: 'uefi',
      attachment: 'sata',
      diskPath: espDisk,
    } as const
    await expect(start(refused)).rejects.toThrow('not-supported')
  })

  test('opens no disk that leads to other files, and none that is not what its name says', async () => {
    const chained = join(folder, 'chained.qcow2')
    await execute('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, chained])
    const descriptor = join(folder, 'descriptor.vmdk')
    await writeFile(descriptor, `# Disk DescriptorFile\nversion=1\nRW 2048 FLAT "${disk}" 0\n`)
    const misnamed = join(folder, 'misnamed.qcow2')
    await copyFile(virtualDisk, misnamed)
    for (const diskPath of [chained, descriptor])
      await expect(start({ diskPath })).rejects.toThrow('not-supported')
    await expect(start({ diskPath: misnamed })).rejects.toThrow('it is no qcow2')
  })

  test('writes to the disk when its changes are kept, and else leaves it as it was and nothing else behind', async () => {
    const writing = join(folder, 'writing.img')
    await writeTinyDisk(writing, 'tiny login: ', 'write')
    const before = await readFile(writing)
    for (const keepChanges of [false, true]) {
      const machine = await start({ diskPath: writing, keepChanges, accelerators: ['tcg'] })
      expect(await watchBoot(machine, { timeoutMilliseconds: 60_000, signal: never })).toMatchObject({
        outcome: 'login',
      })
      const picture = await machine.screenshot()
      expect(picture.ok && picture.value.subarray(1, 4).toString()).toBe('PNG')
      expect(await workspaces()).toHaveLength(1)
      expect(await machine.stop()).toEqual({ reason: 'stopped' })
      expect(await workspaces()).toEqual([])
      const after = await readFile(writing)
      // The guest copied the first sector over the second.
      if (keepChanges) expect(after.subarray(512, 1024)).toEqual(before.subarray(0, 512))
      else expect(after.equals(before)).toBe(true)
    }
  })

  test('that resets itself again and again is told so', async () => {
    const resetting = join(folder, 'resetting.img')
    await writeTinyDisk(resetting, 'Loading', 'reset')
    const machine = await start({ diskPath: resetting, accelerators: ['tcg'] })
    const verdict = await watchBoot(machine, { timeoutMilliseconds: 120_000, signal: never })
    await machine.stop()
    expect(verdict).toMatchObject({ outcome: 'keeps-restarting' })
  })

  test('that is reset by hand is watched anew', async () => {
    const machine = await start({ accelerators: ['tcg'] })
    const limits = { timeoutMilliseconds: 60_000, signal: never }
    expect(await watchBoot(machine, limits)).toMatchObject({ outcome: 'login' })
    const again = nextStart(machine)
    const resets: boolean[] = []
    machine.onReset((isByGuest) => resets.push(isByGuest))
    await machine.reset()
    expect(await again).toBe(true)
    expect(await watchBoot(machine, limits)).toMatchObject({ outcome: 'login' })
    const end = nextStart(machine)
    await machine.stop()
    expect([await end, resets]).toEqual([false, [false]])
  })

  test('holds the disk against others when its changes are to be kept', async () => {
    const machine = await start({ keepChanges: true })
    const other = await startMachine({
      diskPath: disk,
      firmware: 'bios',
      memoryBytes: 256 * 2 ** 20,
      accelerators: ['tcg'],
      signal: never,
      log: () => undefined,
    })
    if (other.ok) await other.value.stop()
    await machine.stop()
    // QEMU's own words for a file that another one has locked (file-posix.c).
    expect(other).toMatchObject({
      ok: false,
      failure: { code: 'preview-failed', facts: { detail: expect.stringMatching(/lock/) as string } },
    })
  })

  test('says so when there is nothing to boot', async () => {
    const empty = join(folder, 'empty.img')
    await writeFile(empty, Buffer.alloc(1024 * 1024))
    const machine = await start({ diskPath: empty, accelerators: ['tcg'] })
    try {
      const verdict = await watchBoot(machine, { timeoutMilliseconds: 60_000, signal: never })
      expect(verdict).toMatchObject({ outcome: 'no-bootable-device' })
    } finally {
      await machine.stop()
    }
  })
})
