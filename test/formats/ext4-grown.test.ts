import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ext4Settings, fsck, makeExt4 } from './disk-file'
import { describeTree, run, withMount } from './tree-compare'

/**
 * A root file system has room to grow a thousandfold. Here resize2fs does it with the file: growing a mounted one needs
 * CAP_SYS_RESOURCE, which root does not have everywhere that tests run.
 */

const SMALL = 64 * 2 ** 20
const LARGE = 64 * 2 ** 30

test('64 MiB grow to 64 GiB, and everything is there and clean', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-grown-'))
  const mountPoint = join(folder, 'mount')
  mkdirSync(mountPoint)
  const image = join(folder, 'disk.img')
  try {
    await makeExt4(image, ext4Settings(64), (writer) => {
      for (let i = 0; i < 300; i++)
        writer.wholeFile(`d${i % 10}/${i}`, writer.defaults(0o644), Buffer.alloc(i * 300, i))
    })
    truncateSync(image, SMALL)
    let before: string[] = []
    await withMount(image, 0, SMALL, mountPoint, (root) => {
      before = describeTree(root)
    })
    truncateSync(image, LARGE)
    run('resize2fs', ['-f', image])
    expect(fsck(image)).toBe('')
    await withMount(image, 0, LARGE, mountPoint, (root) => {
      expect(statfsSync(root).blocks * 4096).toBeGreaterThan(LARGE * 0.95)
      expect(describeTree(root)).toEqual(before)
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
