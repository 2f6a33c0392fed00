import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect } from 'vitest'
import { unpackVirtualDisk } from '../../src/main/flash/source/virtual-disk'
import { runFlash } from '../../src/main/helper/flash'
import { claimDevice } from '../../src/main/helper/flash-device'
import { writeDisk } from '../../src/main/helper/flash-write'
import type { JobTarget } from '../../src/shared/job'
import { checkExt4Disk, makeExt4Disk, makeTree } from '../support/ext4-disk'
import { findDrive, piecesOf, requestFor, testJob } from '../support/flash'
import { attachLoop, detachLoop } from '../support/loop'
import { gptDisk, isAll, MIB, OLD, planFor } from '../support/memory-drive'
import {
  content,
  flash,
  flashing,
  inputFor,
  inputForAll,
  refused,
  withTarget,
  type Stick,
} from '../support/flash-sticks'

const run = promisify(execFile)
const { folder, flashTest, whenDone, newFile, stick, disk, mounted } = flashing()

describe('a confirmed stick', () => {
  flashTest('gets the disk, byte for byte, and nothing beyond it but a blank end', async () => {
    const target = await stick(48 * MIB)
    const bystander = await stick(4 * MIB)
    const { path, bytes } = await disk(37 * MIB)
    const { result, phases } = await flash(await inputFor(target, path))
    expect(result).toEqual({ ok: true, value: null })
    expect(phases).toEqual(['prepare', 'elevate', 'write', 'verify'])
    const found = await content(target)
    expect(found.subarray(0, bytes.length).equals(bytes)).toBe(true)
    expect(isAll(found.subarray(bytes.length, 47 * MIB), OLD)).toBe(true)
    expect(isAll(found.subarray(47 * MIB), 0)).toBe(true)
    expect(isAll(await content(bystander), OLD)).toBe(true)
  })

  flashTest('gets a disk whose size is no multiple of a sector', async () => {
    const target = await stick(8 * MIB)
    const { path, bytes } = await disk(5 * MIB + 100)
    expect((await flash(await inputFor(target, path))).result).toEqual({ ok: true, value: null })
    expect((await content(target)).subarray(0, bytes.length).equals(bytes)).toBe(true)
  })

  for (const [what, options, isRead] of [
    ['has partitions, which the kernel is told to read', ['--partscan'], true],
    ['cannot have any', [], false],
  ] as const)
    flashTest(`is let go in the end, and what did not work is said: one that ${what}`, async () => {
      const target = await stick(32 * MIB, ...options)
      const { path } = await disk(24 * MIB)
      const { result, lines } = await flash({ ...(await inputFor(target, path)), eject: true })
      expect(result).toEqual({ ok: true, value: null })
      expect(lines).toEqual([
        `${target.device} could not be ejected; it may be pulled nevertheless`,
        ...(isRead ? [] : [`${target.device}: the partition table was not read again`]),
      ])
    })

  flashTest('gets of an ext4 only what it uses, and the file system is whole', async () => {
    const target = await stick(300 * MIB)
    const tree = join(folder(), 'tree')
    await makeTree(tree)
    whenDone(() => rm(tree, { recursive: true }))
    const path = newFile('disk')
    await makeExt4Disk(path, tree, 200 * MIB, ['-O', '^64bit'])
    const { result } = await flash(await inputFor(target, path))
    expect(result).toEqual({ ok: true, value: null })
    await checkExt4Disk(target.file, tree, 200 * MIB)
    const found = await content(target)
    const old = Array.from({ length: 201 }, (_, index) => found.subarray(index * MIB, (index + 1) * MIB))
    expect(old.filter((bytes) => isAll(bytes, OLD)).length).toBeGreaterThan(100)
    expect(isAll(found.subarray(201 * MIB, 299 * MIB), OLD)).toBe(true)
  })

  flashTest('is written and compared also where O_DIRECT does not work', async () => {
    const target = await stick(32 * MIB)
    const { bytes } = await disk(21 * MIB)
    const claimed = await claimDevice(target.device, false)
    if (!claimed.ok) throw new Error(claimed.failure.code)
    whenDone(() => claimed.value.close())
    expect(
      await writeDisk(planFor(claimed.value.device, bytes, {}, target.device), testJob(piecesOf(bytes))),
    ).toEqual({
      ok: true,
      value: [null],
    })
    expect((await content(target)).subarray(0, bytes.length).equals(bytes)).toBe(true)
  })
})

