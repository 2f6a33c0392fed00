import { expect, test } from 'vitest'
import { openDroppedFile } from '../../src/main/app/image-files'
import { ok } from '../../src/shared/failure'

test('a dropped file is a disk to be written or an archive, by its name', async () => {
  const kindOf = async (path: string): Promise<string> => {
    const opened = await openDroppedFile(
      path,
      { open: (name) => Promise.resolve(ok({ id: name, name, sizeBytes: 1, isSizeKnown: true })) },
      { open: (name) => Promise.resolve(ok(name.includes('cancelled') ? null : [name])) },
    )
    if (!opened.ok) return opened.failure.code
    return opened.value?.kind ?? 'nothing'
  }
  for (const name of [
    'a.img',
    'A.ISO',
    'a.raw',
    'a.img.xz',
    'a.iso.gz',
    'a.raw.zst',
    'a.zip',
    'a.qcow2',
    'a.vhdx',
  ]) {
    expect([name, await kindOf(`/home/ada/${name}`)]).toEqual([name, 'file'])
  }
  for (const name of ['a.tar', 'a.tar.gz', 'a.tgz', 'a.tar.zst', 'oci', 'index.json', 'img']) {
    expect([name, await kindOf(`/home/ada/${name}`)]).toEqual([name, 'images'])
  }
  expect(await kindOf('/home/ada/cancelled.tar.gz')).toBe('nothing')
})
