import { createHash } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { machineEdits } from '../../src/main/convert/edits'
import type { BootLoaders } from '../../src/main/convert/direct/boot'
import { type DiskSettings, type DiskSummary, writeDisk } from '../../src/main/convert/direct/engine'
import type { Result } from '../../src/shared/failure'
import { debugfs, fsck, setLength, UUID } from './disk-file'
import { encodeArchive, type Member } from './tar-members'
import { run } from './tree-compare'
import { blankFiles } from '../support/inspected'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-engine-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const base = { mode: 0o644, uid: 0, gid: 0, seconds: 5, nanoseconds: 0 }
const file = (path: string, data: string | Buffer): Member => ({
  type: 'file',
  path: Buffer.from(path),
  data: Buffer.from(data),
  ...base,
})
const symlink = (path: string, target: string): Member => ({
  type: 'symlink',
  path: Buffer.from(path),
  target: Buffer.from(target),
  ...base,
})
const machine = encodeArchive([
  file('.dockerenv', ''),
  file('etc/hostname', ''),
  file('dev/console', ''),
  file('boot/vmlinuz-6.1.0-9', Buffer.alloc(300_000, 'old')),
  file('boot/vmlinuz-6.1.0-10', Buffer.alloc(300_000, 'kernel')),
  file('boot/initrd.img-6.1.0-10', Buffer.alloc(3_000_000, 'initrd')),
  symlink('vmlinuz', 'boot/vmlinuz-6.1.0-10'),
  symlink('initrd.img', 'boot/initrd.img-6.1.0-10'),
  ...Array.from({ length: 300 }, (_, i) => file(`usr/share/file ${i}`, `content ${i}`)),
])

/** Boot-loader files of this machine's packages. */
function hostLoaders(table: 'mbr' | 'gpt'): BootLoaders {
  const code = table === 'mbr' ? 'mbr.bin' : 'gptmbr.bin'
  return {
    bios: {
      bootCode: readFileSync(`/usr/lib/EXTLINUX/${code}`).subarray(0, 440),
      extlinux: readFileSync('/usr/bin/extlinux'),
    },
    uefi: {
      files: [
        {
          path: 'EFI/BOOT/BOOTX64.EFI',
          data: readFileSync('/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi'),
        },
      ],
      configurationPaths: ['EFI/debian/grub.cfg'],
    },
  }
}

