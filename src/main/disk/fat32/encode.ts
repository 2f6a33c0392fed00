import {
  ATTR_ARCHIVE,
  ATTR_DIRECTORY,
  ATTR_VOLUME_ID,
  BOOT_SECTOR,
  DIR_ENTRY,
  END_OF_CHAIN,
  FS_INFO,
  MINIMUM_CLUSTERS,
} from './layout'
import { encodeName } from './names'

const SECTOR = 512
const RESERVED_SECTORS = 32
const BACKUP_BOOT_SECTOR = 6

export interface FatFile {
  /** with '/' between the parts, none in front */
  path: string
  data: Uint8Array
}

export interface FatSettings {
  /** of the volume, 512 bytes each */
  sectors: number
  /** sectors of the disk before the volume */
  hiddenSectors: number
  volumeId: number
  /** at most 11 characters, upper case */
  label: string
  /** for every entry, seconds since 1970, UTC */
  time: number
}

/** Bytes to write at an offset of the volume, in bytes. */
export interface Piece {
  offset: number
  bytes: Uint8Array
}

interface Node {
  children: Map<string, Node> | null
  data: Uint8Array
  cluster: number
}

/** Sorts files into a tree of directories. */
function treeOf(files: FatFile[]): Node {
  const root: Node = { children: new Map(), data: new Uint8Array(), cluster: 0 }
  for (const file of files) {
    const parts = file.path.split('/')
    let node = root
    parts.forEach((part, index) => {
      const last = index === parts.length - 1
      let next = node.children?.get(part)
      if (next === undefined || last) {
        next = { children: last ? null : new Map(), data: last ? file.data : new Uint8Array(), cluster: 0 }
        if (node.children === null) throw new Error(`fat32: ${file.path} lies in a file`)
        node.children.set(part, next)
      }
      node = next
    })
  }
  return root
}

/** From 1980 to the end of 2107: seven bits of years. */
const EARLIEST = Date.UTC(1980, 0, 1) / 1000
const LATEST = Date.UTC(2107, 11, 31, 23, 59, 58) / 1000

/** Date and time of the specification's "Date and Time Formats", two seconds a step. */
function dosTime(seconds: number): { date: number; time: number } {
  const date = new Date(Math.min(Math.max(seconds, EARLIEST), LATEST) * 1000)
  return {
    date: ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate(),
    time: (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1),
  }
}

/**
 * Encodes a FAT32 volume of 512-byte clusters with the given files, as an EFI system partition needs it.
 * The same input gives the same bytes.
 * @returns the pieces that are not zero, in ascending order, and how many bytes from the start of the volume have
 *   to be zero where there is no piece; after them, what is in no piece may hold anything
 * @throws RangeError when the volume is too small for FAT32 (about 33 MiB) or for the files
 */
