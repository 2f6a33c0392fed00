import { BLOCK_SIZE, INODE_SIZE, XATTR_ENTRY, XATTR_HEADER, XATTR_MAGIC } from './layout'

/** An extended attribute by its full name, as `getfattr` shows it. */
export interface Xattr {
  name: string
  value: Uint8Array
}

/** attributes.rst, "e_name_index". Longer prefixes come first. */
const PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['user.', 1],
  ['trusted.', 4],
  ['security.', 6],
]
const ACL_INDEXES = [2, 3]

/** Bytes for attributes after the inode's own 160: the magic, then entries and values. */
const IN_INODE = INODE_SIZE - 160
const HEADER_IN_INODE = 4
/** A zero word ends the list of entries. */
const END_OF_LIST = 4

interface Stored {
  index: number
  name: Buffer
  value: Uint8Array
}

export interface EncodedXattrs {
  /** what follows the 160 bytes of the inode, or null */
  inInode: Buffer | null
  /** a block whose h_checksum is still zero, or null */
  block: Buffer | null
}

const padded = (length: number): number => (length + 3) & ~3

function sizeOf({ name, value }: Stored): number {
  return XATTR_ENTRY.size + padded(name.length) + padded(value.length)
}

/**
 * POSIX ACL from the form of system calls (version 2: tag, permissions and id in 8 bytes) to that on the disk
 * (version 1: 4 bytes for entries without an id); kernel, fs/ext4/acl.c, ext4_acl_to_disk.
 * @returns null when the value is no ACL
 */
export function aclToDisk(value: Uint8Array): Uint8Array | null {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  if (value.length < 4 || value.length % 8 !== 4 || view.getUint32(0, true) !== 2) return null
  const bytes = new DataView(new ArrayBuffer(value.length))
  bytes.setUint32(0, 1, true)
  let at = 4
  for (let from = 4; from < value.length; from += 8) {
    const tag = view.getUint16(from, true)
    bytes.setUint16(at, tag, true)
    bytes.setUint16(at + 2, view.getUint16(from + 2, true), true)
    at += 4
    // ACL_USER and ACL_GROUP
    if (tag === 2 || tag === 8) {
      bytes.setUint32(at, view.getUint32(from + 4, true), true)
      at += 4
    } else if (![1, 4, 0x10, 0x20].includes(tag)) return null
  }
  return new Uint8Array(bytes.buffer, 0, at)
}

const ACCESS_ACL = 'system.posix_acl_access'

/**
 * What an access ACL makes of the permission bits: an inode must not say one thing in its mode and another in its
 * ACL. As when the kernel is given one (posix_acl_update_mode), the owner's, the mask's (or else the group's) and
 * the others' permissions go into the mode, and an ACL that says no more than that is dropped.
 * @returns the mode and the attributes that stay
 */
export function withAclMode(mode: number, attributes: Xattr[]): { mode: number; attributes: Xattr[] } {
  const acl = attributes.find(({ name }) => name === ACCESS_ACL)
  if (acl === undefined || aclToDisk(acl.value) === null) return { mode, attributes }
  const view = new DataView(acl.value.buffer, acl.value.byteOffset, acl.value.byteLength)
  const permissions = new Map<number, number>()
  for (let at = 4; at < acl.value.length; at += 8) {
    permissions.set(view.getUint16(at, true), view.getUint16(at + 2, true) & 7)
  }
  const [owner, group, mask, other] = [1, 4, 0x10, 0x20].map((tag) => permissions.get(tag))
  if (owner === undefined || group === undefined || other === undefined) return { mode, attributes }
  return {
    mode: (mode & 0o7000) | (owner << 6) | ((mask ?? group) << 3) | other,
    attributes: permissions.size > 3 ? attributes : attributes.filter((attribute) => attribute !== acl),
  }
}

/** "ext4_xattr_hash_entry" (kernel, fs/ext4/xattr.c) over the name and the value's words. */
function entryHash(name: Buffer, value: Uint8Array): number {
  let hash = 0
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ byte
  const words = Buffer.alloc(padded(value.length))
  words.set(value)
  for (let at = 0; at < words.length; at += 4) hash = (hash << 16) ^ (hash >>> 16) ^ words.readUInt32LE(at)
  return hash >>> 0
}

