import { refuse } from '../../disk/refusal'
import type { TarEntry } from '../../convert/tar/entry'

/** What a name leads to; several names of one file share it. Names and targets are bytes, one to a character. */
export interface Inode {
  kind: 'file' | 'directory' | 'symlink' | 'other'
  /** The member that it comes from: layers count from the lowest, members from 0. A directory that no layer describes has -1. */
  layer: number
  member: number
  /** Where the member's own header stands in its layer's tar, in bytes. */
  offset: number
  /** Permission bits. */
  mode: number
  /** Bytes of a file. */
  size: number
  /** Where a symlink leads, as it stands. */
  target: string
}

/** A name in the tree. */
export interface Place {
  inode: Inode
  /** The member that gave the name; another than the inode's for a further hard link. */
  layer: number
  member: number
  /** Null for all but directories. */
  children: Map<string, Place> | null
}

/** Links followed in a row, as many as Linux follows (path_resolution(7)). */
const LINK_LIMIT = 40
/** More than any real image has; each costs memory. */
const MOST_PLACES = 5_000_000
/** Names in a path; Linux cannot open more than 2,048 in one go (PATH_MAX), and walks go down them one by one. */
const DEEPEST = 2048

/** OCI image specification, layer.md, "Whiteouts" and "Opaque Whiteout". */
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

/**
 * The tree that layers make when each is laid over the ones before
 * (OCI image specification, layer.md, "Changesets"), without any content.
 * Works on names alone: nothing outside of the tree can be reached.
 */
export class LayeredTree {
  readonly root: Place = this.impliedDirectory(0)
  /** Places that came to lie elsewhere than their member's path says, behind a symlink of their own layer. */
  readonly moved = new Set<Place>()
  private places = 0

  /**
   * @param whiteouts whether names that begin with `.wh.` take away what lower layers have; in a plain tar they are names like others
   */
  constructor(private readonly whiteouts: boolean) {}

  /**
   * Lays one member over the tree.
   * @param layer counts from 0, never less than before
   * @param member counts the members of the layer from 0
   * @throws a refusal `tar-invalid` for what cannot be a member of a layer
   */
  apply(entry: TarEntry, layer: number, member: number): void {
    const parts = partsOf(entry.path)
    const name = parts.at(-1)
    if (this.whiteouts && name !== undefined) {
      // Bookkeeping of AUFS (docker/pkg/archive, WhiteoutMetaPrefix) is no part of the tree.
      if (name === OPAQUE) {
        const folder = this.lookup(parts.slice(0, -1))
        if (folder !== null) pruneBelow(folder, layer)
        return
      }
      if (parts.some((part) => part.startsWith(`${WHITEOUT}${WHITEOUT}`))) return
      if (name.startsWith(WHITEOUT)) {
        this.whiteout(parts, name.slice(WHITEOUT.length), layer, entry)
        return
      }
    }
    if (name === undefined) {
      if (entry.type !== 'directory') wrong(entry, 'a root that is no directory')
      this.root.inode = inodeOf(entry, layer, member)
      this.root.layer = layer
      this.root.member = member
      return
    }
    if (parts.length > DEEPEST) wrong(entry, 'a path of more than 2048 names')
    const { folder, isMoved } = this.parentOf(parts, layer, entry)
    const old = folder.get(name)
    const put = (place: Place): void => {
      this.put(folder, name, place)
      if (isMoved) this.moved.add(place)
    }
    if (entry.type === 'hardlink') {
      const target = this.linkTarget(entry, layer)
      // A name linked to itself says nothing new.
      if (target === old) return
      put({ inode: target.inode, layer, member, children: null })
      return
    }
    const isDirectory = entry.type === 'directory'
    const children = isDirectory ? (old?.children ?? new Map<string, Place>()) : null
    put({ inode: inodeOf(entry, layer, member), layer, member, children })
  }

  /** A place by its parts, following no symlink; null when there is none. */
  lookup(parts: readonly string[]): Place | null {
    let place: Place = this.root
    for (const part of parts) {
      const next = place.children?.get(part)
      if (next === undefined) return null
      place = next
    }
    return place
  }

