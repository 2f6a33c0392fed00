import { execa } from 'execa'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { blockMapOf } from '../../src/main/library/block-map'
import type { DiskRecord } from '../../src/shared/disk'
import { makeTar, type Member } from '../support/daemon'
import { layerOf, newDockerSave, tarOf } from '../support/image-archives'
import { buildPrograms } from '../support/programs'

const MIB = 1024 * 1024
const NOBODY = 65534
/** Where the root begins behind the EFI system partition, in bytes. */
const ROOT_OFFSET = 65 * MIB

let folder = ''
let programs = ''

/** A tree that could be built from, with boot loaders of its own, and boot code that no host has. */
async function machine(): Promise<Buffer> {
  const own: Member[] = []
  for (const [name, source] of [
    ['usr/bin/extlinux', '/usr/bin/extlinux'],
    ['usr/lib/grub/x86_64-efi/monolithic/grubx64.efi', '/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi'],
  ] as const) {
    own.push({ name, content: await readFile(source), mode: 0o755 })
  }
  const elf = Buffer.alloc(64)
  elf.write('\x7fELF', 'latin1')
  elf.writeUInt16LE(62, 18)
  return makeTar([
    ...['boot', 'sbin', 'etc'].map((name) => ({ name, type: '5' as const })),
    { name: 'boot/vmlinuz-6.1.0-test', content: randomBytes(MIB) },
    { name: 'boot/initrd.img-6.1.0-test', content: randomBytes(MIB) },
    { name: 'vmlinuz', type: '2', target: 'boot/vmlinuz-6.1.0-test' },
    { name: 'initrd.img', type: '2', target: 'boot/initrd.img-6.1.0-test' },
    { name: 'sbin/init', content: elf, mode: 0o755 },
    { name: 'usr/lib/syslinux/mbr/mbr.bin', content: 'boot code of this very image' },
    { name: 'etc/large', content: randomBytes(6 * MIB) },
    ...own,
  ])
}

/**
 * Starts the terminal form as a user without any right, who has no program to call. What stays outside of the bundle
 * is loaded before, for that user may not enter every checkout.
 */
const asNobody = `
const Module = require('node:module')
const { readFileSync } = require('node:fs')
const loaded = {}
for (const name of ['drivelist', 'sudo-prompt']) {
  loaded[name] = require(require.resolve(name, { paths: [process.env.CHECKOUT] }))
}
const load = Module._load
Module._load = (name, ...rest) => loaded[name] ?? load(name, ...rest)
process.setgroups([])
process.setgid(${NOBODY})
process.setuid(${NOBODY})
if (!/^CapEff:\\s*0+$/m.test(readFileSync('/proc/self/status', 'latin1'))) process.exit(99)
require(process.env.PROGRAM)
`

beforeAll(async () => {
  folder = await mkdtemp('/var/tmp/slipway-rootfs-')
  await chmod(folder, 0o755)
  programs = join(folder, 'programs')
  await buildPrograms(programs, ['cli', 'direct', 'archive'])
  await writeFile(join(programs, 'as-nobody.cjs'), asNobody)
  for (const name of ['one', 'two', 'empty']) await mkdir(join(folder, name))
  await chown(join(folder, 'two'), NOBODY, NOBODY)
  const tar = await machine()
  // In two places and of two times, which must not matter.
  for (const name of ['one', 'two']) await writeFile(join(folder, name, 'machine.tar'), tar, { mode: 0o644 })
  await utimes(join(folder, 'two/machine.tar'), 1, 1)
})
afterAll(() => rm(folder, { recursive: true, force: true }))
afterEach(async () => {
  for (const name of ['one', 'two']) {
    for (const file of await readdir(join(folder, name))) {
      if (file !== 'machine.tar') await rm(join(folder, name, file), { recursive: true })
    }
  }
})

interface Answer {
  ok: boolean
  disk: DiskRecord
  cancelled?: boolean
  failure: { facts: { neededBytes: number } }
}

