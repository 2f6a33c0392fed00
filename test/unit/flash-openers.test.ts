import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openersOf } from '../../src/main/helper/flash-openers'

let proc = ''
let asked: string[] = []
/** Device numbers by the path of a process's descriptor. */
let devices: Record<string, string> = {}

beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'slipway-proc-'))
  asked = []
  devices = {}
})
afterEach(() => rm(proc, { recursive: true }))

interface Opened {
  name: string
  number?: string
  mount?: string
}

const mountTable = [
  '20 1 254:0 / / rw - ext4 /dev/vda rw',
  '24 20 0:6 / /dev rw - devtmpfs devtmpfs rw',
  '30 20 0:50 / /srv rw - nfs4 server:/srv rw',
].join('\n')

async function program(id: string, name: string, ...files: Opened[]): Promise<void> {
  await mkdir(join(proc, id, 'fd'), { recursive: true })
  await mkdir(join(proc, id, 'fdinfo'))
  await writeFile(join(proc, id, 'comm'), `${name}\n`)
  await writeFile(join(proc, id, 'mountinfo'), mountTable)
  for (const [fd, { name: file, number, mount = '24' }] of files.entries()) {
    const path = join(proc, id, 'fd', String(fd))
    await symlink(file, path)
    await writeFile(join(proc, id, 'fdinfo', String(fd)), `pos:\t0\nflags:\t02\nmnt_id:\t${mount}\n`)
    if (number !== undefined) devices[path] = number
  }
}

const openers = (...numbers: string[]): string[] =>
  openersOf(new Set(numbers), proc, (path) => {
    asked.push(path)
    return devices[path] ?? null
  }).sort()

test('those who have the drive or a partition open are named, by whatever name they opened it', async () => {
  await program('10', 'qemu', { name: '/dev/null' }, { name: '/dev/sdb', number: '8:16' })
  await program('11', 'dd', { name: '/dev/sdb1', number: '8:17' })
  await program('12', 'other', { name: '/dev/sdc', number: '8:32' }, { name: '/dev/sdb' })
  await program('13', 'late', { name: '/dev/sdb (deleted)', number: '8:16' })
  await program('14', 'container', { name: '/dev/xvda', number: '8:16', mount: '20' })
  await program(String(process.pid), 'slipway', { name: '/dev/sdb', number: '8:16' })
  await mkdir(join(proc, 'sys'))
  expect(openers('8:16', '8:17')).toEqual(['container (14)', 'dd (11)', 'late (13)', 'qemu (10)'])
})

test('nothing is looked at that could let the look wait for ever', async () => {
  await program('15', 'reader', { name: '/srv/a', mount: '30' }, { name: '/gone/b', mount: '99' })
  await program('16', 'server', { name: 'socket:[1]' }, { name: 'pipe:[2]' })
  expect(openers('8:16')).toEqual([])
  expect(asked).toEqual([])
})

test('a process that went away, or whose files may not be seen, is nobody', async () => {
  await mkdir(join(proc, '20'))
  expect(openers('8:16')).toEqual([])
})
