import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { smallestDiskBytes } from '../../src/main/convert/plan'
import { writeDisk } from '../../src/main/convert/direct/engine'
import { noEdits } from '../../src/main/convert/edits'
import type { Sink } from '../../src/main/disk/outlet'
import { measureTar } from '../../src/main/source/archive/measure'
import { UUID } from './disk-file'
import { encodeArchive, type Member } from './tar-members'

/** What is measured before anything is written is what the writer then needs. */

const MIB = 1024 * 1024
const base = { mode: 0o644, uid: 0, gid: 0, seconds: 1, nanoseconds: 0 }
const { signal } = new AbortController()
const nowhere: Sink = { zeroed: true, write: () => Promise.resolve() }

const file = (path: string, bytes: number): Member => ({
  ...base,
  type: 'file',
  path: Buffer.from(path),
  data: Buffer.alloc(bytes, 1),
})
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

async function hasRoom(archive: Buffer, bytes: number): Promise<boolean> {
  const settings = {
    ...({ size: { bytes }, table: 'mbr', uuid: UUID, label: '', diskSignature: 1, time: 1 } as const),
    ...{ edits: noEdits, boot: null, manifest: false },
  }
  const written = await writeDisk(Readable.from([archive]), nowhere, settings, () => undefined, signal)
  if (!written.ok) expect(written.failure.code).toBe('size-too-small')
  return written.ok
}

const trees: [string, () => Member[]][] = [
  ['nothing', () => []],
  ['many small files', () => many(9000, (i) => file(`d${i % 100}/f${i}`, 600))],
  ['many empty files', () => many(40_000, (i) => file(`d${i % 100}/f${i}`, 0))],
  ['one directory of many long names', () => many(20_000, (i) => file(`${'n'.repeat(90)}${i}`, 1))],
  ['files larger than a group of blocks', () => many(3, (i) => file(`f${i}`, 150 * MIB))],
  [
    'a file that comes again and again, links, attributes and holes',
    () => [
      ...many(500, () => file('same', 9000)),
      ...many(2000, (i): Member => ({
        ...base,
        type: 'hardlink',
        path: Buffer.from(`l${i}`),
        target: Buffer.from('same'),
      })),
      ...many(2000, (i): Member => ({
        ...base,
        type: 'symlink',
        path: Buffer.from(`s${i}`),
        target: Buffer.from('t'.repeat(30 + (i % 60))),
      })),
      ...many(500, (i): Member => ({
        ...file(`x${i}`, 10),
        xattrs: new Map([['user.large', randomBytes(20 + i * 4)]]),
      })),
      ...many(20, (i): Member => ({
        ...file(`h${i}`, 0),
        data: Buffer.alloc(800 * 16, 1),
        sparse: {
          segments: many(800, (part) => [part * 100_000, 16]).flat(),
          size: 80_000_000,
          version: '1.0',
        },
      })),
    ],
  ],
]

test.each(trees)('the smallest disk for %s', async (_name, members) => {
  const archive = encodeArchive(members())
  const size = await measureTar(Readable.from([archive]), signal, () => undefined)
  const bytes = smallestDiskBytes(size, 'mbr', false)
  expect(await hasRoom(archive, bytes)).toBe(true)
  // How full the leaves of a large directory are is known only when its names are hashed.
  const unsure = bytes > 10 * MIB ? 0.01 * bytes : 0
  expect(await hasRoom(archive, bytes - MIB - unsure)).toBe(false)
})