async function slipway(
  place: 'one' | 'two',
  words: string[],
  user: 'own' | 'nobody' = 'own',
): Promise<Answer> {
  const program = join(programs, 'cli/slipway.cjs')
  const isNobody = user === 'nobody'
  const { stdout } = await execa(
    process.execPath,
    [
      isNobody ? join(programs, 'as-nobody.cjs') : program,
      'build',
      '--rootfs',
      'machine.tar',
      ...words,
      '--json',
    ],
    {
      cwd: join(folder, place),
      env: {
        CHECKOUT: process.cwd(),
        PROGRAM: program,
        XDG_DATA_HOME: join(folder, place, '.data'),
        DOCKER_HOST: 'unix:///nowhere',
        ...(isNobody ? { PATH: join(folder, 'empty'), TZ: 'Asia/Kathmandu', HOME: '/nowhere' } : {}),
        // The programs outside of the bundle, which the user of the checkout finds there.
        NODE_PATH: resolve('node_modules'),
      },
      reject: false,
    },
  )
  return JSON.parse(stdout) as Answer
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

describe('a disk from a root file system’s tar, with no engine', () => {
  test('is the same bit by bit in another place, at another time, for a user without rights and tools', async () => {
    const own = await slipway('one', ['-o', 'a.img', '--size', '160M'])
    expect(own).toMatchObject({ ok: true, disk: { firmware: ['bios', 'uefi'], secureBoot: false } })
    const others = await slipway('two', ['-o', 'b.img', '--size', '160M'], 'nobody')
    expect(others).toMatchObject({ ok: true, disk: { sizeBytes: 160 * MIB } })
    const disk = join(folder, 'two/b.img')
    expect(await sha256(disk)).toBe(await sha256(join(folder, 'one/a.img')))
    expect((await stat(disk)).uid).toBe(NOBODY)
    await execa('e2fsck', ['-fn', `${disk}?offset=${ROOT_OFFSET}`])
    // Its boot loaders are the tree's own.
    expect((await readFile(disk)).toString('latin1', 0, 28)).toBe('boot code of this very image')
    const map = await blockMapOf(disk, await stat(disk, { bigint: true }))
    expect(map?.[0]?.offset).toBe(0)
    await utimes(disk, 1, 1)
    expect(await blockMapOf(disk, await stat(disk, { bigint: true }))).toBeNull()
  })

  test('takes the time from SOURCE_DATE_EPOCH', async () => {
    process.env['SOURCE_DATE_EPOCH'] = '1000000000'
    try {
      await slipway('one', ['-o', 'a.img', '--size', '160M'])
    } finally {
      delete process.env['SOURCE_DATE_EPOCH']
    }
    const { stdout } = await execa('dumpe2fs', ['-h', `${join(folder, 'one/a.img')}?offset=${ROOT_OFFSET}`], {
      env: { TZ: 'UTC' },
    })
    expect(stdout).toMatch(/Filesystem created: +Sun Sep {2}9 01:46:40 2001/)
  })

  test('fits its content when nobody chose a size, as data alone too', async () => {
    for (const words of [[], ['--no-boot']]) {
      const { disk } = await slipway('one', ['-o', `a${words.length}.img`, ...words])
      expect(disk.sizeBytes % MIB).toBe(0)
      expect(disk.firmware).toEqual(words.length === 0 ? ['bios', 'uefi'] : [])
      const offset = words.length === 0 ? ROOT_OFFSET : MIB
      const { stdout } = await execa('dumpe2fs', ['-h', `${disk.path}?offset=${offset}`])
      const free = Number(/Free blocks: +(\d+)/.exec(stdout)?.[1]) * 4096
      // A quarter of the content and 512 MiB.
      expect(free).toBeGreaterThan(514 * MIB)
      expect(free).toBeLessThan(524 * MIB)
    }
  })

  test('comes in every format, which holds the same disk', async () => {
    await slipway('one', ['-o', 'raw.img', '--size', '160M'])
    const raw = join(folder, 'one/raw.img')
    const sum = await sha256(raw)
    for (const format of ['qcow2', 'vmdk', 'vdi', 'vhdx']) {
      const { disk } = await slipway('one', ['-o', `a.${format}`, '--size', '160M'])
      expect(disk).toMatchObject({ format, sizeBytes: 160 * MIB })
      await execa('qemu-img', ['compare', '-f', 'raw', '-F', format, raw, disk.path])
    }
    for (const [format, program] of [
      ['gz', 'gzip'],
      ['xz', 'xz'],
      ['zst', 'zstd'],
    ] as const) {
      const { disk } = await slipway('one', ['-o', `a.${format}`, '--size', '160M'])
      expect(disk.format).toBe(format)
      const child = execa(program, ['-dc', disk.path], { encoding: 'buffer', buffer: false })
      const hash = createHash('sha256')
      await Promise.all([pipeline(child.stdout, hash), child])
      expect(hash.digest('hex')).toBe(sum)
    }
    const names = (await readdir(join(folder, 'one'))).filter((name) => name.endsWith('-part'))
    expect(names).toEqual([])
  })

  test('leaves nothing when it is cancelled while it is packed', async () => {
    const program = join(programs, 'cli/slipway.cjs')
    const child = execa(
      process.execPath,
      [program, 'build', '--rootfs', 'machine.tar', '-o', 'a.xz', '--size', '2G', '--json'],
      {
        cwd: join(folder, 'one'),
        env: { XDG_DATA_HOME: join(folder, 'one/.data'), NODE_PATH: resolve('node_modules') },
        reject: false,
      },
    )
    child.stderr.on('data', (text: Buffer) => {
      if (text.toString().includes('"phase":"pack"')) child.kill('SIGINT')
    })
    const { stdout, exitCode } = await child
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, cancelled: true })
    expect(exitCode).toBe(130)
    expect(await readdir(join(folder, 'one'))).toEqual(['machine.tar'])
  })

  test('says at once that a size is too small, and leaves nothing; the size that it names is enough', async () => {
    const answer = await slipway('one', ['-o', 'a.img', '--size', '70M'])
    expect(answer).toMatchObject({ ok: false, failure: { code: 'size-too-small' } })
    expect(await readdir(dirname(join(folder, 'one/a.img')))).toEqual(['machine.tar'])
    const { neededBytes } = answer.failure.facts
    const made = await slipway('one', ['-o', 'a.img', '--size', `${neededBytes / MIB}M`])
    expect(made).toMatchObject({ ok: true, disk: { sizeBytes: neededBytes } })
    await execa('e2fsck', ['-fn', `${join(folder, 'one/a.img')}?offset=${ROOT_OFFSET}`])
  })
})

