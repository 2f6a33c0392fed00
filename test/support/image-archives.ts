import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import type { TarEntry } from '../../src/main/convert/tar/entry'
import { TarReader } from '../../src/main/convert/tar/reader'
import { encodeArchive, type Member } from '../formats/tar-members'

/** Archives of images as tools write them, made of bytes, and sharing nothing with what reads them. */

/** Files of an archive by their names, in order. */
export type ArchiveFiles = Map<string, Buffer>

export interface SampleImage {
  names: string[]
  /** Each a tar, lowest first. */
  layers: Buffer[]
  architecture?: string
  os?: string
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

function configOf({ layers, architecture, os }: SampleImage): Buffer {
  return json({
    architecture: architecture ?? 'amd64',
    os: os ?? 'linux',
    created: '2024-05-01T12:00:00Z',
    config: { Entrypoint: ['/srv/serve'], Cmd: null, ExposedPorts: { '80/tcp': {} } },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
  })
}

/** As `docker save` writes it before version 25: a layer that comes again is a link to the first. */
export function oldDockerSave(images: readonly SampleImage[]): {
  files: ArchiveFiles
  links: Map<string, string>
} {
  const files: ArchiveFiles = new Map()
  const links = new Map<string, string>()
  const manifest = images.map((image, number) => {
    const config = configOf(image)
    const seen = new Map<string, string>()
    const names = image.layers.map((layer, index) => {
      const id = sha256(Buffer.from(`${number} ${index}`))
      const sum = sha256(layer)
      const first = seen.get(sum)
      files.set(`${id}/VERSION`, Buffer.from('1.0'))
      if (first === undefined) files.set(`${id}/layer.tar`, layer)
      else links.set(`${id}/layer.tar`, `../${first}/layer.tar`)
      seen.set(sum, first ?? id)
      return `${id}/layer.tar`
    })
    files.set(`${sha256(config)}.json`, config)
    return { Config: `${sha256(config)}.json`, RepoTags: image.names, Layers: names }
  })
  files.set('manifest.json', json(manifest))
  return { files, links }
}

/** As `docker save` writes it from version 25 on: an OCI layout with Docker's own manifest beside it. */
export function newDockerSave(images: readonly SampleImage[]): ArchiveFiles {
  const files = ociLayout(images, 'none')
  const manifest = images.map((image) => ({
    Config: `blobs/sha256/${sha256(configOf(image))}`,
    RepoTags: image.names,
    Layers: image.layers.map((layer) => `blobs/sha256/${sha256(layer)}`),
  }))
  files.set('manifest.json', json(manifest))
  return files
}

const pack = {
  none: (bytes: Buffer) => bytes,
  gzip: (bytes: Buffer) => gzipSync(bytes),
  zstd: (bytes: Buffer) => execFileSync('zstd', ['-q', '-c'], { input: bytes, maxBuffer: 1 << 30 }),
  xz: (bytes: Buffer) => execFileSync('xz', ['-q', '-c', '-0'], { input: bytes, maxBuffer: 1 << 30 }),
}
export type Packing = keyof typeof pack
export const packed = (bytes: Buffer, packing: Packing): Buffer => pack[packing](bytes)

/** OCI image layout 1.0. Images of one name come under an index of their own, by platform. */
export function ociLayout(images: readonly SampleImage[], packing: Packing): ArchiveFiles {
  const files: ArchiveFiles = new Map([['oci-layout', json({ imageLayoutVersion: '1.0.0' })]])
  const put = (bytes: Buffer, mediaType: string): { mediaType: string; digest: string; size: number } => {
    files.set(`blobs/sha256/${sha256(bytes)}`, bytes)
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length }
  }
  const byName = [...new Set(images.map(({ names }) => names[0]))].map((name) =>
    images.filter(({ names }) => names[0] === name),
  )
  const manifests = byName.map((group) => {
    const own = group.map((image) => {
      const manifest = {
        schemaVersion: 2,
        config: put(configOf(image), 'application/vnd.oci.image.config.v1+json'),
        layers: image.layers.map((layer) =>
          put(
            packed(layer, packing),
            `application/vnd.oci.image.layer.v1.tar${packing === 'none' ? '' : `+${packing}`}`,
          ),
        ),
      }
      return {
        ...put(json(manifest), 'application/vnd.oci.image.manifest.v1+json'),
        platform: { os: image.os ?? 'linux', architecture: image.architecture ?? 'amd64' },
      }
    })
    const name = group[0]?.names[0]
    const annotations = name === undefined ? {} : { 'io.containerd.image.name': `docker.io/library/${name}` }
    const [only] = own
    if (own.length === 1 && only !== undefined) return { ...only, annotations }
    const index = json({ schemaVersion: 2, manifests: own })
    return { ...put(index, 'application/vnd.oci.image.index.v1+json'), annotations }
  })
  files.set('index.json', json({ schemaVersion: 2, manifests }))
  return files
}

