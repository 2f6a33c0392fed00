import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { efiProgram } from '../../src/main/convert/loaders/efi-program'
import { findBootLoaders, type BootTarget, type LoaderPlace } from '../../src/main/convert/loaders/find'

/** An EFI application as far as it is looked at. */
function efi(machine: number, signed: boolean, filler = 'x'): Buffer {
  const bytes = Buffer.alloc(1024, filler)
  bytes.write('MZ', 0, 'latin1')
  bytes.writeUInt32LE(128, 0x3c)
  bytes.writeUInt32LE(0x4550, 128)
  bytes.writeUInt16LE(machine, 132)
  bytes.writeUInt16LE(240, 148)
  bytes.writeUInt16LE(0x20b, 152)
  bytes.writeUInt16LE(10, 152 + 68)
  bytes.writeUInt32LE(signed ? 2000 : 0, 152 + 148)
  return bytes
}
const AMD64 = 0x8664
const ARM64 = 0xaa64

const extlinux = readFileSync('/usr/bin/extlinux')
const bios = {
  '/usr/bin/extlinux': extlinux,
  '/usr/lib/syslinux/mbr/mbr.bin': Buffer.from('mbr'),
  '/usr/lib/syslinux/mbr/gptmbr.bin': Buffer.from('gpt'),
}
const monolithic = { '/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi': efi(AMD64, false, 'm') }
const signed = {
  '/usr/lib/shim/shimx64.efi.signed': efi(AMD64, true, 's'),
  '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed': efi(AMD64, true, 'g'),
}

const place = (distribution: string | null, files: Record<string, Buffer>): LoaderPlace => ({
  distribution,
  read: (path, limit) => Promise.resolve(files[path]?.subarray(0, limit) ?? null),
})
const target: BootTarget = {
  architecture: 'amd64',
  table: 'mbr',
  distribution: 'debian',
  isKernelSigned: true,
}

async function found(places: LoaderPlace[], changes: Partial<BootTarget> = {}) {
  const result = await findBootLoaders(places, { ...target, ...changes })
  if (!result.ok) throw new Error(result.failure.code)
  const { loaders, secureBoot } = result.value
  return {
    code: loaders.bios === null ? null : Buffer.from(loaders.bios.bootCode).toString(),
    files: loaders.uefi?.files.map(({ path, data }) => `${path} ${String.fromCharCode(data[1000] ?? 0)}`),
    secureBoot,
  }
}

describe('findBootLoaders', () => {
  it('takes the signed chain before the unsigned program, and the code that goes with the table', async () => {
    const host = place('debian', { ...bios, ...monolithic, ...signed })
    expect(await found([host])).toEqual({
      code: 'mbr',
      files: ['EFI/BOOT/BOOTX64.EFI s', 'EFI/BOOT/grubx64.efi g'],
      secureBoot: true,
    })
    expect((await found([host], { table: 'gpt' })).code).toBe('gpt')
  })

  it('takes what the image has, and the rest from the next place', async () => {
    const image = place('debian', monolithic)
    expect(await found([image, place('debian', { ...bios, ...signed })])).toEqual({
      code: 'mbr',
      files: ['EFI/BOOT/BOOTX64.EFI m'],
      secureBoot: false,
    })
  })

  it('promises Secure Boot only where kernel and chain are signed by one distribution', async () => {
    const host = place('debian', signed)
    expect((await found([host])).secureBoot).toBe(true)
    expect((await found([host], { distribution: 'ubuntu' })).secureBoot).toBe(false)
    expect((await found([host], { isKernelSigned: false })).secureBoot).toBe(false)
    const unsigned = { ...signed, '/usr/lib/shim/shimx64.efi.signed': efi(AMD64, false) }
    expect((await found([place('debian', unsigned)])).secureBoot).toBe(false)
    expect((await found([place(null, signed)], { distribution: null })).secureBoot).toBe(false)
  })

  it('has UEFI alone for arm64', async () => {
    const arm = { '/usr/lib/grub/arm64-efi/monolithic/grubaa64.efi': efi(ARM64, false, 'a') }
    expect(await found([place('debian', { ...bios, ...signed, ...arm })], { architecture: 'arm64' })).toEqual(
      {
        code: null,
        files: ['EFI/BOOT/BOOTAA64.EFI a'],
        secureBoot: false,
      },
    )
  })

  it.each([
    ['a program for another computer', efi(ARM64, true)],
    ['random bytes', randomBytes(5000)],
    ['nothing', Buffer.alloc(0)],
    ['a header that points out of the file', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(62, 0xff)])],
    ['more than fits', Buffer.concat([efi(AMD64, true), Buffer.alloc(17 * 1024 * 1024)])],
  ])('goes on where a file is %s', async (_what, bytes) => {
    const image = place('debian', { '/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi': bytes })
    expect((await found([image, place('debian', monolithic)])).files).toEqual(['EFI/BOOT/BOOTX64.EFI m'])
  })

  it('goes on where extlinux or the boot code is not what its name says', async () => {
    const host = place('debian', bios)
    const broken = [extlinux.subarray(0, 5000), randomBytes(100_000), Buffer.from('#!/bin/sh')]
    for (const program of broken) {
      const image = place('debian', {
        '/usr/bin/extlinux': program,
        '/usr/lib/syslinux/mbr/mbr.bin': Buffer.from('bad'),
      })
      expect((await found([image, host])).code).toBe('mbr')
    }
    const long = place('debian', { ...bios, '/usr/lib/syslinux/mbr/mbr.bin': Buffer.alloc(441, 1) })
    expect((await found([long, host])).code).toBe('mbr')
  })

  it('says what is missing', async () => {
    expect(await findBootLoaders([place('debian', {})], target)).toMatchObject({
      failure: { code: 'tool-missing', facts: { tool: 'extlinux' } },
    })
  })
})

describe('efiProgram', () => {
  it('knows the real ones', () => {
    expect(efiProgram(readFileSync('/usr/lib/shim/shimx64.efi.signed'))).toEqual({
      architecture: 'amd64',
      isSigned: true,
    })
    expect(efiProgram(readFileSync('/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi'))).toEqual({
      architecture: 'amd64',
      isSigned: false,
    })
  })
})
