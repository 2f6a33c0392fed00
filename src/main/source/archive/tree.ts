import type { TarEntry } from '../../convert/tar/entry'
import { Column, Texts } from '../../disk/ext4/columns'
import { Names } from '../../disk/ext4/names'
import { refuse } from '../../disk/refusal'

/** What a name leads to. */
export type Kind = 'file' | 'directory' | 'symlink' | 'other'
const KINDS: readonly Kind[] = ['file', 'directory', 'symlink', 'other']
/** Below the kind in one number: permission bits. */
const MODE_BITS = 12

/** Links followed in a row, as many as Linux follows (path_resolution(7)). */
const LINK_LIMIT = 40
/** More than any real image has; each costs memory. */
const MOST_PLACES = 5_000_000
/** Names in a path; Linux cannot open more than 2,048 in one go (PATH_MAX), and walks go down them one by one. */
const DEEPEST = 2048

/** Bytes of a name and of a symlink's target that Linux can have (NAME_MAX; PATH_MAX with its end). */
const LONGEST_NAME = 255
const LONGEST_TARGET = 4095

/** OCI image specification, layer.md, "Whiteouts" and "Opaque Whiteout". */
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

/** What a hard link's header sets of its file. */
export type LinkHeader = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'modified'>

/** The node of the root. */
export const ROOT = 1

/**
 * The tree that layers make when each is laid over the ones before
 * (OCI image specification, layer.md, "Changesets"), without any content.
 * Works on names alone: nothing outside of the tree can be reached.
 *
 * Each thing is a node, a number; each name of it an entry of `names`. What is known of them stands side by side in
 * columns, some seventy bytes for a file with its name, where objects took six hundred (measured). Names and targets are
 * bytes, one to a character.
 */
export class LayeredTree {
  /** Entries of directories by the directory's node; they lead to nodes. */
  readonly names = new Names()
  /** Entries that came to lie elsewhere than their member's path says, behind a symlink of their own layer. */
  readonly moved = new Set<number>()
  /** The highest node; there is none of 0. */
  last = ROOT
  private readonly kindAndMode = new Column(Uint16Array)
  private readonly layer = new Column(Uint16Array)
  /** One more than the member's number; 0 for a directory that no layer describes. */
  private readonly member = new Column(Uint32Array)
  private readonly offset = new Column(Float64Array)
  private readonly size = new Column(Float64Array)
  private readonly target = new Column(Uint32Array)
  private readonly texts = new Texts()
  /** By entry: the member that gave a further hard link, counted from 1, and its layer; 0 for the name of the node's own member. */
  private readonly linkMember = new Column(Uint32Array)
  private readonly linkLayer = new Column(Uint16Array)
  private places = 0
  /** By node, a hash of what its header says; and what a later hard link's header says otherwise. */
  private readonly headers = new Column(Uint32Array)
  private readonly linkHeaders = new Map<number, LinkHeader>()

  /**
   * @param whiteouts whether names that begin with `.wh.` take away what lower layers have; in a plain tar they are names like others
   */
  constructor(private readonly whiteouts: boolean) {
    this.imply(ROOT, 0)
  }

  kindOf(node: number): Kind {
    return KINDS[this.kindAndMode.get(node) >> MODE_BITS] as Kind
  }

  isDirectory(node: number): boolean {
    return this.kindAndMode.get(node) >> MODE_BITS === KINDS.indexOf('directory')
  }

  /** Permission bits. */
  modeOf(node: number): number {
    return this.kindAndMode.get(node) & ((1 << MODE_BITS) - 1)
  }

  /**
   * What the last hard link to a node says of it, where that is not what its own header says. An engine that unpacks a
   * layer sets it on the file (github.com/moby/go-archive, createTarFile; containerd's archive/tar.go likewise). Extended attributes
   * stay those of the file.
   */
  linkHeaderOf(node: number): LinkHeader | null {
    return this.linkHeaders.get(node) ?? null
  }

  /** Bytes of a file. */
  sizeOf(node: number): number {
    return this.size.get(node)
  }

