import { fail, type Failure } from '../../shared/failure'
import type { AddedEntry, TreeEdits } from './edits'
import { BLOCK } from './tar/layout'
import { parsePax } from './tar/pax'
import { decodeHeader, encodeHeader, encodePax, type TarHeader } from './tar-blocks'

/** Bytes of pax or GNU long-name data of one entry. */
const MAXIMUM_META_BYTES = 1024 * 1024
/** Bytes of one removed file, and of all of them, that are kept for a hard link to come. */
const MAXIMUM_KEPT_BYTES = 1024 * 1024
const MAXIMUM_KEPT_TOTAL = 16 * 1024 * 1024

/** Why a tar cannot become a disk; expected, as images are anybody's. */
export class TarFilterError extends Error {
  readonly failure: Failure
  constructor(failed: { failure: Failure }) {
    super(JSON.stringify(failed.failure))
    this.failure = failed.failure
  }
}

/** An entry that is being read: what came before its data, as it came, and what that says. */
interface Entry {
  /** The pax, long-name and header blocks. */
  blocks: Buffer[]
  header: TarHeader
  /** pax records (POSIX.1-2017, pax, "Extended Header"), GNU long names among them. */
  records: Map<string, string>
  /** Without leading or trailing slash and `.` components, bytes as latin1. */
  path: string
  linkPath: string
  sizeBytes: number
}

/** The data of an entry that is being read, padding included, and what becomes of it. */
interface EntryData {
  /** Bytes still to come; of a meta entry all of them, as they are taken together. */
  left: number
  whereTo: 'pass' | 'drop' | Buffer[] | { meta: TarHeader }
}

/** A removed entry, kept because a later hard link may need what it holds. */
interface Kept {
  entry: Entry
  data: Buffer[]
  /** The path under which it came over after all. */
  newPath: string | null
}

/**
 * Applies edits to a tar stream while it passes: removed entries go, as does
 * what is in emptied directories, which come at the end with the added
 * entries. All else passes unchanged and uncopied.
 *
 * A hard link to a removed file becomes that file, as the two are one; further
 * links to it follow. Only removed files of up to 1 MiB (16 MiB in all) are
 * kept for that: a link to a larger one is refused as `not-supported`.
 * @param source an uncompressed tar: ustar, pax or GNU. It is read to its end, beyond the end marker
 * @param edits what changes
 * @param time of the added entries, seconds since 1970
 * @returns the bytes of a tar
 * @throws TarFilterError with `tar-invalid`, with `engine-lost` when the source ends before the end marker, or with
 *   `not-supported` when an added entry's parent is something else than a directory
 */
