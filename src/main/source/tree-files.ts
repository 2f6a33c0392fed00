/** What a tree says of a path, without following a link at its end. */
export interface EntryStat {
  /** Absolute path inside the tree. */
  path: string
  sizeBytes: number
  /** Permission bits. */
  permissions: number
  kind: 'file' | 'directory' | 'link' | 'other'
  /** A link's target, resolved inside the tree; empty for others. */
  target: string
}

/**
 * Reads single things of a root file system, wherever it lies. Every path is
 * resolved inside the tree's own root, so that no link leads outside of it;
 * what comes back is bounded in bytes.
 */
export interface TreeFiles {
  /** A path as it is; null when there is nothing, or nothing that can be reached. */
  stat(path: string): Promise<EntryStat | null>
  /** The end of a chain of links; null when it leads nowhere or in a circle. */
  resolve(path: string): Promise<EntryStat | null>
  /** The beginning of a file (after links), at most `limit` bytes; null when there is no regular file. */
  read(path: string, limit: number): Promise<Buffer | null>
  /**
   * What lies in a folder (after links), at any depth, as it comes.
   * @param limit bytes that may be read to find it
   * @returns names relative to the folder's parent
   */
  list(path: string, limit: number): AsyncGenerator<{ name: string }>
}
