import { execa } from 'execa'
import { createHash } from 'node:crypto'
import { chmod, link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rootfsTarSource } from '../../src/main/source/rootfs-tar'
import { fileBlob } from '../../src/main/source/archive/blobs'
import { indexedFiles } from '../../src/main/source/archive/files'
import { indexLayers, type LayerIndex } from '../../src/main/source/archive/index-layers'
import type { TreeFiles } from '../../src/main/source/tree-files'
import { setTreeThread } from '../../src/main/source/archive/tree-thread'
import { packed } from '../support/image-archives'
import { buildPrograms } from '../support/programs'

const signal = new AbortController().signal
let folder = ''
let tar = ''
let index: LayerIndex
let files: TreeFiles

async function indexTar(path: string): Promise<LayerIndex> {
  const layer = { blob: await fileBlob(path), part: 'it', diffId: null }
  return indexLayers([layer], { whiteouts: false, digest: true }, path, signal)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-tar-index-'))
  await buildPrograms(join(folder, 'programs'), ['archive'])
  setTreeThread(join(folder, 'programs/archive/archive.cjs'))
  const root = join(folder, 'root')
  for (const path of ['usr/lib/systemd', 'usr/sbin', 'etc', 'boot']) {
    await mkdir(join(root, path), { recursive: true })
  }
  await symlink('usr/lib', join(root, 'lib'))
  await symlink('usr/sbin', join(root, 'sbin'))
  await symlink('/lib/systemd/systemd', join(root, 'usr/sbin/init'))
  // An ELF header for AArch64, as far as it is looked at.
  const elf = Buffer.alloc(64)
  elf.write('\x7fELF', 'latin1')
  elf.writeUInt16LE(183, 18)
  await writeFile(join(root, 'usr/lib/systemd/systemd'), elf)
  await chmod(join(root, 'usr/lib/systemd/systemd'), 0o755)
  await writeFile(join(root, 'usr/lib/os-release'), 'ID=debian\nVERSION_ID=12\n')
  await symlink('../usr/lib/os-release', join(root, 'etc/os-release'))
  await symlink('circle', join(root, 'etc/circle'))
  await writeFile(join(root, 'boot/vmlinuz-6.1.0-1-arm64'), 'kernel')
  await link(join(root, 'boot/vmlinuz-6.1.0-1-arm64'), join(root, 'boot/second'))
  await writeFile(join(root, 'boot/initrd.img-6.1.0-1-arm64'), 'initrd')
  await symlink('boot/vmlinuz-6.1.0-1-arm64', join(root, 'vmlinuz'))
  await symlink('boot/initrd.img-6.1.0-1-arm64', join(root, 'initrd.img'))
  tar = join(folder, 'machine.tar')
  await execa('tar', ['-C', root, '--mtime', '@1700000000', '-cf', tar, '.'])
  index = await indexTar(tar)
  files = indexedFiles(index, tar, signal)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('indexLayers', () => {
  it('hashes the archive and knows its latest time', async () => {
    const bytes = await readFile(tar)
    expect(index.digest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    expect(index.tarBytes).toBe(bytes.length)
    expect(index.newest).toBe(1_700_000_000)
  })
  it('reads files by way of links inside the tree', async () => {
    expect((await files.read('/etc/os-release', 9))?.toString()).toBe('ID=debian')
    expect((await files.read('/boot/second', 100))?.toString()).toBe('kernel')
    expect((await files.resolve('/sbin/init'))?.path).toBe('/usr/lib/systemd/systemd')
    expect((await files.resolve('/../../sbin/init'))?.permissions).toBe(0o755)
  })
  it('finds nothing where there is nothing, and in a circle', async () => {
    expect(await files.resolve('/none/of/it')).toBeNull()
    expect(await files.resolve('/etc/circle')).toBeNull()
    expect(await files.read('/boot', 10)).toBeNull()
    expect(await files.resolve('/vmlinuz/below')).toBeNull()
  })
  it('refuses an archive that was cut off', async () => {
    const cut = join(folder, 'cut.tar')
    await writeFile(cut, (await readFile(tar)).subarray(0, 3000))
    await expect(indexTar(cut)).rejects.toMatchObject({ failure: { code: 'archive-invalid' } })
  })
})

describe('rootfsTarSource', () => {
  it('finds the same facts as for an image', async () => {
    const inspected = await rootfsTarSource(tar).inspect(signal)
    if (!inspected.ok) throw new Error(inspected.failure.code)
    expect(inspected.value).toMatchObject({
      id: index.digest,
      name: 'machine',
      architecture: 'arm64',
      createdAt: 1_700_000_000_000,
      kernel: { path: '/vmlinuz', version: '6.1.0-1-arm64' },
      initramfs: { path: '/initrd.img' },
      init: { kind: 'systemd', path: '/sbin/init' },
    })
  })
  it('refuses to build from a file that is another one than was inspected', async () => {
    const copy = join(folder, 'copy.tar')
    const bytes = await readFile(tar)
    await writeFile(copy, bytes)
    const source = rootfsTarSource(copy)
    const inspected = await source.inspect(signal)
    if (!inspected.ok) throw new Error(inspected.failure.code)
    const prepared = await source.prepareExport(inspected.value, {
      signal,
      defer: () => undefined,
      progress: () => undefined,
    })
    if (!prepared.ok) throw new Error(prepared.failure.code)
    bytes.write('KERNEL', bytes.indexOf('kernel'))
    await writeFile(copy, bytes)
    const opened = await prepared.value.open()
    if (!opened.ok) throw new Error(opened.failure.code)
    await expect(opened.value.toArray()).rejects.toThrow()
    expect(await prepared.value.explain(await prepared.value.lost())).toMatchObject({
      code: 'archive-digest',
    })
  })
  it.each(['gzip', 'zstd', 'xz'] as const)(
    'takes a tar packed by %s, which gives the same',
    async (packing) => {
      const path = join(
        folder,
        `machine.tar.${packing === 'gzip' ? 'gz' : packing === 'zstd' ? 'zst' : 'xz'}`,
      )
      await writeFile(path, packed(await readFile(tar), packing))
      const plain = await rootfsTarSource(tar).inspect(signal)
      const source = rootfsTarSource(path)
      const inspected = await source.inspect(signal)
      if (!plain.ok || !inspected.ok) throw new Error('not inspected')
      expect(inspected.value).toEqual({ ...plain.value, file: path })
      const prepared = await source.prepareExport(inspected.value, {
        signal,
        defer: () => undefined,
        progress: () => undefined,
      })
      if (!prepared.ok) throw new Error(prepared.failure.code)
      const opened = await prepared.value.open()
      if (!opened.ok) throw new Error(opened.failure.code)
      expect(Buffer.concat(await opened.value.toArray())).toEqual(await readFile(tar))
    },
  )
  it('says which program is missing, what is damaged, and that there is nothing', async () => {
    const path = join(folder, 'machine.tar.zst')
    const before = process.env['PATH']
    process.env['PATH'] = folder
    try {
      expect(await rootfsTarSource(path).inspect(signal)).toMatchObject({
        failure: { code: 'tool-missing', facts: { tool: 'zstd', package: 'zstd' } },
      })
    } finally {
      process.env['PATH'] = before
    }
    for (const packing of ['gzip', 'zstd', 'xz'] as const) {
      const cut = packed(await readFile(tar), packing)
      await writeFile(path, cut.subarray(0, cut.length - 20))
      expect(await rootfsTarSource(path).inspect(signal)).toMatchObject({
        failure: { code: 'archive-invalid' },
      })
    }
    for (const none of [join(folder, 'none'), folder]) {
      expect(await rootfsTarSource(none).inspect(signal)).toMatchObject({
        failure: { code: none === folder ? 'archive-invalid' : 'archive-missing' },
      })
    }
  })
})