describe('a medium that keeps something else than was written', () => {
  for (const useDirect of [true, false]) {
    flashTest(
      `is found out ${useDirect ? 'with O_DIRECT' : 'through a flushed cache'}, and left blank`,
      async () => {
        const target = await stick(32 * MIB)
        const { bytes } = await disk(21 * MIB)
        const claimed = await claimDevice(target.device, useDirect)
        if (!claimed.ok) throw new Error(claimed.failure.code)
        whenDone(() => claimed.value.close())
        const job = testJob(piecesOf(bytes), ({ phase, bytesDone }) => {
          if (phase !== 'verify' || bytesDone !== 0) return
          const backing = openSync(target.file, constants.O_WRONLY)
          writeSync(backing, Buffer.from([(bytes[14 * MIB] ?? 0) ^ 1]), 0, 1, 14 * MIB)
          closeSync(backing)
        })
        const facts = { device: target.device, offset: 12 * MIB, length: 4 * MIB }
        expect(await writeDisk(planFor(claimed.value.device, bytes, {}, target.device), job)).toEqual({
          ok: true,
          value: [{ code: 'verify-mismatch', facts }],
        })
        expect(isAll((await content(target)).subarray(0, MIB), 0)).toBe(true)
      },
    )
  }

  flashTest('or that cannot keep it at all', async () => {
    // A file that promises 64 MiB on a file system of 24: what is written beyond comes back as an I/O error.
    const small = join(folder(), 'small')
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small])
    whenDone(async () => {
      await run('umount', [small])
      await rm(small, { recursive: true })
    })
    const file = join(small, 'stick.img')
    await writeFile(file, '')
    await truncate(file, 64 * MIB)
    const device = await attachLoop(file)
    whenDone(() => detachLoop(device, file))
    const { path } = await disk(40 * MIB)
    const { result } = await flash(await inputFor({ file, device }, path))
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-io', facts: { device } } })
    expect(isAll((await readFile(file)).subarray(0, MIB), 0)).toBe(true)
  })
})

describe('a stick that is mounted', () => {
  flashTest('is unmounted when that was allowed, and written', async () => {
    const target = await stick(32 * MIB)
    const mountpoint = await mounted(target)
    await writeFile(join(mountpoint, 'old'), 'old')
    const { path, bytes } = await disk(20 * MIB)
    const input = withTarget(await inputFor(target, path), { unmount: true })
    expect((await flash(input)).result).toEqual({ ok: true, value: null })
    expect(existsSync(join(mountpoint, 'old'))).toBe(false)
    expect((await findDrive(target.device)).mountpoints).toEqual([])
    expect((await content(target)).subarray(0, bytes.length).equals(bytes)).toBe(true)
  })
})

describe('a flash that is stopped', () => {
  for (const phase of ['write', 'verify']) {
    flashTest(`by a cancel during ${phase} leaves the first MiB blank`, async () => {
      const target = await stick(200 * MIB)
      const { path } = await disk(190 * MIB)
      let isSent = false
      const cancelled = flash(await inputFor(target, path), (current, bytesDone, abort) => {
        if (isSent || current !== phase || bytesDone === 0) return
        isSent = true
        abort.abort(new Error('cancelled by the test'))
      })
      await expect(cancelled).rejects.toThrow('cancelled by the test')
      const found = await content(target)
      expect(isAll(found.subarray(0, MIB), 0)).toBe(true)
      expect(isAll(found.subarray(190 * MIB, 199 * MIB), OLD)).toBe(true)
      // Nobody holds it any more.
      await (await open(target.device, constants.O_RDONLY | constants.O_EXCL)).close()
    })
  }

  flashTest('because the disk file changed under it leaves the first MiB blank', async () => {
    const target = await stick(100 * MIB)
    const { path } = await disk(90 * MIB)
    let isTouched = false
    const { result } = await flash(await inputFor(target, path), (phase, bytesDone) => {
      if (isTouched || phase !== 'write' || bytesDone === 0) return
      isTouched = true
      void utimes(path, 1, 1)
    })
    expect(result).toEqual(refused('disk-changed', { path }))
    expect(isAll((await content(target)).subarray(0, MIB), 0)).toBe(true)
  })

  flashTest('before it was accepted writes nothing', async () => {
    const target = await stick(16 * MIB)
    const { bytes } = await disk(4 * MIB)
    const job = testJob(piecesOf(bytes))
    whenDone(() => job.close())
    job.abort.abort(new Error('stopped'))
    const request = requestFor(await findDrive(target.device), bytes.length)
    await expect(runFlash(request, job, true)).rejects.toThrow('stopped')
    expect(job.isAccepted()).toBe(false)
    expect(isAll(await content(target), OLD)).toBe(true)
  })
})

