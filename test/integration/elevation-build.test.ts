import { execa } from 'execa'
import { createReadStream } from 'node:fs'
import { link, open, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { machineEdits, type TreeEdits } from '../../src/main/convert/edits'
import { buildWithKernelEngine } from '../../src/main/convert/kernel/engine'
import { findKernelTools } from '../../src/main/convert/kernel/tools'
import { decodeMbr } from '../../src/main/disk/mbr'
import { setHelperPaths } from '../../src/main/elevation/helper-client'
import { MACHINE_DIRECTORY } from '../../src/main/helper/sandbox'
import type { Result } from '../../src/shared/failure'
import {
  checkFileSystem,
  DISK_UUID,
  eventually,
  exportImage,
  loopsOf,
  makeDiskFile,
  makeFolder,
  processesNaming,
  withMounted,
} from '../support/elevation'
import { testEngine } from '../support/engine'
import { blankFiles } from '../support/inspected'
import { silentContext } from '../support/job-context'

const MIB = 1024 * 1024
const noEdits: TreeEdits = { removed: [], emptied: [], added: [] }

let folder = ''
let helper = ''
let disk = ''
let mountsBefore = ''

beforeAll(async () => {
  ;({ folder, helper } = await makeFolder())
  setHelperPaths({ executable: process.execPath, helper })
  disk = join(folder, 'disk.img')
  mountsBefore = await readFile('/proc/self/mountinfo', 'utf8')
})
afterEach(async () => {
  expect(await eventually(async () => (await loopsOf(disk)).length === 0)).toBe(true)
  expect(await eventually(async () => (await processesNaming(helper)).length === 0)).toBe(true)
  expect((await readFile('/proc/self/mountinfo', 'utf8')).includes(folder)).toBe(
    mountsBefore.includes(folder),
  )
  await rm(disk, { force: true })
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

interface Options {
  edits?: TreeEdits
  sizeBytes?: number
  path?: string
  onPhase?: (phase: string) => void
  onProgress?: (bytes: number) => void
  signal?: AbortSignal
}

async function firstSector(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    return (await file.read(Buffer.alloc(512), 0, 512, 0)).buffer
  } finally {
    await file.close()
  }
}

/** Builds as root, with the engine and a helper of its own. */
function buildDisk(tar: string, options: Options = {}): Promise<Result<null>> {
  const context = silentContext({
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    phase: (name) => options.onPhase?.(name),
    progress: (bytes) => options.onProgress?.(bytes),
  })
  return buildWithKernelEngine(context, {
    tar: createReadStream(tar, { highWaterMark: 256 * 1024 }),
    path: options.path ?? disk,
    sizeBytes: options.sizeBytes ?? 300 * MIB,
    uuid: DISK_UUID,
    diskSignature: 0x51495077,
    kernelPath: '/vmlinuz',
    initramfsPath: '/initrd.img',
    kernelArguments: 'quiet',
    serialConsole: false,
    edits: options.edits ?? noEdits,
    tarBytesTotal: 1000 * MIB,
  })
}

describe('the HOWTO’s image', () => {
  let tar = ''
  beforeAll(async () => {
    const engine = await testEngine()
    try {
      tar = join(folder, 'howto.tar')
      await exportImage(engine.socket, engine.howtoImage, tar)
    } finally {
      await engine.stop()
    }
  })
  afterAll(() => rm(tar))

  test('becomes a disk with the same tree, a clean file system and its boot loader', async () => {
    await makeDiskFile(disk)
    const phases: string[] = []
    const edits = machineEdits({
      hostname: 'm',
      rootUuid: DISK_UUID,
      init: 'systemd',
      resolved: false,
      masked: [],
      own: blankFiles,
    })
    const built = await buildDisk(tar, { edits, sizeBytes: 3000 * MIB, onPhase: (name) => phases.push(name) })
    expect(built).toEqual({ ok: true, value: null })
    expect(phases).toEqual(['format', 'copy', 'bootloader', 'check'])
    await checkFileSystem(disk)

    const sector = await firstSector(disk)
    const tools = findKernelTools()
    expect(
      tools.ok && (await readFile(tools.value.mbr)).subarray(0, 440).equals(sector.subarray(0, 440)),
    ).toBe(true)
    expect(sector.readUInt32LE(440)).toBe(0x51495077)
    expect(decodeMbr(sector)).toEqual([
      { type: 0x83, active: true, start: 2048, count: (3000 * MIB) / 512 - 2048 },
    ])
    // Sparse: what the image does not fill is not there.
    expect((await stat(disk)).blocks * 512).toBeLessThan(1500 * MIB)

    await withMounted(disk, async (root) => {
      // GNU tar's own comparison: kind, mode, owner, size, time, content, link targets, hard links.
      const compared = await execa('tar', ['-d', '-f', tar, '-C', root, '--numeric-owner'], { reject: false })
      const different = new Set(
        `${compared.stdout}\n${compared.stderr}`
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('tar: Exiting'))
          .map((line) =>
            line
              .replace(/^tar: /, '')
              .replace(/: .*/, '')
              .replace(/\/$/, ''),
          ),
      )
      const expected = ['.dockerenv', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf', 'etc/mtab', 'etc/fstab']
      // Their times change with what is put into them; those that the kernel fills get its modes.
      const touched = [
        '',
        'boot',
        'etc',
        'dev',
        'proc',
        'run',
        'sys',
        'tmp',
        'var/lib/dbus',
        'etc/machine-id',
        'var/lib/dbus/machine-id',
      ]
      const emptied = /^(dev|proc|run|sys|tmp)\//
      const unexpected = [...different].filter(
        (name) => ![...expected, ...touched].includes(name) && !emptied.test(name),
      )
      expect(unexpected).toEqual([])

      const listed = await execa('tar', ['-t', '--quoting-style=literal', '-f', tar], { maxBuffer: 64 * MIB })
      const names = new Set(listed.stdout.split('\n').map((name) => name.replace(/\/$/, '')))
      const found = await execa('find', ['.', '-mindepth', '1', '-printf', '%P\\n'], { cwd: root })
      const more = found.stdout.split('\n').filter((name) => !names.has(name))
      const added = [
        'boot/ldlinux.c32',
        'boot/ldlinux.sys',
        'boot/syslinux.cfg',
        'etc/systemd/system/systemd-firstboot.service',
        'lost+found',
      ]
      expect(more.filter((name) => name !== 'etc/fstab').sort()).toEqual(added)
      expect(await readFile(join(root, 'boot/syslinux.cfg'), 'utf8')).toContain(
        `root=UUID=${DISK_UUID} rootwait rw quiet`,
      )
    })
  })

  test('leaves nothing when it is cancelled in the middle', async () => {
    await makeDiskFile(disk)
    const abort = new AbortController()
    const building = buildDisk(tar, {
      sizeBytes: 3000 * MIB,
      signal: abort.signal,
      onProgress: (bytes) => {
        if (bytes > 100 * MIB) abort.abort(new Error('cancelled'))
      },
    })
    await expect(building).rejects.toThrow('cancelled')
    // Not eventually: a cancelled job has cleaned up when it says so.
    expect(await loopsOf(disk)).toEqual([])
    expect(await processesNaming(helper)).toEqual([])
  })

  /** Builds, and kills the programs whose command line names something when 100 MiB are copied. */
  function buildAndKill(named: string): ReturnType<typeof buildDisk> {
    let isKilled = false
    return buildDisk(tar, {
      sizeBytes: 3000 * MIB,
      onProgress: (bytes) => {
        if (bytes < 100 * MIB || isKilled) return
        isKilled = true
        void processesNaming(named).then((pids) => {
          for (const pid of pids) process.kill(pid, 'SIGKILL')
        })
      },
    })
  }

  test('leaves nothing when the helper is killed in the middle', async () => {
    await makeDiskFile(disk)
    const killed = await buildAndKill(helper)
    expect(killed).toMatchObject({ ok: false, failure: { code: 'helper-lost' } })
  })

  test('says which program died in the middle', async () => {
    await makeDiskFile(disk)
    const built = await buildAndKill(`--directory=${MACHINE_DIRECTORY}`)
    expect(built).toMatchObject({ ok: false, failure: { code: 'tool-failed', facts: { tool: 'tar' } } })
  })

  test('is refused by a disk that turns out too small, with what is needed', async () => {
    await makeDiskFile(disk)
    const built = await buildDisk(tar, { sizeBytes: 400 * MIB })
    expect(built).toMatchObject({
      ok: false,
      failure: { code: 'size-too-small', facts: { sizeBytes: 400 * MIB } },
    })
  })

  test('is refused by a file system without room for the disk', async () => {
    const small = join(folder, 'small')
    await execa('mkdir', [small])
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=150m', 'tmpfs', small])
    try {
      const path = join(small, 'disk.img')
      await makeDiskFile(path)
      const built = await buildDisk(tar, { sizeBytes: 3000 * MIB, path })
      expect(built).toMatchObject({ ok: false, failure: { code: 'no-space', facts: { path } } })
      expect(await loopsOf(path)).toEqual([])
    } finally {
      await execa('umount', [small])
    }
  })
})

describe('a tree of everything that a tar can hold', () => {
  test('comes over with owners, modes, times, links, devices, capabilities, attributes and ACLs', async () => {
    const tree = join(folder, 'tree')
    const commands: string[][] = [
      ['mkdir', '-p', `${tree}/boot`, `${tree}/bin`, `${tree}/sticky`],
      ['cp', '/bin/true', `${tree}/bin/capable`],
      ['chown', '123456:54321', `${tree}/bin/capable`],
      ['setcap', 'cap_net_raw+ep', `${tree}/bin/capable`],
      ['cp', '/bin/true', `${tree}/bin/setuid`],
      ['chmod', '6755', `${tree}/bin/setuid`],
      ['ln', `${tree}/bin/setuid`, `${tree}/bin/setuid-again`],
      ['chmod', '1777', `${tree}/sticky`],
      ['setfacl', '-m', 'u:4242:rx', `${tree}/sticky`],
      ['mknod', `${tree}/null`, 'c', '1', '3'],
      ['mknod', `${tree}/disk`, 'b', '8', '1'],
      ['mkfifo', `${tree}/fifo`],
      ['ln', '-s', '/etc/../../outside', `${tree}/link`],
      ['touch', '-d', '2001-02-03 04:05:06', `${tree}/bin/capable`],
    ]
    for (const [program = '', ...words] of commands) await execa(program, words)
    await writeFile(Buffer.from(`${tree}/latin-\xe9`, 'latin1'), 'not UTF-8')
    await writeFile(join(tree, 'x'.repeat(200)), 'long name')
    const tar = join(folder, 'tree.tar')
    await execa('tar', ['-c', '--xattrs', '--acls', '--format=posix', '-f', tar, '-C', tree, '.'])
    await makeDiskFile(disk)
    expect(await buildDisk(tar)).toEqual({ ok: true, value: null })
    await checkFileSystem(disk)
    await withMounted(disk, async (root) => {
      const listing = async (directory: string): Promise<string> => {
        const format = '%P %y %m %U %G %s %n %l %Ts\\n'
        const words = [
          '.',
          '-mindepth',
          '1',
          '-not',
          '-path',
          './boot*',
          '-not',
          '-path',
          './lost+found',
          '-not',
          '-type',
          'd',
        ]
        const found = await execa('find', [...words, '-printf', format], {
          cwd: directory,
          encoding: 'latin1',
        })
        const devices = await execa('stat', ['-c', '%n %t %T', 'null', 'disk'], { cwd: directory })
        const capabilities = await execa('getcap', ['-r', '.'], { cwd: directory })
        const acl = await execa('getfacl', ['-n', 'sticky', 'bin'], { cwd: directory })
        return [
          found.stdout.split('\n').sort().join('\n'),
          devices.stdout,
          capabilities.stdout,
          acl.stdout,
        ].join('\n')
      }
      const original = await listing(tree)
      expect(original).toContain('cap_net_raw')
      expect(await listing(root)).toBe(original)
    })
    await rm(tree, { recursive: true })
  })
})

describe('a file that is not the user’s own, regular, empty and single', () => {
  const canary = (): string => join(folder, 'canary')

  test.each<[string, () => Promise<void>]>([
    ['a file with content', () => writeFile(disk, 'precious')],
    ['a symbolic link', () => makeDiskFile(canary()).then(() => symlink(canary(), disk))],
    ['a file with a second name', () => makeDiskFile(canary()).then(() => link(canary(), disk))],
    ['another user’s file', () => makeDiskFile(disk, { uid: 65534, gid: 65534 })],
    ['a device', () => execa('mknod', [disk, 'b', '7', '77']).then(() => undefined)],
    ['a fifo', () => execa('mkfifo', [disk]).then(() => undefined)],
    ['a directory', () => execa('mkdir', [disk]).then(() => undefined)],
    ['nothing', () => Promise.resolve()],
  ])('is refused: %s', async (_, make) => {
    await make()
    const tar = join(folder, 'empty.tar')
    await writeFile(tar, Buffer.alloc(1024))
    const failure = { code: 'output-forbidden', facts: { path: disk } }
    expect(await buildDisk(tar)).toEqual({ ok: false, failure })
    const left = await stat(canary()).catch(() => null)
    expect(left?.size ?? 0).toBe(0)
    await rm(disk, { recursive: true, force: true })
    await rm(canary(), { force: true })
  })
})
