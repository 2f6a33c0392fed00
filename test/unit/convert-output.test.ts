import { execa } from 'execa'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { beginOutput, checkOutputPath, checkOutputSpace, judgeSpace } from '../../src/main/convert/output'
import { isOrphaned, ownerMark, ownMark } from '../../src/main/docker/owner'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-output-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function begin(path: string) {
  const output = await beginOutput(path)
  if (!output.ok) throw new Error(output.failure.code)
  return output.value
}

describe('checkOutputPath', () => {
  it('wants a new name in a folder that is there', async () => {
    expect(await checkOutputPath(join(folder, 'new.img'))).toEqual({ ok: true, value: null })
    await writeFile(join(folder, 'a.img'), '')
    await symlink('/nowhere', join(folder, 'link.img'))
    for (const name of ['a.img', 'link.img']) {
      expect(await checkOutputPath(join(folder, name))).toMatchObject({ failure: { code: 'output-exists' } })
    }
    for (const path of [join(folder, 'no/new.img'), join(folder, 'a.img/new.img')]) {
      expect(await checkOutputPath(path)).toMatchObject({ failure: { code: 'output-folder-missing' } })
    }
  })
})

describe('space', () => {
  const gib = 1024 ** 3
  it('counts the content where files have holes, else the whole disk', () => {
    const system = { type: 0xef53, bavail: 3 * 1024 * 256, bsize: 4096 }
    expect(judgeSpace('/a', system, 100 * gib, 2 * gib).ok).toBe(true)
    expect(judgeSpace('/a', system, 100 * gib, 3 * gib)).toMatchObject({
      failure: { code: 'no-space', facts: { freeBytes: 3 * gib } },
    })
    expect(judgeSpace('/a', { ...system, type: 0x2011bab0 }, 100 * gib, gib)).toMatchObject({
      failure: { code: 'no-space', facts: { neededBytes: 100 * gib } },
    })
  })
  it('knows how long a file on FAT may be', () => {
    const system = { type: 0x4d44, bavail: 1e9, bsize: 4096 }
    expect(judgeSpace('/a', system, 4 * gib, gib)).toMatchObject({ failure: { code: 'output-file-system' } })
    expect(judgeSpace('/a', system, 4 * gib - 512, gib).ok).toBe(true)
  })
  it('asks the file system of the folder', async () => {
    expect((await checkOutputSpace(join(folder, 'a.img'), 1, 1)).ok).toBe(true)
    expect((await checkOutputSpace(join(folder, 'a.img'), 1e18, 1e18)).ok).toBe(false)
  })
})

describe('beginOutput', () => {
  it('gives the name only at the end', async () => {
    const path = join(folder, 'a.img')
    const output = await begin(path)
    await writeFile(output.partPath, 'disk')
    expect(await readdir(folder)).toHaveLength(1)
    await expect(stat(path)).rejects.toThrow()
    expect((await output.finish()).ok).toBe(true)
    await output.discard()
    expect(await readdir(folder)).toEqual(['a.img'])
    expect(await readFile(path, 'utf8')).toBe('disk')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('never takes the place of a file that came meanwhile', async () => {
    const path = join(folder, 'a.img')
    const output = await begin(path)
    await writeFile(path, 'another')
    expect(await output.finish()).toMatchObject({ failure: { code: 'output-exists' } })
    await output.discard()
    expect(await readFile(path, 'utf8')).toBe('another')
    expect(await readdir(folder)).toEqual(['a.img'])
  })

  it('takes away what killed builds of the same disk left, and nothing else', async () => {
    const { stdout } = await execa(process.execPath, ['-p', 'process.pid'])
    // The mark of a process that has ended, and of one that runs.
    const dead = ownMark().replace(/-[0-9a-f]+-/, `-${Number(stdout).toString(16)}-`)
    const left = [`.a.img.${dead}.slipway-part`, `.a.img.slipway.json.some-id.${dead}.slipway-part`]
    for (const name of left) await writeFile(join(folder, name), '')
    const names = [`.b.img.${dead}.slipway-part`, '.a.img.x.slipway-part']
    for (const name of names) await writeFile(join(folder, name), '')
    const running = ownerMark(process.ppid)
    if (running !== null) names.push(`.a.img.${running}.slipway-part`)
    await writeFile(join(folder, names.at(-1) ?? ''), '')
    const output = await begin(join(folder, 'a.img'))
    await output.discard()
    expect((await readdir(folder)).sort()).toEqual(names.sort())
  })
})

describe('ownerMark', () => {
  it('tells processes apart', () => {
    expect(ownMark()).toBe(ownerMark(process.pid))
    expect(isOrphaned(ownMark())).toBe(false)
    expect(isOrphaned(ownMark().replace(/-[^-]+$/, '-1'))).toBe(true)
    // Another machine's, and no mark at all: never taken for left behind.
    expect(isOrphaned('00000000-1-1')).toBe(false)
    expect(isOrphaned('')).toBe(false)
  })
})