const base = { mode: 0o644, uid: 0, gid: 0, seconds: 1, nanoseconds: 0 }

/** A tar of files, as an archive of images is. */
export function tarOf(files: ArchiveFiles, links: ReadonlyMap<string, string> = new Map()): Buffer {
  const members: Member[] = [...files].map(([name, data]) => ({
    ...base,
    type: 'file',
    path: Buffer.from(name),
    data,
  }))
  for (const [name, target] of links) {
    members.push({ ...base, type: 'symlink', path: Buffer.from(name), target: Buffer.from(target) })
  }
  return encodeArchive(members)
}

/** What the layer of a machine has that can be built, though not booted. */
export const machineWords = [
  ...['boot/', 'boot/vmlinuz-6.1.0-test=kernel', 'boot/initrd.img-6.1.0-test=initrd'],
  ...['vmlinuz->boot/vmlinuz-6.1.0-test', 'initrd.img->boot/initrd.img-6.1.0-test'],
  ...['sbin/', 'sbin/init=init', 'etc/', 'etc/os-release=ID=debian\nPRETTY_NAME="Debian in a file"\n'],
]

/** A layer by a few words a member: `dir/`, `file=content`, `link->target`, `name<=hard link's target`. */
export function layerOf(words: readonly string[]): Buffer {
  return encodeArchive(
    words.map((word): Member => {
      const symlink = word.split('->')
      if (symlink[1] !== undefined)
        return { ...base, type: 'symlink', path: bytes(symlink[0]), target: bytes(symlink[1]) }
      const link = word.split('<=')
      // Archivers repeat the file's own bits in a hard link's header.
      if (link[1] !== undefined)
        return { ...base, type: 'hardlink', mode: 0o755, path: bytes(link[0]), target: bytes(link[1]) }
      if (word.endsWith('/')) return { ...base, type: 'directory', path: bytes(word), mode: 0o755 }
      const equals = `${word}=`.indexOf('=')
      return {
        ...base,
        type: 'file',
        mode: 0o755,
        path: bytes(word.slice(0, equals)),
        data: bytes(word.slice(equals + 1)),
      }
    }),
  )
}

const bytes = (text = ''): Buffer => Buffer.from(text, 'latin1')

/**
 * All that a tar says of a tree once it is unpacked, a line to a path, sorted.
 * @param ignored paths of which nothing is said
 */
export async function describeTar(
  chunks: AsyncIterable<Uint8Array>,
  ignored: (path: string) => boolean = () => false,
): Promise<string[]> {
  const lines = new Map<string, string>()
  const groupOf = new Map<string, string[]>()
  let open: { entry: TarEntry; path: string; hash: ReturnType<typeof createHash> } | null = null
  const reader = new TarReader({
    entry(entry) {
      const path = entry.path.replace(/^\.?\/|\/$/g, '')
      open = null
      if (entry.type === 'hardlink') {
        const group = groupOf.get(entry.target) ?? []
        group.push(path)
        groupOf.set(path, group)
        lines.set(path, lines.get(entry.target) ?? `a link to ${entry.target}, which is not there`)
        return
      }
      const group = [path]
      groupOf.set(path, group)
      const { type, mode, uid, gid, modified, size, target, major, minor } = entry
      const facts = [type, mode.toString(8), uid, gid, modified.seconds, type === 'file' ? size : '']
      lines.set(path, [...facts, type === 'symlink' ? target : '', major, minor].join(' '))
      if (type === 'file') open = { entry, path, hash: createHash('sha1') }
    },
    data(chunk, start, end) {
      open?.hash.update(chunk.subarray(start, end))
    },
    endFile() {
      if (open !== null) lines.set(open.path, `${lines.get(open.path) ?? ''} ${open.hash.digest('hex')}`)
      open = null
    },
  })
  for await (const chunk of chunks) reader.push(chunk)
  reader.finish()
  return [...lines]
    .filter(([path]) => path !== '' && !ignored(path))
    .map(([path, line]) => {
      const group = (groupOf.get(path) ?? []).filter((one) => !ignored(one)).sort()
      return `${path} | ${line} | ${group.length > 1 ? group.join(' ') : ''}`
    })
    .sort()
}
