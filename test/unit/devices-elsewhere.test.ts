import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PlistValue } from '../../src/main/drives/macos/plist'
import { checkSystem } from '../../src/main/flash/flash'
import {
  claimMacosDevice,
  letGoOfMacosDrive,
  macosOpeners,
  unmountMacosDrive,
} from '../../src/main/helper/macos/device'
import { windowsSteps } from '../../src/main/helper/windows/device'
import { holdVolumes } from '../../src/main/helper/windows/volumes'
import type { Drive } from '../../src/shared/drive'
import { fail, ok, type Result } from '../../src/shared/failure'
import { memoryDrive } from '../support/memory-drive'

// What the tools print here was built after their documented formats (diskutil(8), lsof(8)); none of it was recorded on
// a Mac or a Windows machine, and PowerShell is stood for by a program that prints what the script would.

const MB = 1024 * 1024
let folder: string
let disk: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-elsewhere-'))
  disk = join(folder, 'disk')
  await writeFile(disk, Buffer.alloc(4 * MB, 7))
})
afterEach(() => rm(folder, { recursive: true }))

type Handle = Awaited<ReturnType<typeof open>>

/** Opens the file in place of a device, and notes what was asked for. */
function opener(asked: string[], isDevice = true): (path: string) => Promise<Handle> {
  return async (path) => {
    asked.push(path)
    const handle = await open(disk, 'r+')
    const stat = await handle.stat()
    stat.isCharacterDevice = () => isDevice
    handle.stat = (() => Promise.resolve(stat)) as never
    return handle
  }
}

test('drives are written on Linux and macOS, and nowhere else', () => {
  expect(['linux', 'darwin', 'win32', 'freebsd'].map((platform) => checkSystem(platform).ok)).toEqual([
    ...[true, true],
    ...[false, false],
  ])
})