  /** Where a symlink leads, as it stands; empty for others. */
  targetOf(node: number): string {
    const text = this.target.get(node)
    return text === 0 ? '' : this.texts.get(text)
  }

  /** The member that a node comes from: layers count from the lowest, members from 0; -1 for a directory that no layer describes. */
  memberOf(node: number): { layer: number; member: number } {
    return { layer: this.layer.get(node), member: this.member.get(node) - 1 }
  }

  /** Where the member's own header stands in its layer's tar, in bytes. */
  offsetOf(node: number): number {
    return this.offset.get(node)
  }

  /** The member that gave a further name of its node; null for the name of the node's own member. */
  linkOf(entry: number): { layer: number; member: number } | null {
    const member = this.linkMember.get(entry)
    return member === 0 ? null : { layer: this.linkLayer.get(entry), member: member - 1 }
  }

  /**
   * Lays one member over the tree.
   * @param layer counts from 0, never less than before
   * @param member counts the members of the layer from 0
   * @returns the node that is the member's own; 0 when it brings none
   * @throws a refusal `tar-invalid` for what cannot be a member of a layer
   */
  apply(entry: TarEntry, layer: number, member: number): number {
    const parts = partsOf(entry.path)
    const name = parts.at(-1)
    if (this.whiteouts && name !== undefined) {
      // Bookkeeping of AUFS (docker/pkg/archive, WhiteoutMetaPrefix) is no part of the tree.
      if (name === OPAQUE) {
        const folder = this.nodeAt(parts.slice(0, -1))
        if (folder !== 0) this.pruneBelow(folder, layer)
        return 0
      }
      if (parts.some((part) => part.startsWith(`${WHITEOUT}${WHITEOUT}`))) return 0
      if (name.startsWith(WHITEOUT)) {
        this.whiteout(parts, name.slice(WHITEOUT.length), layer, entry)
        return 0
      }
    }
    if (name === undefined) {
      if (entry.type !== 'directory') wrong(entry, 'a root that is no directory')
      this.describe(ROOT, entry, layer, member)
      return ROOT
    }
    if (parts.length > DEEPEST) wrong(entry, 'a path of more than 2048 names')
    const { folder, isMoved } = this.parentOf(parts, layer, entry)
    const old = this.names.entryOf(folder, name)
    if (entry.type === 'hardlink') {
      const target = this.linkTarget(entry, layer)
      // A name linked to itself says nothing new.
      if (target === old) return 0
      const link = this.put(folder, name, this.names.inodeOf(target), entry)
      this.linkMember.set(link, member + 1)
      this.linkLayer.set(link, layer)
      this.move(link, isMoved)
      if (this.whiteouts) this.takeLinkHeader(this.names.inodeOf(target), entry)
      return 0
    }
    const known = old === 0 ? 0 : this.names.inodeOf(old)
    // A directory that comes again keeps what is in it.
    const isKept = entry.type === 'directory' && known !== 0 && this.isDirectory(known)
    const node = isKept ? known : ++this.last
    this.describe(node, entry, layer, member)
    this.move(this.put(folder, name, node, entry), isMoved)
    return node
  }

