import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, readlinkSync } from 'node:fs'
import type { Member } from './tar-members'
import { ACL_MODE } from './tree-generator'

/** What a tree has to be by the members that it was made from: an oracle that shares nothing with any program. */

const SLASH = Buffer.from('/')
/** Seconds that ext4 can say. */
const EARLIEST = -(2n ** 31n)
const LATEST = 2n ** 34n - 2n ** 31n - 1n
const TYPES = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
}

interface Expected {
  path: Buffer
  member: Member
  links: number
}

/** Nanoseconds since 1970; at both ends of what can be said the fraction is cut off, as the kernel does it. */
function nanosecondsOf(time: { seconds: number; nanoseconds: number }): bigint {
  const seconds = BigInt(time.seconds)
  const isEnd = seconds <= EARLIEST || seconds >= LATEST
  return seconds * 1_000_000_000n + (isEnd ? 0n : BigInt(time.nanoseconds))
}

/** Each member once, with the number of its names; no path comes twice. */
function expectedOf(members: Member[]): Expected[] {
  const byPath = new Map<string, Expected>()
  for (const member of members) {
    if (member.type === 'hardlink') {
      const expected = byPath.get(member.target?.toString('latin1') ?? '')
      if (expected === undefined) throw new Error('a hard link to what is not there')
      expected.links++
      byPath.set(member.path.toString('latin1'), expected)
    } else byPath.set(member.path.toString('latin1'), { path: member.path, member, links: 1 })
  }
  return [...byPath].map(([path, expected]) => ({ ...expected, path: Buffer.from(path, 'latin1') }))
}

/** Blocks of 4 KiB in which a file has data: first and last of each neighbouring row. */
function rowsOf({ sparse, data }: Member): [first: number, last: number][] {
  const rows: [number, number][] = []
  const segments = sparse?.segments ?? [0, data?.length ?? 0]
  for (let i = 0; i < segments.length; i += 2) {
    const [offset = 0, length = 0] = segments.slice(i, i + 2)
    if (length === 0) continue
    const first = Math.floor(offset / 4096)
    const end = Math.floor((offset + length - 1) / 4096)
    const last = rows.at(-1)
    if (last !== undefined && first <= last[1] + 1) last[1] = Math.max(last[1], end)
    else rows.push([first, end])
  }
  return rows
}

const sizeOf = ({ sparse, data, target, type }: Member): number =>
  type === 'symlink' ? (target?.length ?? 0) : (sparse?.size ?? data?.length ?? 0)

/** The bytes of a file, holes read as zeroes. */
function contentOf({ sparse, data = Buffer.alloc(0) }: Member): Buffer {
  if (sparse === undefined) return data
  const content = Buffer.alloc(sparse.size)
  let from = 0
  for (let i = 0; i < sparse.segments.length; i += 2) {
    const [offset = 0, length = 0] = sparse.segments.slice(i, i + 2)
    data.copy(content, offset, from, from + length)
    from += length
  }
  return content
}

const hash = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')
/** An ACL says some of the mode's bits itself. */
const modeOf = (member: Member): number =>
  member.acl !== undefined ? (member.mode & 0o7000) | ACL_MODE : member.mode

/**
 * What of the members is not so in a mounted tree, an entry to a line: kind, mode, owners, both times, size, names,
 * device, target and content.
 * @param root where it is mounted, read-only: otherwise looking at it would change its times
 */
export function differencesFromSource(root: string, members: Member[]): string[] {
  const found: string[] = []
  for (const { path, member, links } of expectedOf(members)) {
    const full = Buffer.concat([Buffer.from(root), SLASH, path])
    const stat = lstatSync(full, { bigint: true })
    const modified = nanosecondsOf(member)
    const type = TYPES[member.type as keyof typeof TYPES]
    const isSmall = member.type === 'file' && sizeOf(member) <= 2 ** 26
    const pairs: [what: string, is: unknown, shouldBe: unknown][] = [
      ['mode', Number(stat.mode), type | modeOf(member)],
      ['uid', Number(stat.uid), member.uid],
      ['gid', Number(stat.gid), member.gid],
      ['mtime', stat.mtimeNs, modified],
      ['atime', stat.atimeNs, member.accessed === undefined ? modified : nanosecondsOf(member.accessed)],
    ]
    if (member.type !== 'directory') pairs.push(['links', Number(stat.nlink), links])
    if (member.type === 'file' || member.type === 'symlink')
      pairs.push(['size', Number(stat.size), sizeOf(member)])
    if (member.type === 'symlink')
      pairs.push(['target', hash(readlinkSync(full, 'buffer')), hash(member.target as Buffer)])
    if (isSmall) pairs.push(['content', hash(readFileSync(full)), hash(contentOf(member))])
    if (member.type === 'character' || member.type === 'block') {
      // glibc's gnu_dev_makedev
      const { major = 0, minor = 0 } = member
      const device = ((minor & 0xff) | ((major & 0xfff) << 8)) + (minor >>> 8) * 2 ** 20
      pairs.push(['device', Number(stat.rdev), device])
    }
    for (const [what, is, shouldBe] of pairs) {
      if (is !== shouldBe)
        found.push(`${path.toString('latin1')}: ${what} ${String(is)}, not ${String(shouldBe)}`)
    }
  }
  return found
}

