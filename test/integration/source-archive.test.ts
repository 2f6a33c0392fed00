import { execa } from 'execa'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openScope } from '../../src/main/jobs/scope'
import { flattenLayers, selectMembers } from '../../src/main/source/archive/flatten'
import { indexLayers } from '../../src/main/source/archive/index-layers'
import { openArchive } from '../../src/main/source/archive/open-archive'
import { BASE_IMAGE, testEngine, type TestEngine } from '../support/engine'
import { encodeArchive, type Member } from '../formats/tar-members'
import {
  describeTar,
  layerOf,
  newDockerSave,
  oldDockerSave,
  type SampleImage,
  sha256,
  tarOf,
} from '../support/image-archives'
import { silentContext } from '../support/job-context'

// The oracle is Docker itself: what it exports of an image is what comes of the image's archive.

const scope = openScope()
const signal = new AbortController().signal
let engine: TestEngine
let folder = ''

const docker = (...words: string[]) => execa('docker', words, { env: { DOCKER_HOST: engine.host } })

beforeAll(async () => {
  engine = await testEngine()
  scope.defer(() => engine.stop())
  folder = await mkdtemp('/var/tmp/slipway-archive-')
  scope.defer(() => rm(folder, { recursive: true, force: true }))
})
afterAll(() => scope.close())

/** What a created container has of its own, or an engine changes. */
const own = (path: string): boolean =>
  /^(?:\.dockerenv|dev|proc|sys|etc|etc\/(?:hostname|hosts|resolv\.conf|mtab)|(?:dev|proc|sys)\/.*)$/.test(
    path,
  )

async function exported(image: string): Promise<string[]> {
  const { stdout: id } = await docker('create', image, 'never-started')
  try {
    const tar = join(folder, 'export.tar')
    await docker('export', '-o', tar, id)
    return await describeTar(createReadStream(tar), own)
  } finally {
    await docker('rm', id)
  }
}

async function flattened(path: string): Promise<string[]> {
  const images = await openArchive(path, silentContext())
  if (!images.ok) throw new Error(JSON.stringify(images.failure))
  const [image] = images.value ?? []
  if (image === undefined) throw new Error('no image')
  const index = await indexLayers(image.layers, true, path, signal)
  const selection = selectMembers(index.tree, index.members)
  return describeTar(flattenLayers(image.layers, selection, path, signal), own)
}

const steps = [
  `mkdir -p /n/keep/deep /n/opaque/sub /n/todir /n/replaced /n/gonedir
   cd /n; echo a > keep/deep/a; echo b > opaque/sub/b; echo c > opaque/c; echo f > file; ln -s keep link
   echo hard > h1; ln h1 h2; ln h1 h3; echo sym > sym; echo gone > gone; echo x > gonedir/x; echo y > replaced/y
   chmod 2755 keep; chown 1000:70000 file; mkfifo fifo`,
  `cd /n; rm -r gone gonedir opaque file link todir h1
   mkdir opaque file link; echo new > opaque/new; echo in > file/in; echo l > link/l; echo nodir > todir; chmod 700 keep/deep`,
  `cd /n; rm -r h2 replaced; ln -s keep replaced; touch -d 1999-01-01 sym; ln sym sym-hard; truncate -s 5M keep/hole
   echo long > $(printf 'long%.0s' $(seq 40)); echo o > "$(printf 'n\\303\\266-\\377')"
   rm -r /usr/share/doc; mkdir /usr/share/doc; rm -r /var/cache/apt`,
]

