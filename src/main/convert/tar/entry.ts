import type { Time } from '../../disk/ext4/inodes'
import type { Xattr } from '../../disk/ext4/xattr'

export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo'

/** One member of an archive. Names are bytes, one to a character. */
export interface TarEntry {
  type: TarType
  /** without '/' in front, and never with a part '..'; '' or '.' is the root */
  path: string
  /** of a symlink as it stands; of a hard link cleaned like `path` */
  target: string
  /** 12 permission bits */
  mode: number
  uid: number
  gid: number
  modified: Time
  accessed: Time | null
  /** of a file, in bytes, holes included */
  size: number
  /** offset and length of the parts of a sparse file that hold data, in bytes; null: there are no holes */
  segments: number[] | null
  major: number
  minor: number
  xattrs: Xattr[]
  /** of the member's own header, in bytes from the start of the archive */
  offset: number
}

/** What becomes of an archive's members. */
export interface TarHandler {
  entry(entry: TarEntry): void
  /** Bytes [start, end): the next of the file's data, holes left out. They may be overwritten afterwards. */
  data(bytes: Uint8Array, start: number, end: number): void
  /** After all data of a file, empty ones too. */
  endFile(): void
}

/** The typeflags that stand for each kind; others mean one of them too. */
export const typeFlags = {
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  file: '0',
}

/** What a typeflag means; one that nobody knows is a file, as POSIX asks. A file whose name ends in '/' is a directory. */
export function typeOf(flag: string, endsInSlash: boolean): TarType {
  switch (flag) {
    case '1':
      return 'hardlink'
    case '2':
      return 'symlink'
    case '3':
      return 'character'
    case '4':
      return 'block'
    case '5':
    case 'D':
      return 'directory'
    case '6':
      return 'fifo'
    default:
      return endsInSlash ? 'directory' : 'file'
  }
}