/** Splits a name into index and rest; null for a name that ext4 has no place for. */
function storedForm({ name, value }: Xattr): Stored | null {
  const found = PREFIXES.find(([prefix]) => name.startsWith(prefix))
  if (found === undefined) return null
  const [prefix, index] = found
  const rest = Buffer.from(name.slice(prefix.length), 'latin1')
  if (rest.length > 255) return null
  if (!ACL_INDEXES.includes(index)) return rest.length === 0 ? null : { index, name: rest, value }
  if (rest.length > 0) return null
  const acl = aclToDisk(value)
  return acl === null ? null : { index, name: rest, value: acl }
}

/** "ext4_xattr_cmp_entry"'s order, which the kernel relies on in a block. */
function compare(a: Stored, b: Stored): number {
  return a.index - b.index || a.name.length - b.name.length || Buffer.compare(a.name, b.name)
}

/** Writes entries from `at` upwards and values from the end downwards; offsets count from `origin`. */
function put(bytes: Buffer, at: number, origin: number, attributes: Stored[]): number[] {
  let end = bytes.length
  let position = at
  return attributes.map(({ index, name, value }) => {
    end -= padded(value.length)
    const hash = entryHash(name, value)
    XATTR_ENTRY.encode(
      {
        e_name_len: name.length,
        e_name_index: index,
        e_value_offs: value.length === 0 ? 0 : end - origin,
        e_value_size: value.length,
        e_hash: hash,
      },
      bytes,
      position,
    )
    bytes.set(name, position + XATTR_ENTRY.size)
    bytes.set(value, end)
    position += XATTR_ENTRY.size + padded(name.length)
    return hash
  })
}

/**
 * Encodes the attributes of one inode, as many in the inode as fit there, the others in a block.
 * @returns the two parts and the names that ext4 cannot hold, or null when the block cannot hold the others
 */
export function encodeXattrs(attributes: Xattr[]): (EncodedXattrs & { skipped: string[] }) | null {
  const skipped: string[] = []
  const stored: Stored[] = []
  for (const attribute of attributes) {
    const form = storedForm(attribute)
    if (form === null) skipped.push(attribute.name)
    else stored.push(form)
  }
  // The largest first: it leaves the smallest rest for the block.
  const inside: Stored[] = []
  const outside: Stored[] = []
  let room = IN_INODE - HEADER_IN_INODE - END_OF_LIST
  for (const attribute of [...stored].sort((a, b) => sizeOf(b) - sizeOf(a) || compare(a, b))) {
    if (sizeOf(attribute) <= room) {
      room -= sizeOf(attribute)
      inside.push(attribute)
    } else outside.push(attribute)
  }

  let inInode: Buffer | null = null
  if (inside.length > 0) {
    inInode = Buffer.alloc(IN_INODE)
    inInode.writeUInt32LE(XATTR_MAGIC)
    put(inInode, HEADER_IN_INODE, HEADER_IN_INODE, inside.sort(compare))
  }
  if (outside.length === 0) return { inInode, block: null, skipped }
  const size = outside.reduce((sum, attribute) => sum + sizeOf(attribute), XATTR_HEADER.size + END_OF_LIST)
  if (size > BLOCK_SIZE) return null
  const block = Buffer.alloc(BLOCK_SIZE)
  const hashes = put(block, XATTR_HEADER.size, 0, outside.sort(compare))
  const hash = hashes.reduce((sum, one) => (sum << 16) ^ (sum >>> 16) ^ one, 0) >>> 0
  XATTR_HEADER.encode(
    // "ext4_xattr_rehash": zero, "not shared", when one of the entries has none
    { h_magic: XATTR_MAGIC, h_refcount: 1, h_blocks: 1, h_hash: hashes.includes(0) ? 0 : hash },
    block,
  )
  return { inInode, block, skipped }
}
