import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { ImageFacts } from '../../../shared/image'
import { refuse } from '../../disk/refusal'
import { openBlob, type Blob, type Blobs } from './blobs'
import type { Layer } from './layers'
import type { UnpackedCopy } from './unpack'

/** One image of an archive, as its documents describe it. Nothing of its layers was read yet. */
export interface ArchivedImage {
  /** The digest of its configuration, which Docker calls the image's id: `sha256:…`. */
  id: string
  /** `name:tag`s, without what Docker leaves out; may be empty. */
  names: string[]
  os: string
  /** Go's names: amd64, arm64, … */
  architecture: string
  /** Milliseconds since 1970. */
  createdAt: number
  applications: ImageFacts['applications']
  /** Lowest first. */
  layers: Layer[]
  /** Bytes of the layers as they lie in the archive, packed or not. */
  layerBytes: number
  /** What it lies in where the archive was packed as a whole; whoever opened it releases it. */
  copy: UnpackedCopy | null
}

/** A document of more than this is an attack: it would be held in memory. Docker's largest have some 100 KiB. */
const LARGEST_DOCUMENT = 4 * 1024 * 1024
/** Docker makes no image of more than 127. */
const MOST_LAYERS = 1000
/** Images of one archive, and indexes in one another (OCI image specification, image-index.md). */
const MOST_IMAGES = 1000
const DEEPEST_INDEX = 4

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/)
const words = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? [])

/** What a container of the image would run, and how (OCI image specification, config.md, `config`). */
const settingsSchema = z.object({
  Entrypoint: words,
  Cmd: words,
  Env: words,
  WorkingDir: z.string().nullish(),
  User: z.string().nullish(),
  ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
  Volumes: z.record(z.string(), z.unknown()).nullish(),
})

/** OCI image specification, config.md; Docker's own is the same in what matters here. */
const configSchema = z.object({
  architecture: z.string().max(100),
  os: z.string().max(100),
  created: z.string().max(100).nullish(),
  config: settingsSchema.nullish(),
  rootfs: z.object({ diff_ids: z.array(digestSchema) }),
})

/** Docker Image Specification v1.2, "manifest.json". */
const dockerManifestSchema = z.array(
  z.object({ Config: z.string(), RepoTags: words, Layers: z.array(z.string()).nullish() }),
)

/** OCI image specification, descriptor.md. */
const descriptorSchema = z.object({
  mediaType: z.string().max(255).nullish(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).nullish(),
})
type Descriptor = z.infer<typeof descriptorSchema>
const indexSchema = z.object({ manifests: z.array(descriptorSchema) })
/** manifest.md; an index has `manifests` in the place of these, and media types may lack. */
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema) })

/** A configuration's `config` as facts; those of a tree without one for an empty object. */
export function applicationsOf(settings: z.input<typeof settingsSchema>): ImageFacts['applications'] {
  const { Entrypoint, Cmd, Env, WorkingDir, User, ExposedPorts, Volumes } = settings
  return {
    entrypoint: Entrypoint ?? [],
    command: Cmd ?? [],
    ports: Object.keys(ExposedPorts ?? {}),
    environment: Env ?? [],
    workingDirectory: WorkingDir == null || WorkingDir === '' ? '/' : WorkingDir,
    user: User ?? '',
    volumes: Object.keys(Volumes ?? {}),
  }
}

/**
 * Reads what images an archive holds: of `docker save` in both of its forms, or of an OCI layout.
 * @returns null when it is neither
 * @throws a refusal `archive-invalid` or `archive-digest`
 */
export async function readImages(blobs: Blobs): Promise<ArchivedImage[] | null> {
  // Docker's own document first: from version 25 on both are there, and it alone has the names in full.
  const docker = await blobs.find('manifest.json')
  if (docker !== null) return dockerImages(blobs, await readDocument(blobs, docker, 'manifest.json', null))
  const index = await blobs.find('index.json')
  if (index === null) return null
  const document = parse(
    blobs,
    indexSchema,
    await readDocument(blobs, index, 'index.json', null),
    'index.json',
  )
  const images: ArchivedImage[] = []
  await ociImages(blobs, document.manifests, [], 1, images)
  return images
}

async function dockerImages(blobs: Blobs, document: unknown): Promise<ArchivedImage[]> {
  const manifest = parse(blobs, dockerManifestSchema, document, 'manifest.json')
  if (manifest.length > MOST_IMAGES) invalid(blobs, 'it lists more than 1000 images')
  const images: ArchivedImage[] = []
  for (const { Config, RepoTags, Layers } of manifest) {
    const blob = await found(blobs, Config)
    // The name is the digest: `blobs/sha256/…`, or `….json` before version 25.
    const digest = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(Config)?.[1]
    const config = await readConfig(blobs, blob, Config, digest === undefined ? null : `sha256:${digest}`)
    images.push(await imageOf(blobs, config, RepoTags, Layers ?? [], (name) => found(blobs, name)))
  }
  return images
}

