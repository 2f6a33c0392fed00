import { execa } from 'execa'
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import {
  appendFile,
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
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
  return indexLayers([layer], false, path, signal)
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
  it('knows the length of the archive and its latest time', async () => {
    expect(index.tarBytes).toBe((await readFile(tar)).length)
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
})

/** Bytes of a file that is a hole: it takes long to hash, and no room. */
const HOLE = 512 * 1024 * 1024
/** Of a tar with that file alone: its header, and the two blocks of zeroes that end it. */
const LARGE = 512 + HOLE + 1024

describe('a tar that is not packed', () => {
  let header: Buffer = Buffer.alloc(0)
  let emptyHeader: Buffer = Buffer.alloc(0)
  let large = ''
  let before: Awaited<ReturnType<typeof remains>>

  /** What reading may leave behind: threads of this process, and descriptors of tars. */
  async function remains(): Promise<{ threads: number; open: string[] }> {
    const fds = await readdir('/proc/self/fd')
    const links = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
    return {
      threads: (await readdir('/proc/self/task')).length,
      open: links.filter((link) => link.startsWith(folder)),
    }
  }

  /** The first bytes of the large tar, in a file of its own. */
  async function largeTar(name: string, length = LARGE): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, header)
    await truncate(path, length)
    return path
  }

  /** Inspects a tar and closes what is kept of it for a build. */
  async function inspected(path: string, progress: (done: number, total: number | null) => void) {
    const source = rootfsTarSource(path)
    const found = await source.inspect(signal, progress)
    if (!found.ok) return found
    const cleanUps: (() => unknown)[] = []
    const context = { signal, progress, defer: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
    expect(await source.prepareExport(found.value, context)).toMatchObject({ ok: true })
    for (const cleanUp of cleanUps) await cleanUp()
    return found
  }

  /** The header of a file that holds nothing but zeroes. */
  async function headerOf(length: number): Promise<Buffer> {
    const file = join(folder, 'zeroes')
    await writeFile(file, '')
    await truncate(file, length)
    const words = ['-c', 'tar -cf - zeroes | head -c 512']
    const { stdout } = await execa('sh', words, { cwd: folder, encoding: 'buffer' })
    await rm(file)
    return Buffer.from(stdout)
  }

  beforeAll(async () => {
    header = await headerOf(HOLE)
    emptyHeader = await headerOf(0)
    large = await largeTar('large.tar')
  })
  beforeEach(async () => {
    before = await remains()
  })
  afterEach(async () => {
    // The kernel may still count a thread that has ended, before as after.
    await expect.poll(async () => (await remains()).threads).toBeLessThanOrEqual(before.threads)
    expect((await remains()).open).toEqual(before.open)
  })

  it('is known by the hash of all its bytes, those after its end too', async () => {
    const path = join(folder, 'hashed.tar')
    const bytes = Buffer.concat([await readFile(tar), randomBytes(700_001)])
    await writeFile(path, bytes)
    const id = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    expect(await inspected(path, () => undefined)).toMatchObject({ value: { id } })
  })
  it('says how far the slower reading is, and never less than before', async () => {
    // Headers behind the hole, so that their reader is far ahead for a while.
    const path = await largeTar('headers.tar', 512 + HOLE)
    await appendFile(path, Buffer.alloc(80_000 * 512, emptyHeader))
    await appendFile(path, Buffer.alloc(1024))
    const { size } = await stat(path)
    const said: number[] = []
    await inspected(path, (done, total) => {
      expect(total).toBe(size)
      said.push(done)
    })
    expect(said).toEqual([...said].sort((a, b) => a - b))
    expect(said.filter((done) => done > 0 && done < HOLE).length).toBeGreaterThan(0)
  })
  it('is left alone as soon as it is not wanted any more', async () => {
    const controller = new AbortController()
    let asked = 0
    const inspecting = rootfsTarSource(large).inspect(controller.signal, (done) => {
      if (done === 0 || controller.signal.aborted) return
      asked = performance.now()
      controller.abort()
    })
    await expect(inspecting).rejects.toThrow(/abort/i)
    // A thread that does not hear it is ended after two seconds (GRACE).
    expect(performance.now() - asked).toBeLessThan(1000)
  })
  it.each([
    ['its header', 300],
    ['the content', 512 + HOLE / 2],
    ['the end', 512 + HOLE],
  ])('is refused where it is cut off before %s ends', async (_where, length) => {
    const path = await largeTar('cut.tar', length)
    expect(await inspected(path, () => undefined)).toMatchObject({
      failure: {
        code: 'archive-invalid',
        facts: { path, reason: `it is not a whole tar: the archive is cut off at byte ${length}` },
      },
    })
  })
  it('is refused when it is written to meanwhile', async () => {
    const path = await largeTar('written.tar')
    let isWritten = false
    const found = await inspected(path, (done) => {
      if (done === 0 || isWritten) return
      isWritten = true
      writeFileSync(path, 'x', { flag: 'r+' })
    })
    expect(found).toMatchObject({
      failure: { code: 'archive-invalid', facts: { path, reason: 'it was changed meanwhile' } },
    })
  })
})

describe('rootfsTarSource', () => {
  it('finds the same facts as for an image', async () => {
    const inspected = await rootfsTarSource(tar).inspect(signal)
    if (!inspected.ok) throw new Error(inspected.failure.code)
    expect(inspected.value).toMatchObject({
      id: `sha256:${createHash('sha256')
        .update(await readFile(tar))
        .digest('hex')}`,
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
