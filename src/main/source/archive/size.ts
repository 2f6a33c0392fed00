import type { TarEntry } from '../../convert/tar/entry'
import { Column } from '../../disk/ext4/columns'
import { directoryBlocks, entryLength } from '../../disk/ext4/directory'
import { extentTreeBlocks } from '../../disk/ext4/extents'
import { densePlan, sparsePlan } from '../../disk/ext4/file-data'
import type { TreeSize } from '../../disk/ext4/fit'
import { FAST_SYMLINK } from '../../disk/ext4/inodes'
import { BLOCK_SIZE, EXTENT_BLOCKS, INODE_SIZE } from '../../disk/ext4/layout'
import { encodeXattrs, withAclMode } from '../../disk/ext4/xattr'
import { memberBytes } from './encode'
import { ROOT, type LayeredTree } from './tree'

/** Bytes of a header in a tar, to which data is rounded up. */
const TAR_BLOCK = 512
/** Files of fewer blocks, without holes, have all their extents in the inode, wherever they lie. */
const MANY_BLOCKS = 2 * EXTENT_BLOCKS

/** About what a tree takes on a disk, in bytes: its blocks, and the inodes in their tables. */
export function diskBytesOf({ blocks, inodes }: TreeSize): number {
  return blocks * BLOCK_SIZE + inodes * INODE_SIZE
}

/** Adds up what a tree takes on a disk, as the ext4 writer will lay it out. */
export class Sizer {
  /** Blocks of all members. */
  private memberBlocks = 0
  /** By node, one more than its blocks, where they do not follow from its size. */
  private readonly odd = new Column(Uint32Array)
  /** By node, what it takes in a tar beyond one header and its data. */
  private readonly more = new Column(Uint32Array)

  constructor(private readonly tree: LayeredTree) {}

  /** Takes a member that was laid over the tree, and the node that it became; nothing for none. */
  add(entry: TarEntry, node: number): void {
    if (node === 0) return
    this.more.set(node, Math.max(0, memberBytes(entry) - plainTarBytes(this.tree, node)))
    const blocks = blocksOf(entry)
    this.memberBlocks += blocks
    this.odd.set(node, blocks === plainBlocks(this.tree, node) ? 0 : blocks + 1)
  }

  /** The tree as it is in the end. */
  ofTree(): TreeSize {
    const { directories, inodes, blocks } = this.sum()
    return { blocks: directories + blocks, inodes }
  }

  /** Bytes of the tree as one tar, but for holes in files. */
  tarBytes(): number {
    return this.sum().tarBytes
  }

  /** The tree, and what members take that later ones replaced: a disk is written once, from its front to its end. */
  ofMembers(): TreeSize {
    const { directories, inodes } = this.sum()
    return { blocks: directories + this.memberBlocks, inodes }
  }

  private sum(): { directories: number; inodes: number; blocks: number; tarBytes: number } {
    const { names } = this.tree
    const seen = new Uint8Array(this.tree.last + 1)
    const waiting = [ROOT]
    let directories = 0
    let inodes = 0
    let blocks = 0
    let tarBytes = 2 * TAR_BLOCK
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      // The writer makes one more in the root.
      let bytes = directory === ROOT ? entryLength('lost+found'.length) : 0
      let largest = 0
      for (const entry of names.entriesOf(directory)) {
        const length = entryLength(names.lengthOf(entry))
        bytes += length
        largest = Math.max(largest, length)
        const node = names.inodeOf(entry)
        if (seen[node] === 1) {
          tarBytes += TAR_BLOCK
          continue
        }
        seen[node] = 1
        tarBytes += plainTarBytes(this.tree, node) + this.more.get(node)
        inodes++
        const odd = this.odd.get(node)
        blocks += odd === 0 ? plainBlocks(this.tree, node) : odd - 1
        if (this.tree.isDirectory(node)) waiting.push(node)
      }
      directories += directoryBlocks(bytes, largest)
    }
    return { directories, inodes, blocks, tarBytes }
  }
}

function plainTarBytes(tree: LayeredTree, node: number): number {
  return TAR_BLOCK + Math.ceil(tree.sizeOf(node) / TAR_BLOCK) * TAR_BLOCK
}

function plainBlocks(tree: LayeredTree, node: number): number {
  return Math.ceil(tree.sizeOf(node) / BLOCK_SIZE)
}

/** Blocks of data, of what points at them and of attributes. */
function blocksOf({ type, size, segments, target, mode, xattrs }: TarEntry): number {
  const attributes = xattrs.length === 0 ? [] : withAclMode(mode, xattrs).attributes
  const encoded = attributes.length === 0 ? null : encodeXattrs(attributes)
  const attributeBlocks = encoded === null || encoded.block === null ? 0 : 1
  if (type === 'symlink') return attributeBlocks + (target.length > FAST_SYMLINK ? 1 : 0)
  if (type !== 'file') return attributeBlocks
  const dense = Math.ceil(size / BLOCK_SIZE)
  if (segments === null && dense <= MANY_BLOCKS) return attributeBlocks + dense
  const { parts, blocks } = segments === null ? densePlan(size) : sparsePlan(segments)
  const extents = parts.reduce((sum, { count }) => sum + Math.ceil(count / EXTENT_BLOCKS), 0)
  // Copies of the superblock, which lie between a large file's blocks, cut it once more now and then.
  return attributeBlocks + blocks + extentTreeBlocks(extents + Math.ceil(blocks / MANY_BLOCKS))
}
