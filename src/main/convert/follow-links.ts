import { posix } from 'node:path'
import { fail, ok, type Failure, type Result } from '../../shared/failure'
import type { TreeFiles } from '../source/tree-files'
import type { AddedEntry, TreeEdits } from './edits'

/** As many as the kernel follows in one path (path_resolution(7)). */
const MOST_LINKS = 40

/**
 * Edits whose paths lead through no symlink of the tree: where `/etc` is a link, what belongs into it goes to where it
 * leads, and what is to go is taken from there. What is only to be added where nothing is, is decided here. Links are
 * followed inside the tree alone. Both engines then do the same, and an image is refused before anything is written.
 * @param files the tree's
 * @param edits with paths as the machine will know them
 * @returns `not-supported` where something is to be added below what is no directory
 */
export async function followLinks(files: TreeFiles, edits: TreeEdits): Promise<Result<TreeEdits>> {
  const certain = edits.added.filter(({ kind, unlessThere }) => kind === 'directory' && unlessThere !== true)
  const made = new Set(certain.map(({ path }) => path))
  const known = new Map<string, Promise<string | null>>()

  /** The directory that a path leads to, without a leading slash; null when it is none, or not one that can be found. */
  function directory(path: string, links: number): Promise<string | null> {
    const asked = known.get(path)
    if (asked !== undefined) return asked
    const found = look(path, links)
    known.set(path, found)
    return found
  }
  async function look(path: string, links: number): Promise<string | null> {
    if (path === '') return ''
    const parent = await directory(parentOf(path), links)
    if (parent === null) return null
    const real = posix.join(parent, posix.basename(path))
    // It takes the place of whatever the tree has there.
    if (made.has(path)) return real
    const entry = await files.stat(`/${real}`)
    if (entry === null || entry.kind === 'directory') return real
    if (entry.kind !== 'link' || links === 0) return null
    const end = await files.resolve(`/${real}`)
    return end?.kind === 'directory' ? directory(end.path.slice(1), links - 1) : null
  }

  const removed = await Promise.all(
    edits.removed.map(async (path) => {
      const parent = await directory(parentOf(path), MOST_LINKS)
      // There is nothing below what is no directory.
      return parent === null ? path : posix.join(parent, posix.basename(path))
    }),
  )
  const added = await Promise.all(
    edits.added.map(async (entry): Promise<AddedEntry | { failure: Failure } | null> => {
      const parent = await directory(parentOf(entry.path), MOST_LINKS)
      if (parent === null && entry.unlessThere === true) return null
      if (parent === null)
        return fail('not-supported', { what: `an image whose /${parentOf(entry.path)} is no directory` })
      const placed = parent === parentOf(entry.path) ? entry : moved(entry, parent)
      return placed.unlessThere === true && (await files.stat(`/${placed.path}`)) !== null ? null : placed
    }),
  )
  const settled: AddedEntry[] = []
  for (const one of added) {
    if (one === null) continue
    if ('failure' in one) return { ok: false, failure: one.failure }
    settled.push(one)
  }
  // Two paths may lead to one place; the later wins, as in `joinEdits`.
  return ok({ ...edits, removed, added: [...new Map(settled.map((one) => [one.path, one])).values()] })
}

/** An entry in another directory; the target of a link stays what it was. */
function moved(entry: AddedEntry, parent: string): AddedEntry {
  const path = posix.join(parent, posix.basename(entry.path))
  if (entry.target === undefined) return { ...entry, path }
  return { ...entry, path, target: posix.resolve('/', parentOf(entry.path), entry.target) }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