export async function* filterTar(
  source: AsyncIterable<Buffer>,
  edits: TreeEdits,
  time: number = Math.floor(Date.now() / 1000),
): AsyncGenerator<Buffer, void> {
  const filter = createFilter(edits)
  const output = createOutput()
  /** Bytes read so far, and whether the end marker was among them. */
  const reading = { offset: 0, isEnded: false }
  let data: EntryData | null = null
  let partial: Buffer[] = []
  let partialBytes = 0
  let blocks: Buffer[] = []
  let records = new Map<string, string>()

  const invalid = (reason: string): TarFilterError =>
    new TarFilterError(fail('tar-invalid', { offset: reading.offset, reason }))

  /** Takes bytes off the chunk until `wanted` are together; null while they are not. */
  const gather = (piece: Buffer, wanted: number): Buffer | null => {
    partial.push(piece)
    partialBytes += piece.length
    if (partialBytes < wanted) return null
    const whole = partial.length === 1 ? piece : Buffer.concat(partial)
    partial = []
    partialBytes = 0
    return whole
  }

  const readHeaderBlock = (block: Buffer): EntryData | null => {
    const header = decodeHeader(block)
    if (header === 'end') {
      if (blocks.length > 0) throw invalid('an extended header without its entry')
      reading.isEnded = true
      return null
    }
    if (header === null) throw invalid('a header that is none')
    blocks.push(block)
    if (['x', 'X', 'g', 'L', 'K'].includes(header.type)) {
      if (header.sizeBytes < 1 || header.sizeBytes > MAXIMUM_META_BYTES) {
        throw invalid('an extended header of unlikely size')
      }
      return { left: padded(header.sizeBytes), whereTo: { meta: header } }
    }
    if (header.type === 'S') throw invalid('an old GNU sparse file')
    const entry = makeEntry(blocks, header, records)
    if (entry === null) throw invalid('a name that leads out of the tree, or a size that is none')
    blocks = []
    records = new Map()
    const whereTo = filter.take(entry, output)
    return entry.sizeBytes === 0 ? null : { left: padded(entry.sizeBytes), whereTo }
  }

  const readMeta = (bytes: Buffer, header: TarHeader): void => {
    blocks.push(bytes)
    const content = bytes.subarray(0, header.sizeBytes)
    if (header.type === 'L' || header.type === 'K') {
      const [name = ''] = content.toString('latin1').split('\0', 1)
      records.set(header.type === 'L' ? 'path' : 'linkpath', name)
      return
    }
    const parsed = parsePax(content, 0, content.length)
    if (parsed === null) throw invalid('a pax header that cannot be read')
    if (header.type !== 'g') {
      for (const [key, value] of parsed.values) records.set(key, value.toString('latin1'))
      return
    }
    if (['path', 'linkpath', 'size'].some((key) => parsed.values.has(key)))
      throw invalid('a global name or size')
    for (const block of blocks) output.push(block)
    blocks = []
  }

  for await (const chunk of source) {
    let start = 0
    while (start < chunk.length && !reading.isEnded) {
      const wanted: number = (data?.left ?? BLOCK) - partialBytes
      const piece = chunk.subarray(start, start + wanted)
      start += piece.length
      reading.offset += piece.length
      if (data === null) {
        const block = gather(piece, BLOCK)
        if (block !== null) data = readHeaderBlock(block)
      } else if (typeof data.whereTo === 'object' && 'meta' in data.whereTo) {
        const bytes = gather(piece, data.left)
        if (bytes === null) continue
        readMeta(bytes, data.whereTo.meta)
        data = null
      } else {
        if (data.whereTo === 'pass') output.push(piece)
        else if (data.whereTo !== 'drop') data.whereTo.push(Buffer.from(piece))
        data.left -= piece.length
        if (data.left === 0) data = null
      }
    }
    yield* output.take()
  }
  if (!reading.isEnded)
    throw new TarFilterError(fail('engine-lost', { detail: 'the export ended too early' }))
  filter.finish(output, time)
  output.push(Buffer.alloc(2 * BLOCK))
  yield* output.take()
}

/** Pieces that leave, joined without copying where they lie side by side in memory. */
interface Output {
  push(piece: Buffer): void
  take(): Buffer[]
}

function createOutput(): Output {
  let pieces: Buffer[] = []
  return {
    push(piece) {
      const last = pieces.at(-1)
      if (last?.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset) {
        pieces[pieces.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + piece.length)
      } else pieces.push(piece)
    },
    take() {
      const taken = pieces
      pieces = []
      return taken
    },
  }
}

/** The decisions, entry by entry. */
function createFilter(edits: TreeEdits): {
  take(entry: Entry, output: Output): 'pass' | 'drop' | Buffer[]
  finish(output: Output, time: number): void
} {
  const removed = new Set([...edits.removed, ...edits.added.filter(hasNothingBelow).map(({ path }) => path)])
  const addedDirectories = new Set(
    edits.added.filter((entry) => !hasNothingBelow(entry)).map(({ path }) => path),
  )
  const emptied = new Set(edits.emptied.map(({ path }) => path))
  /** Those that the tree has as symlinks, which stay; of what comes twice the last counts. */
  const linked = new Set<string>()
  /** What the tree has at the parents of added entries: true for a directory. */
  const parents = new Map<string, boolean>()
  for (const { path } of edits.added) for (const parent of ancestors(path)) parents.set(parent, false)
  const seen = new Set<string>()
  const kept = new Map<string, Kept>()
  let keptBytes = 0

  const goes = (path: string): boolean =>
    removed.has(path) ||
    addedDirectories.has(path) ||
    ancestors(path).some((parent) => removed.has(parent) || emptied.has(parent))

  const passOn = (entry: Entry, output: Output): 'pass' => {
    for (const block of entry.blocks) output.push(block)
    return 'pass'
  }

  return {
    take(entry, output) {
      if (emptied.has(entry.path)) {
        if (entry.header.type !== '2') linked.delete(entry.path)
        else {
          linked.add(entry.path)
          return passOn(entry, output)
        }
      }
      if (emptied.has(entry.path) || goes(entry.path)) {
        if (entry.header.type === '5' || entry.header.type === '1') return 'drop'
        // A sparse file's records cannot be written again one by one.
        if ([...entry.records.keys()].some((key) => key.startsWith('GNU.sparse.'))) return 'drop'
        if (entry.sizeBytes > MAXIMUM_KEPT_BYTES || keptBytes + entry.sizeBytes > MAXIMUM_KEPT_TOTAL)
          return 'drop'
        keptBytes += entry.sizeBytes + BLOCK
        const data: Buffer[] = []
        kept.set(entry.path, { entry, data, newPath: null })
        return data
      }
      if (parents.has(entry.path)) {
        seen.add(entry.path)
        parents.set(entry.path, entry.header.type === '5')
      }
      if (entry.header.type !== '1' || !(emptied.has(entry.linkPath) || goes(entry.linkPath)))
        return passOn(entry, output)
      const original = kept.get(entry.linkPath)
      if (original === undefined) {
        throw new TarFilterError(
          fail('not-supported', {
            what: `/${entry.path}, a hard link to /${entry.linkPath}, which stays behind`,
          }),
        )
      }
      if (original.newPath === null) {
        original.newPath = entry.path
        output.push(encodePax(new Map([...original.entry.records, ['path', entry.path]])))
        output.push(original.entry.blocks.at(-1) ?? Buffer.alloc(0))
        for (const piece of original.data) output.push(piece)
      } else {
        output.push(
          encodePax(new Map([...entry.records, ['path', entry.path], ['linkpath', original.newPath]])),
        )
        output.push(entry.blocks.at(-1) ?? Buffer.alloc(0))
      }
      return 'drop'
    },
    finish(output, time) {
      for (const [path, isDirectory] of [...parents].sort(([one], [other]) => one.length - other.length)) {
        if (addedDirectories.has(path)) continue
        if (!seen.has(path)) writeEntry({ path, kind: 'directory', mode: 0o755 }, time, output)
        else if (!isDirectory) {
          throw new TarFilterError(fail('not-supported', { what: `an image whose /${path} is no directory` }))
        }
      }
      for (const { path, mode } of edits.emptied) {
        if (!linked.has(path)) writeEntry({ path, kind: 'directory', mode }, time, output)
      }
      for (const entry of edits.added) writeEntry(entry, time, output)
    },
  }
}

