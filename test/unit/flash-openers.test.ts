import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openersOf } from '../../src/main/helper/flash-openers'

let proc = ''
beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'slipway-proc-'))
})
afterEach(() => rm(proc, { recursive: true }))

async function program(id: string, name: string, ...files: string[]): Promise<void> {
  await mkdir(join(proc, id, 'fd'), { recursive: true })
  await writeFile(join(proc, id, 'comm'), `${name}\n`)
  for (const [fd, file] of files.entries()) await symlink(file, join(proc, id, 'fd', String(fd)))
}

test('those who have the drive or a partition open are named, by whatever number', async () => {
  await program('10', 'qemu', '/dev/null', '/dev/sdb')
  await program('11', 'dd', '/dev/sdb1')
  await program('12', 'other', '/dev/sdc', '/dev/sdb10', '/home/ada/dev/sdb')
  await program('13', 'late', '/dev/sdb (deleted)')
  await program(String(process.pid), 'slipway', '/dev/sdb')
  await mkdir(join(proc, 'sys'))
  expect(openersOf(['/dev/sdb', '/dev/sdb1'], proc).sort()).toEqual(['dd (11)', 'late (13)', 'qemu (10)'])
})

test('a process that went away, or whose files may not be seen, is nobody', async () => {
  await mkdir(join(proc, '20'))
  expect(openersOf(['/dev/sdb'], proc)).toEqual([])
})