test('an image that Docker built, saved and flattened is what Docker exports, entry by entry', async () => {
  const context = join(folder, 'context')
  await mkdir(context)
  const runs = steps.map((step) => `RUN ${step.replaceAll(/\n\s*/g, '; ')}`)
  await writeFile(join(context, 'Dockerfile'), [`FROM ${BASE_IMAGE}`, ...runs].join('\n'))
  const image = 'slipway-test-layers:1'
  await docker('build', '--quiet', '--network', 'none', '--tag', image, context)
  scope.defer(() => docker('rmi', image).then(() => undefined))
  const archive = join(folder, 'saved.tar')
  await docker('save', '-o', archive, image)
  const tree = await flattened(archive)
  expect(tree.some((line) => line.startsWith('n/h3 '))).toBe(true)
  expect(tree).toEqual(await exported(image))
})

const layered: [name: string, layers: string[][]][] = [
  [
    'whiteouts before and after what a layer puts in their place',
    [
      ['a/', 'a/x=1', 'a/y=2', 'b/', 'b/c/', 'b/c/d=3', 'e=4', 'f/', 'f/g=5'],
      ['a/', 'a/.wh.x', 'a/new=6', 'b/', 'b/.wh..wh..opq', 'b/c/', 'b/c/own=7', 'e/', 'e/in=8', '.wh.f'],
      ['a/', 'a/late=9', 'b/', 'b/.wh.c', 'f/', 'f/back=10'],
    ],
  ],
  [
    'hard links whose first name is hidden later',
    [
      ['one=1', 'two<=one', 'three<=one', 'four<=one'],
      ['.wh.one', 'four=4'],
      ['.wh.two'],
      ['five=5', 'six<=five', '.wh.four'],
    ],
  ],
  [
    'a link in the place of a folder, and a folder in the place of a link',
    [
      ['usr/', 'usr/lib/', 'usr/lib/x=1', 'lib->usr/lib', 'd/', 'd/y=2'],
      ['lib/', 'lib/z=3', 'd->usr'],
      ['d/', 'd/own=4'],
    ],
  ],
  ['the same layer twice', [['a/', 'a/x=1'], ['.wh.a'], ['a/', 'a/x=1']]],
]

test.each(layered)('layers made by hand: %s', async (_name, words) => {
  const name = `slipway-test-${sha256(Buffer.from(JSON.stringify(words))).slice(0, 8)}:1`
  const image = { names: [name], layers: words.map(layerOf) }
  await compareWithEngine(name, image)
})

test('what the last hard link says of its file counts, though its name is gone later', async () => {
  const name = 'slipway-test-link-headers:1'
  const member = { mode: 0o644, uid: 1, gid: 2, seconds: 1000, nanoseconds: 0 }
  const file = (path: string): Member => ({
    ...member,
    type: 'file',
    path: Buffer.from(path),
    data: Buffer.from(path),
  })
  const link = (path: string, target: string, header: Partial<Member>): Member => ({
    ...{ ...member, type: 'hardlink', path: Buffer.from(path), target: Buffer.from(target) },
    ...header,
  })
  const lower = encodeArchive([
    file('one'),
    link('one-more', 'one', { mode: 0o4755, uid: 70_000, gid: 5, seconds: 2000 }),
    file('two'),
    link('two-more', 'two', { mode: 0o600 }),
    link('two-last', 'two', {}),
    file('three'),
    link('three-more', 'three', { mode: 0o600, uid: 9 }),
  ])
  const layers = [lower, layerOf(['.wh.three-more', '.wh.two'])]
  await compareWithEngine(name, { names: [name], layers })
})

async function compareWithEngine(name: string, image: SampleImage): Promise<void> {
  const { files, links } = oldDockerSave([image])
  const archive = join(folder, 'made.tar')
  await writeFile(archive, tarOf(files, links))
  await docker('load', '-i', archive)
  scope.defer(() => docker('rmi', name).then(() => undefined))
  const expected = await exported(name)
  expect(expected.length).toBeGreaterThan(1)
  expect(await flattened(archive)).toEqual(expected)
  const newer = join(folder, 'newer.tar')
  await writeFile(newer, tarOf(newDockerSave([image])))
  expect(await flattened(newer)).toEqual(expected)
}
