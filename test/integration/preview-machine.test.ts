import { createHash } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Accelerator } from '../../src/main/preview/arguments'
import { watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import type { Attachment } from '../../src/shared/proof'
import { writeTinyDisk } from '../support/tiny-disk'

let folder = ''
let disk = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  disk = join(folder, 'a, disk.img')
  await writeTinyDisk(disk, 'tiny login: ')
})
afterAll(() => rm(folder, { recursive: true }))

const never = new AbortController().signal

async function start(options: {
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

describe('a machine', () => {
  test.each<Attachment>(['usb', 'sata', 'virtio', 'nvme'])(
    'boots a disk attached as %s',
    async (attachment) => {
      const machine = await start({ attachment, accelerators: ['tcg'] })
      try {
        const verdict = await watchBoot(machine, { timeoutMilliseconds: 60_000, signal: never })
        expect(verdict).toMatchObject({ outcome: 'login', seenOn: 'screen' })
        expect(verdict.lines.at(-1)).toBe('tiny login:')
      } finally {
        await machine.stop()
      }
    },
  )

  test('leaves the image as it was, and nothing else behind', async () => {
    const hash = async (): Promise<string> =>
      createHash('sha256')
        .update(await readFile(disk))
        .digest('hex')
    const before = await hash()
    const machine = await start({})
    const picture = await machine.screenshot()
    expect(picture.ok && picture.value.subarray(1, 4).toString()).toBe('PNG')
    expect(await workspaces()).toHaveLength(1)
    expect(await machine.stop()).toEqual({ reason: 'stopped' })
    expect(await workspaces()).toEqual([])
    expect(await hash()).toBe(before)
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
