import type { Attributes, Ext4Writer } from '../../disk/ext4/writer'
import type { TarEntry, TarHandler } from '../tar/entry'

/**
 * Puts the members of an archive into a file system as they come, as GNU tar would into an empty directory. Two
 * things differ: what replaces a directory that is not empty takes the place of all that was in it, where tar would
 * fail; and symlinks on the way to a member are followed inside the tree, where tar might find the machine's own.
 * @param writer the file system
 */
export function fillFrom(writer: Ext4Writer): TarHandler {
  return {
    entry(entry: TarEntry): void {
      writer.origin = entry.offset
      const { path, type } = entry
      const attributes: Attributes = entry
      switch (type) {
        case 'file':
          writer.file(path, attributes, entry.size, entry.segments)
          return
        case 'directory':
          writer.directory(path, attributes)
          return
        case 'symlink':
          writer.symlink(path, attributes, entry.target)
          return
        case 'hardlink':
          writer.link(path, entry.target)
          return
        default:
          writer.device(path, attributes, type, entry.major, entry.minor)
      }
    },
    data(bytes, start, end): void {
      writer.data(bytes, start, end)
    },
    endFile(): void {
      writer.endFile()
    },
  }
}
