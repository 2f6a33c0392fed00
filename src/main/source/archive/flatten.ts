import { Buffer } from 'node:buffer'
import type { TarEntry } from '../../convert/tar/entry'
import { BLOCK } from '../../convert/tar/layout'
import { TarReader } from '../../convert/tar/reader'
import { encodeMember, storedBytes } from './encode'
import { layerChunks, type Layer } from './layers'
import { partsOf, ROOT, type LayeredTree, type LinkHeader } from './tree'

/** Which members of the layers make up the tree, and as what. */
export interface Selection {
  /** Folders that no layer describes, each before what is in it. */
  implied: string[]
  /** For each layer, for each of its members: 1 when it is part of the tree. */
  chosen: Uint8Array[]
  /** For each layer, by member: where it does not come as its header says. `target` makes it a hard link. */
  changed: Map<number, Change>[]
}

interface Change {
  path: string
  target: string | null
  /** What the last hard link to it says. */
  header: LinkHeader | null
}

const OUTPUT_CHUNK = 256 * 1024

/**
 * Decides which members make up the tree. A file whose first name is hidden comes under the first name that is left
 * of it; the names after that are hard links to it.
 * @param members how many each layer has
 */
export function selectMembers(tree: LayeredTree, members: readonly number[]): Selection {
  const selection: Selection = {
    implied: [],
    chosen: members.map((count) => new Uint8Array(count)),
    changed: members.map(() => new Map<number, Change>()),
  }
  const choose = (of: { layer: number; member: number }, change: Change | null) => {
    const chosen = selection.chosen[of.layer]
    if (chosen === undefined) throw new Error('a member of no layer')
    chosen[of.member] = 1
    if (change !== null) selection.changed[of.layer]?.set(of.member, change)
  }
  if (tree.memberOf(ROOT).member >= 0) choose(tree.memberOf(ROOT), null)
  const links = new Map<number, { of: { layer: number; member: number }; path: string }[]>()
  for (const { path, entry, node } of tree.walk()) {
    const link = tree.linkOf(entry)
    if (link === null) {
      const own = tree.memberOf(node)
      const header = tree.linkHeaderOf(node)
      const isChanged = header !== null || tree.moved.has(entry)
      if (own.member >= 0) choose(own, isChanged ? { path, target: null, header } : null)
      else selection.implied.push(path)
      continue
    }
    const known = links.get(node)
    if (known === undefined) links.set(node, [{ of: link, path }])
    else known.push({ of: link, path })
  }
  if (links.size === 0) return selection
  const firstNames = new Map<number, string>()
  for (const { path, entry, node } of tree.walk()) {
    if (links.has(node) && tree.linkOf(entry) === null) firstNames.set(node, path)
  }
  for (const [node, names] of links) {
    names.sort((a, b) => a.of.layer - b.of.layer || a.of.member - b.of.member)
    let first = firstNames.get(node)
    if (first === undefined) {
      first = names.shift()?.path ?? ''
      choose(tree.memberOf(node), { path: first, target: null, header: tree.linkHeaderOf(node) })
    }
    for (const { of, path } of names) choose(of, { path, target: first, header: tree.linkHeaderOf(node) })
  }
  return selection
}

/**
 * The tree of the layers as one tar, lowest layer first: what `docker export` gives of a container of the image.
 * Memory does not grow with the content. Each chunk may be overwritten when the next but one is asked for.
 * @param selection of the layers' tree, which is no longer needed
 * @param path the archive's, for refusals
 * @throws refusals: those of `layerChunks`; every layer is read to its end, so that each digest is checked
 */
export async function* flattenLayers(
  layers: readonly Layer[],
  { implied, chosen, changed }: Selection,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const output = new Output()
  for (const folder of implied) output.push(encodeMember(impliedEntry(folder)))
  for (const [number, layer] of layers.entries()) {
    let member = -1
    let open: TarEntry | null = null
    const reader = new TarReader({
      entry(entry) {
        member++
        open = null
        if (chosen[number]?.[member] !== 1) return
        const come = changed[number]?.get(member)
        const written =
          come === undefined ? { ...entry, path: partsOf(entry.path).join('/') } : changedEntry(entry, come)
        output.push(encodeMember(written))
        if (written.type === 'file') open = entry
      },
      data(bytes, start, end) {
        if (open !== null) output.push(bytes.subarray(start, end))
      },
      endFile() {
        if (open !== null) output.pad(storedBytes(open))
        open = null
      },
    })
    for await (const chunk of layerChunks(layer, path, signal)) {
      reader.push(chunk)
      yield* output.take()
    }
    // It was a whole tar when it was indexed, and its digest is right.
    reader.finish()
  }
  output.push(Buffer.alloc(2 * BLOCK))
  yield* output.takeAll()
}

function changedEntry(entry: TarEntry, { path, target, header }: Change): TarEntry {
  if (target !== null) {
    const none = { size: 0, segments: null, major: 0, minor: 0 }
    return { ...entry, ...header, path, type: 'hardlink', target, ...none, xattrs: [] }
  }
  return { ...entry, ...header, path }
}

function impliedEntry(path: string): TarEntry {
  return {
    type: 'directory',
    path,
    target: '',
    mode: 0o755,
    uid: 0,
    gid: 0,
    modified: { seconds: 0, nanoseconds: 0 },
    accessed: null,
    size: 0,
    segments: null,
    major: 0,
    minor: 0,
    xattrs: [],
    offset: 0,
  }
}

/** Gathers what leaves into chunks of one size, whose buffers are used again when their reader is through with them. */
class Output {
  private full: Buffer[] = []
  private readonly spare: Buffer[] = []
  /** The chunk that the reader has. */
  private last: Buffer | null = null
  private chunk: Buffer = Buffer.allocUnsafeSlow(OUTPUT_CHUNK)
  private used = 0

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, OUTPUT_CHUNK - this.used)
      this.chunk.set(bytes.subarray(at, at + count), this.used)
      this.used += count
      at += count
      if (this.used === OUTPUT_CHUNK) this.next()
    }
  }

  /** Fills up to a whole block after so many bytes of data. */
  pad(bytes: number): void {
    this.push(Buffer.alloc(-bytes & (BLOCK - 1)))
  }

  /** Gives away what is full. */
  *take(): Generator<Buffer> {
    const taken = this.full
    this.full = []
    for (const chunk of taken) {
      yield chunk
      if (this.last !== null) this.spare.push(this.last)
      this.last = chunk
    }
  }

  /** Gives away all that is left. */
  takeAll(): Generator<Buffer> {
    if (this.used > 0) {
      this.full.push(this.chunk.subarray(0, this.used))
      this.used = 0
    }
    return this.take()
  }

  private next(): void {
    this.full.push(this.chunk)
    this.chunk = this.spare.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_CHUNK)
    this.used = 0
  }
}
