import { execFileSync } from 'node:child_process'
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeFat32, type FatFile } from '../../src/main/disk/fat32/encode'

const settings = {
  sectors: 131072,
  hiddenSectors: 2048,
  volumeId: 0x12345678,
  label: 'EFI',
  time: 1700000000,
}
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-fat-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Writes the volume to a file and answers its path. */
function volume(name: string, files: FatFile[]): string {
  const path = join(folder, name)
  writeFileSync(path, '')
  truncateSync(path, settings.sectors * 512)
  const handle = openSync(path, 'r+')
  for (const piece of encodeFat32(files, settings).pieces) {
    writeSync(handle, piece.bytes, 0, piece.bytes.length, piece.offset)
  }
  closeSync(handle)
  return path
}

test('a system partition passes fsck.vfat and gives its files back through mtools', () => {
  const files = [
    { path: 'EFI/BOOT/BOOTX64.EFI', data: Buffer.alloc(700_001, 'boot') },
    { path: 'EFI/debian/grub.cfg', data: Buffer.from('configfile x\n') },
    { path: 'EFI/BOOT/grub.cfg', data: Buffer.from('set timeout=0\n') },
    { path: 'grub/a long name with spaces.configuration', data: Buffer.from('long') },
    { path: 'grub/a long name with other spaces.configuration', data: Buffer.from('longer') },
    { path: 'exactly13char', data: Buffer.from('13') },
    { path: 'EMPTY', data: Buffer.alloc(0) },
    { path: 'EFI/many/MULTI.BIN', data: Buffer.alloc(512, 1) },
  ]
  const path = volume('esp.img', files)
  const report = execFileSync('fsck.vfat', ['-n', '-v', path]).toString()
  expect(report).toMatch(/FATs, 32 bit entries/)
  for (const file of files) {
    const back = execFileSync('mtype', ['-i', path, `::/${file.path}`], { maxBuffer: 1 << 21 })
    expect(back.equals(file.data), file.path).toBe(true)
  }
  expect(execFileSync('blkid', ['-p', path]).toString()).toMatch(/VERSION="FAT32".*TYPE="vfat"/)
})

test('many files spill into further clusters of a directory', () => {
  const files = Array.from({ length: 200 }, (_, i) => ({
    path: `modules/file-${i}.mod`,
    data: Buffer.from(String(i)),
  }))
  const path = volume('many.img', files)
  execFileSync('fsck.vfat', ['-n', path])
  expect(execFileSync('mtype', ['-i', path, '::/modules/file-199.mod']).toString()).toBe('199')
})

test('the same input gives the same bytes', () => {
  const files = [{ path: 'EFI/BOOT/BOOTX64.EFI', data: Buffer.from('x') }]
  expect(readFileSync(volume('a', files)).equals(readFileSync(volume('b', files)))).toBe(true)
})

test('a volume below 65,525 clusters is refused', () => {
  expect(() => encodeFat32([], { ...settings, sectors: 66_000 })).toThrow(RangeError)
})
