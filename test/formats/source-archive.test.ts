import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { buildDisk } from '../../src/main/convert/build'
import { setDirectWorker } from '../../src/main/convert/engines'
import { openLibrary } from '../../src/main/library/library'
import { defaultBuildSettings } from '../../src/shared/image'
import type { Failure } from '../../src/shared/failure'
import type { ArchivedImage } from '../../src/main/source/archive/images'
import { archivedImageSource } from '../../src/main/source/archive/image-source'
import { chooseImage } from '../../src/main/source/archive/open-archive'
import {
  layerOf,
  newDockerSave,
  ociLayout,
  oldDockerSave,
  packed,
  sha256,
  tarOf,
  type ArchiveFiles,
} from '../support/image-archives'
import { encodeArchive } from './tar-members'
import { silentContext } from '../support/job-context'
import { buildPrograms } from '../support/programs'
import { archiveFolder, expected, image, imagesOf, old, paths, treeOf } from '../support/archive-folder'

const signal = new AbortController().signal
const { path: folder, inFile, inFolder } = archiveFolder()

describe('the same image in every form', () => {
  const forms: [string, () => Promise<string>][] = [
    ['docker save before 25', () => inFile(tarOf(old.files, old.links))],
    ['docker save from 25 on', () => inFile(tarOf(newDockerSave([image])))],
    ...(['none', 'gzip', 'zstd'] as const).flatMap((packing): [string, () => Promise<string>][] => [
      [
        `an OCI layout in a tar, layers packed by ${packing}`,
        () => inFile(tarOf(ociLayout([image], packing))),
      ],
      [`an OCI layout in a folder, layers packed by ${packing}`, () => inFolder(ociLayout([image], packing))],
    ]),
  ]
  test.each(forms)('%s', async (_name, make) => {
    const path = await make()
    expect((await imagesOf(path))[0]).toMatchObject({ names: ['app:1'], architecture: 'amd64', os: 'linux' })
    const tree = await treeOf(path)
    expect(paths(tree)).toEqual(expected)
    expect(tree).toContain('c | file 755 0 0 1 1  0 0 77de68daecd823babbb58edb1c8e14d7106e83bb | c d')
    const source = archivedImageSource(path, (await imagesOf(path))[0] as ArchivedImage)
    expect(await source.inspect(signal)).toMatchObject({
      ok: true,
      value: {
        name: 'app:1',
        distribution: { id: 'debian', version: '12' },
        createdAt: Date.parse('2024-05-01T12:00:00Z'),
        applications: { entrypoint: ['/srv/serve'], command: [], ports: ['80/tcp'], workingDirectory: '/' },
      },
    })
  })
})

describe('whiteouts, as the specification has them where engines differ', () => {
  test.each([
    [
      'a folder taken away and made anew in one layer',
      [
        ['d/', 'd/x=1'],
        ['.wh.d', 'd/', 'd/y=2'],
      ],
      ['d', 'd/y'],
    ],
    [
      'the same the other way round',
      [
        ['d/', 'd/x=1'],
        ['d/', 'd/y=2', '.wh.d'],
      ],
      ['d', 'd/y'],
    ],
    [
      'an opaque folder after what is put into it',
      [
        ['d/', 'd/x=1'],
        ['d/y=2', 'd/.wh..wh..opq'],
      ],
      ['d', 'd/y'],
    ],
    ['a whiteout of nothing', [['x=1'], ['none/.wh.y', '.wh.z']], ['x']],
    ['bookkeeping of AUFS', [['x=1', '.wh..wh.aufs=', '.wh..wh.plnk/', '.wh..wh.plnk/1.2=3']], ['x']],
    [
      'a link from a layer to one below',
      [
        ['x=1', 'y<=x'],
        ['z<=x', '.wh.x', '.wh.y'],
      ],
      ['z'],
    ],
    ['a file below what was a file', [['x=1'], ['x/y=2']], ['x', 'x/y']],
  ])('%s', async (_name, words, wanted) => {
    const path = await inFile(tarOf(newDockerSave([{ names: [], layers: words.map(layerOf) }])))
    expect(paths(await treeOf(path))).toEqual(wanted)
  })

  test('in a plain tar are names like others', async () => {
    const { rootfsTarSource } = await import('../../src/main/source/rootfs-tar')
    const path = await inFile(layerOf(['x=1', '.wh.x=2']))
    const source = rootfsTarSource(path)
    const inspected = await source.inspect(signal)
    if (!inspected.ok) throw new Error(inspected.failure.code)
    const prepared = await source.prepareExport(inspected.value, {
      signal,
      defer: () => undefined,
      progress: () => undefined,
    })
    if (!prepared.ok) throw new Error(prepared.failure.code)
    expect(await prepared.value.files.resolve('/x')).not.toBeNull()
  })
})

