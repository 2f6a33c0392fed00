import type { Inodes } from './inodes'
import { Column } from './columns'
import { ROOT_INODE } from './layout'
import { Names } from './names'

/** As many symlinks as the kernel follows on one path, all of them together (MAXSYMLINKS, include/linux/namei.h). */
const MOST_SYMLINKS = 40

/** What is left of them. By depth alone, ten links to a thousand links each would be endless work. */
interface Budget {
  symlinks: number
}

/** Names of a path; empty ones and '.' are left out. */
export function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

/**
 * The names of a file system and what they lead to. Nothing in it can lead outside. Names are bytes, one to a
 * character; a directory is known by its inode.
 */
export class Tree {
  readonly names = new Names()
  /** The directory that a directory is in, by inode. */
  private readonly parents = new Column(Uint32Array)
  /** The parent that was asked for last: archives go through a directory at a time. */
  private cachedPath: string | null = null
  private cached: number | null = null

  constructor(private readonly inodes: Inodes) {
    this.parents.set(ROOT_INODE, ROOT_INODE)
  }

  /** The directory that holds a directory; the root holds itself. */
  parentOf(directory: number): number {
    return this.parents.get(directory)
  }

  /** The names in a directory, in the order in which they came. */
  namesIn(directory: number): string[] {
    return Array.from(this.names.entriesOf(directory), (entry) => this.names.textOf(entry))
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
    make: ((parent: number, name: string) => number) | null,
  ): { parent: number; name: string } | null {
    const slash = path.lastIndexOf('/')
    const prefix = slash < 0 ? '' : path.slice(0, slash)
    const last = path.slice(slash + 1)
    if (last === '' || last === '.') {
      const names = namesOf(path)
      const name = names.pop()
      if (name === undefined) return { parent: ROOT_INODE, name: '' }
      return this.locate([...names, name].join('/'), make)
    }
    if (this.cachedPath !== prefix || this.cached === null) {
      this.cached = this.follow(ROOT_INODE, namesOf(prefix), make, { symlinks: MOST_SYMLINKS })
      this.cachedPath = prefix
    }
    return this.cached === null ? null : { parent: this.cached, name: last }
  }

  /** The inode of a path whose last name is not followed, or null. */
  lookup(path: string): number | null {
    const place = this.locate(path, null)
    if (place === null) return null
    return place.name === '' ? ROOT_INODE : this.names.find(place.parent, place.name) || null
  }

  /** The same with the last name followed. */
  resolve(path: string): number | null {
    return this.resolveFrom(ROOT_INODE, namesOf(path), { symlinks: MOST_SYMLINKS })
  }

  /** Enters an empty directory under a name. */
  enterDirectory(parent: number, name: string, inode: number): void {
    this.parents.set(inode, parent)
    this.names.enter(parent, name, inode)
  }

  /** Takes a name away. What was below a directory has to be taken away before. */
  leave(parent: number, name: string): void {
    const inode = this.names.find(parent, name)
    this.names.leave(parent, name)
    if (this.inodes.isDirectory(inode)) this.names.forget(inode)
    this.cachedPath = null
  }

  private resolveFrom(from: number, names: string[], budget: Budget): number | null {
    const last = names.at(-1)
    if (last === undefined) return from
    const parent = this.follow(from, names.slice(0, -1), null, budget)
    if (parent === null) return null
    if (last === '..') return this.parentOf(parent)
    const inode = this.names.find(parent, last)
    if (inode === 0) return null
    if (!this.inodes.isSymlink(inode)) return inode
    if (budget.symlinks-- <= 0) return null
    const target = this.inodes.targetOf(inode)
    return this.resolveFrom(target.startsWith('/') ? ROOT_INODE : parent, namesOf(target), budget)
  }

  private follow(
    from: number,
    names: string[],
    make: ((parent: number, name: string) => number) | null,
    budget: Budget,
  ): number | null {
    let directory = from
    for (const name of names) {
      if (name === '..') {
        directory = this.parentOf(directory)
        continue
      }
      const inode = this.names.find(directory, name)
      let next: number | null
      if (inode === 0) next = make === null ? null : make(directory, name)
      else if (this.inodes.isSymlink(inode)) {
        if (budget.symlinks-- <= 0) return null
        const target = this.inodes.targetOf(inode)
        const start = target.startsWith('/') ? ROOT_INODE : directory
        next = this.follow(start, namesOf(target), null, budget)
      } else next = this.inodes.isDirectory(inode) ? inode : null
      if (next === null) return null
      directory = next
    }
    return directory
  }
}