/**
 * What of the members debugfs reads otherwise from the file system's bytes, which it understands by code of its own:
 * inode by inode, the rows of blocks of each file included.
 * @param image the file system
 * @param root where it is mounted, read-only: only to learn the numbers of the inodes, for names may hold any byte
 */
export function differencesInDebugfs(image: string, root: string, members: Member[]): string[] {
  const expected = expectedOf(members).map((entry) => ({
    ...entry,
    inode: lstatSync(Buffer.concat([Buffer.from(root), SLASH, entry.path])).ino,
  }))
  const requests = expected.map(
    ({ inode, member }) => `stat <${inode}>${member.type === 'file' ? `\nex <${inode}>` : ''}\n`,
  )
  const output = execFileSync('debugfs', ['-f', '-', image], {
    input: requests.join(''),
    stdio: ['pipe', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  }).toString('latin1')
  const answers = new Map<number, string>()
  for (const part of output.split(/^debugfs: stat /m).slice(1))
    answers.set(Number(/^<(\d+)>/.exec(part)?.[1]), part)
  const found: string[] = []
  for (const { inode, member, links, path } of expected) {
    const answer = answers.get(inode) ?? ''
    const field = (pattern: RegExp): string => pattern.exec(answer)?.[1] ?? 'nothing'
    const time = (label: string): bigint => {
      const [, low = '0', extra = '0'] =
        new RegExp(`^ ?${label}: 0x([0-9a-f]+):([0-9a-f]+)`, 'm').exec(answer) ?? []
      const epoch = BigInt(`0x${extra}`)
      return (
        (BigInt.asIntN(32, BigInt(`0x${low}`)) + (epoch & 3n) * 2n ** 32n) * 1_000_000_000n + (epoch >> 2n)
      )
    }
    const modified = nanosecondsOf(member)
    const pairs: [what: string, is: unknown, shouldBe: unknown][] = [
      ['inode', field(/^Inode: (\d+)/m), String(inode)],
      ['mode', parseInt(field(/Mode: +(\d+)/), 8), modeOf(member)],
      // Printed with a sign.
      ['user', Number(field(/User: +(-?\d+)/)) >>> 0, member.uid],
      ['group', Number(field(/Group: +(-?\d+)/)) >>> 0, member.gid],
      ['mtime', time('mtime'), modified],
      ['atime', time('atime'), member.accessed === undefined ? modified : nanosecondsOf(member.accessed)],
    ]
    if (member.type !== 'directory') pairs.push(['links', field(/^Links: (\d+)/m), String(links)])
    if (member.type === 'file') {
      pairs.push(['size', field(/Size: (\d+)/), String(sizeOf(member))])
      pairs.push(['rows', JSON.stringify(rowsIn(answer)), JSON.stringify(rowsOf(member))])
    }
    for (const [what, is, shouldBe] of pairs) {
      if (is !== shouldBe)
        found.push(`debugfs ${path.toString('latin1')}: ${what} ${String(is)}, not ${String(shouldBe)}`)
    }
  }
  return found
}

/** The rows of blocks in what debugfs says of extents: the lowest level of the tree, neighbours joined. */
function rowsIn(answer: string): [number, number][] {
  const rows: [number, number][] = []
  for (const [, level, depth, first, last] of answer.matchAll(
    /^ *(\d+)\/ *(\d+) +\d+\/ *\d+ +(\d+) - +(\d+) +\d+ -/gm,
  )) {
    if (level !== depth) continue
    const before = rows.at(-1)
    if (before !== undefined && Number(first) === before[1] + 1) before[1] = Number(last)
    else rows.push([Number(first), Number(last)])
  }
  return rows
}