test('an archive of very many small files is built from in little memory', async () => {
  const files = Array.from({ length: 60_000 }, (_, i) => `${i % 1000}/file-${i}=${'x'.repeat(500)}`)
  const folders = Array.from({ length: 1000 }, (_, i) => `${i}/`)
  const image = { names: ['crowd:1'], layers: [layerOf([...folders, ...files])] }
  await writeFile(join(folder, 'one/saved.tar'), tarOf(newDockerSave([image])))
  const program = join(programs, 'cli/slipway.cjs')
  const child = execa(
    process.execPath,
    [program, 'build', '--archive', 'saved.tar', '-o', 'a.img', '--no-boot'],
    {
      cwd: join(folder, 'one'),
      env: { XDG_DATA_HOME: join(folder, 'one/.data'), NODE_PATH: resolve('node_modules') },
    },
  )
  let most = 0
  const timer = setInterval(() => {
    void readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').then(
      (status) => {
        // proc(5): the most that it ever had.
        most = Math.max(most, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024)
      },
      () => undefined,
    )
  }, 20)
  await child.finally(() => clearInterval(timer))
  // Some 120 MB; with what nobody uses any more left to the collector it was 183 MB.
  expect(most).toBeGreaterThan(60e6)
  expect(most).toBeLessThan(145e6)
})