function settings(changes: Partial<DiskSettings> = {}): DiskSettings {
  const table = changes.table ?? 'mbr'
  return {
    size: { bytes: 256 * 2 ** 20 },
    table,
    uuid: UUID,
    label: 'slipway',
    diskSignature: 0x12345678,
    time: 1700000000,
    edits: machineEdits({
      hostname: 'machine',
      rootUuid: UUID,
      init: 'systemd',
      resolved: false,
      masked: [],
      own: blankFiles,
    }),
    boot: {
      architecture: 'amd64',
      loaders: hostLoaders(table),
      kernel: null,
      kernelArguments: 'quiet',
      serialConsole: false,
    },
    manifest: false,
    ...changes,
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous by nature
async function* chunks(archive: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += 100_000) yield archive.subarray(at, at + 100_000)
}

/** Writes a disk over what the file holds already. */
async function write(
  path: string,
  archive: Buffer,
  wanted: DiskSettings,
  zeroed = true,
): Promise<Result<DiskSummary>> {
  const handle = openSync(path, zeroed ? 'w+' : 'r+')
  try {
    const sink = {
      zeroed,
      write: (bytes: Uint8Array, position: number) => {
        writeSync(handle, bytes, 0, bytes.length, position)
        return Promise.resolve()
      },
    }
    return await writeDisk(chunks(archive), sink, wanted, () => undefined, new AbortController().signal)
  } finally {
    closeSync(handle)
  }
}

async function written(path: string, wanted: DiskSettings, zeroed = true): Promise<DiskSummary> {
  const result = await write(path, machine, wanted, zeroed)
  if (!result.ok) throw new Error(JSON.stringify(result.failure))
  setLength(path, result.value.bytes)
  return result.value
}

/** The root file system as a file of its own. */
function rootOf(path: string, summary: DiskSummary): string {
  const root = `${path}.root`
  writeFileSync(
    root,
    readFileSync(path).subarray(summary.rootOffset, summary.rootOffset + summary.root.bytes),
  )
  return root
}

describe.each(['mbr', 'gpt'] as const)('a disk with %s', (table) => {
  test('has partitions, a clean ESP and a clean root with all boot files', async () => {
    const path = join(folder, `${table}.img`)
    const summary = await written(path, settings({ table }))
    const partitions = run('sfdisk', ['--dump', path])
    expect(partitions).toContain(`label: ${table === 'mbr' ? 'dos' : 'gpt'}`)
    expect(partitions).toMatch(/start= +133120/)
    expect(partitions).toMatch(/start= +2048, size= +131072/)
    expect(run('sfdisk', ['--verify', path])).toContain('No errors detected')

    const esp = join(folder, 'esp.img')
    writeFileSync(esp, readFileSync(path).subarray(2 ** 20, 65 * 2 ** 20))
    run('fsck.vfat', ['-n', esp])
    const configuration = run('mtype', ['-i', esp, '::/EFI/debian/grub.cfg'])
    expect(configuration).toContain(`--set=root ${UUID}`)
    expect(configuration).toContain('linux /vmlinuz root=UUID=')

    const root = rootOf(path, summary)
    expect(fsck(root)).toBe('')
    expect(debugfs(root, 'cat /etc/hostname')).toBe('machine\n')
    expect(debugfs(root, 'cat /boot/syslinux.cfg')).toContain('KERNEL /vmlinuz')
    expect(debugfs(root, 'ls /dev')).not.toContain('console')
    expect(debugfs(root, 'ls /')).not.toContain('.dockerenv')
    expect(debugfs(root, 'stat /boot/ldlinux.sys')).toMatch(/Flags: 0x80010/)
    expect(summary.kernel).toEqual({ kernelPath: '/vmlinuz', initramfsPath: '/initrd.img' })
    expect(summary.kernels).toHaveLength(2)
  })

  test('is the same each time, bit by bit', async () => {
    const sums = new Set<string>()
    for (const name of ['first.img', 'second.img']) {
      const path = join(folder, name)
      await written(path, settings({ table }))
      sums.add(createHash('sha256').update(readFileSync(path)).digest('hex'))
    }
    expect(sums.size).toBe(1)
  })

  test('on a stick that was in use is as good as on a new file', async () => {
    const used = join(folder, 'used.img')
    writeFileSync(used, Buffer.alloc(256 * 2 ** 20, 0xa5))
    const summary = await written(used, settings({ table }), false)
    expect(fsck(rootOf(used, summary))).toBe('')
    const esp = join(folder, 'esp.img')
    writeFileSync(esp, readFileSync(used).subarray(2 ** 20, 65 * 2 ** 20))
    run('fsck.vfat', ['-n', esp])
    expect(run('sfdisk', ['--verify', used])).toContain('No errors detected')
  })

  test('copied to a used stick by its block map alone is whole', async () => {
    const path = join(folder, 'map.img')
    const summary = await written(path, settings({ table }))
    const disk = readFileSync(path)
    const stick = Buffer.alloc(disk.length, 0xa5)
    for (const { offset, length } of summary.blockMap) disk.copy(stick, offset, offset, offset + length)
    const copy = join(folder, 'copy.img')
    writeFileSync(copy, stick)
    const root = rootOf(copy, summary)
    expect(fsck(root)).toBe('')
    expect(debugfs(root, 'cat "/usr/share/file 299"')).toBe('content 299')
    const covered = summary.blockMap.reduce((sum, range) => sum + range.length, 0)
    expect(covered).toBeLessThan(40 * 2 ** 20)
  })
})

test('a size made to measure leaves the room that was asked for', async () => {
  const path = join(folder, 'fitted.img')
  const summary = await written(path, settings({ size: { freeShare: 0, freeBytes: 50 * 2 ** 20 } }))
  expect(fsck(rootOf(path, summary))).toBe('')
  expect(summary.root.freeBytes).toBeGreaterThanOrEqual(50 * 2 ** 20)
  expect(summary.root.freeBytes).toBeLessThan(54 * 2 ** 20)
})

test('the manifest is what the disk holds, file by file', async () => {
  const path = join(folder, 'sums.img')
  const archive = encodeArchive([
    file('boot/vmlinuz-1', 'kernel'),
    file('boot/initrd.img-1', 'initrd'),
    file('etc/hostname', 'the archive’s own'),
    file('usr/lib/twice', 'before'),
    symlink('lib', 'usr/lib'),
    file('lib/twice', 'after'),
    file('gone/below', 'x'),
    file('gone', 'now a file'),
    file('a\nb\\c', 'escaped'),
    { type: 'hardlink', path: Buffer.from('second'), target: Buffer.from('usr/lib/twice'), ...base },
  ])
  const result = await write(path, archive, settings({ manifest: true }))
  if (!result.ok) throw new Error(result.failure.code)
  const { manifest } = result.value
  const tree = join(folder, 'dumped')
  mkdirSync(tree)
  setLength(path, result.value.bytes)
  debugfs(rootOf(path, result.value), `rdump / ${tree}`)
  writeFileSync(join(folder, 'sums'), Buffer.from(manifest ?? '', 'latin1'))
  const checked = run('sha256sum', ['--strict', '--quiet', '-c', join(folder, 'sums')], tree)
  expect(checked).toBe('')
  const listed = run('find', ['.', '-type', 'f', '-printf', '.'], tree).length
  expect((manifest ?? '').split('\n').length - 1).toBe(listed)
  expect(manifest).toContain('  boot/ldlinux.sys\n')
})

test('the sums of sparse files are those of what is read, and hours of zeroes can be given up', async () => {
  const path = join(folder, 'holes.img')
  const MIB = 2 ** 20
  const sparse = (name: string, size: number, segments: number[]): Member => ({
    ...file(
      name,
      Buffer.alloc(
        segments.filter((_, index) => index % 2 === 1).reduce((a, b) => a + b, 0),
        7,
      ),
    ),
    sparse: { segments: [...segments, size, 0], size, version: '1.0' },
  })
  const archive = encodeArchive([
    sparse('front', 40 * MIB, [0, 512]),
    sparse('middle', 80 * MIB, [30 * MIB, 512 * 300, 70 * MIB, 512]),
    sparse('short', 5 * MIB, [MIB, 512, 3 * MIB, 100]),
    sparse('empty', 50 * MIB, []),
    file('after', 'after'),
  ])
  const data = settings({ boot: null, manifest: true })
  const result = await write(path, archive, data)
  if (!result.ok) throw new Error(result.failure.code)
  const tree = join(folder, 'holes')
  mkdirSync(tree)
  setLength(path, result.value.bytes)
  debugfs(rootOf(path, result.value), `rdump / ${tree}`)
  writeFileSync(join(folder, 'sums'), result.value.manifest ?? '')
  expect(run('sha256sum', ['--strict', '--quiet', '-c', join(folder, 'sums')], tree)).toBe('')
  expect(result.value.manifest).toMatch(/ {2}middle\n/)

  const controller = new AbortController()
  const reason = new Error('given up')
  const endless = encodeArchive(Array.from({ length: 9 }, (_, i) => sparse(`${i}`, 2 ** 43, [0, 512])))
  const sink = { zeroed: true, write: () => Promise.resolve() }
  const writing = writeDisk(chunks(endless), sink, data, () => undefined, controller.signal)
  setTimeout(() => controller.abort(reason), 100)
  await expect(writing).rejects.toBe(reason)
})

test('a time that FAT cannot say is the nearest that it can', async () => {
  for (const [time, shown] of [
    [-62135596800, '1980-01-01'],
    [7258118400, '2107-12-31'],
  ] as const) {
    const path = join(folder, 'times.img')
    await written(path, settings({ time }))
    const esp = join(folder, 'esp.img')
    writeFileSync(esp, readFileSync(path).subarray(2 ** 20, 65 * 2 ** 20))
    expect(run('mdir', ['-i', esp, '::/EFI/BOOT'])).toContain(shown)
  }
})

test('what cannot become a disk is a value that says why', async () => {
  const path = join(folder, 'refused.img')
  const data = encodeArchive([file('a', 'b')])
  expect(await write(path, data, settings())).toMatchObject({
    ok: false,
    failure: { code: 'kernel-missing' },
  })
  expect(await write(path, machine.subarray(0, 100_000), settings())).toMatchObject({
    ok: false,
    failure: { code: 'tar-invalid', facts: { offset: 100_000 } },
  })
  expect(await write(path, machine, settings({ size: { bytes: 66 * 2 ** 20 } }))).toMatchObject({
    ok: false,
    failure: { code: 'size-too-small' },
  })
  expect(await write(path, data, settings({ boot: null }))).toMatchObject({ ok: true })
})

test('nothing that was given up looks like a disk', async () => {
  const path = join(folder, 'aborted.img')
  const handle = openSync(path, 'w+')
  const controller = new AbortController()
  const sink = {
    zeroed: true,
    write: (bytes: Uint8Array, position: number) => {
      writeSync(handle, bytes, 0, bytes.length, position)
      return Promise.resolve()
    },
  }
  const reason = new Error('given up')
  const writing = writeDisk(
    chunks(machine),
    sink,
    settings(),
    (done) => {
      if (done > 1_000_000) controller.abort(reason)
    },
    controller.signal,
  )
  await expect(writing).rejects.toBe(reason)
  closeSync(handle)
  expect(readFileSync(path).subarray(510, 512)).not.toEqual(Buffer.from('55aa', 'hex'))
})