describe('a drive of a Mac', () => {
  const info = { DeviceIdentifier: 'disk4', TotalSize: 4 * MB, DeviceBlockSize: 512 }
  const diskutil = (): Promise<Result<PlistValue>> => Promise.resolve(ok(info))

  test('is unmounted as a whole, and never by force', async () => {
    const asked: (readonly string[])[] = []
    const done = await unmountMacosDrive('/dev/disk4', (words) => {
      asked.push(words)
      return Promise.resolve(ok('Unmount of all volumes on disk4 was successful\n'))
    })
    expect(done).toEqual(ok(null))
    expect(asked).toEqual([['unmountDisk', '/dev/disk4']])
  })

  test('that is in use stays mounted, and the program is named', async () => {
    const output =
      'Unmount of disk4 failed: at least one volume could not be unmounted\nUnmount was dissented by PID 812 (/bin/zsh)'
    const refused = await unmountMacosDrive('/dev/disk4', () =>
      Promise.resolve(fail('tool-failed', { tool: '/usr/sbin/diskutil', exitCode: 1, output })),
    )
    expect(refused).toEqual(fail('drive-busy', { device: '/dev/disk4', detail: output }))
  })

  test('is written and read by its raw node', async () => {
    const asked: string[] = []
    const claimed = await claimMacosDevice('/dev/disk4', diskutil, opener(asked))
    if (!claimed.ok) throw new Error(claimed.failure.code)
    const { device } = claimed.value
    expect(asked).toEqual(['/dev/rdisk4'])
    expect(device).toMatchObject({ sizeBytes: 4 * MB, sectorBytes: 512 })
    await device.write(Buffer.alloc(1024, 9), 512)
    await device.flush()
    const back = Buffer.alloc(1024)
    await device.read(back, 512)
    expect(back.equals(Buffer.alloc(1024, 9))).toBe(true)
    expect(await device.isPresent()).toBe(true)
    await claimed.value.close()
    await claimed.value.close()
    expect(await device.isPresent()).toBe(false)
    await expect(device.write(Buffer.alloc(512), 0)).rejects.toThrow('drive error at byte 0')
    expect((await readFile(disk)).subarray(512, 1536)).toEqual(Buffer.alloc(1024, 9))
  })

  test('is refused when it is a partition, no device, or gone meanwhile', async () => {
    const asked: string[] = []
    const refused = fail('drive-refused', { device: '/dev/disk4s1', reasons: ['type'] })
    expect(await claimMacosDevice('/dev/disk4s1', diskutil, opener(asked))).toEqual(refused)
    expect(asked).toEqual([])
    const file = await claimMacosDevice('/dev/disk4', diskutil, opener(asked, false))
    expect(file).toMatchObject({ ok: false, failure: { code: 'drive-refused' } })
    const gone = (): Promise<Result<PlistValue>> =>
      Promise.resolve(
        fail('tool-failed', { tool: 'diskutil', exitCode: 1, output: 'Could not find disk: disk4' }),
      )
    const lost = await claimMacosDevice('/dev/disk4', gone, opener(asked))
    expect(lost).toEqual(fail('drive-gone', { device: '/dev/disk4' }))
    const mounted = await claimMacosDevice('/dev/disk4', diskutil, () =>
      Promise.reject(Object.assign(new Error('busy'), { code: 'EBUSY' })),
    )
    expect(mounted).toEqual(fail('drive-busy', { device: '/dev/disk4', detail: 'EBUSY' }))
  })

  test('is closed and then ejected when that was asked for, and the log says why it could not be', async () => {
    const done: string[] = []
    const claimed = { majorMinor: '', busPath: null, device: memoryDrive(4 * MB) }
    const close = (): Promise<void> => Promise.resolve(void done.push('close'))
    const letGo = (eject: boolean, answer: Result<string>): Promise<string[]> =>
      letGoOfMacosDrive({ ...claimed, close }, { device: '/dev/disk4' }, eject, (words) => {
        done.push(words.join(' '))
        return Promise.resolve(answer)
      })
    expect(await letGo(true, ok('Disk /dev/disk4 ejected\n'))).toEqual([])
    expect(done.splice(0)).toEqual(['close', 'eject /dev/disk4'])
    expect(await letGo(false, ok(''))).toEqual([])
    expect(done.splice(0)).toEqual(['close'])
    const output = 'Volume timed out while waiting to eject'
    const failure = fail('tool-failed', { tool: '/usr/sbin/diskutil', exitCode: 1, output })
    expect(await letGo(true, failure)).toEqual([`/dev/disk4 could not be ejected: ${output}`])
    done.splice(0)
    // It was pulled: what is behind this name now is another drive.
    claimed.device.present = false
    expect(await letGo(true, ok(''))).toEqual([])
    expect(done).toEqual(['close'])
  })

  test('is asked for by every node that others could have open', async () => {
    const asked: (readonly string[])[] = []
    const openers = await macosOpeners(['/dev/disk4', '/dev/disk4s1'], (words) => {
      asked.push(words)
      return Promise.resolve(`p812\ncdd\nf3\np${process.pid}\ncSlipway\nf21\np99\ncVirtualBoxVM\nf7\n`)
    })
    expect(openers).toEqual(['dd (812)', 'VirtualBoxVM (99)'])
    expect(asked).toEqual([['-F', 'pc', '--', '/dev/disk4', '/dev/rdisk4', '/dev/disk4s1', '/dev/rdisk4s1']])
    expect(await macosOpeners(['/dev/disk4'], () => Promise.resolve(''))).toEqual([])
  })
})

describe('volumes of a Windows disk', () => {
  const keepers: ChildProcess[] = []
  afterEach(() => {
    for (const keeper of keepers.splice(0)) keeper.kill('SIGKILL')
  })
  /** Stands for PowerShell: reads the disk's number, prints a line, and holds on until its input ends. */
  const keeper = (line: string) => (): ChildProcess => {
    const program = `
      const lines = require('readline').createInterface({ input: process.stdin })
      lines.once('line', (number) => {
        if (number !== '3') process.exit(2)
        console.log(${JSON.stringify(line)})
        if (!${JSON.stringify(line)}.includes('held')) process.exit(1)
      })
      lines.once('close', () => process.exit(0))`
    const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'pipe'] })
    keepers.push(child)
    return child
  }

  test('are held until they are let go', async () => {
    const held = await holdVolumes(3, keeper('{"sector":512,"held":2,"size":4194304}'))
    if (!held.ok) throw new Error(held.failure.code)
    expect(held.value).toMatchObject({ sizeBytes: 4 * MB, sectorBytes: 512 })
    expect(keepers[0]?.exitCode).toBeNull()
    await held.value.release()
    expect(keepers[0]?.exitCode).toBe(0)
  })

  test('of which one is in use are not touched further', async () => {
    const volume = '\\\\?\\Volume{0b2c}\\'
    expect(await holdVolumes(3, keeper(JSON.stringify({ busy: volume, code: 5 })))).toEqual(
      fail('drive-busy', {
        device: '\\\\.\\PhysicalDrive3',
        detail: `${volume} is in use (Windows error 5)`,
      }),
    )
  })

  test('cannot be held without PowerShell, or with one that says something else', async () => {
    const missing = await holdVolumes(3, () =>
      spawn(join(folder, 'none'), [], { stdio: ['pipe', 'pipe', 'pipe'] }),
    )
    expect(missing).toMatchObject({ ok: false, failure: { code: 'tool-failed' } })
    const odd = await holdVolumes(3, keeper('Access is denied'))
    expect(odd).toMatchObject({ ok: false, failure: { code: 'tool-failed' } })
  })
})

