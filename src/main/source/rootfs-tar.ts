import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { architectureOf } from './architecture'
import { fileBlob } from './archive/blobs'
import { indexedFiles } from './archive/files'
import { inTurn } from './archive/in-turn'
import { indexLayers, type LayerIndex } from './archive/index-layers'
import { layerChunks, packingOf, type Layer } from './archive/layers'
import { answered } from './archive/open-archive'
import { indexedExport } from './archive/tree-export'
import { applicationsOf } from './archive/images'
import { fileFacts } from './facts'
import type { TreeFiles } from './tree-files'
import type { TreeSource } from './tree-source'

/**
 * A plain tar of a root file system, in a file, as something to build from. It may be packed by gzip, zstd or xz.
 * @param path absolute; the file must not change meanwhile
 */
export function rootfsTarSource(path: string): TreeSource {
  let indexed: { index: LayerIndex; layer: Layer; isPacked: boolean; stamp: string } | null = null

  const index = inTurn(async (signal: AbortSignal): Promise<NonNullable<typeof indexed>> => {
    const layer: Layer = { blob: await fileBlob(path), part: 'it', diffId: null }
    const stamp = await stampOf(path)
    if (indexed?.stamp === stamp) return indexed
    const opened = await layer.blob.open()
    const isPacked = (await packingOf(opened).finally(() => opened.close())) !== 'none'
    const made = await indexLayers([layer], { whiteouts: false, digest: true }, path, signal)
    indexed = { index: made, layer: { ...layer, diffId: made.digest }, isPacked, stamp }
    return indexed
  })

  return {
    inspect: (signal) =>
      answered(async () => {
        const known = (await index(signal)).index
        const files = indexedFiles(known, path, signal)
        const facts = await fileFacts(files)
        return {
          ...facts,
          file: path,
          recipe: null,
          id: known.digest ?? '',
          name: rootfsName(path),
          architecture: await architectureIn(files, facts.init?.path ?? null),
          sizeBytes: known.tarBytes,
          createdAt: known.newest * 1000,
          applications: applicationsOf({}),
        }
      }),
    // Only an engine has what installs packages in a tree.
    prepare: null,
    prepareExport: (_inspected, context) =>
      answered(async () => {
        const { index: known, layer, isPacked } = await index(context.signal)
        // By its digest: what is built is what was inspected.
        const read = (): AsyncIterable<Uint8Array> => layerChunks(layer, path, context.signal)
        const direct = isPacked ? null : ({ kind: 'file', path } as const)
        return indexedExport(known, path, known.tarBytes, read, direct, context)
      }),
  }
}

/** What a tree is called that has no name of its own: its file without what says how it is packed. */
export function rootfsName(path: string): string {
  return basename(path).replace(/\.(?:tar(?:\.(?:gz|xz|zst))?|tgz|txz|tzst)$/, '')
}

/** Another value when another file lies there, or it was written to. */
async function stampOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
  return `${dev}:${ino}:${size}:${mtimeNs}`
}

/** The architecture of the programs that every machine has. */
async function architectureIn(files: TreeFiles, init: string | null): Promise<string> {
  for (const path of [...(init === null ? [] : [init]), '/bin/sh', '/usr/bin/env', '/bin/busybox']) {
    const start = await files.read(path, 64)
    const found = start === null ? null : architectureOf(start)
    if (found !== null) return found
  }
  return 'unknown'
}