test('all that a member can have survives: times, long names, owners, attributes, holes', async () => {
  const member = { mode: 0o4755, uid: 3_000_000, gid: 70_000, seconds: -5, nanoseconds: 300_000_000 }
  const layer = encodeArchive([
    {
      ...member,
      type: 'file',
      path: Buffer.from('n'.repeat(200)),
      data: Buffer.from('x'),
      xattrs: new Map([['user.a=b%', Buffer.from([0, 10, 255])]]),
    },
    { ...member, type: 'symlink', path: Buffer.from('s'), target: Buffer.from('t'.repeat(150)) },
    { ...member, type: 'character', path: Buffer.from('dev'), major: 5, minor: 1 },
    { ...member, type: 'file', path: Buffer.from('ö-\xff', 'latin1'), data: Buffer.alloc(0) },
    {
      ...member,
      type: 'file',
      path: Buffer.from('sparse'),
      data: Buffer.from('datadata'),
      sparse: { segments: [4096, 4, 100_000, 4], size: 200_000, version: 'old' },
    },
  ])
  const path = await inFile(tarOf(newDockerSave([{ names: [], layers: [layer] }])))
  const [one] = await imagesOf(path)
  const source = archivedImageSource(path, one as ArchivedImage)
  const inspected = await source.inspect(signal)
  if (!inspected.ok) throw new Error(inspected.failure.code)
  const prepared = await source.prepareExport(inspected.value, {
    signal,
    defer: () => undefined,
    progress: () => undefined,
  })
  if (!prepared.ok) throw new Error(prepared.failure.code)
  const sparse = await prepared.value.files.read('/sparse', 5000)
  const stream = await prepared.value.open()
  if (!stream.ok) throw new Error(stream.failure.code)
  const flat = Buffer.concat(await stream.value.toArray())
  const listed = (bytes: Buffer): string[] => {
    const words = ['--full-time', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-tvv', '-f', '-']
    return execFileSync('tar', words, { input: bytes, stdio: ['pipe', 'pipe', 'ignore'] })
      .toString('latin1')
      .split('\n')
      .sort()
  }
  expect(listed(flat)).toEqual(listed(layer))
  expect(sparse?.subarray(4090, 4104)).toEqual(Buffer.from('\0\0\0\0\0\0data\0\0\0\0'))
})

describe('several images', () => {
  const one = { names: ['app:1'], layers: [layerOf(['one=1'])] }
  const arm = { names: ['app:1'], layers: [layerOf(['arm=1'])], architecture: 'arm64' }
  const two = { names: ['app:2'], layers: [layerOf(['two=1'])] }

  test.each([
    ['docker save', tarOf(newDockerSave([one, arm, two]))],
    ['an index in an index', tarOf(ociLayout([one, arm, two], 'gzip'))],
  ])('are told apart by name and platform: %s', async (_name, bytes) => {
    const path = await inFile(bytes)
    const images = await imagesOf(path)
    expect(images.map(({ names, architecture }) => [...names, architecture])).toEqual([
      ['app:1', 'amd64'],
      ['app:1', 'arm64'],
      ['app:2', 'amd64'],
    ])
    const choose = (name: string | null, platform: string | null) =>
      chooseImage(path, images, { name, platform })
    expect(choose('app:1', null)).toMatchObject({ value: { architecture: 'amd64' } })
    expect(choose('app:1', 'linux/arm64')).toMatchObject({ value: { architecture: 'arm64' } })
    expect(choose(images[2]?.id ?? '', null)).toMatchObject({ value: { names: ['app:2'] } })
    expect(choose(null, null)).toEqual({
      ok: false,
      failure: {
        code: 'archive-choice',
        facts: {
          path,
          asked: '',
          images: ['app:1 (linux/amd64)', 'app:1 (linux/arm64)', 'app:2 (linux/amd64)'],
        },
      },
    })
    expect(choose('app:3', 'linux/amd64')).toMatchObject({
      failure: { code: 'archive-choice', facts: { asked: 'app:3 for linux/amd64' } },
    })
  })

  test('a platform that is not in the archive is passed over', async () => {
    const files = ociLayout([one, arm], 'gzip')
    for (const [name, bytes] of files) {
      if (bytes.includes('"arm64"') && bytes.includes('rootfs')) files.delete(name)
    }
    const manifest = [...files].find(([, bytes]) => bytes.includes('"layers":[') && !files.has('x'))
    expect(manifest).toBeDefined()
    // Its manifest goes too: docker save of one platform leaves the index as it was.
    for (const [name, bytes] of files) {
      const config = /"config":\{[^}]*"digest":"sha256:([0-9a-f]{64})"/.exec(bytes.toString('latin1'))?.[1]
      if (config !== undefined && !files.has(`blobs/sha256/${config}`)) files.delete(name)
    }
    expect((await imagesOf(await inFile(tarOf(files)))).map(({ architecture }) => architecture)).toEqual([
      'amd64',
    ])
  })
})

describe('hostile and damaged archives are refused with what is wrong', () => {
  const save = newDockerSave([image])
  const blobOf = (layer: Buffer): string => `blobs/sha256/${sha256(layer)}`
  const changed = (change: (files: ArchiveFiles) => void, from: ArchiveFiles = save): Promise<string> => {
    const files = new Map(from)
    change(files)
    return inFile(tarOf(files))
  }
  const withManifest = (manifest: unknown): Promise<string> =>
    changed((files) => files.set('manifest.json', Buffer.from(JSON.stringify(manifest))))
  const [first] = image.layers as [Buffer]
  const flipped = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes)
    copy.write('9', copy.indexOf('VERSION_ID=12') + 11)
    return copy
  }
  const config = [...save.keys()].find((name) => save.get(name)?.includes('diff_ids') === true) ?? ''
  const oci = ociLayout([image], 'gzip')
  const ociLayer = [...oci].find(([, bytes]) => bytes.readUInt16BE(0) === 0x1f8b) as [string, Buffer]

  const cases: [string, () => Promise<string>, Failure['code'], RegExp][] = [
    [
      'a changed layer',
      () => changed((files) => files.set(blobOf(first), flipped(first))),
      'archive-digest',
      /blobs/,
    ],
    [
      'a layer cut off',
      () => changed((files) => files.set(blobOf(first), first.subarray(0, 3000))),
      'archive-invalid',
      /cut off/,
    ],
    [
      'a missing layer',
      () => changed((files) => files.delete(blobOf(first))),
      'archive-invalid',
      /is missing in it/,
    ],
    [
      'a changed configuration',
      () =>
        changed((files) => files.set(config, Buffer.concat([save.get(config) as Buffer, Buffer.from(' ')]))),
      'archive-digest',
      /blobs/,
    ],
    [
      'a missing configuration',
      () => changed((files) => files.delete(config)),
      'archive-invalid',
      /is missing in it/,
    ],
    [
      'a configuration of other layers',
      () => withManifest([{ Config: config, RepoTags: [], Layers: [blobOf(first)] }]),
      'archive-invalid',
      /lists 1 layers, and its configuration 4/,
    ],
    [
      'layers in another order',
      () => withManifest([{ Config: config, RepoTags: [], Layers: image.layers.map(blobOf).reverse() }]),
      'archive-digest',
      /blobs/,
    ],
    [
      'a manifest that is none',
      () => withManifest({ Config: 1 }),
      'archive-invalid',
      /manifest\.json is not as it should be/,
    ],
    ['a manifest of no image', () => withManifest([]), 'archive-invalid', /holds no image/],
    [
      'a manifest that is no JSON',
      () => changed((files) => files.set('manifest.json', Buffer.from('{'))),
      'archive-invalid',
      /no JSON/,
    ],
    [
      'JSON nested without end',
      () => changed((files) => files.set('manifest.json', Buffer.alloc(3_000_000, '['))),
      'archive-invalid',
      /no JSON/,
    ],
    [
      'a document of many megabytes',
      () => changed((files) => files.set('manifest.json', Buffer.alloc(5_000_000, ' '))),
      'archive-invalid',
      /more than 4 MiB/,
    ],
    [
      'a layer by a path out of the archive',
      () => withManifest([{ Config: config, RepoTags: [], Layers: ['../../etc/passwd', 'b', 'c', 'd'] }]),
      'archive-invalid',
      /missing/,
    ],
    [
      'an OCI layer of another size',
      () => changed((files) => files.set(ociLayer[0], Buffer.concat([ociLayer[1], Buffer.alloc(9)])), oci),
      'archive-invalid',
      /should have \d+ bytes/,
    ],
    [
      'an OCI layer that does not unpack',
      () => changed((files) => files.set(ociLayer[0], ociLayer[1].fill(0xff, 20)), new Map(oci)),
      'archive-invalid',
      /cannot be unpacked/,
    ],
    [
      'a whole archive that is cut off',
      () => inFile(tarOf(save).subarray(0, 20_000)),
      'archive-invalid',
      /cut off/,
    ],
    [
      'a whole archive that is packed and cut off',
      () => inFile(packed(tarOf(save), 'gzip').subarray(0, 300)),
      'archive-invalid',
      /cannot be unpacked/,
    ],
    [
      'a changed layer in an archive that is packed',
      () => {
        const files = new Map(save)
        files.set(blobOf(first), flipped(first))
        return inFile(packed(tarOf(files), 'gzip'))
      },
      'archive-digest',
      /blobs/,
    ],
  ]
  test.each(cases)('%s', async (_name, make, code, reason) => {
    const failure = await treeOf(await make())
    expect(failure).toMatchObject({ code })
    expect(JSON.stringify(failure)).toMatch(reason)
  })

  const members: [string, string[], RegExp][] = [
    ["a name with '..'", ['../etc/passwd=x'], /'\.\.'/],
    ["a link to a name with '..'", ['x=1', 'y<=../x'], /'\.\.'/],
    ['a hard link to nothing', ['y<=x'], /hard link to what is not there/],
    ['a hard link to a folder', ['x/', 'y<=x'], /hard link to a directory/],
    ['a member below a file', ['x=1', 'x/y=2'], /below one that is no directory/],
    ['a symlink without a target', ['x->'], /symlink to nothing/],
    ['a circle of links', ['x->y', 'y->x', 'x/z=1'], /circle/],
    ['a whiteout of the folder above', ['d/', 'd/.wh...=x'], /whiteout of no name/],
    ['a whiteout of nothing', ['.wh.=x'], /whiteout of no name/],
    ['a path without end', [`${'d/'.repeat(3000)}x=1`], /2048/],
  ]
  test.each(members)('a layer with %s', async (_name, words, reason) => {
    const path = await inFile(tarOf(newDockerSave([{ names: [], layers: [layerOf(words)] }])))
    const failure = await treeOf(path)
    expect(failure).toMatchObject({ code: 'archive-invalid' })
    expect(JSON.stringify(failure)).toMatch(reason)
  })

  test('a folder whose blobs are links to elsewhere, and one that is no layout', async () => {
    const path = await inFolder(ociLayout([image], 'gzip'))
    const blob = join(path, ociLayer[0])
    await rm(blob)
    await symlink('/etc/passwd', blob)
    expect(await treeOf(path)).toMatchObject({
      code: 'archive-invalid',
      facts: { reason: /leads out of it/ },
    })
    expect(await treeOf(await inFolder(new Map([['x', Buffer.from('y')]])))).toMatchObject({
      code: 'archive-invalid',
    })
  })

  test('links in a tar of images go in a circle', async () => {
    const { files } = oldDockerSave([image])
    const name = [...files.keys()].find((one) => one.endsWith('layer.tar')) ?? ''
    files.delete(name)
    const path = await inFile(
      tarOf(
        files,
        new Map([
          [name, '../x'],
          ['x', name],
        ]),
      ),
    )
    expect(await treeOf(path)).toMatchObject({
      code: 'archive-invalid',
      facts: { reason: expect.stringMatching(/circle|missing/) as string },
    })
  })
})

