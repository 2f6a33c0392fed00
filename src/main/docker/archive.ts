import type Docker from 'dockerode'
import { setMaxListeners } from 'node:events'
import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { z } from 'zod'
import type { EntryStat, TreeFiles } from '../source/tree-files'
import { asReadable, statusCode } from './connect'

/** Links followed in a row, as many as Linux follows (path_resolution(7)). */
const LINK_LIMIT = 40
const BLOCK = 512
/** The folder that is read as a whole: an engine needs about 55 ms for each archive that it makes, however small (measured with 20.10). */
const SETTINGS = '/etc'
/** Bytes of its archive that are read, and of one file in it that are kept. */
const FOLDER_LIMIT = 16 * 1024 * 1024
const FOLDER_FILE_LIMIT = 256 * 1024

/** What a tar header says (POSIX.1-2017, pax, "ustar Interchange Format"). */
export interface TarHeader {
  /** Bytes as latin1. */
  name: string
  sizeBytes: number
  /** `0` file, `2` symbolic link, `5` directory, … */
  type: string
}

const statSchema = z.object({
  size: z.number(),
  mode: z.number(),
  linkTarget: z.string().default(''),
})

/** Go's file mode bits (pkg.go.dev/io/fs#FileMode), in which the engine answers. */
const goMode = { directory: 2 ** 31, link: 2 ** 27 }
const goOther = [2 ** 26, 2 ** 25, 2 ** 24, 2 ** 21, 2 ** 19]
const hasBit = (mode: number, bit: number): boolean => Math.floor(mode / bit) % 2 === 1

/**
 * Opens a container's files. The engine itself resolves every path inside the container's root.
 * @param container created, not started
 * @param abortSignal ends every call; they then throw
 */
export function containerFiles(container: Docker.Container, abortSignal: AbortSignal): TreeFiles {
  // Many questions are asked at once, and each listens; Node would take that for a leak.
  setMaxListeners(0, abortSignal)
  async function stat(path: string): Promise<EntryStat | null> {
    try {
      const response = (await container.infoArchive({ path, abortSignal })) as Readable & {
        headers: Record<string, string | undefined>
      }
      response.on('error', () => undefined).resume()
      const text = Buffer.from(response.headers['x-docker-container-path-stat'] ?? '', 'base64').toString()
      return entryStat(path, statSchema.parse(JSON.parse(text)))
    } catch (error) {
      // 404: not there. 400, 500: a path through a file, or a circle of links.
      if (statusCode(error) !== null) return null
      throw error
    }
  }

  async function resolve(path: string): Promise<EntryStat | null> {
    let found = await stat(path)
    for (let links = 0; found?.kind === 'link'; links++) {
      if (links === LINK_LIMIT || found.target === '') return null
      found = await stat(posix.resolve(posix.dirname(found.path), found.target))
    }
    return found
  }

  /** Opens the archive of a path that is no link. */
  async function open(path: string): Promise<Readable> {
    const stream = asReadable(await container.getArchive({ path, abortSignal }))
    stream.on('error', () => undefined)
    return stream
  }

  let settings: Promise<FolderContent> | null = null
  /** What lies in /etc, where most of what is asked for is: read once, as far as its limit. */
  function settingsFolder(): Promise<FolderContent> {
    settings ??= readSettings()
    return settings
  }
  async function readSettings(): Promise<FolderContent> {
    if ((await stat(SETTINGS))?.kind !== 'directory') return { names: [], files: new Map(), isWhole: false }
    const stream = await open(SETTINGS)
    try {
      return await readFolder(stream)
    } finally {
      stream.destroy()
    }
  }

  return {
    stat,
    resolve,
    async read(path, limit) {
      const found = await resolve(path)
      if (found?.kind !== 'file') return null
      if (found.path.startsWith(`${SETTINGS}/`)) {
        const content = (await settingsFolder()).files.get(found.path.slice(1))
        if (content?.length === found.sizeBytes) return content.subarray(0, limit)
      }
      const stream = await open(found.path)
      try {
        const tar = tarReader(stream, limit + 64 * BLOCK)
        for (let header = await tar.next(); header !== null; header = await tar.next()) {
          if (isContent(header)) return await tar.content(Math.min(limit, header.sizeBytes))
        }
        return null
      } finally {
        stream.destroy()
      }
    },
    async *list(path, limit) {
      const found = await resolve(path)
      if (found?.kind !== 'directory') return
      if (found.path.startsWith(`${SETTINGS}/`)) {
        const { names, isWhole } = await settingsFolder()
        const parent = posix.dirname(found.path).slice(1)
        if (isWhole) {
          for (const name of names) {
            if (`/${name}`.startsWith(`${found.path}/`)) yield { name: name.slice(parent.length + 1) }
          }
          return
        }
      }
      const stream = await open(found.path)
      try {
        const tar = tarReader(stream, limit)
        for (let header = await tar.next(); header !== null; header = await tar.next()) yield header
      } finally {
        stream.destroy()
      }
    },
  }
}

