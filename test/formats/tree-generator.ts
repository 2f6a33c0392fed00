import fc from 'fast-check'
import type { Member } from './tar-members'

/** Trees as nobody makes them by hand, as members of an archive. */

const nameByte = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f)
const name = fc
  .oneof(
    { weight: 6, arbitrary: fc.array(nameByte, { minLength: 1, maxLength: 20 }) },
    { weight: 1, arbitrary: fc.array(nameByte, { minLength: 200, maxLength: 255 }) },
    { weight: 1, arbitrary: fc.array(nameByte, { minLength: 255, maxLength: 255 }) },
  )
  .map((bytes) => Buffer.from(bytes))
  .filter((bytes) => !['.', '..'].includes(bytes.toString('latin1')))

const id = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(65535, 65536, 2097152, 4294967294))
const seconds = fc.oneof(
  fc.integer({ min: 0, max: 2_000_000_000 }),
  fc.constantFrom(-1, -(2 ** 31), 2 ** 31 - 1, 2 ** 31, 2 ** 32, 15032385535),
  fc.integer({ min: -2_000_000_000, max: -1 }),
)
const nanoseconds = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 }))
const accessed = fc.option(fc.record({ seconds, nanoseconds }), { nil: undefined })
const common = { mode: fc.integer({ min: 0, max: 0o7777 }), uid: id, gid: id, seconds, nanoseconds, accessed }

const attributeName = fc.stringMatching(/^[a-z.]{1,60}$/)
const attributeValue = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 500, maxLength: 900 }) },
)
/** Some, which together stay well below what one block holds. */
const someAttributes = (prefixes: string[]): fc.Arbitrary<Map<string, Buffer>> =>
  fc
    .array(fc.tuple(fc.constantFrom(...prefixes), attributeName, attributeValue), { maxLength: 4 })
    .map((list) => new Map(list.map(([prefix, key, value]) => [`${prefix}${key}`, Buffer.from(value)])))

/**
 * One that needs exactly so many bytes, around what an inode has room for (88: 96 of its 256, less a magic and the end
 * of the list) and up to all that a block has (4,060: less its header and the end of the list). Names of up to 255
 * bytes with their prefix, which is the most that the kernel takes.
 */
const edgeAttribute = (prefixes: string[]): fc.Arbitrary<Map<string, Buffer>> =>
  fc
    .tuple(
      fc.constantFrom(...prefixes),
      fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(247, 245)),
      fc.constantFrom(84, 87, 88, 89, 92, 96, 4056, 4057, 4060),
    )
    .map(([prefix, nameLength, bytes]) => {
      const own = Math.min(nameLength, 255 - prefix.length)
      const value = Math.max(0, bytes - 16 - Math.ceil(own / 4) * 4)
      return new Map([[`${prefix}${'n'.repeat(own)}`, Buffer.alloc(value, `${own} `)]])
    })
/** The full block, and beside it one that has to find its place in the inode. */
const fullAttributes = (prefixes: string[]): fc.Arbitrary<Map<string, Buffer>> =>
  fc.tuple(edgeAttribute(prefixes), fc.boolean()).map(([edge, more]) => {
    const [size] = [...edge.values()].map((value) => value.length)
    return more && (size ?? 0) > 3000 ? new Map([[`${prefixes[0] ?? ''}a`, Buffer.from('b')], ...edge]) : edge
  })
const attributes = (prefixes: string[]): fc.Arbitrary<Map<string, Buffer>> =>
  fc.oneof(
    { weight: 3, arbitrary: someAttributes(prefixes) },
    { weight: 1, arbitrary: fullAttributes(prefixes) },
  )

/** User and group of an ACL's two named entries. */
const acl = fc.option(fc.tuple(fc.integer({ min: 1, max: 70000 }), fc.integer({ min: 1, max: 70000 })), {
  nil: undefined,
  freq: 4,
})

/** The permission bits that these say: the owner's, the mask's and the others'. */
export const ACL_MODE = 0o670
const aclText = ([user, group]: [number, number]): string =>
  `user::rw-,user:${user}:r-x,group::r--,group:${group}:-wx,mask::rwx,other::---`

/** The same as it stands in the attribute (kernel, include/uapi/linux/posix_acl_xattr.h). */
function aclBytes([user, group]: [number, number]): Buffer {
  const entries: [tag: number, permissions: number, id: number][] = [
    [0x01, 6, 0xffffffff],
    [0x02, 5, user],
    [0x04, 4, 0xffffffff],
    [0x08, 3, group],
    [0x10, 7, 0xffffffff],
    [0x20, 0, 0xffffffff],
  ]
  const bytes = Buffer.alloc(4 + entries.length * 8)
  bytes.writeUInt32LE(2)
  entries.forEach(([tag, permissions, entryId], index) => {
    bytes.writeUInt16LE(tag, 4 + index * 8)
    bytes.writeUInt16LE(permissions, 6 + index * 8)
    bytes.writeUInt32LE(entryId, 8 + index * 8)
  })
  return bytes
}

