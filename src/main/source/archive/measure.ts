import { TarReader } from '../../convert/tar/reader'
import type { TreeSize } from '../../disk/ext4/fit'
import { Sizer } from './size'
import { LayeredTree } from './tree'

/**
 * What a tar's tree takes on a disk.
 * @param chunks of the tar, uncompressed; each may be overwritten when the next is asked for
 * @param progress told the bytes that were read
 * @throws refusals `tar-invalid`, and what the chunks throw
 */
export async function measureTar(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  progress: (bytesDone: number) => void,
): Promise<TreeSize> {
  const tree = new LayeredTree(false)
  const sizer = new Sizer(tree)
  let members = 0
  const reader = new TarReader({
    entry(entry) {
      sizer.add(entry, tree.apply(entry, 0, members))
      members++
    },
    data: () => undefined,
    endFile: () => undefined,
  })
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    reader.push(chunk)
    progress(reader.bytesRead)
  }
  reader.finish()
  return sizer.ofMembers()
}
