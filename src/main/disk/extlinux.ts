import { Buffer } from 'node:buffer'
import { struct } from './struct'

/**
 * Installing extlinux without mounting anything. Distributions ship the boot sector, ldlinux.sys and ldlinux.c32
 * of extlinux only inside of its program; `extlinux --install` copies them out, and writes into the first two
 * where on the disk ldlinux.sys lies (syslinux 6.04, libinstaller/syslxmod.c and extlinux/main.c).
 */

/** struct patch_area, from the magic on */
const PATCH_AREA = struct('patch_area', [
  [0, 'magic', 'u32'],
  [4, 'instance', 'u32', 'differs from build to build'],
  [8, 'data_sectors', 'u16'],
  [10, 'adv_sectors', 'u16'],
  [12, 'dwords', 'u32'],
  [16, 'checksum', 'u32'],
  [20, 'maxtransfer', 'u16'],
  [22, 'epaoffset', 'u16', 'of the next structure, from the start of ldlinux.sys'],
])

/** struct ext_patch_area; offsets from the start of ldlinux.sys, but for the last three: of the boot sector */
const EXT_PATCH_AREA = struct('ext_patch_area', [
  [0, 'advptroffset', 'u16'],
  [2, 'diroffset', 'u16'],
  [4, 'dirlen', 'u16'],
  [6, 'subvoloffset', 'u16'],
  [8, 'subvollen', 'u16'],
  [10, 'secptroffset', 'u16'],
  [12, 'secptrcnt', 'u16'],
  [14, 'sect1ptr0', 'u16'],
  [16, 'sect1ptr1', 'u16'],
  [18, 'raidpatch', 'u16'],
])

/** struct syslinux_extent */
const EXTENT = struct('syslinux_extent', [
  [0, 'lba', 'u64'],
  [8, 'len', 'u16'],
])

/** The fields of struct fat_boot_sector that extlinux fills in, for code that it shares with FAT. */
const GEOMETRY = struct('fat_boot_sector', [
  [0, 'bsJump', 11],
  [11, 'bsBytesPerSec', 'u16'],
  [13, 'between', 6],
  [19, 'bsSectors', 'u16'],
  [21, 'bsMedia', 3],
  [24, 'bsSecPerTrack', 'u16'],
  [26, 'bsHeads', 'u16'],
  [28, 'bsHiddenSecs', 'u32'],
  [32, 'bsHugeSectors', 'u32'],
])

/** ELF-64 object file format, "ELF Header" and "Section Header" */
const ELF_HEADER = struct('Elf64_Ehdr', [
  [0, 'e_ident', 16],
  [16, 'e_type', 'u16'],
  [18, 'e_machine', 'u16'],
  [20, 'e_version', 'u32'],
  [24, 'e_entry', 'u64'],
  [32, 'e_phoff', 'u64'],
  [40, 'e_shoff', 'u64'],
  [48, 'e_flags', 'u32'],
  [52, 'e_ehsize', 'u16'],
  [54, 'e_phentsize', 'u16'],
  [56, 'e_phnum', 'u16'],
  [58, 'e_shentsize', 'u16'],
  [60, 'e_shnum', 'u16'],
  [62, 'e_shstrndx', 'u16'],
])
const ELF_SECTION = struct('Elf64_Shdr', [
  [0, 'sh_name', 'u32'],
  [4, 'sh_type', 'u32'],
  [8, 'sh_flags', 'u64'],
  [16, 'sh_addr', 'u64'],
  [24, 'sh_offset', 'u64'],
  [32, 'sh_size', 'u64'],
  [40, 'sh_link', 'u32'],
  [44, 'sh_info', 'u32'],
  [48, 'sh_addralign', 'u64'],
  [56, 'sh_entsize', 'u64'],
])
/** ELF-32: where e_shoff, e_shentsize and e_shnum are */
const ELF32_SHOFF = 32
const ELF32_SHENTSIZE = 46
const ELF32_SHNUM = 48

