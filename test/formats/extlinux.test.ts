import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { extlinuxParts, loaderSectors, patchExtlinux } from '../../src/main/disk/extlinux'

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { stdio: 'pipe' }).toString()

/** `extlinux --install` on a file system of the kernel's is the oracle; it wants a mount. */
test('writes, byte by byte, what extlinux --install writes', () => {
  const parts = extlinuxParts(readFileSync('/usr/bin/extlinux'))
  if (parts === null) throw new Error('extlinux has another form than expected')
  const folder = mkdtempSync(join(tmpdir(), 'slipway-extlinux-'))
  const image = join(folder, 'disk.img')
  const mount = join(folder, 'mount')
  let device = ''
  let mounted = false
  try {
    writeFileSync(image, '')
    truncateSync(image, 64 * 2 ** 20)
    run('mke2fs', '-q', '-t', 'ext4', '-b', '4096', '-O', '^64bit', image)
    mkdirSync(mount)
    device = run('losetup', '-f', '--show', image).trim()
    run('mount', device, mount)
    mounted = true
    mkdirSync(join(mount, 'boot'))
    run('extlinux', '--install', join(mount, 'boot'))
    const theirs = readFileSync(join(mount, 'boot/ldlinux.sys'))
    expect(readFileSync(join(mount, 'boot/ldlinux.c32')).equals(parts.module)).toBe(true)
    run('umount', mount)
    mounted = false

    const blocks = run('debugfs', '-R', 'blocks /boot/ldlinux.sys', image).trim().split(/\s+/).map(Number)
    const perBlock = 4096 / 512
    const sectors = blocks.flatMap((block) =>
      Array.from({ length: perBlock }, (_, i) => block * perBlock + i),
    )
    const place = { hiddenSectors: 0, totalSectors: 64 * 2048, heads: 64, sectorsPerTrack: 32 }
    const ours = patchExtlinux(parts, sectors.slice(0, loaderSectors(parts)), '/boot', place)
    expect(ours?.file.equals(theirs)).toBe(true)
    expect(ours?.bootSector.equals(readFileSync(image).subarray(0, 512))).toBe(true)
  } finally {
    if (mounted) run('umount', mount)
    if (device !== '') run('losetup', '-d', device)
    rmSync(folder, { recursive: true })
  }
})

test('a program that is not extlinux is not taken for it', () => {
  expect(extlinuxParts(readFileSync('/usr/bin/tar'))).toBeNull()
  expect(extlinuxParts(new Uint8Array(100))).toBeNull()
})
