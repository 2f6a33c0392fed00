import type { Inodes } from './inodes'
import { ROOT_INODE } from './layout'

/** A directory while the file system is being made. Names are bytes, one to a character. */
export interface Directory {
  inode: number
  parent: Directory
  entries: Map<string, number>
}

/** As many symlinks as the kernel follows in one path. */
const MOST_SYMLINKS = 40

/** Names of a path; empty ones and '.' are left out. */
export function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

/**
 * A copy that does not keep alive the longer text it was cut from: V8's substrings do, and a tree of names
 * would hold all paths.
 */
function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** The names of a file system and what they lead to. Nothing in it can lead outside. */
export class Tree {
  readonly root: Directory
  readonly directories = new Map<number, Directory>()
  /** The parent that was asked for last: archives go through a directory at a time. */
  private cachedPath: string | null = null
  private cached: Directory | null = null

  constructor(private readonly inodes: Inodes) {
    const root = { inode: ROOT_INODE, entries: new Map<string, number>() } as Directory
    root.parent = root
    this.root = root
    this.directories.set(ROOT_INODE, root)
  }

  /**
   * The directory that a path's last name is in. Symlinks on the way are followed inside the tree, as if it were
   * the root of the machine.
   * @param path names with '/' between them
   * @param make makes a directory that is missing
   * @returns the directory and the last name ('' for the root itself), or null when there is something else on the way
   */
  locate(
    path: string,
    make: ((parent: Directory, name: string) => Directory) | null,
  ): { parent: Directory; name: string } | null {
    const slash = path.lastIndexOf('/')
    const prefix = slash < 0 ? '' : path.slice(0, slash)
    const last = path.slice(slash + 1)
    if (last === '' || last === '.') {
      const names = namesOf(path)
      const name = names.pop()
      if (name === undefined) return { parent: this.root, name: '' }
      return this.locate([...names, name].join('/'), make)
    }
    if (this.cachedPath !== prefix || this.cached === null) {
      this.cached = this.follow(this.root, namesOf(prefix), make, MOST_SYMLINKS)
      this.cachedPath = detached(prefix)
    }
    return this.cached === null ? null : { parent: this.cached, name: last }
  }

  /** The inode of a path whose last name is not followed, or null. */
  lookup(path: string): number | null {
    const place = this.locate(path, null)
    if (place === null) return null
    return place.name === '' ? ROOT_INODE : (place.parent.entries.get(place.name) ?? null)
  }

  /** The same with the last name followed. */
  resolve(path: string): number | null {
    return this.resolveFrom(this.root, namesOf(path), MOST_SYMLINKS)
  }

  /** Enters a name. */
  enter(parent: Directory, name: string, inode: number): void {
    parent.entries.set(detached(name), inode)
  }

  /** Makes an empty directory under a name. */
  enterDirectory(parent: Directory, name: string, inode: number): Directory {
    const directory = { inode, parent, entries: new Map<string, number>() }
    this.directories.set(inode, directory)
    this.enter(parent, name, inode)
    return directory
  }

  /** Takes a name away. What was below a directory has to be taken away before. */
  leave(parent: Directory, name: string): void {
    const inode = parent.entries.get(name)
    parent.entries.delete(name)
    if (inode !== undefined) this.directories.delete(inode)
    this.cachedPath = null
  }

  private resolveFrom(from: Directory, names: string[], symlinks: number): number | null {
    const last = names.at(-1)
    if (last === undefined) return from.inode
    const parent = this.follow(from, names.slice(0, -1), null, symlinks)
    if (parent === null) return null
    if (last === '..') return parent.parent.inode
    const inode = parent.entries.get(last)
    if (inode === undefined) return null
    if (!this.inodes.isSymlink(inode)) return inode
    if (symlinks === 0) return null
    const target = this.inodes.targets.get(inode) ?? ''
    return this.resolveFrom(target.startsWith('/') ? this.root : parent, namesOf(target), symlinks - 1)
  }

  private follow(
    from: Directory,
    names: string[],
    make: ((parent: Directory, name: string) => Directory) | null,
    symlinks: number,
  ): Directory | null {
    let directory = from
    for (const name of names) {
      if (name === '..') {
        directory = directory.parent
        continue
      }
      const inode = directory.entries.get(name)
      let next: Directory | null
      if (inode === undefined) next = make === null ? null : make(directory, name)
      else if (this.inodes.isSymlink(inode) && symlinks > 0) {
        const target = this.inodes.targets.get(inode) ?? ''
        const start = target.startsWith('/') ? this.root : directory
        next = this.follow(start, namesOf(target), null, symlinks - 1)
      } else next = this.directories.get(inode) ?? null
      if (next === null) return null
      directory = next
    }
    return directory
  }
}