describe('a flash that ends at any moment', () => {
  const SIZE = 24 * MIB
  const ROUNDS = 10

  /** What a stick was before: a disk that boots, with both its tables. */
  function oldStick(): Buffer {
    const bytes = Buffer.alloc(SIZE, OLD)
    bytes.writeUInt16BE(0x55aa, 510)
    for (const at of [512, SIZE - 512]) bytes.write('EFI PART', at)
    return bytes
  }

  /** Kills the helper of this file's tests, as nothing that it could answer to. */
  function killHelper(): void {
    const ours = join(folder(), 'out', 'helper.cjs')
    for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(ours)) process.kill(Number(id), 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** That a stick is what it was, or what it was to become, or plainly blank. Answers which. */
  function judge(found: Buffer, old: Buffer, disk: Buffer): 'old' | 'whole' | 'blank' {
    if (found.equals(old)) return 'old'
    if (found.equals(disk)) return 'whole'
    expect(isAll(found.subarray(0, 512), 0), 'no boot sector').toBe(true)
    const isBodyWhole = found.subarray(MIB, -MIB).equals(disk.subarray(MIB, -MIB))
    if (isBodyWhole) return 'blank'
    expect(isAll(found.subarray(0, MIB), 0), 'a blank beginning').toBe(true)
    // The end is blanked right after the beginning.
    const end = found.subarray(-MIB)
    const isUntouched = found.subarray(MIB).equals(old.subarray(MIB))
    expect(isAll(end, 0) || isUntouched, 'a blank end').toBe(true)
    return 'blank'
  }

  for (const [how, stop] of [
    ['killed', killHelper],
    ['cancelled', (abort: AbortController) => abort.abort(new Error('cancelled by the test'))],
  ] as const)
    flashTest(`when it is ${how} leaves the stick as it was, whole or plainly blank`, async () => {
      const target = await stick(SIZE)
      const old = oldStick()
      const bytes = gptDisk(SIZE)
      const path = newFile('disk')
      await writeFile(path, bytes)
      const oldFile = newFile('old')
      await writeFile(oldFile, old)
      const seen = new Set<string>()
      for (let round = 0; round < ROUNDS; round++) {
        await copyFile(oldFile, target.file)
        await run('blockdev', ['--flushbufs', target.device])
        const input = await inputFor(target, path)
        // Before the first byte, anywhere in the write and the comparison, or at the end of all.
        const moment = round === 0 ? 0 : Math.random() * 2.1 * SIZE
        const delay = Math.random() * 20
        let isStopped = false
        const ended = await flash(input, (phase, bytesDone, abort) => {
          if (isStopped || bytesDone + (phase === 'verify' ? SIZE : 0) < moment) return
          isStopped = true
          setTimeout(() => stop(abort), delay)
        }).catch((error: unknown) => String(error))
        const found = judge(await content(target), old, bytes)
        const about = `stopped after ${Math.round(moment)} bytes and ${delay} ms: ${JSON.stringify(ended)}`
        if (typeof ended !== 'string' && ended.result.ok) expect(found, about).toBe('whole')
        seen.add(found)
        await (await open(target.device, constants.O_RDONLY | constants.O_EXCL)).close()
      }
      expect(seen).toContain('blank')
    })
})

describe('several sticks at once', () => {
  flashTest('are written from one reading, and one that is refused does not stop the others', async () => {
    const targets = [await stick(48 * MIB), await stick(64 * MIB), await stick(48 * MIB, '--read-only')]
    const { path, bytes } = await disk(37 * MIB)
    const told: JobTarget[][] = []
    const { result } = await flash(await inputForAll(targets, path), undefined, (now) => told.push(now))
    expect(result).toEqual(refused('drives-failed', { failed: [targets[2]?.device], total: 3 }))
    for (const target of targets.slice(0, 2))
      expect((await content(target)).subarray(0, bytes.length).equals(bytes)).toBe(true)
    expect(isAll(await content(targets[2] as Stick), OLD)).toBe(true)
    const last = told.at(-1)
    expect(last?.map(({ state }) => state)).toEqual(['done', 'done', 'failed'])
    expect(last?.[2]?.failure).toMatchObject({ code: 'drive-refused', facts: { reasons: ['read-only'] } })
  })

  flashTest('may not be one and the same', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const { result } = await flash(await inputForAll([target, target], path))
    expect(result).toMatchObject({ ok: false, failure: { code: 'helper-protocol' } })
    expect(isAll(await content(target), OLD)).toBe(true)
  })
})

