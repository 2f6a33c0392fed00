import { execa } from 'execa'
import { createHash } from 'node:crypto'
import { chmod, link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rootfsTarSource } from '../../src/main/source/rootfs-tar'
import { indexTar, type TarIndex } from '../../src/main/source/tar-index'

const signal = new AbortController().signal
let folder = ''
let tar = ''
let index: TarIndex

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-tar-index-'))
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
  const made = await indexTar(tar, signal)
  if (!made.ok) throw new Error(made.failure.code)
  index = made.value
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('indexTar', () => {
  it('hashes the archive and knows its latest time', async () => {
    const bytes = await readFile(tar)
    expect(index.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(index.sizeBytes).toBe(bytes.length)
    expect(index.modifiedAt).toBe(1_700_000_000_000)
  })
  it('reads files by way of links inside the tree', async () => {
    expect((await index.files.read('/etc/os-release', 9))?.toString()).toBe('ID=debian')
    expect((await index.files.read('/boot/second', 100))?.toString()).toBe('kernel')
    expect((await index.files.resolve('/sbin/init'))?.path).toBe('/usr/lib/systemd/systemd')
    expect((await index.files.resolve('/../../sbin/init'))?.permissions).toBe(0o755)
  })
  it('finds nothing where there is nothing, and in a circle', async () => {
    expect(await index.files.resolve('/none/of/it')).toBeNull()
    expect(await index.files.resolve('/etc/circle')).toBeNull()
    expect(await index.files.read('/boot', 10)).toBeNull()
    expect(await index.files.resolve('/vmlinuz/below')).toBeNull()
  })
  it('refuses an archive that was cut off', async () => {
    const cut = join(folder, 'cut.tar')
    await writeFile(cut, (await readFile(tar)).subarray(0, 3000))
    const made = await indexTar(cut, signal)
    expect(made).toMatchObject({ ok: false, failure: { code: 'tar-invalid' } })
  })
})

describe('rootfsTarSource', () => {
  it('finds the same facts as for an image', async () => {
    const inspected = await rootfsTarSource(tar).inspect(signal)
    if (!inspected.ok) throw new Error(inspected.failure.code)
    expect(inspected.value).toMatchObject({
      id: `sha256:${index.sha256}`,
      name: 'machine',
      architecture: 'arm64',
      createdAt: 1_700_000_000_000,
      kernel: { path: '/vmlinuz', version: '6.1.0-1-arm64' },
      initramfs: { path: '/initrd.img' },
      init: { kind: 'systemd', path: '/sbin/init' },
    })
  })
  it('notices a file that is another one by now', async () => {
    const copy = join(folder, 'copy.tar')
    await writeFile(copy, await readFile(tar))
    const source = rootfsTarSource(copy)
    const inspected = await source.inspect(signal)
    if (!inspected.ok) throw new Error(inspected.failure.code)
    const prepared = await source.prepareExport(inspected.value, { signal, defer: () => undefined })
    if (!prepared.ok) throw new Error(prepared.failure.code)
    expect(await prepared.value.lost()).toBeNull()
    await writeFile(copy, 'another')
    expect(await prepared.value.lost()).not.toBeNull()
  })
  it('says what to do about a compressed archive and about none', async () => {
    const packed = join(folder, 'packed.tar.gz')
    await execa('gzip', ['-k', '-S', '.gz', tar])
    await writeFile(packed, await readFile(`${tar}.gz`))
    expect(await rootfsTarSource(packed).inspect(signal)).toMatchObject({
      failure: { code: 'not-supported' },
    })
    const none = await rootfsTarSource(join(folder, 'none')).inspect(signal)
    expect(none).toMatchObject({ failure: { code: 'not-found' } })
  })
})