function entryStat(path: string, raw: z.infer<typeof statSchema>): EntryStat {
  let kind: EntryStat['kind'] = 'file'
  if (hasBit(raw.mode, goMode.directory)) kind = 'directory'
  else if (hasBit(raw.mode, goMode.link)) kind = 'link'
  else if (goOther.some((bit) => hasBit(raw.mode, bit))) kind = 'other'
  return { path, sizeBytes: raw.size, permissions: raw.mode % 0o1000, kind, target: raw.linkTarget }
}

/** A regular file's header: type `0`, or NUL from archivers of before 1988. */
function isContent(header: TarHeader): boolean {
  return header.type === '0' || header.type === '\0'
}

/** A folder as its archive tells it. */
interface FolderContent {
  /** Of all that is in it, at any depth, beginning with its own name; bytes as latin1. */
  names: string[]
  /** Its small files. */
  files: Map<string, Buffer>
  /** Whether the archive came to its end. */
  isWhole: boolean
}

/** Reads an archive of a folder, at most `FOLDER_LIMIT` bytes of it. */
async function readFolder(stream: AsyncIterable<Buffer>): Promise<FolderContent> {
  const tar = tarReader(stream, FOLDER_LIMIT)
  const names: string[] = []
  const files = new Map<string, Buffer>()
  let isExtended = false
  for (let header = await tar.next(); header !== null; header = await tar.next()) {
    // What has an extended header may have its true name there, and another's in its own: it is asked for by itself.
    const isPlain = !isExtended && isContent(header)
    isExtended = header.type === 'x'
    names.push(header.name)
    if (!isPlain || header.sizeBytes > FOLDER_FILE_LIMIT) continue
    files.set(header.name, await tar.content(header.sizeBytes))
  }
  return { names, files, isWhole: tar.isEnded() }
}

interface TarReader {
  /** Whether what said that there is nothing further was the end of the archive, not the limit. */
  isEnded(): boolean
  /** The next header, or null at the archive's end or at the limit. Skips what is left of the content before. */
  next(): Promise<TarHeader | null>
  /** The first bytes of the content of the header just read; fewer where the archive ends. */
  content(bytes: number): Promise<Buffer>
}

/**
 * Reads tar headers in passing. Extended headers (long names, attributes) are
 * handed on like any other: what is looked for has short, plain names.
 * @param stream the archive
 * @param limit bytes after which the archive counts as ended
 */
export function tarReader(stream: AsyncIterable<Buffer>, limit: number): TarReader {
  const chunks = stream[Symbol.asyncIterator]()
  let buffer: Buffer = Buffer.alloc(0)
  let taken = 0
  /** Bytes of content and padding before the next header. */
  let left = 0
  let isEnded = false

  /** Makes up to `bytes` available, and says how many are. */
  async function fill(bytes: number): Promise<number> {
    while (buffer.length < bytes) {
      const next = await chunks.next()
      if (next.done === true) break
      buffer = buffer.length === 0 ? next.value : Buffer.concat([buffer, next.value])
    }
    return Math.min(buffer.length, bytes)
  }
  async function take(bytes: number): Promise<Buffer> {
    const available = await fill(bytes)
    const part = buffer.subarray(0, available)
    buffer = buffer.subarray(available)
    taken += available
    return part
  }
  async function skip(bytes: number): Promise<boolean> {
    let open = bytes
    while (open > 0) {
      const part = await take(Math.min(open, 65536))
      if (part.length === 0 || taken > limit) return false
      open -= part.length
    }
    return true
  }

  return {
    isEnded: () => isEnded,
    async next() {
      if (!(await skip(left))) return null
      left = 0
      const block = taken + BLOCK > limit ? Buffer.alloc(0) : await take(BLOCK)
      isEnded = block.length === BLOCK && block.every((byte) => byte === 0)
      if (block.length < BLOCK || isEnded) return null
      const sizeBytes = readSize(block)
      left = Math.ceil(sizeBytes / BLOCK) * BLOCK
      const type = String.fromCharCode(block[156] ?? 0)
      return { name: `${textAt(block, 345, 155, '/')}${textAt(block, 0, 100, '')}`, sizeBytes, type }
    },
    async content(bytes) {
      const part = await take(Math.min(bytes, left, limit - taken))
      left -= part.length
      return part
    },
  }
}

/** A field of text up to its first NUL, with `end` after it when it is not empty. */
function textAt(block: Buffer, offset: number, width: number, end: string): string {
  const field = block.subarray(offset, offset + width)
  const stop = field.indexOf(0)
  const text = field.subarray(0, stop < 0 ? width : stop).toString('latin1')
  // GNU headers ("ustar  ") keep times where the prefix is; none of ours do.
  return text === '' ? '' : `${text}${end}`
}

/** The size at offset 124: octal digits, or base 256 when the first bit is set (GNU tar manual, "Basic Tar Format"). */
function readSize(block: Buffer): number {
  const field = block.subarray(124, 136)
  if (((field[0] ?? 0) & 0x80) !== 0) return Number(field.readBigUInt64BE(4))
  const size = Number.parseInt(field.toString('latin1').replace(/[\0 ]/g, ''), 8)
  return Number.isFinite(size) ? size : 0
}