describe('a drive of a Windows machine', () => {
  const device = '\\\\.\\PhysicalDrive3'
  const drive = {
    ...{ device, majorMinor: '', sizeBytes: 4 * MB, mountpoints: ['E:\\'] },
    volumes: [
      { device: `${device} partition 1`, label: 'PHOTOS', fileSystem: 'FAT32', mountpoints: ['E:\\'] },
    ],
  } as unknown as Drive
  /** What Windows tells of the drive while its volume is locked. */
  const locked = {
    ...drive,
    volumes: [{ ...drive.volumes[0], label: null, fileSystem: null }],
  } as Drive

  test('counts as unmounted, and holds what it held, while its volumes are locked', async () => {
    const done: string[] = []
    let isLocked = false
    const steps = windowsSteps(
      (number) => {
        done.push(`lock ${number}`)
        isLocked = true
        const release = (): Promise<void> => {
          done.push('release')
          isLocked = false
          return Promise.resolve()
        }
        return Promise.resolve(ok({ sizeBytes: 4 * MB, sectorBytes: 512, release }))
      },
      () => Promise.resolve(ok([isLocked ? locked : drive])),
      opener(done),
    )
    const needed = { paths: [], files: [] }
    expect(await steps.find(needed)).toEqual(ok([drive]))
    expect(await steps.unmount(device, new Set())).toEqual(ok(null))
    const unmounted = { ...drive, mountpoints: [], volumes: [{ ...drive.volumes[0], mountpoints: [] }] }
    expect(await steps.find(needed)).toEqual(ok([unmounted]))
    const claimed = await steps.claim(device)
    if (!claimed.ok) throw new Error(claimed.failure.code)
    expect(claimed.value.device).toMatchObject({ sizeBytes: 4 * MB, sectorBytes: 512 })
    expect(await steps.find(needed)).toEqual(ok([unmounted]))
    expect(await steps.letGo(claimed.value, drive, true)).toHaveLength(1)
    await claimed.value.close()
    expect(done).toEqual(['lock 3', device, 'release'])
    expect(await steps.find(needed)).toEqual(ok([drive]))
  })

  test('whose volumes are in use, or that cannot be opened, is let go', async () => {
    const done: string[] = []
    const busy = fail('drive-busy', { device, detail: 'E: is in use' })
    const find = (): ReturnType<ReturnType<typeof windowsSteps>['find']> => Promise.resolve(ok([drive]))
    const refused = windowsSteps(() => Promise.resolve(busy), find, opener(done))
    expect(await refused.unmount(device, new Set())).toEqual(busy)
    expect(await refused.claim(device)).toEqual(busy)
    expect(done).toEqual([])
    const release = (): Promise<void> => {
      done.push('release')
      return Promise.resolve()
    }
    const closed = windowsSteps(
      () => Promise.resolve(ok({ sizeBytes: 4 * MB, sectorBytes: 512, release })),
      find,
      () => Promise.reject(Object.assign(new Error('denied'), { code: 'EPERM' })),
    )
    expect(await closed.claim(device)).toEqual(fail('drive-refused', { device, reasons: ['read-only'] }))
    expect(done).toEqual(['release'])
    expect(await closed.claim('\\\\.\\PhysicalDrive3\\x')).toMatchObject({ ok: false })
  })
})
