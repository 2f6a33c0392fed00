import { Column, Texts } from './columns'

/** Places for entries to begin with; a power of two. */
const FEWEST_PLACES = 4096

/**
 * All names of a file system: which inode a name in a directory stands for, and the names of each directory in the
 * order in which they came. One table serves all directories; a file costs about 45 bytes and its name.
 */
export class Names {
  private readonly texts = new Texts()
  /** By the number of an entry, from 1. */
  private readonly parent = new Column(Uint32Array)
  private readonly text = new Column(Uint32Array)
  /** 0: the name was taken away */
  private readonly inode = new Column(Uint32Array)
  private readonly next = new Column(Uint32Array)
  private entries = 0
  /** By the inode of a directory: its first entry and its last. */
  private readonly first = new Column(Uint32Array)
  private readonly last = new Column(Uint32Array)
  /** Numbers of entries, by their hashes: open addressing with steps of one. */
  private places = new Uint32Array(FEWEST_PLACES)
  private taken = 0
  /** So that nobody can choose names which all want one place. What is written does not depend on it. */
  private readonly secret = Math.floor(Math.random() * 2 ** 32)

  /** The inode of a name in a directory; 0 when it is not there. */
  find(directory: number, name: string): number {
    const entry = this.places[this.placeOf(directory, name)] as number
    return entry === 0 ? 0 : this.inode.get(entry)
  }

  /** The entry of a name in a directory; 0 when it is not there. */
  entryOf(directory: number, name: string): number {
    const entry = this.places[this.placeOf(directory, name)] as number
    return entry === 0 || this.inode.get(entry) === 0 ? 0 : entry
  }

  /** Enters a name that is not there, and answers its entry. */
  enter(directory: number, name: string, inode: number): number {
    const entry = ++this.entries
    this.parent.set(entry, directory)
    this.text.set(entry, this.texts.add(name))
    this.inode.set(entry, inode)
    const last = this.last.get(directory)
    if (last === 0) this.first.set(directory, entry)
    else this.next.set(last, entry)
    this.last.set(directory, entry)
    // A name that was taken away leaves its place to the new entry.
    const place = this.placeOf(directory, name)
    if (this.places[place] === 0) this.taken++
    this.places[place] = entry
    if (this.taken * 3 > this.places.length * 2) this.grow()
    return entry
  }

  /** Gives the name of an entry to another inode. */
  exchange(entry: number, inode: number): void {
    this.inode.set(entry, inode)
  }

  /** Takes a name away. */
  leave(directory: number, name: string): void {
    const entry = this.places[this.placeOf(directory, name)] as number
    if (entry !== 0) this.inode.set(entry, 0)
  }

  /** Forgets a directory that has no names any more: its inode may become another's. */
  forget(directory: number): void {
    for (let entry = this.first.get(directory); entry !== 0; entry = this.next.get(entry)) {
      this.parent.set(entry, 0)
    }
    this.first.set(directory, 0)
    this.last.set(directory, 0)
  }

  /** The entries of a directory, by numbers for `textOf` and `inodeOf`. */
  *entriesOf(directory: number): Generator<number> {
    for (let entry = this.first.get(directory); entry !== 0; entry = this.next.get(entry)) {
      if (this.inode.get(entry) !== 0) yield entry
    }
  }

  textOf(entry: number): string {
    return this.texts.get(this.text.get(entry))
  }

  /** Writes the bytes of an entry's name at `at` of `target`. */
  putText(entry: number, target: Uint8Array, at: number): void {
    this.texts.put(this.text.get(entry), target, at)
  }

  /** Bytes of an entry's name. */
  lengthOf(entry: number): number {
    return this.texts.lengthOf(this.text.get(entry))
  }

  inodeOf(entry: number): number {
    return this.inode.get(entry)
  }

  /** Where the entry of a name is, or where it would be. */
  private placeOf(directory: number, name: string): number {
    const mask = this.places.length - 1
    for (let place = this.hash(directory, name) & mask; ; place = (place + 1) & mask) {
      const entry = this.places[place] as number
      if (entry === 0) return place
      if (this.parent.get(entry) === directory && this.texts.is(this.text.get(entry), name)) return place
    }
  }

  /** FNV-1a (Fowler, Noll, Vo) from a secret start, mixed at the end as MurmurHash3 does. */
  private hash(directory: number, name: string): number {
    let hash = this.secret ^ Math.imul(directory, 0x9e3779b1)
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    return (hash ^ (hash >>> 13)) >>> 0
  }

  /** Makes room, and forgets the entries that were taken away. */
  private grow(): void {
    const old = this.places
    let alive = 0
    for (const entry of old) if (this.isAlive(entry)) alive++
    this.places = new Uint32Array(alive * 3 > old.length ? old.length * 2 : old.length)
    this.taken = alive
    for (const entry of old) {
      if (this.isAlive(entry)) this.places[this.placeOf(this.parent.get(entry), this.textOf(entry))] = entry
    }
  }

  private isAlive(entry: number): boolean {
    return entry !== 0 && this.inode.get(entry) !== 0
  }
}