const LDLINUX_MAGIC = 0x3eb202fe
/** The end of the boot sector: the magic, the instance's lower half, and 55 AA. */
const BOOT_SECTOR_END = Buffer.from('fe02b23e', 'hex')
const LDLINUX_START = Buffer.from('\r\nSYSLINUX', 'latin1')
const SECTOR = 512
/** Where ldlinux.sys is loaded to, from its second sector on. */
const LOAD_ADDRESS = 0x8000
const ADV_SIZE = 512
const ADV_MAGIC1 = 0x5a2d2fa5
const ADV_MAGIC2 = 0xa3041767
const ADV_MAGIC3 = 0xdd28bf64

/** What extlinux installs; all from one build. */
export interface ExtlinuxParts {
  /** 512 bytes */
  bootSector: Buffer
  /** ldlinux.sys as it is before it is told its place */
  loader: Buffer
  /** ldlinux.c32 */
  module: Buffer
}

/** The section `.data` of a 64-bit little-endian ELF program; null when there is none. */
function dataSection(program: Buffer): Buffer | null {
  if (program.length < ELF_HEADER.size || program.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return null
  const header = ELF_HEADER.decode(program)
  const sectionAt = (index: number): { name: number; offset: number; size: number } | null => {
    const at = Number(header.e_shoff) + index * header.e_shentsize
    if (at + ELF_SECTION.size > program.length) return null
    const { sh_name, sh_offset, sh_size } = ELF_SECTION.decode(program, at)
    const [offset, size] = [Number(sh_offset), Number(sh_size)]
    return { name: sh_name, offset, size }
  }
  const names = sectionAt(header.e_shstrndx)
  if (names === null) return null
  for (let index = 0; index < header.e_shnum; index++) {
    const section = sectionAt(index)
    if (section === null) return null
    const at = names.offset + section.name
    if (program.toString('latin1', at, at + 6) !== '.data\0') continue
    return section.offset + section.size > program.length
      ? null
      : program.subarray(section.offset, section.offset + section.size)
  }
  return null
}

/** The bytes of a 32-bit ELF module at `start`, which ends with its table of sections. */
function moduleAt(data: Buffer, start: number, limit: number): Buffer | null {
  if (start + ELF32_SHNUM + 2 > limit || data.toString('latin1', start, start + 6) !== '\x7fELF\x01\x01')
    return null
  const sections = data.readUInt32LE(start + ELF32_SHOFF)
  const size = data.readUInt16LE(start + ELF32_SHENTSIZE) * data.readUInt16LE(start + ELF32_SHNUM)
  const end = start + sections + size
  return end > limit ? null : data.subarray(start, end)
}

/**
 * Finds what extlinux installs inside of its program.
 * @param program the bytes of /usr/bin/extlinux or /sbin/extlinux
 * @returns null when they are not where every known build has them
 */
export function extlinuxParts(program: Uint8Array): ExtlinuxParts | null {
  const data = dataSection(Buffer.from(program.buffer, program.byteOffset, program.byteLength))
  if (data === null) return null
  const end = data.indexOf(BOOT_SECTOR_END) + 8
  const start = data.indexOf(LDLINUX_START)
  if (end < SECTOR || start < 0 || data.readUInt16LE(end - 2) !== 0xaa55) return null
  const loader = data.subarray(start)
  const magic = loader.indexOf(BOOT_SECTOR_END)
  const module = moduleAt(data, end, data.length)
  if (magic < 0 || magic > 64 || module === null) return null
  return { bootSector: data.subarray(end - SECTOR, end), loader, module }
}

/** Sectors that ldlinux.sys takes on the disk: its own and two for data that it may write. */
export function loaderSectors(parts: ExtlinuxParts): number {
  return Math.ceil(parts.loader.length / SECTOR) + 2
}

/** Where the partition lies. */
export interface ExtlinuxPlace {
  /** first sector of the partition on the disk */
  hiddenSectors: number
  /** of the partition */
  totalSectors: number
  heads: number
  sectorsPerTrack: number
}

/** "generate_extents": none of 64 KiB or more, and none that crosses such a border where it is loaded. */
function sectorExtents(sectors: number[]): { lba: bigint; len: number }[] {
  const extents: { lba: bigint; len: number }[] = []
  let base = LOAD_ADDRESS
  sectors.forEach((sector, index) => {
    const address = LOAD_ADDRESS + index * SECTOR
    const last = extents.at(-1)
    if (last !== undefined) {
      const bytes = (last.len + 1) * SECTOR
      const sameSegment = ((address ^ (base + bytes - 1)) & 0xffff0000) === 0
      if (BigInt(sector) === last.lba + BigInt(last.len) && bytes < 65536 && sameSegment) {
        last.len++
        return
      }
    }
    base = address
    extents.push({ lba: BigInt(sector), len: 1 })
  })
  return extents
}

/** "syslinux_reset_adv": both copies of the auxiliary data, empty. */
function emptyAdv(): Buffer {
  const adv = Buffer.alloc(ADV_SIZE)
  adv.writeUInt32LE(ADV_MAGIC1, 0)
  adv.writeUInt32LE(ADV_MAGIC2, 4)
  adv.writeUInt32LE(ADV_MAGIC3, ADV_SIZE - 4)
  return Buffer.concat([adv, adv])
}

/**
 * Writes into the boot sector and ldlinux.sys where on the partition the latter lies ("syslinux_patch").
 * @param sectors of ldlinux.sys, from the start of the partition, as many as `loaderSectors` says
 * @param directory where the configuration and ldlinux.c32 are, such as '/boot'
 * @returns the first 512 bytes of the partition and the whole file, or null when there are too many extents
 */
export function patchExtlinux(
  parts: ExtlinuxParts,
  sectors: number[],
  directory: string,
  place: ExtlinuxPlace,
): { bootSector: Buffer; file: Buffer } | null {
  const bootSector = Buffer.from(parts.bootSector)
  const dataSectors = loaderSectors(parts) - 2
  const image = Buffer.alloc(dataSectors * SECTOR)
  image.set(parts.loader)
  const magicAt = image.indexOf(BOOT_SECTOR_END)
  const areas = EXT_PATCH_AREA.decode(image, PATCH_AREA.decode(image, magicAt).epaoffset)

  GEOMETRY.encode(
    {
      bsBytesPerSec: SECTOR,
      bsSectors: place.totalSectors < 65536 ? place.totalSectors : 0,
      bsSecPerTrack: place.sectorsPerTrack,
      bsHeads: place.heads,
      bsHiddenSecs: place.hiddenSectors,
      bsHugeSectors: place.totalSectors % 2 ** 32,
    },
    bootSector,
  )
  const first = sectors[0] ?? 0
  bootSector.writeUInt32LE(first % 2 ** 32, areas.sect1ptr0)
  bootSector.writeUInt32LE(Math.floor(first / 2 ** 32), areas.sect1ptr1)

  const dwords = parts.loader.length >> 2
  PATCH_AREA.encode({ data_sectors: dataSectors, adv_sectors: 2, dwords, checksum: 0 }, image, magicAt)
  const extents = sectorExtents(sectors.slice(1, dataSectors))
  if (extents.length > areas.secptrcnt) return null
  image.fill(0, areas.secptroffset, areas.secptroffset + areas.secptrcnt * EXTENT.size)
  extents.forEach((extent, index) => EXTENT.encode(extent, image, areas.secptroffset + index * EXTENT.size))
  image.writeBigUInt64LE(BigInt(sectors[dataSectors] ?? 0), areas.advptroffset)
  image.writeBigUInt64LE(BigInt(sectors[dataSectors + 1] ?? 0), areas.advptroffset + 8)
  if (directory.length + 1 > areas.dirlen) return null
  image.write(`${directory}\0`, areas.diroffset, 'latin1')

  let checksum = LDLINUX_MAGIC
  for (let at = 0; at < dwords * 4; at += 4) checksum = (checksum - image.readUInt32LE(at)) >>> 0
  PATCH_AREA.encode({ checksum }, image, magicAt)
  return { bootSector, file: Buffer.concat([image, emptyAdv()]) }
}
