import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import type { TreeEdits } from '../../src/main/convert/edits'
import { encodeHeader, encodePax } from '../../src/main/convert/tar-blocks'
import { filterTar, TarFilterError } from '../../src/main/convert/tar-filter'

const noEdits: TreeEdits = { removed: [], emptied: [], added: [] }
const long = `usr/share/${'very-long-name-'.repeat(12)}/${'another-'.repeat(20)}`
let directory: string
let tree: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-test-'))
  tree = join(directory, 'tree')
  const file = (path: string, content: string): void => {
    mkdirSync(join(tree, path, '..'), { recursive: true })
    writeFileSync(join(tree, path), content)
  }
  file('.dockerenv', '')
  file('etc/hostname', 'container')
  file('etc/passwd', 'root::0:0')
  file('etc/shared', 'linked content')
  linkSync(join(tree, 'etc/shared'), join(tree, 'etc/shared-again'))
  file('dev/console', '')
  file('tmp/first', 'a temporary file with a second name')
  mkdirSync(join(tree, 'usr/bin'), { recursive: true })
  linkSync(join(tree, 'tmp/first'), join(tree, 'usr/bin/second'))
  linkSync(join(tree, 'tmp/first'), join(tree, 'usr/bin/third'))
  file(long, 'long')
  linkSync(join(tree, long), join(tree, `${long}-link`))
  symlinkSync('x'.repeat(150), join(tree, 'usr/bin/symlink'))
  file('usr/big', 'b'.repeat(100_000))
  file('boot/vmlinuz', 'kernel')
  chmodSync(join(tree, 'tmp'), 0o1777)
})
afterAll(() => rmSync(directory, { recursive: true }))

function pack(format: string): Buffer {
  return execFileSync(
    'tar',
    ['-c', `--format=${format}`, '--sort=name', '--numeric-owner', '-C', tree, '.'],
    {
      maxBuffer: 1e8,
    },
  )
}

async function run(tar: Buffer, edits: TreeEdits, lengths = [65536]): Promise<Buffer> {
  async function* chunks(): AsyncGenerator<Buffer> {
    let start = 0
    for (let index = 0; start < tar.length; index++) {
      const length = lengths[index % lengths.length] ?? 1
      yield tar.subarray(start, start + length)
      start += length
      await Promise.resolve()
    }
  }
  const pieces: Buffer[] = []
  // As the frames are sent: a piece is used before the next is asked for.
  for await (const piece of filterTar(chunks(), edits, 1_000_000_000)) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

/** Name and content or link target of each entry, as GNU tar extracts them. */
function unpack(tar: Buffer): { out: string; names: string[] } {
  const out = mkdtempSync(join(directory, 'out-'))
  execFileSync('tar', ['-x', '-p', '-C', out], { input: tar })
  const names = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P\n'], {
    cwd: out,
    encoding: 'utf8',
  })
  return { out, names: names.trim().split('\n').sort() }
}

const failureOf = async (tar: Buffer, edits: TreeEdits): Promise<unknown> => {
  const error: unknown = await run(tar, edits).catch((caught: unknown) => caught)
  return error instanceof TarFilterError ? error.failure : error
}

const end = Buffer.alloc(1024)
const header = (path: string, type: string, sizeBytes = 0, linkPath = ''): Buffer =>
  encodeHeader({ path, linkPath, type, sizeBytes, mode: 0o644, time: 0 })
/** An entry of a kind that has no data, whose header says that it has, and then one that edits take away. */
const smuggled = (type: string): Buffer =>
  Buffer.concat([header('sized', type, 512), header('.dockerenv', '0'), end])
const withData = (path: string, data: Buffer): Buffer =>
  Buffer.concat([header(path, '0', data.length), data, Buffer.alloc(-data.length & 511)])

describe.each(['gnu', 'posix'])('filterTar on a %s archive', (format) => {
  it('passes everything through unchanged without edits', async () => {
    const tar = pack(format)
    const filtered = await run(tar, noEdits)
    expect(tar.subarray(0, filtered.length).equals(filtered)).toBe(true)
    expect(tar.subarray(filtered.length).every((byte) => byte === 0)).toBe(true)
  })

  it('applies the edits, however the stream is cut', async () => {
    const tar = pack(format)
    const edits: TreeEdits = {
      removed: ['.dockerenv', 'usr/share'],
      emptied: [
        { path: 'dev', mode: 0o755 },
        { path: 'tmp', mode: 0o1777 },
      ],
      added: [
        { path: 'etc/hostname', kind: 'file', mode: 0o600, content: Buffer.from('machine') },
        { path: 'boot/new/deep/file', kind: 'file', mode: 0o644, content: Buffer.alloc(0) },
        { path: 'etc/link', kind: 'symlink', mode: 0o777, target: '../proc' },
      ],
    }
    const whole = await run(tar, edits)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), async (lengths) => {
        expect((await run(tar, edits, lengths)).equals(whole)).toBe(true)
      }),
      { numRuns: 20 },
    )
    const { out, names } = unpack(whole)
    expect(names).toEqual(
      [
        ...[
          'boot',
          'boot/new',
          'boot/new/deep',
          'boot/new/deep/file',
          'boot/vmlinuz',
          'dev',
          'etc',
          'etc/hostname',
        ],
        ...['etc/link', 'etc/passwd', 'etc/shared', 'etc/shared-again', 'tmp', 'usr', 'usr/big', 'usr/bin'],
        ...['usr/bin/second', 'usr/bin/symlink', 'usr/bin/third'],
      ].sort(),
    )
    expect(readFileSync(join(out, 'etc/hostname'), 'utf8')).toBe('machine')
    expect(readFileSync(join(out, 'usr/big')).length).toBe(100_000)
    // The removed file lives on under its other names, which are still one file.
    expect(readFileSync(join(out, 'usr/bin/third'), 'utf8')).toBe('a temporary file with a second name')
    const links = execFileSync('stat', ['-c', '%h %i', 'usr/bin/second', 'usr/bin/third'], {
      cwd: out,
      encoding: 'utf8',
    })
    const [second, third] = links.trim().split('\n')
    expect(second).toMatch(/^2 /)
    expect(third).toBe(second)
  })
})