describe('a stick that another program has open without holding it', () => {
  flashTest('is refused also when the program opened it by a device node of its own', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const node = join(folder(), 'own-node')
    await run('mknod', [node, 'b', ...(await findDrive(target.device)).majorMinor.split(':')])
    whenDone(() => rm(node))
    const reader = await open(node, constants.O_RDONLY)
    whenDone(() => reader.close())
    const { result } = await flash(await inputFor(target, path))
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-busy' } })
    expect(result).toHaveProperty('failure.facts.detail', expect.stringContaining(`(${process.pid})`))
  })

  flashTest('is refused, and the program is named', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const reader = spawn('tail', ['-f', '-c', '1', '/dev/null'], {
      stdio: ['ignore', openSync(target.device, constants.O_RDONLY), 'ignore'],
    })
    whenDone(async () => {
      const ended = once(reader, 'exit')
      reader.kill()
      await ended
    })
    await once(reader, 'spawn')
    const { result } = await flash(await inputFor(target, path))
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-busy' } })
    expect(result).toHaveProperty(
      'failure.facts.detail',
      expect.stringContaining(`tail (${reader.pid ?? 0})`),
    )
    expect(isAll(await content(target), OLD)).toBe(true)
  })
})

describe('what Slipway was told that no drive may take away', () => {
  flashTest('makes the drive that holds it a part of the system', async () => {
    const target = await stick(16 * MIB)
    const { path } = await disk(4 * MIB)
    const mountpoint = await mounted(target)
    const input = withTarget(await inputFor(target, path), { unmount: true })
    const { result } = await flash({ ...input, needed: [join(mountpoint, 'docker')] })
    expect(result).toEqual(refused('drive-refused', { device: target.device, reasons: ['system'] }))
    expect((await findDrive(target.device)).mountpoints).toEqual([mountpoint])
  })
})

describe('a packed disk', () => {
  const pack: Record<string, (path: string) => Promise<unknown>> = {
    gz: (path) => run('gzip', ['-1', '-k', path]),
    xz: (path) => run('xz', ['-0', '-k', path]),
    zst: (path) => run('zstd', ['-q', '-1', path]),
    zip: (path) => run('zip', ['-q', '-1', '-j', `${path}.zip`, path]),
    qcow2: (path) => run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', path, `${path}.qcow2`]),
    vmdk: (path) => run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', path, `${path}.vmdk`]),
  }
  for (const [ending, make] of Object.entries(pack)) {
    flashTest(`with ${ending} is written byte for byte`, async () => {
      const target = await stick(12 * MIB)
      const { path, bytes } = await disk(7 * MIB)
      await make(path)
      const packed = `${path}.${ending}`
      whenDone(() => rm(packed))
      const { result } = await flash(await inputFor(target, packed))
      expect(result).toEqual({ ok: true, value: null })
      expect((await content(target)).subarray(0, bytes.length).equals(bytes)).toBe(true)
    })
  }

  flashTest('that needs more room than there is says so, and leaves nothing', async () => {
    const small = join(folder(), 'little-room')
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small])
    whenDone(async () => {
      await run('umount', [small])
      await rm(small, { recursive: true })
    })
    const path = newFile('packed')
    await writeFile(path, Buffer.alloc(7 * MIB, 'a'))
    const packed = newFile('packed')
    await run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', path, packed])
    const file = await open(packed)
    whenDone(() => file.close())
    const { signal } = new AbortController()
    const unpacked = await unpackVirtualDisk(file, packed, 'qcow2', signal, small)
    expect(unpacked).toMatchObject({ ok: false, failure: { code: 'no-space', facts: { path: small } } })
    expect(await readdir(small)).toEqual([])
  })

  flashTest('that breaks off leaves the stick blank', async () => {
    const target = await stick(12 * MIB)
    const { path } = await disk(7 * MIB)
    await run('gzip', ['-1', '-k', path])
    whenDone(() => rm(`${path}.gz`))
    await truncate(`${path}.gz`, 5 * MIB)
    const { result } = await flash(await inputFor(target, `${path}.gz`))
    expect(result).toMatchObject({ ok: false })
    expect((await content(target)).subarray(0, MIB).some((byte) => byte !== 0 && byte !== OLD)).toBe(false)
  })
})
