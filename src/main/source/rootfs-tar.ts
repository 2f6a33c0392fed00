import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import { architectureOf } from './architecture'
import { fileFacts } from './facts'
import { indexTar, type TarIndex } from './tar-index'
import type { TreeFiles } from './tree-files'
import type { InspectedImage, TreeSource } from './tree-source'

/** How compressed archives begin (RFC 1952, RFC 8878, the .xz file format, bzip2). */
const compressed: readonly (readonly number[])[] = [
  [0x1f, 0x8b],
  [0x28, 0xb5, 0x2f, 0xfd],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  [0x42, 0x5a, 0x68],
]

/**
 * A plain tar of a root file system, in a file, as something to build from.
 * @param path absolute; the file must not change meanwhile
 */
export function rootfsTarSource(path: string): TreeSource {
  let indexed: { index: TarIndex; stamp: string } | null = null

  async function index(signal: AbortSignal): Promise<Result<TarIndex>> {
    const checked = await checkFile(path)
    if (!checked.ok) return checked
    if (indexed?.stamp === checked.value) return ok(indexed.index)
    const made = await indexTar(path, signal)
    if (made.ok) indexed = { index: made.value, stamp: checked.value }
    return made
  }

  return {
    async inspect(signal) {
      const made = await index(signal)
      return made.ok ? ok(await inspected(path, made.value)) : made
    },
    // Only an engine has what installs packages in a tree.
    prepare: null,
    async prepareExport(_image, { signal, defer }) {
      const made = await index(signal)
      if (!made.ok) return made
      const { files, sizeBytes } = made.value
      const stamp = indexed?.stamp
      return ok({
        contentBytes: sizeBytes,
        files,
        direct: { kind: 'file', path },
        open() {
          const stream = createReadStream(path, { highWaterMark: 1024 * 1024 })
          stream.on('error', () => undefined)
          defer(() => {
            stream.destroy()
          })
          return Promise.resolve(ok(stream))
        },
        explain: (error) =>
          Promise.resolve(
            fail('tar-invalid', { offset: 0, reason: error instanceof Error ? error.message : String(error) })
              .failure,
          ),
        async lost() {
          const now = await checkFile(path)
          return now.ok && now.value === stamp ? null : new Error(`${path} changed while it was read`)
        },
      })
    },
  }
}

/** Looks at a file without reading it all; answers what will be another value when it is another file. */
async function checkFile(path: string): Promise<Result<string>> {
  const found = await stat(path, { bigint: true }).catch(() => null)
  if (found?.isFile() !== true) return fail('not-found', { what: `file ${path}` })
  const file = await open(path, 'r')
  try {
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0)
    if (compressed.some((magic) => magic.every((byte, at) => buffer[at] === byte))) {
      return fail('not-supported', { what: `a compressed archive, ${path}; unpack it to a plain tar first` })
    }
  } finally {
    await file.close()
  }
  return ok(`${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`)
}

async function inspected(path: string, index: TarIndex): Promise<InspectedImage> {
  const facts = await fileFacts(index.files)
  return {
    ...facts,
    id: `sha256:${index.sha256}`,
    name: basename(path).replace(/\.tar$/, ''),
    architecture: await architectureIn(index.files, facts.init?.path ?? null),
    sizeBytes: index.sizeBytes,
    createdAt: index.modifiedAt,
    applications: {
      ...{ entrypoint: [], command: [], ports: [], environment: [], volumes: [] },
      ...{ workingDirectory: '/', user: '' },
    },
  }
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