/** Goes through an index and the indexes in it. Manifests that are not in the archive, of other platforms, are left out. */
async function ociImages(
  blobs: Blobs,
  descriptors: readonly Descriptor[],
  names: readonly string[],
  depth: number,
  images: ArchivedImage[],
): Promise<void> {
  if (depth > DEEPEST_INDEX) invalid(blobs, 'its indexes lie more than four deep in one another')
  if (descriptors.length > MOST_IMAGES) invalid(blobs, 'it lists more than 1000 images')
  for (const descriptor of descriptors) {
    // Attestations of BuildKit stand among the images (docs.docker.com/build/metadata/attestations/attestation-storage).
    if (descriptor.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') continue
    const blob = await blobs.find(blobName(descriptor.digest))
    if (blob === null) continue
    const part = blobName(descriptor.digest)
    const own = namesOf(descriptor)
    const below = own.length > 0 ? own : names
    const document = await readDocument(blobs, blob, part, descriptor)
    const index = indexSchema.safeParse(document)
    if (index.success) {
      await ociImages(blobs, index.data.manifests, below, depth + 1, images)
      continue
    }
    const manifest = parse(blobs, manifestSchema, document, part)
    const configPart = blobName(manifest.config.digest)
    const configBlob = await found(blobs, configPart, manifest.config)
    const config = await readConfig(blobs, configBlob, configPart, manifest.config.digest)
    const layers = new Map(manifest.layers.map((layer) => [blobName(layer.digest), layer]))
    const parts = manifest.layers.map((layer) => blobName(layer.digest))
    images.push(await imageOf(blobs, config, below, parts, (name) => found(blobs, name, layers.get(name))))
    if (images.length > MOST_IMAGES) invalid(blobs, 'it lists more than 1000 images')
  }
}

interface Config {
  id: string
  value: z.infer<typeof configSchema>
}

async function readConfig(blobs: Blobs, blob: Blob, part: string, digest: string | null): Promise<Config> {
  const bytes = await readSmall(blobs, blob, part)
  checkDigest(blobs, bytes, part, digest)
  const id = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  return { id, value: parse(blobs, configSchema, json(blobs, bytes, part), part) }
}

async function imageOf(
  blobs: Blobs,
  { id, value }: Config,
  names: readonly string[],
  parts: readonly string[],
  blobOf: (part: string) => Promise<Blob>,
): Promise<ArchivedImage> {
  const { diff_ids: diffIds } = value.rootfs
  if (parts.length !== diffIds.length) {
    invalid(blobs, `an image lists ${parts.length} layers, and its configuration ${diffIds.length}`)
  }
  if (parts.length > MOST_LAYERS) invalid(blobs, 'an image has more than 1000 layers')
  const layers: Layer[] = []
  for (const [index, part] of parts.entries()) {
    layers.push({ blob: await blobOf(part), part, diffId: diffIds[index] ?? null })
  }
  return {
    id,
    names: [...new Set(names.map(shortName).filter((name) => /^[\x21-\x7e]{1,300}$/.test(name)))],
    os: value.os,
    architecture: value.architecture,
    createdAt: Math.max(0, Date.parse(value.created ?? '') || 0),
    applications: applicationsOf(value.config ?? {}),
    layers,
    layerBytes: layers.reduce((sum, { blob }) => sum + blob.size, 0),
    copy: null,
  }
}

/** The names that tools write: containerd's in full, or the specification's, which may be a tag alone (annotations.md). */
function namesOf({ annotations }: Descriptor): string[] {
  const name = annotations?.['io.containerd.image.name'] ?? annotations?.['org.opencontainers.image.ref.name']
  return name === undefined ? [] : [name]
}

/** As Docker shows names: without its own registry. */
function shortName(name: string): string {
  return name.replace(/^docker\.io\/(?:library\/)?/, '')
}

/** Where an OCI layout keeps a blob (image-layout.md, "Blobs"). */
function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`
}

async function found(blobs: Blobs, name: string, descriptor?: Descriptor): Promise<Blob> {
  const blob = await blobs.find(name)
  if (blob === null) return invalid(blobs, `${name.slice(0, 200)} is missing in it`)
  checkSize(blobs, blob, name, descriptor)
  return blob
}

function checkSize(blobs: Blobs, blob: Blob, name: string, descriptor: Descriptor | undefined): void {
  if (descriptor === undefined || blob.size === descriptor.size) return
  invalid(blobs, `${name} should have ${descriptor.size} bytes and has ${blob.size}`)
}

async function readDocument(
  blobs: Blobs,
  blob: Blob,
  part: string,
  descriptor: Descriptor | null,
): Promise<unknown> {
  checkSize(blobs, blob, part, descriptor ?? undefined)
  const bytes = await readSmall(blobs, blob, part)
  checkDigest(blobs, bytes, part, descriptor?.digest ?? null)
  return json(blobs, bytes, part)
}

async function readSmall(blobs: Blobs, blob: Blob, part: string): Promise<Buffer> {
  if (blob.size > LARGEST_DOCUMENT) invalid(blobs, `${part} has more than 4 MiB`)
  const opened = await openBlob(blob)
  try {
    const bytes = Buffer.alloc(blob.size)
    let have = 0
    while (have < bytes.length) {
      const count = await opened.read(bytes.subarray(have), have)
      if (count === 0) invalid(blobs, `${part} is cut off`)
      have += count
    }
    return bytes
  } finally {
    await opened.close()
  }
}

function checkDigest(blobs: Blobs, bytes: Buffer, part: string, digest: string | null): void {
  if (digest === null) return
  const [algorithm = 'sha256', expected = ''] = digest.split(':')
  const actual = createHash(algorithm).update(bytes).digest('hex')
  if (actual !== expected) refuse('archive-digest', { path: blobs.path, part, expected, found: actual })
}

function json(blobs: Blobs, bytes: Buffer, part: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch {
    return invalid(blobs, `${part} is no JSON document`)
  }
}

function parse<T>(blobs: Blobs, schema: z.ZodType<T>, document: unknown, part: string): T {
  const parsed = schema.safeParse(document)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  return invalid(
    blobs,
    `${part} is not as it should be: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  )
}

function invalid(blobs: Blobs, reason: string): never {
  return refuse('archive-invalid', { path: blobs.path, reason })
}
