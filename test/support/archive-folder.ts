import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { archivedImageSource } from '../../src/main/source/archive/image-source'
import type { ArchivedImage } from '../../src/main/source/archive/images'
import { openArchive } from '../../src/main/source/archive/open-archive'
import { setTreeThread } from '../../src/main/source/archive/tree-thread'
import type { Failure } from '../../src/shared/failure'
import { describeTar, layerOf, oldDockerSave, type ArchiveFiles } from './image-archives'
import { silentContext } from './job-context'
import { buildPrograms } from './programs'

const signal = new AbortController().signal

/** A folder for the archives of one file's tests, and the built thread that reads them. */
export function archiveFolder(): {
  /** Absolute; there while tests run. */
  path: () => string
  inFile: (bytes: Buffer) => Promise<string>
  inFolder: (files: ArchiveFiles) => Promise<string>
} {
  let folder = ''
  let number = 0
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-archives-'))
    await buildPrograms(join(folder, 'programs'), ['archive'])
    setTreeThread(join(folder, 'programs/archive/archive.cjs'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return {
    path: () => folder,
    async inFile(bytes) {
      const path = join(folder, `archive-${++number}.tar`)
      await writeFile(path, bytes)
      return path
    },
    async inFolder(files) {
      const path = join(folder, `layout-${++number}`)
      for (const [name, bytes] of files) {
        await mkdir(dirname(join(path, name)), { recursive: true })
        await writeFile(join(path, name), bytes)
      }
      return path
    },
  }
}

export async function imagesOf(path: string): Promise<ArchivedImage[]> {
  const opened = await openArchive(path, silentContext())
  if (!opened.ok) throw new Error(JSON.stringify(opened.failure))
  return opened.value ?? []
}

/** What an engine would read of an archive's only image, or the failure in the way of it. */
export async function treeOf(path: string): Promise<string[] | Failure> {
  const opened = await openArchive(path, silentContext())
  if (!opened.ok) return opened.failure
  const [image] = opened.value ?? []
  if (image === undefined) throw new Error('no image')
  const source = archivedImageSource(path, image)
  const inspected = await source.inspect(signal)
  if (!inspected.ok) return inspected.failure
  const prepared = await source.prepareExport(inspected.value, {
    signal,
    defer: () => undefined,
    progress: () => undefined,
  })
  if (!prepared.ok) return prepared.failure
  const stream = await prepared.value.open()
  if (!stream.ok) return stream.failure
  try {
    return await describeTar(stream.value)
  } catch {
    return prepared.value.explain(await prepared.value.lost())
  }
}

/** Paths and what a short file holds, by its hash. */
export const paths = (tree: string[] | Failure): string[] => {
  if (!Array.isArray(tree)) throw new Error(JSON.stringify(tree))
  return tree.map((line) => line.split(' | ')[0] ?? '')
}

const layers = [
  layerOf([
    'etc/',
    'etc/os-release=ID=debian\nVERSION_ID=12\n',
    'a/',
    'a/x=1',
    'a/y=2',
    'b=3',
    'c<=b',
    'd<=b',
  ]),
  layerOf(['.wh.b', 'a/', 'a/.wh.x']),
  layerOf(['.wh.b', 'a/', 'a/.wh.x']),
  layerOf(['e=5', 'lib->usr/lib', 'lib/through=6']),
]
/** Its upper layers take away, twice, and put through a link; `expected` is what is in it then. */
export const image = { names: ['app:1'], layers }
export const expected = [
  'a',
  'a/y',
  'c',
  'd',
  'e',
  'etc',
  'etc/os-release',
  'lib',
  'usr',
  'usr/lib',
  'usr/lib/through',
]

/** The same as `docker save` of before version 25 writes it. */
export const old = oldDockerSave([image])
