import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'vite'
import { describe, expect, test } from 'vitest'
import { listDrives } from '../../src/main/drives/list'
import { identityOf } from '../../src/main/drives/watch'
import { LOOP_TARGETS_ARGUMENT } from '../../src/main/elevation/handshake'
import { setHelperPaths } from '../../src/main/elevation/helper-client'
import type { FlashInput } from '../../src/main/flash/flash'
import { judgeTarget } from '../../src/main/helper/flash-target'
import { deviceName } from '../../src/shared/drive'
import { findDrive, targetFor } from '../support/flash'
import { detachLoop, swapLoop } from '../support/loop'
import { isAll, MIB, OLD } from '../support/memory-drive'
import {
  bootable,
  content,
  flash,
  flashing,
  inputFor,
  refused,
  withTarget,
  type Stick,
} from '../support/flash-sticks'

const run = promisify(execFile)
const { folder, flashTest, whenDone, newFile, stick, disk, mounted } = flashing()

describe('nothing is written', () => {
  /** Flashes, expects the refusal, and that no byte of the stick changed. */
  async function expectRefusal(target: Stick, input: FlashInput, refusal: object): Promise<void> {
    const before = await content(target)
    const { result, phases } = await flash(input)
    expect(result).toEqual(refusal)
    expect(phases).toEqual(['prepare', 'elevate'])
    expect((await content(target)).equals(before)).toBe(true)
  }

  flashTest('to a stick that is mounted', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    await mounted(target)
    const facts = { device: target.device, reasons: ['mounted'] }
    await expectRefusal(target, await inputFor(target, path), refused('drive-refused', facts))
  })

  flashTest('to one that is in use though it was to be unmounted; it stays mounted', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const mountpoint = await mounted(target)
    const user = spawn('sleep', ['60'], { cwd: mountpoint })
    whenDone(async () => {
      const ended = once(user, 'exit')
      user.kill()
      await ended
    })
    await once(user, 'spawn')
    const input = withTarget(await inputFor(target, path), { unmount: true })
    const { result } = await flash(input)
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-busy' } })
    expect((await findDrive(target.device)).mountpoints).toEqual([mountpoint])
  })

  flashTest('to one that another program holds', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const input = await inputFor(target, path)
    const holder = await open(target.device, constants.O_RDONLY | constants.O_EXCL)
    whenDone(() => holder.close())
    await expectRefusal(target, input, refused('drive-busy', { device: target.device, detail: 'EBUSY' }))
  })

  flashTest('to one that is read-only', async () => {
    const target = await stick(16 * MIB, '--read-only')
    const { path } = await disk(4 * MIB)
    const facts = { device: target.device, reasons: ['read-only'] }
    await expectRefusal(target, await inputFor(target, path), refused('drive-refused', facts))
  })

  flashTest('to one with sectors of 4096 bytes, which a partition table would mean otherwise', async () => {
    const target = await stick(16 * MIB, '--sector-size', '4096')
    const { path } = await disk(4 * MIB)
    const what = `writing to ${target.device}, which has sectors of 4096 bytes instead of 512`
    await expectRefusal(target, await inputFor(target, path), refused('not-supported', { what }))
  })

  flashTest('to one that is a sector too small', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(16 * MIB + 1)
    const facts = { device: target.device, reasons: ['too-small'] }
    await expectRefusal(target, await inputFor(target, path), refused('drive-refused', facts))
  })

  flashTest('to one that was pulled after it was confirmed', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const input = await inputFor(target, path)
    await detachLoop(target.device, target.file)
    const { result } = await flash(input)
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-changed' } })
    expect(isAll(await content(target), OLD)).toBe(true)
  })

  flashTest('to another one of the same size in its place', async () => {
    const target = await stick(16 * MIB)
    const other = newFile('other')
    await writeFile(other, Buffer.alloc(16 * MIB, 0x55))
    const { path } = await disk(4 * MIB)
    const input = await inputFor(target, path)
    await swapLoop(target.device, target.file, other)
    whenDone(() => detachLoop(target.device, other))
    const { result } = await flash(input)
    expect(result).toMatchObject({
      ok: false,
      failure: { code: 'drive-changed', facts: { field: 'diskSequence' } },
    })
    expect(isAll(await content(target), OLD)).toBe(true)
    expect(isAll(await readFile(other), 0x55)).toBe(true)
  })

  flashTest('to a name under which there is nothing', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const input = await inputFor(target, path)
    const device = '/dev/no-such-drive'
    const gone = withTarget(input, { drive: { ...identityOf(await findDrive(target.device)), device } })
    await expectRefusal(target, gone, refused('drive-gone', { device }))
  })

  flashTest('when the typed name is another one', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const input = withTarget(await inputFor(target, path), { confirmation: 'SanDisk Ultra' })
    await expectRefusal(
      target,
      input,
      refused('confirmation-wrong', { expected: target.device.replace('/dev/', '') }),
    )
  })

  flashTest('to the stick on which the disk file lies', async () => {
    const target = await stick(32 * MIB)
    const mountpoint = await mounted(target)
    const path = join(mountpoint, 'disk.img')
    await writeFile(path, bootable(2 * MIB))
    await run('sync', ['-f', path])
    const input = withTarget(await inputFor(target, path), { unmount: true })
    const { result } = await flash(input)
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-refused' } })
    expect(result).toHaveProperty('failure.facts.reasons', ['system'])
    expect((await findDrive(target.device)).mountpoints).toEqual([mountpoint])
  })

  flashTest('to a loop device without the test switch', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    delete process.env['SLIPWAY_TEST_LOOP_TARGETS']
    try {
      const facts = { device: target.device, reasons: ['type', 'not-removable'] }
      await expectRefusal(target, await inputFor(target, path), refused('drive-refused', facts))
    } finally {
      process.env['SLIPWAY_TEST_LOOP_TARGETS'] = '1'
    }
  })

  flashTest('by a helper as it is shipped, test switch or not', async () => {
    const shipped = join(folder(), 'shipped')
    await build({
      configFile: resolve('vite.node.config.ts'),
      mode: 'shipped',
      logLevel: 'error',
      build: { outDir: shipped },
    })
    whenDone(() => rm(shipped, { recursive: true }))
    expect(await readFile(join(shipped, 'helper.cjs'), 'utf8')).not.toContain(LOOP_TARGETS_ARGUMENT)
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const input = await inputFor(target, path)
    setHelperPaths({ executable: process.execPath, helper: join(shipped, 'helper.cjs') })
    try {
      const { result } = await flash(input)
      expect(result).toMatchObject({ ok: false, failure: { code: 'helper-lost' } })
      expect(result).toHaveProperty('failure.facts.detail', expect.stringContaining('usage: helper.cjs'))
    } finally {
      setHelperPaths({ executable: process.execPath, helper: join(folder(), 'out/helper.cjs') })
    }
    expect(isAll(await content(target), OLD)).toBe(true)
  })

  flashTest('when there is no disk file', async () => {
    const target = await stick(16 * MIB)
    const path = join(folder(), 'none.img')
    const { result } = await flash(await inputFor(target, path))
    expect(result).toEqual(refused('disk-missing', { path }))
  })

  // The verdict alone is asked: no request that names a drive of this machine is ever given to a helper.
  test('to a drive that this machine runs from, whatever was confirmed', async () => {
    const drives = await listDrives({ paths: [], files: [] }, () => undefined)
    if (!drives.ok) throw new Error(drives.failure.code)
    const inUse = drives.value.filter((drive) => drive.systemPaths.includes('/'))
    expect(inUse.length).toBeGreaterThan(0)
    for (const drive of inUse) {
      const asked = targetFor(drive, { unmount: true, expert: deviceName(drive) })
      const verdict = judgeTarget(asked, 4 * MIB, drives.value, true)
      expect(verdict).toMatchObject({ ok: false, failure: { code: 'drive-refused' } })
      expect(verdict).toHaveProperty('failure.facts.reasons.0', 'system')
    }
  })
})
