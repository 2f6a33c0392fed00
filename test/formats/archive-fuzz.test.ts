import fc from 'fast-check'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { fillFrom } from '../../src/main/convert/direct/fill'
import { TarReader } from '../../src/main/convert/tar/reader'
import { finishExt4 } from '../../src/main/disk/ext4/finish'
import { Ext4Writer } from '../../src/main/disk/ext4/writer'
import { Outlet } from '../../src/main/disk/outlet'
import { Refusal } from '../../src/main/disk/refusal'
import { flattenLayers, selectMembers } from '../../src/main/source/archive/flatten'
import { indexLayers } from '../../src/main/source/archive/index-layers'
import type { Layer } from '../../src/main/source/archive/layers'
import { openArchive } from '../../src/main/source/archive/open-archive'
import { layerOf, newDockerSave, oldDockerSave, tarOf } from '../support/image-archives'
import { silentContext } from '../support/job-context'
import { ext4Settings } from './disk-file'
import { search } from './duration'
import { sign } from './tar-encode'

const signal = new AbortController().signal
const folder = mkdtempSync(join(tmpdir(), 'slipway-archive-fuzz-'))
afterAll(() => rmSync(folder, { recursive: true }))
const archive = join(folder, 'archive.tar')

/** What a build would read of layers; null where they are refused. Nothing but a refusal may come of them. */
async function flattened(layers: readonly Layer[]): Promise<Buffer | null> {
  try {
    const index = await indexLayers(layers, true, archive, signal)
    const selection = selectMembers(index.tree, index.members)
    const names = [...index.tree.walk()].map(({ path }) => path)
    const pieces: Buffer[] = []
    for await (const chunk of flattenLayers(layers, selection, archive, signal))
      pieces.push(Buffer.from(chunk))
    const tar = Buffer.concat(pieces)
    // What an inspection sees and what a build gets have the same names.
    expect([...treeIn(tar).keys()].sort()).toEqual(names.sort())
    return tar
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}

/** All layers of a tar each, one behind the other in one file. */
function inFile(tars: readonly Buffer[]): Layer[] {
  writeFileSync(archive, Buffer.concat(tars))
  let start = 0
  return tars.map(({ length }, number) => {
    const blob = { file: archive, shown: archive, start, size: length }
    start += length
    return { blob, part: `layer ${number}`, diffId: null }
  })
}

/** Writes a tar to a file system that goes nowhere: what was taken as an archive must be taken as a tree. */
async function write(tar: Buffer): Promise<void> {
  const outlet = new Outlet({ zeroed: true, write: () => Promise.resolve() })
  const writer = new Ext4Writer(ext4Settings(64), outlet)
  const reader = new TarReader(fillFrom(writer))
  reader.push(tar)
  reader.finish()
  await outlet.ready()
  await finishExt4(writer)
  await outlet.finish()
}

/** Paths of a tar, with what each is: a directory, a link's target, or a file's content. */
function treeIn(tar: Buffer): Map<string, string> {
  const tree = new Map<string, string>()
  let open: string | null = null
  const reader = new TarReader({
    entry({ type, path, target }) {
      open = null
      const name = path.replace(/\/$/, '')
      if (name === '' || name === '.') return
      if (type === 'hardlink') tree.set(name, tree.get(target) ?? 'a link to nothing')
      else if (type === 'file') tree.set((open = name), 'file ')
      else tree.set(name, type === 'symlink' ? `link ${target}` : type)
    },
    data(bytes, start, end) {
      if (open !== null)
        tree.set(open, `${tree.get(open) ?? ''}${Buffer.from(bytes).toString('latin1', start, end)}`)
    },
    endFile: () => undefined,
  })
  reader.push(tar)
  reader.finish()
  return tree
}

const name = fc.constantFrom('a', 'b', 'c', 'd')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
const content = fc.constantFrom('1', '2', '3')
/** As `layerOf` takes them. */
const tame = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(path, content).map(([at, what]) => `${at}=${what}`) },
  { weight: 3, arbitrary: path.map((at) => `${at}/`) },
  { weight: 2, arbitrary: path.map((at) => at.replace(/(\w)$/, '.wh.$1=')) },
  { weight: 1, arbitrary: path.map((at) => `${at}/.wh..wh..opq=`) },
)
const wild = fc.oneof(
  { weight: 4, arbitrary: tame },
  { weight: 2, arbitrary: fc.tuple(path, path).map(([at, target]) => `${at}<=${target}`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(path, fc.oneof(path, fc.constantFrom('/', '.', '..', '../a', '/b/c', 'a/../b', '../../../..')))
      .map(([at, target]) => `${at}->${target}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '.wh.=',
      '.wh...=',
      'a/.wh..=',
      '.wh..wh.x=',
      './',
      '/',
      '../a=1',
      '.wh.a/',
      'a/.wh.b/c=1',
    ),
  },
)
const layersOf = (word: fc.Arbitrary<string>): fc.Arbitrary<string[][]> =>
  fc.array(fc.array(word, { maxLength: 8 }), { minLength: 1, maxLength: 4 })

/**
 * The tree of tame layers by the specification's words (OCI image specification, layer.md): whiteouts take away from the
 * layers below, then the layer's own members are laid over. Null where a member lies below a file of its own layer.
 */
function expectedTree(layers: readonly (readonly string[])[]): Map<string, string> | null {
  let tree = new Map<string, string>()
  const without = (gone: string): void => {
    tree = new Map([...tree].filter(([at]) => at !== gone && !at.startsWith(`${gone}/`)))
  }
  for (const words of layers) {
    for (const word of words) {
      const folders = word.split('/').slice(0, -1).join('/')
      const last = (word.split('/').at(-1) ?? '').replace(/=.*$/, '')
      if (last === '.wh..wh..opq') {
        tree = new Map([...tree].filter(([at]) => !at.startsWith(`${folders}/`)))
      } else if (last.startsWith('.wh.'))
        without([folders, last.slice(4)].filter((part) => part !== '').join('/'))
    }
    const own = new Map<string, string>()
    for (const word of words) {
      if (word.includes('.wh.')) continue
      const isFolder = word.endsWith('/')
      const [at = '', what = ''] = isFolder ? [word.slice(0, -1)] : word.split('=')
      const parts = at.split('/')
      for (let i = 1; i < parts.length; i++) {
        const above = parts.slice(0, i).join('/')
        if (own.has(above) && own.get(above) !== 'directory') return null
        if (tree.get(above) !== 'directory') without(above)
        tree.set(above, 'directory')
        own.set(above, 'directory')
      }
      if (!isFolder || tree.get(at) !== 'directory') {
        without(at)
        for (const below of [...own.keys()]) if (below.startsWith(`${at}/`)) own.delete(below)
      }
      tree.set(at, isFolder ? 'directory' : `file ${what}`)
      own.set(at, isFolder ? 'directory' : 'file')
    }
  }
  return tree
}

test(
  'layers of any order make the tree that the specification says',
  async () => {
    await fc.assert(
      fc.asyncProperty(layersOf(tame), async (words) => {
        const flat = await flattened(inFile(words.map(layerOf)))
        const expected = expectedTree(words)
        expect(flat === null ? null : [...treeIn(flat)].sort()).toEqual(
          expected === null ? null : [...expected].sort(),
        )
        if (flat !== null) await write(flat)
      }),
      search(300),
    )
  },
  24 * 3600_000,
)

test(
  'layers with links and odd names are taken or refused, and what is taken can be written',
  async () => {
    await fc.assert(
      fc.asyncProperty(layersOf(wild), async (words) => {
        const flat = await flattened(inFile(words.map(layerOf)))
        if (flat === null) return
        expect([...treeIn(flat).values()]).not.toContain('a link to nothing')
        await write(flat)
        // It is a tree of one layer, and stays what it is.
        expect(treeIn((await flattened(inFile([flat]))) ?? Buffer.alloc(0))).toEqual(treeIn(flat))
      }),
      search(300),
    )
  },
  24 * 3600_000,
)

const sample = [
  layerOf(['etc/', 'etc/x=1', 'etc/y<=etc/x', 'l->etc', 'l/z=2', 'd/', 'd/e/', 'd/e/f=3']),
  layerOf(['.wh.l', 'etc/.wh.x', 'd/', 'd/.wh..wh..opq', 'd/e/g=4']),
]
/** Changes of a few bytes of a header, its sum set right or not. */
const changes = (
  blocks: number,
): fc.Arbitrary<{ block: number; at: number; bytes: Uint8Array; signed: boolean }[]> =>
  fc.array(
    fc.record({
      block: fc.nat(blocks - 1),
      at: fc.oneof(fc.nat(511), fc.constantFrom(0, 100, 124, 156, 157, 345)),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 12 }),
        fc
          .constantFrom('.wh.', '.wh..wh..opq', '../', '/', 'etc/x', '1', '2', '5', 'x', 'L', '77777777777')
          .map((text) => new Uint8Array(Buffer.from(text))),
      ),
      signed: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  )

function changed(
  original: Buffer,
  list: readonly { block: number; at: number; bytes: Uint8Array; signed: boolean }[],
) {
  const copy = Buffer.from(original)
  for (const { block, at, bytes, signed } of list) {
    Buffer.from(bytes).copy(copy, block * 512 + at, 0, 512 - at)
    if (signed) sign(copy.subarray(block * 512, block * 512 + 512))
  }
  return copy
}

test(
  'damaged layers are taken or refused, and what is taken can be written',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        ...(sample.map((tar) => changes(tar.length / 512)) as [
          ReturnType<typeof changes>,
          ReturnType<typeof changes>,
        ]),
        async (...lists) => {
          const flat = await flattened(inFile(sample.map((tar, number) => changed(tar, lists[number] ?? []))))
          if (flat === null) return
          await write(flat).catch((error: unknown) => {
            // A file may say that it is larger than the disk of this test.
            if (!(error instanceof Refusal) || error.failure.code !== 'size-too-small') throw error
          })
        },
      ),
      search(300),
    )
  },
  24 * 3600_000,
)

test(
  'damaged documents and members of an archive are taken or refused',
  async () => {
    const image = { names: ['app:1'], layers: sample }
    const old = oldDockerSave([image, { ...image, names: ['app:2'] }])
    const archives = [tarOf(newDockerSave([image])), tarOf(old.files, old.links)] as const
    const edits = fc.array(
      fc.record({
        at: fc.nat(),
        bytes: fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 4 }),
          fc
            .constantFrom(
              '"',
              '{}',
              '[]',
              'null',
              '-1',
              '1e99',
              '"..',
              'sha256:',
              'blobs/',
              '/layer.tar',
              ',"a":',
              '0',
            )
            .map((text) => new Uint8Array(Buffer.from(text))),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, 1), edits, fc.nat(), async (which, list, cut) => {
        const bytes = Buffer.from(archives[which])
        // Documents are found by their braces: most of an archive is anything else.
        const places = documentsOf(bytes)
        for (const { at, bytes: put } of list) {
          const place = places[at % places.length] ?? 0
          bytes.set(put.subarray(0, bytes.length - place), place)
        }
        for (const taken of [bytes, bytes.subarray(0, cut % bytes.length)]) {
          writeFileSync(archive, taken)
          const opened = await openArchive(archive, silentContext())
          for (const { layers } of opened.ok ? (opened.value ?? []) : []) await flattened(layers)
        }
      }),
      search(200),
    )
  },
  24 * 3600_000,
)

/** Places of a tar that lie in documents of JSON, or in headers. */
function documentsOf(tar: Buffer): number[] {
  const places: number[] = []
  for (let block = 0; block < tar.length; block += 512) {
    const first = String.fromCharCode(tar[block] as number)
    if (first !== '{' && first !== '[' && tar.toString('latin1', block + 257, block + 262) !== 'ustar')
      continue
    for (let i = 0; i < 512; i++) if (tar[block + i] !== 0) places.push(block + i)
  }
  return places
}