export function encodeFat32(
  files: FatFile[],
  settings: FatSettings,
): { pieces: Piece[]; systemBytes: number } {
  const { sectors } = settings
  // fatgen103: with 512-byte sectors and clusters each FAT sector maps 128 clusters, and there are two FATs.
  const fatSectors = Math.ceil((sectors - RESERVED_SECTORS + 256) / 130)
  const dataStart = RESERVED_SECTORS + 2 * fatSectors
  const clusters = sectors - dataStart
  if (clusters < MINIMUM_CLUSTERS) throw new RangeError(`fat32: ${clusters} clusters`)

  const stamp = dosTime(settings.time)
  const chain: number[] = [0x0ffffff8, END_OF_CHAIN]
  const content: Piece[] = []

  /** Appends bytes as one chain of neighbouring clusters and answers the first. */
  function place(bytes: Uint8Array): number {
    const first = chain.length
    const count = Math.ceil(bytes.length / SECTOR)
    if (first + count > clusters + 2) throw new RangeError('fat32: the files do not fit')
    for (let index = 1; index < count; index++) chain.push(first + index)
    chain.push(END_OF_CHAIN)
    content.push({ offset: (dataStart + first - 2) * SECTOR, bytes })
    return first
  }

  function entry(name: Uint8Array, attributes: number, cluster: number, size: number): Uint8Array {
    return DIR_ENTRY.encode({
      DIR_Name: name,
      DIR_Attr: attributes,
      DIR_CrtTime: stamp.time,
      DIR_CrtDate: stamp.date,
      DIR_LstAccDate: stamp.date,
      DIR_FstClusHI: cluster >>> 16,
      DIR_WrtTime: stamp.time,
      DIR_WrtDate: stamp.date,
      DIR_FstClusLO: cluster & 0xffff,
      DIR_FileSize: size,
    })
  }

  /** Places a directory before what it holds, so that '..' of its children is known. */
  function placeDirectory(node: Node, parent: Node | null, own: (Uint8Array | null)[]): void {
    const children = [...(node.children ?? new Map<string, Node>())]
    const taken = new Set<string>()
    const named = children.map(([name, child]) => ({ child, ...encodeName(name, taken) }))
    const length = named.reduce((sum, item) => sum + item.long.length + 32, own.length * 32)
    const bytes = new Uint8Array(Math.max(Math.ceil(length / SECTOR), 1) * SECTOR)
    node.cluster = place(bytes)
    if (parent !== null) {
      const up = parent.cluster === 2 ? 0 : parent.cluster
      own[0] = entry(Buffer.from('.'.padEnd(11)), ATTR_DIRECTORY, node.cluster, 0)
      own[1] = entry(Buffer.from('..'.padEnd(11)), ATTR_DIRECTORY, up, 0)
    }
    let at = 0
    for (const first of own) {
      if (first !== null) bytes.set(first, at)
      at += 32
    }
    for (const { child, short, long } of named) {
      if (child.children !== null) placeDirectory(child, node, [null, null])
      else if (child.data.length > 0) child.cluster = place(child.data)
      bytes.set(long, at)
      at += long.length
      const attributes = child.children === null ? ATTR_ARCHIVE : ATTR_DIRECTORY
      bytes.set(entry(short, attributes, child.cluster, child.data.length), at)
      at += 32
    }
  }

  const label = Buffer.from(settings.label.padEnd(11).slice(0, 11), 'latin1')
  placeDirectory(treeOf(files), null, [entry(label, ATTR_VOLUME_ID, 0, 0)])

  const boot = BOOT_SECTOR.encode({
    BS_jmpBoot: Uint8Array.of(0xeb, 0x58, 0x90),
    BS_OEMName: Buffer.from('MSWIN4.1', 'latin1'),
    BPB_BytsPerSec: SECTOR,
    BPB_SecPerClus: 1,
    BPB_RsvdSecCnt: RESERVED_SECTORS,
    BPB_NumFATs: 2,
    BPB_Media: 0xf8,
    BPB_SecPerTrk: 63,
    BPB_NumHeads: 255,
    BPB_HiddSec: settings.hiddenSectors,
    BPB_TotSec32: sectors,
    BPB_FATSz32: fatSectors,
    BPB_RootClus: 2,
    BPB_FSInfo: 1,
    BPB_BkBootSec: BACKUP_BOOT_SECTOR,
    BS_DrvNum: 0x80,
    BS_BootSig: 0x29,
    BS_VolID: settings.volumeId,
    BS_VolLab: label,
    BS_FilSysType: Buffer.from('FAT32   ', 'latin1'),
    // A BIOS that boots from this partition by mistake goes on to the next device: int 18h, then halt.
    BootCode: Uint8Array.of(0xcd, 0x18, 0xf4, 0xeb, 0xfd),
    Signature_word: 0xaa55,
  })
  const info = FS_INFO.encode({
    FSI_LeadSig: 0x41615252,
    FSI_StrucSig: 0x61417272,
    FSI_Free_Count: clusters + 2 - chain.length,
    FSI_Nxt_Free: chain.length,
    FSI_TrailSig: 0xaa550000,
  })
  const fat = new Uint8Array(Math.ceil((chain.length * 4) / SECTOR) * SECTOR)
  const view = new DataView(fat.buffer)
  chain.forEach((value, index) => view.setUint32(index * 4, value, true))
  const pieces = [
    { offset: 0, bytes: boot },
    { offset: SECTOR, bytes: info },
    { offset: BACKUP_BOOT_SECTOR * SECTOR, bytes: boot },
    { offset: (BACKUP_BOOT_SECTOR + 1) * SECTOR, bytes: info },
    { offset: RESERVED_SECTORS * SECTOR, bytes: fat },
    { offset: (RESERVED_SECTORS + fatSectors) * SECTOR, bytes: fat },
    ...content,
  ]
  return { pieces, systemBytes: dataStart * SECTOR }
}