test('memory does not grow with the content', async () => {
  const layer = encodeArchive([
    {
      type: 'file',
      path: Buffer.from('big'),
      mode: 0o644,
      uid: 0,
      gid: 0,
      seconds: 1,
      nanoseconds: 0,
      data: Buffer.alloc(200_000_000, 7),
    },
  ])
  const path = await inFile(tarOf(ociLayout([{ names: [], layers: [layer] }], 'gzip')))
  const [one] = await imagesOf(path)
  const source = archivedImageSource(path, one as ArchivedImage)
  const inspected = await source.inspect(signal)
  if (!inspected.ok) throw new Error(inspected.failure.code)
  const prepared = await source.prepareExport(inspected.value, {
    signal,
    defer: () => undefined,
    progress: () => undefined,
  })
  if (!prepared.ok) throw new Error(prepared.failure.code)
  const stream = await prepared.value.open()
  if (!stream.ok) throw new Error(stream.failure.code)
  let bytes = 0
  let most = 0
  // What the archive was made of goes first. Chunks that come from another thread are counted as external alone.
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const before = process.memoryUsage().external
  for await (const chunk of stream.value) {
    bytes += (chunk as Buffer).length
    most = Math.max(most, process.memoryUsage().external - before)
  }
  expect(bytes).toBeGreaterThan(200_000_000)
  // V8 collects such buffers when there are some 64 MB of them.
  expect(most).toBeLessThan(130_000_000)
})

test('a disk whose file is gone before anybody reads the archive is a failure, not a wait for ever', async () => {
  await buildPrograms(join(folder(), 'programs'), ['direct'])
  setDirectWorker(join(folder(), 'programs/direct/direct.cjs'))
  const path = await inFile(tarOf(old.files, old.links))
  const disks = join(folder(), 'disks')
  await mkdir(disks)
  // As when a drive is pulled.
  const phase = (name: string): void => {
    if (name === 'copy') for (const one of readdirSync(disks)) rmSync(join(disks, one))
  }
  const building = buildDisk(silentContext({ phase }), {
    source: archivedImageSource(path, (await imagesOf(path))[0] as ArchivedImage),
    settings: { ...defaultBuildSettings, boot: false },
    outputPath: join(disks, 'disk.img'),
    library: openLibrary(join(folder(), 'library'), () => undefined),
  })
  await expect(building).rejects.toThrow('ENOENT')
}, 30_000)
