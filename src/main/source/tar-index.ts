import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { posix } from 'node:path'
import { ok, type Result } from '../../shared/failure'
import { fileChunks } from '../convert/direct/source'
import type { TarEntry } from '../convert/tar/entry'
import { TarReader } from '../convert/tar/reader'
import { Refusal, refusalOf } from '../disk/refusal'
import type { EntryStat, TreeFiles } from './tree-files'

/** Links followed in a row, as many as Linux follows (path_resolution(7)). */
const LINK_LIMIT = 40

/** A file, directory or link of the archive. */
interface Node {
  kind: EntryStat['kind']
  sizeBytes: number
  permissions: number
  /** of a link, as it stands */
  target: string
  /** where a file's bytes begin in the archive; null for a sparse file, whose bytes lie in parts */
  data: number | null
  /** of a directory, by name */
  children: Map<string, Node> | null
}

/** An archive that was read once from one end to the other. */
export interface TarIndex {
  /** SHA-256 of the archive, in hexadecimal digits. */
  sha256: string
  /** Of the archive. */
  sizeBytes: number
  /** The latest time that a member has, in milliseconds since 1970. */
  modifiedAt: number
  /** Its files, as they are when all of it is unpacked. They are read from the archive again when asked for. */
  files: TreeFiles
}

/**
 * Reads an uncompressed tar and notes what lies where in it.
 * @param path absolute
 * @param signal cancels; the call then throws its reason
 * @returns `tar-invalid`; throws what the file system says
 */
export async function indexTar(path: string, signal: AbortSignal): Promise<Result<TarIndex>> {
  const root = directoryNode()
  const hash = createHash('sha256')
  let modifiedAt = 0
  let current: Node | null = null
  let needsOffset = false
  const reader = new TarReader({
    entry(entry) {
      modifiedAt = Math.max(modifiedAt, entry.modified.seconds * 1000)
      current = addEntry(root, entry)
      needsOffset = current !== null && entry.type === 'file' && entry.segments === null
    },
    data(_bytes, start) {
      if (needsOffset && current !== null) current.data = reader.bytesRead + start
      needsOffset = false
    },
    endFile() {
      current = null
    },
  })
  try {
    let sizeBytes = 0
    for await (const chunk of fileChunks(path)) {
      signal.throwIfAborted()
      sizeBytes += chunk.length
      hash.update(chunk)
      reader.push(chunk)
    }
    reader.finish()
    return ok({ sha256: hash.digest('hex'), sizeBytes, modifiedAt, files: filesOf(path, root) })
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, failure: refusalOf(error) }
    throw error
  }
}

function directoryNode(): Node {
  return { kind: 'directory', sizeBytes: 0, permissions: 0o755, target: '', data: null, children: new Map() }
}

/** Puts a member into the tree as the direct engine would; answers its node, or null where it has none of its own. */
function addEntry(root: Node, entry: TarEntry): Node | null {
  const parts = entry.path.split('/').filter((part) => part !== '' && part !== '.')
  const name = parts.pop()
  if (name === undefined) return null
  const parent = directoryAt(root, parts)
  if (parent?.children == null) return null
  if (entry.type === 'hardlink') {
    const linked = lookUp(root, `/${entry.target}`, false)
    if (linked !== null) parent.children.set(name, linked.node)
    return null
  }
  const existing = parent.children.get(name)
  if (entry.type === 'directory' && existing?.kind === 'directory') return existing
  const kind = entry.type === 'symlink' ? 'link' : entry.type
  const node: Node = {
    kind: kind === 'file' || kind === 'directory' || kind === 'link' ? kind : 'other',
    sizeBytes: entry.size,
    permissions: entry.mode & 0o777,
    target: entry.type === 'symlink' ? entry.target : '',
    data: null,
    children: entry.type === 'directory' ? new Map() : null,
  }
  parent.children.set(name, node)
  return node
}

/** The directory that a member lies in; those that the archive does not name are made. */
function directoryAt(root: Node, parts: readonly string[]): Node | null {
  let path = ''
  let at = root
  for (const part of parts) {
    path += `/${part}`
    const found = lookUp(root, path, true)
    if (found !== null) at = found.node
    else {
      const made = directoryNode()
      at.children?.set(part, made)
      at = made
    }
    if (at.kind !== 'directory') return null
  }
  return at
}

/** Finds a path, links inside it followed as in the machine. */
function lookUp(root: Node, path: string, followLast: boolean): { path: string; node: Node } | null {
  let left = path.split('/').filter((part) => part !== '')
  let at: { path: string; node: Node }[] = [{ path: '/', node: root }]
  for (let links = 0; left.length > 0;) {
    const [part = '', ...rest] = left
    left = rest
    const here = at.at(-1) as { path: string; node: Node }
    if (part === '.') continue
    if (part === '..') {
      if (at.length > 1) at.pop()
      continue
    }
    const node = here.node.children?.get(part)
    if (node === undefined) return null
    if (node.kind === 'link' && (followLast || left.length > 0)) {
      if (++links > LINK_LIMIT) return null
      left = [...node.target.split('/').filter((one) => one !== ''), ...left]
      if (node.target.startsWith('/')) at = [{ path: '/', node: root }]
    } else at.push({ path: posix.join(here.path, part), node })
  }
  return at.at(-1) ?? null
}

function filesOf(archive: string, root: Node): TreeFiles {
  async function readAt(offset: number, length: number): Promise<Buffer> {
    let file: FileHandle | null = null
    try {
      file = await open(archive, 'r')
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file?.close()
    }
  }
  const entryAt = (path: string, followLast: boolean): EntryStat | null => {
    const found = lookUp(root, path, followLast)
    if (found === null) return null
    const { kind, sizeBytes, permissions, target } = found.node
    const resolved = kind === 'link' ? posix.resolve(posix.dirname(found.path), target) : ''
    return { path: found.path, sizeBytes, permissions, kind, target: resolved }
  }
  return {
    stat: (path) => Promise.resolve(entryAt(path, false)),
    resolve: (path) => Promise.resolve(entryAt(path, true)),
    async read(path, limit) {
      const node = lookUp(root, path, true)?.node
      if (node?.kind !== 'file') return null
      if (node.sizeBytes === 0) return Buffer.alloc(0)
      return node.data === null ? null : readAt(node.data, Math.min(limit, node.sizeBytes))
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- other trees have to wait for theirs
    async *list(path) {
      const found = lookUp(root, path, true)
      if (found !== null) yield* namesIn(found.node, posix.basename(found.path))
    },
  }
}

function* namesIn(node: Node, before: string): Generator<{ name: string }> {
  for (const [name, child] of node.children ?? []) {
    yield { name: `${before}/${name}` }
    yield* namesIn(child, `${before}/${name}`)
  }
}
