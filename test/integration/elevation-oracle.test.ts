import fc from 'fast-check'
import { createReadStream } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { noEdits } from '../../src/main/convert/edits'
import { fillFrom } from '../../src/main/convert/direct/fill'
import { buildWithKernelEngine } from '../../src/main/convert/kernel/engine'
import { TarReader } from '../../src/main/convert/tar/reader'
import { setHelperPaths } from '../../src/main/elevation/helper-client'
import { ext4Settings, makeExt4, setLength } from '../formats/disk-file'
import { encodeArchive } from '../formats/tar-members'
import { describeTree, withMount } from '../formats/tree-compare'
import { membersOf, tree } from '../formats/tree-generator'
import { DISK_UUID, makeDiskFile, makeFolder, withMounted } from '../support/elevation'
import { silentContext } from '../support/job-context'

/** Both engines, one archive, the same tree: each is the other's oracle. */

const MIB = 1024 * 1024
let folder = ''

beforeAll(async () => {
  const made = await makeFolder()
  folder = made.folder
  setHelperPaths({ executable: process.execPath, helper: made.helper })
})
afterAll(() => rm(folder, { recursive: true }))

/**
 * Without what differs: the root has no member of its own, one engine installs its boot loader, and the helper's tar
 * leaves out attributes of the kind `trusted`.
 */
const comparable = (lines: string[]): string[] =>
  lines.filter(
    (line) =>
      !line.startsWith('. |') &&
      !/^\.\/boot(?:\/\S*)? \|/.test(line) &&
      !/ trusted\.[a-z.]+=0x[0-9a-f]*$/.test(line),
  )

test('generated trees are the same by both engines', async () => {
  const base = { mode: 0o755, uid: 0, gid: 0, seconds: 1, nanoseconds: 0 }
  const members = fc
    .sample(tree, { numRuns: 150, seed: 20_260 })
    .flatMap((entries, number) => membersOf(number, entries, false))
    // The kernel engine refuses that form.
    .filter(({ sparse }) => sparse?.version !== 'old')
  const paths = new Set(members.map(({ path }) => path.toString('latin1')))
  const archive = encodeArchive([
    { type: 'directory', path: Buffer.from('boot'), ...base },
    ...members.filter(
      ({ type, target }) => type !== 'hardlink' || paths.has(target?.toString('latin1') ?? ''),
    ),
  ])
  const tar = join(folder, 'trees.tar')
  await writeFile(tar, archive)

  const disk = join(folder, 'kernel.img')
  await makeDiskFile(disk)
  const built = await buildWithKernelEngine(silentContext(), {
    tar: createReadStream(tar),
    path: disk,
    sizeBytes: 512 * MIB,
    uuid: DISK_UUID,
    diskSignature: 0x51495077,
    kernelPath: '/vmlinuz',
    initramfsPath: '/initrd.img',
    kernelArguments: '',
    serialConsole: false,
    edits: noEdits,
    tarBytesTotal: archive.length,
  })
  expect(built).toEqual({ ok: true, value: null })
  let byKernel: string[] = []
  await withMounted(disk, (root) => {
    byKernel = comparable(describeTree(root))
    return Promise.resolve()
  })

  const image = join(folder, 'direct.img')
  const summary = await makeExt4(image, ext4Settings(512), (writer) => {
    const reader = new TarReader(fillFrom(writer))
    reader.push(archive)
    reader.finish()
  })
  setLength(image, summary.bytes)
  const mountPoint = join(folder, 'mount')
  await mkdir(mountPoint)
  await withMount(image, 0, summary.bytes, mountPoint, (root) => {
    expect(comparable(describeTree(root))).toEqual(byKernel)
  })
  expect(byKernel.length).toBeGreaterThan(1000)
})