  /**
   * The end of a path, following symlinks inside the tree, where `/` and `..` end at its root.
   * @returns the node and its path without a slash in front; null when it leads nowhere or in a circle
   */
  resolve(path: string): { node: number; path: string } | null {
    const open = path.split('/').reverse()
    const way: { name: string; node: number }[] = []
    let links = 0
    for (let part = open.pop(); part !== undefined; part = open.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        way.pop()
        continue
      }
      const node = this.names.find(way.at(-1)?.node ?? ROOT, part)
      if (node === 0) return null
      if (this.kindOf(node) !== 'symlink') {
        way.push({ name: part, node })
        continue
      }
      links++
      if (links > LINK_LIMIT) return null
      const target = this.targetOf(node)
      if (target.startsWith('/')) way.length = 0
      open.push(...target.split('/').reverse())
    }
    return { node: way.at(-1)?.node ?? ROOT, path: way.map(({ name }) => name).join('/') }
  }

  /** All entries below a directory with their paths, each folder before what is in it. */
  *walk(directory = ROOT, path = ''): Generator<{ path: string; entry: number; node: number }> {
    const open = [{ path, entries: this.names.entriesOf(directory) }]
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.entries.next()
      if (next.done === true) {
        open.pop()
        continue
      }
      const entry = next.value
      const node = this.names.inodeOf(entry)
      const name = this.names.textOf(entry)
      const at = top.path === '' ? name : `${top.path}/${name}`
      yield { path: at, entry, node }
      if (this.isDirectory(node)) open.push({ path: at, entries: this.names.entriesOf(node) })
    }
  }

  /** The entry of a path by its parts, following no symlink; 0 when there is none. */
  private entryAt(parts: readonly string[]): number {
    let node = ROOT
    let entry = 0
    for (const part of parts) {
      entry = node === 0 ? 0 : this.names.entryOf(node, part)
      node = entry === 0 ? 0 : this.names.inodeOf(entry)
    }
    return entry
  }

  /** The same for nodes, where no parts are the root. */
  private nodeAt(parts: readonly string[]): number {
    if (parts.length === 0) return ROOT
    const entry = this.entryAt(parts)
    return entry === 0 ? 0 : this.names.inodeOf(entry)
  }

  /** The layer that gave a name. */
  private layerOfEntry(entry: number): number {
    return this.linkOf(entry)?.layer ?? this.layer.get(this.names.inodeOf(entry))
  }

  private describe(node: number, entry: TarEntry, layer: number, member: number): void {
    const isLink = entry.type === 'symlink'
    if (isLink && entry.target === '') wrong(entry, 'a symlink to nothing')
    if (isLink && entry.target.length > LONGEST_TARGET) wrong(entry, 'a symlink to more than 4095 bytes')
    const kind = KINDS.findIndex((one) => one === entry.type)
    this.kindAndMode.set(node, ((kind < 0 ? KINDS.indexOf('other') : kind) << MODE_BITS) | entry.mode)
    this.layer.set(node, layer)
    this.member.set(node, member + 1)
    this.offset.set(node, entry.offset)
    this.size.set(node, entry.type === 'file' ? entry.size : 0)
    if (this.whiteouts && !isLink && entry.type !== 'directory') this.headers.set(node, hashOf(entry))
    this.target.set(node, isLink ? this.texts.add(entry.target) : 0)
  }

  private takeLinkHeader(node: number, entry: TarEntry): void {
    const hash = this.headers.get(node)
    // Of a symlink an engine sets nothing but the owner, which changes nothing.
    if (hash === 0 || hash === hashOf(entry)) return
    this.headers.set(node, hashOf(entry))
    const { mode, uid, gid, modified } = entry
    this.linkHeaders.set(node, { mode, uid, gid, modified })
    const kind = this.kindAndMode.get(node) >> MODE_BITS
    this.kindAndMode.set(node, (kind << MODE_BITS) | mode)
  }

  /** Makes a node a directory that no layer describes. */
  private imply(node: number, layer: number): void {
    this.kindAndMode.set(node, (KINDS.indexOf('directory') << MODE_BITS) | 0o755)
    this.layer.set(node, layer)
    this.member.set(node, 0)
  }

  /** Gives a name in a directory to a node, and answers its entry. */
  private put(directory: number, name: string, node: number, entry: TarEntry): number {
    if (name.length > LONGEST_NAME) wrong(entry, 'a name of more than 255 bytes')
    this.places++
    if (this.places > MOST_PLACES)
      refuse('tar-invalid', { offset: 0, reason: 'more than five million members' })
    const old = this.names.entryOf(directory, name)
    if (old === 0) return this.names.enter(directory, name, node)
    this.names.exchange(old, node)
    this.linkMember.set(old, 0)
    return old
  }

  private move(entry: number, isMoved: boolean): void {
    if (isMoved) this.moved.add(entry)
    else if (this.moved.size > 0) this.moved.delete(entry)
  }

  /**
   * The folder of a member, made where it is missing. A symlink on the way that this layer brought is followed, as an
   * extraction of the layer would; one of a lower layer is hidden by the folder, as overlayfs does where the layer is
   * extracted apart from the others.
   */
  private parentOf(
    parts: readonly string[],
    layer: number,
    entry: TarEntry,
  ): { folder: number; isMoved: boolean } {
    let open = parts.slice(0, -1).reverse()
    let way: number[] = []
    let links = 0
    for (let part = open.pop(); part !== undefined; part = open.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        way.pop()
        continue
      }
      const folder = way.at(-1) ?? ROOT
      const place = this.names.entryOf(folder, part)
      let node = place === 0 ? 0 : this.names.inodeOf(place)
      if (node !== 0 && !this.isDirectory(node) && this.layerOfEntry(place) === layer) {
        if (this.kindOf(node) !== 'symlink') wrong(entry, 'a member below one that is no directory')
        links++
        if (links > LINK_LIMIT) wrong(entry, 'a member behind a circle of links')
        const target = this.targetOf(node)
        if (target.startsWith('/')) way = []
        open = [...open, ...target.split('/').reverse()]
        continue
      }
      if (node === 0 || !this.isDirectory(node)) {
        node = ++this.last
        this.imply(node, layer)
        this.move(this.put(folder, part, node, entry), false)
      }
      way.push(node)
      if (way.length > DEEPEST) wrong(entry, 'a path of more than 2048 names')
    }
    return { folder: way.at(-1) ?? ROOT, isMoved: links > 0 }
  }

  /** The entry that a hard link means. */
  private linkTarget(entry: TarEntry, layer: number): number {
    const parts = partsOf(entry.target)
    const name = parts.at(-1)
    if (name === undefined) wrong(entry, 'a hard link to the root')
    const target = this.entryAt(parts) || this.names.entryOf(this.parentOf(parts, layer, entry).folder, name)
    if (target === 0) wrong(entry, 'a hard link to what is not there')
    if (this.isDirectory(this.names.inodeOf(target))) wrong(entry, 'a hard link to a directory')
    return target
  }

  private whiteout(parts: readonly string[], name: string, layer: number, entry: TarEntry): void {
    if (name === '' || name === '.' || name === '..') wrong(entry, 'a whiteout of no name')
    const folder = this.nodeAt(parts.slice(0, -1))
    const place = folder === 0 ? 0 : this.names.entryOf(folder, name)
    if (place !== 0) this.prune(folder, place, layer)
  }

  /** Takes away what lower layers have below a directory: a layer's whiteouts never hide what is in the layer itself. */
  private pruneBelow(directory: number, layer: number): void {
    for (const entry of this.names.entriesOf(directory)) this.prune(directory, entry, layer)
  }

  private prune(directory: number, entry: number, layer: number): void {
    const node = this.names.inodeOf(entry)
    if (this.isDirectory(node)) this.pruneBelow(node, layer)
    if (this.layerOfEntry(entry) >= layer) return
    // What this layer put into a folder stays, in a folder that no layer describes.
    const isKept = this.isDirectory(node) && this.names.entriesOf(node).next().done !== true
    if (isKept) this.imply(node, layer)
    else this.names.leave(directory, this.names.textOf(entry))
  }
}

/** A number, not 0, by which headers that say the same are known (FNV-1a); that others have it too is not worth a thought. */
function hashOf({ mode, uid, gid, modified }: TarEntry): number {
  let hash = 0x811c9dc5
  const add = (number: number): void => {
    hash = Math.imul(hash ^ number, 0x01000193)
    hash ^= hash >>> 15
  }
  for (const number of [mode, uid, gid, modified.seconds, modified.nanoseconds]) add(number)
  return hash >>> 0 || 1
}

/** A path's names; `.` and empty ones say nothing. The reader of tars has refused `..` already. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function wrong(entry: TarEntry, reason: string): never {
  return refuse('tar-invalid', { offset: entry.offset, reason: `${reason} (${entry.path.slice(0, 200)})` })
}
