import { stat } from 'node:fs/promises'
import type { JobContext } from '../../../shared/job'
import { refuse } from '../../disk/refusal'
import type { Layer } from './layers'
import { openTree, type TreeThread } from './tree-thread'
import type { UnpackedCopy } from './unpack'

/** Milliseconds that a tree is kept for the build that mostly follows an inspection. */
const KEPT = 30_000

/** A tree and what its file was like when it was read. */
export interface StampedTree extends TreeThread {
  stamp: string
}

/** The tree of an archive, opened when it is needed. */
export interface KeptTree {
  /** The tree as it lies there now, read anew when it is not kept. Whoever takes it closes it, or gives it back. */
  take(progress: JobContext['progress'], signal: AbortSignal): Promise<StampedTree>
  /** Gives it back, to be kept for a while. */
  giveBack(tree: StampedTree): void
}

/**
 * @param layers of the tree
 * @param whiteouts true for an image's layers, false for a plain tar
 * @param path the archive's
 * @param copy what the layers lie in, held while they are read; null where that is the archive
 */
export function keptTree(
  layers: () => Promise<readonly Layer[]>,
  whiteouts: boolean,
  path: string,
  copy: UnpackedCopy | null = null,
): KeptTree {
  let kept: { tree: StampedTree; timer: NodeJS.Timeout } | null = null

  const forget = (): StampedTree | null => {
    const tree = kept?.tree ?? null
    clearTimeout(kept?.timer)
    kept = null
    return tree
  }

  return {
    async take(progress, signal) {
      const stamp = await stampOf(path)
      const fits = kept?.tree.stamp === stamp
      const old = forget()
      if (old !== null && fits) {
        old.hold(true)
        return old
      }
      await old?.close()
      const read = await layers()
      const total = read.reduce((sum, { blob }) => sum + blob.size, 0)
      copy?.hold()
      try {
        const tree = await openTree(
          { layers: read, whiteouts, path },
          (done) => progress(done, total),
          signal,
        )
        let closing: Promise<void> | null = null
        const close = (): Promise<void> => (closing ??= tree.close().finally(() => copy?.release()))
        // The names and the digest of a plain tar are of two readings, which must have met the same file.
        if (!whiteouts && (await stampOf(path)) !== stamp) {
          await tree.close()
          refuse('archive-invalid', { path, reason: 'it was changed meanwhile' })
        }
        return { ...tree, close, stamp }
      } catch (error) {
        await copy?.release()
        throw error
      }
    },
    giveBack(tree) {
      void forget()?.close()
      // A program that has nothing else to do may end.
      tree.hold(false)
      const timer = setTimeout(() => void forget()?.close(), KEPT)
      timer.unref()
      kept = { tree, timer }
    },
  }
}

/** Another value when another file lies there, or it was written to; empty when there is none. */
export async function stampOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => null)
  return found === null ? '' : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`
}