/** Whether an added entry takes the place of all that the image has below its path. */
function hasNothingBelow(entry: AddedEntry): boolean {
  return entry.kind !== 'directory'
}

function writeEntry(entry: AddedEntry, time: number, output: Output): void {
  const type = { file: '0', directory: '5', symlink: '2' }[entry.kind]
  const content = Buffer.from(entry.content ?? [])
  output.push(encodePax(new Map([['path', entry.path], ...linkRecord(entry), ...ownerRecords(entry)])))
  output.push(
    encodeHeader({
      path: entry.path,
      linkPath: entry.target ?? '',
      type,
      mode: entry.mode,
      time,
      sizeBytes: content.length,
      ...(entry.owner === undefined ? {} : { owner: entry.owner }),
    }),
  )
  output.push(Buffer.concat([content, Buffer.alloc(padded(content.length) - content.length)]))
}

/** The header has no room for large numbers. */
function ownerRecords({ owner }: AddedEntry): [string, string][] {
  return owner === undefined
    ? []
    : [
        ['uid', String(owner.user)],
        ['gid', String(owner.group)],
      ]
}

function linkRecord(entry: AddedEntry): [string, string][] {
  return entry.target === undefined ? [] : [['linkpath', entry.target]]
}

function makeEntry(blocks: Buffer[], header: TarHeader, records: Map<string, string>): Entry | null {
  const path = plainPath(records.get('path') ?? header.path)
  const linkPath = records.get('linkpath') ?? header.linkPath
  const plainLink = header.type === '1' ? plainPath(linkPath) : linkPath
  // As GNU tar: a link and a directory have no data, whatever their size fields say. What it makes of a device's or a
  // fifo's differs between listing and extracting: there must be none.
  const sizeText = records.get('size')
  const sizeBytes = ['1', '2', '5'].includes(header.type)
    ? 0
    : sizeText === undefined
      ? header.sizeBytes
      : Number(sizeText)
  if (path === null || plainLink === null || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) return null
  if (['3', '4', '6'].includes(header.type) && sizeBytes > 0) return null
  return { blocks, header, records, path, linkPath: plainLink, sizeBytes }
}

/** A path without its slashes at both ends and its `.` components; null when it has a `..` */
function plainPath(raw: string): string | null {
  if (!/^\/|\/$|\/\/|(^|\/)\.{1,2}(\/|$)/.test(raw)) return raw
  const parts = raw.split('/').filter((part) => part !== '' && part !== '.')
  return parts.includes('..') ? null : parts.join('/')
}

/** `a/b/c` gives `a` and `a/b`. */
function ancestors(path: string): string[] {
  const parents: string[] = []
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    parents.push(path.slice(0, slash))
  }
  return parents
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK
}