const sparse = fc
  .record({
    parts: fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 18 })), {
      maxLength: 40,
    }),
    tail: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.constantFrom(2 ** 32, 2 ** 43)),
    version: fc.constantFrom('old' as const, '0.1' as const, '1.0' as const),
  })
  .map(({ parts, tail, version }) => {
    const segments: number[] = []
    let end = 0
    let stored = 0
    // GNU tar begins each part at a new block of the archive: all but the last have to fill theirs.
    parts.forEach(([hole, length], index) => {
      const bytes = length * 512 - (index === parts.length - 1 ? 300 : 0)
      segments.push(end + hole * 512, bytes)
      end += hole * 512 + bytes
      stored += bytes
    })
    const data = Buffer.alloc(stored)
    for (let i = 0; i < data.length; i++) data[i] = (i % 251) + 1
    // Eleven octal digits are all that the old form has.
    const size = end + (version === 'old' ? Math.min(tail, 2 ** 32) : tail)
    return { data, sparse: { segments: [...segments, size, 0], size, version } }
  })

/** An entry of a tree. `many`: as many further names of one file, or as many directories in each other. */
const entry = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('file'),
      data: fc.uint8Array({ maxLength: 12_000 }),
      xattrs: attributes(['user.', 'trusted.']),
      acl,
      ...common,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('directory'),
      xattrs: attributes(['user.', 'trusted.']),
      ...common,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('symlink'),
      target: fc.oneof(
        fc.array(nameByte, { minLength: 1, maxLength: 61 }),
        fc.array(nameByte, { minLength: 59, maxLength: 60 }),
        fc.array(nameByte, { minLength: 300, maxLength: 4000 }),
      ),
      ...common,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('character', 'block'),
      major: fc.integer({ min: 0, max: 4095 }),
      minor: fc.integer({ min: 0, max: 1048575 }),
      xattrs: attributes(['trusted.']),
      ...common,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fifo'), ...common }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('hardlink'),
      many: fc.oneof(
        { weight: 9, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.integer({ min: 2, max: 120 }) },
      ),
      ...common,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('chain'),
      many: fc.oneof(
        { weight: 20, arbitrary: fc.integer({ min: 2, max: 20 }) },
        { weight: 1, arbitrary: fc.constant(400) },
      ),
      ...common,
    }),
  },
  {
    weight: 1,
    arbitrary: sparse.chain((file) =>
      fc.record({
        kind: fc.constant('file'),
        data: fc.constant(file.data),
        sparse: fc.constant(file.sparse),
        ...common,
      }),
    ),
  },
)

export interface GeneratedEntry {
  name: Buffer
  place: number
  entry: object
}

/** A tree as a flat list: each entry chooses its directory among those before it. */
export const tree: fc.Arbitrary<GeneratedEntry[]> = fc.array(fc.record({ name, place: fc.nat(), entry }), {
  maxLength: 25,
})

interface Details {
  kind: Member['type'] | 'chain'
  data?: Uint8Array
  target?: number[]
  acl?: [number, number]
  xattrs?: Map<string, Buffer>
  many?: number
}

/** GNU tar cannot extract names beyond PATH_MAX with its prefix. */
const LONGEST_PATH = 3500

/**
 * Lays generated entries out as members of an archive, below a directory of their own.
 * @param rawAcls whether ACLs come as attributes, as Docker writes them, or as text
 */
export function membersOf(number: number, entries: GeneratedEntry[], rawAcls: boolean): Member[] {
  const top = Buffer.from(`tree${number}`)
  const base = { mode: 0o755, uid: 0, gid: 0, seconds: 1, nanoseconds: 0 }
  const members: Member[] = [{ type: 'directory', path: top, ...base }]
  const directories = [top]
  const linkable: Buffer[] = []
  const taken = new Set<string>()
  const add = (member: Member): boolean => {
    const key = member.path.toString('latin1')
    if (member.path.length > LONGEST_PATH || taken.has(key)) return false
    taken.add(key)
    members.push(member)
    return true
  }
  for (const { name: own, place, entry: details } of entries) {
    const parent = directories[place % directories.length] as Buffer
    const path = Buffer.concat([parent, Buffer.from('/'), own])
    const { kind, acl: access, many = 1, target, ...rest } = details as Details
    const member = { ...rest, type: kind, path } as unknown as Member
    if (rest.data !== undefined) member.data = Buffer.from(rest.data)
    if (target !== undefined) member.target = Buffer.from(target)
    if (access !== undefined && rawAcls) {
      // Beside a full block there is no room for one. GNU tar sets the mode after it: they have to agree.
      const isFull = [...(rest.xattrs?.values() ?? [])].some((value) => value.length > 1000)
      if (!isFull) {
        member.xattrs = new Map([...(rest.xattrs ?? []), ['system.posix_acl_access', aclBytes(access)]])
        member.mode = (member.mode & 0o7000) | ACL_MODE
      }
    } else if (access !== undefined && (rest.xattrs?.size ?? 0) === 0) member.acl = aclText(access)
    if (kind === 'chain') {
      const steps = Buffer.from('/d'.repeat(many), 'latin1')
      for (let step = 0; step <= many; step++) {
        const below = Buffer.concat([path, steps.subarray(0, step * 2)])
        if (!add({ ...member, type: 'directory', path: below })) break
        directories.push(below)
      }
      continue
    }
    if (kind === 'hardlink') {
      const linked = linkable[place % Math.max(1, linkable.length)]
      if (linked === undefined) continue
      member.target = linked
      if (!add(member)) continue
      for (let copy = 1; copy < many; copy++) {
        const suffix = Buffer.from(`${copy}`)
        add({ ...member, path: Buffer.concat([parent, Buffer.from('/'), own.subarray(0, 250), suffix]) })
      }
      continue
    }
    if (kind === 'symlink') member.mode = 0o777
    if (!add(member)) continue
    if (kind === 'directory') directories.push(path)
    else linkable.push(path)
  }
  return members
}