describe('filterTar', () => {
  it('drops long names with their headers and data, and keeps names that are not UTF-8', async () => {
    const bytes = 'usr/\xff\xfe'
    const tar = Buffer.concat([
      encodePax(new Map([['path', `tmp/${'x'.repeat(300)}`]])),
      withData('short', Buffer.from('gone')),
      encodePax(new Map([['path', bytes]])),
      withData('other', Buffer.from('stays')),
      end,
    ])
    const filtered = await run(tar, { ...noEdits, emptied: [{ path: 'tmp', mode: 0o1777 }] })
    expect(filtered.includes('gone')).toBe(false)
    expect(filtered.includes(Buffer.from(bytes, 'latin1'))).toBe(true)
    // The directory itself comes at the end, with a pax header.
    expect(filtered.length).toBe(tar.length - 1024 - 1024 + 3 * 512)
  })

  it('reads sizes in base 256', async () => {
    const data = Buffer.alloc(700, 1)
    const block = header('a', '0')
    block.fill(0, 124, 136)
    block[124] = 0x80
    block.writeUInt16BE(700, 134)
    let sum = 0
    for (const [index, byte] of block.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    const tar = Buffer.concat([block, data, Buffer.alloc(324), withData('b', Buffer.from('b')), end])
    expect((await run(tar, { ...noEdits, removed: ['b'] })).length).toBe(512 + 1024 + 1024)
  })

  it('reads the source to its end and lets nothing after the end marker through', async () => {
    const tar = Buffer.concat([withData('a', Buffer.from('a')), end, withData('b', Buffer.from('late')), end])
    const filtered = await run(tar, noEdits)
    expect(filtered.includes('late')).toBe(false)
  })

  it.each<[string, Buffer, TreeEdits, unknown]>([
    ['a checksum that is wrong', Buffer.alloc(512, 65), noEdits, { code: 'tar-invalid' }],
    [
      'a name that leads out',
      Buffer.concat([header('a/../../b', '0'), end]),
      noEdits,
      { code: 'tar-invalid' },
    ],
    [
      'a hard link that leads out',
      Buffer.concat([header('b', '1', 0, '../x'), end]),
      noEdits,
      { code: 'tar-invalid' },
    ],
    ['a stream that ends early', withData('a', Buffer.from('a')), noEdits, { code: 'engine-lost' }],
    ['a huge pax header', Buffer.concat([header('x', 'x', 2 ** 30), end]), noEdits, { code: 'tar-invalid' }],
    [
      'a parent that is a link',
      Buffer.concat([header('boot', '2', 0, '/tmp'), end]),
      {
        ...noEdits,
        added: [{ path: 'boot/syslinux.cfg', kind: 'file', mode: 0o644, content: Buffer.alloc(1) }],
      },
      { code: 'not-supported', facts: { what: 'an image whose /boot is no directory' } },
    ],
    [
      'a hard link to a removed file that was not kept',
      Buffer.concat([
        withData('tmp/big', Buffer.alloc(1024 * 1024 + 1)),
        header('big', '1', 0, 'tmp/big'),
        end,
      ]),
      { ...noEdits, emptied: [{ path: 'tmp', mode: 0o1777 }] },
      { code: 'not-supported' },
    ],
  ])('refuses %s', async (_, tar, edits, failure) => {
    expect(await failureOf(tar, edits)).toMatchObject(failure as object)
  })
})

it('takes what follows a directory for a header, as GNU tar does, whatever the size of the directory says', async () => {
  const { names } = unpack(await run(smuggled('5'), { ...noEdits, removed: ['.dockerenv'] }))
  expect(names).toEqual(['sized'])
  for (const type of ['3', '4', '6']) {
    expect(await failureOf(smuggled(type), noEdits)).toMatchObject({ code: 'tar-invalid' })
  }
})