  /**
   * The end of a path, following symlinks inside the tree, where `/` and `..` end at its root.
   * @returns the place and its path without a slash in front; null when it leads nowhere or in a circle
   */
  resolve(path: string): { place: Place; path: string } | null {
    const open = path.split('/').reverse()
    const way: { name: string; place: Place }[] = []
    let links = 0
    for (let part = open.pop(); part !== undefined; part = open.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        way.pop()
        continue
      }
      const here = way.at(-1)?.place ?? this.root
      const next = here.children?.get(part)
      if (next === undefined) return null
      if (next.inode.kind !== 'symlink') {
        way.push({ name: part, place: next })
        continue
      }
      links++
      if (links > LINK_LIMIT) return null
      const { target } = next.inode
      if (target.startsWith('/')) way.length = 0
      open.push(...target.split('/').reverse())
    }
    return { place: way.at(-1)?.place ?? this.root, path: way.map(({ name }) => name).join('/') }
  }

  /** All places with their paths, each folder before what is in it. */
  *walk(place: Place = this.root, path = ''): Generator<{ path: string; place: Place }> {
    yield { path, place }
    if (place.children === null) return
    for (const [name, child] of place.children)
      yield* this.walk(child, path === '' ? name : `${path}/${name}`)
  }

  private impliedDirectory(layer: number): Place {
    const inode: Inode = {
      kind: 'directory',
      layer,
      member: -1,
      offset: 0,
      mode: 0o755,
      size: 0,
      target: '',
    }
    return { inode, layer, member: -1, children: new Map() }
  }

  private put(folder: Map<string, Place>, name: string, place: Place): void {
    this.places++
    if (this.places > MOST_PLACES)
      refuse('tar-invalid', { offset: 0, reason: 'more than five million members' })
    folder.set(name, place)
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
  ): { folder: Map<string, Place>; isMoved: boolean } {
    let open = parts.slice(0, -1).reverse()
    let way: { name: string; children: Map<string, Place> }[] = []
    const top = this.root.children as Map<string, Place>
    let links = 0
    for (let part = open.pop(); part !== undefined; part = open.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        way.pop()
        continue
      }
      const folder = way.at(-1)?.children ?? top
      let place = folder.get(part)
      if (place !== undefined && place.children === null && place.layer === layer) {
        if (place.inode.kind !== 'symlink') wrong(entry, 'a member below one that is no directory')
        links++
        if (links > LINK_LIMIT) wrong(entry, 'a member behind a circle of links')
        if (place.inode.target.startsWith('/')) way = []
        open = [...open, ...place.inode.target.split('/').reverse()]
        continue
      }
      if (place?.children == null) {
        place = this.impliedDirectory(layer)
        this.put(folder, part, place)
      }
      way.push({ name: part, children: place.children as Map<string, Place> })
      if (way.length > DEEPEST) wrong(entry, 'a path of more than 2048 names')
    }
    return { folder: way.at(-1)?.children ?? top, isMoved: links > 0 }
  }

  private linkTarget(entry: TarEntry, layer: number): Place {
    const parts = partsOf(entry.target)
    const name = parts.at(-1)
    if (name === undefined) wrong(entry, 'a hard link to the root')
    const target = this.lookup(parts) ?? this.parentOf(parts, layer, entry).folder.get(name)
    if (target === undefined) wrong(entry, 'a hard link to what is not there')
    if (target.children !== null) wrong(entry, 'a hard link to a directory')
    return target
  }

  private whiteout(parts: readonly string[], name: string, layer: number, entry: TarEntry): void {
    if (name === '' || name === '.' || name === '..') wrong(entry, 'a whiteout of no name')
    const folder = this.lookup(parts.slice(0, -1))?.children
    const place = folder?.get(name)
    if (folder == null || place === undefined) return
    pruneBelow(place, layer)
    if (place.layer >= layer) return
    if (place.children === null || place.children.size === 0) folder.delete(name)
    // What this layer put into the folder stays, in a folder that no layer describes.
    else folder.set(name, { ...this.impliedDirectory(layer), children: place.children })
  }
}

/** Takes away what lower layers have below a place: a layer's whiteouts never hide what is in the layer itself. */
function pruneBelow(place: Place, layer: number): void {
  if (place.children === null) return
  for (const [name, child] of place.children) {
    pruneBelow(child, layer)
    if (child.layer < layer && (child.children === null || child.children.size === 0)) {
      place.children.delete(name)
    } else if (child.layer < layer) {
      child.inode = { ...child.inode, layer, member: -1, mode: 0o755 }
      child.layer = layer
      child.member = -1
    }
  }
}

const kinds = { file: 'file', directory: 'directory', symlink: 'symlink' } as const

function inodeOf(entry: TarEntry, layer: number, member: number): Inode {
  return {
    kind: entry.type in kinds ? kinds[entry.type as keyof typeof kinds] : 'other',
    layer,
    member,
    offset: entry.offset,
    mode: entry.mode,
    size: entry.type === 'file' ? entry.size : 0,
    target: entry.type === 'symlink' ? entry.target : '',
  }
}

/** A path's names; `.` and empty ones say nothing. The reader of tars has refused `..` already. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function wrong(entry: TarEntry, reason: string): never {
  return refuse('tar-invalid', { offset: entry.offset, reason: `${reason} (${entry.path.slice(0, 200)})` })
}
