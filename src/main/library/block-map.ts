import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Range } from '../disk/outlet'
import { writeWhole } from './write-whole'

/** Where the block map of a raw disk lies beside it. */
export function blockMapPath(diskPath: string): string {
  return `${diskPath}.slipway-map.json`
}

/** What stat(2) says of a file that nobody has written to since. */
export interface FileStamp {
  size: bigint
  mtimeNs: bigint
}

const blockMapSchema = z.object({
  sizeBytes: z.string(),
  /** Nanoseconds since 1970. */
  modified: z.string(),
  /** Pairs of offset and length in bytes, ascending. */
  ranges: z.array(z.tuple([z.number().int().min(0), z.number().int().positive()])),
})

/**
 * Notes beside a finished disk which parts of it matter.
 * @param diskPath absolute
 * @param stamp of the finished disk
 * @param ranges bytes, ascending and apart
 */
export async function writeBlockMap(
  diskPath: string,
  stamp: FileStamp,
  ranges: readonly Range[],
): Promise<void> {
  const map: z.infer<typeof blockMapSchema> = {
    sizeBytes: String(stamp.size),
    modified: String(stamp.mtimeNs),
    ranges: ranges.map(({ offset, length }) => [offset, length]),
  }
  await writeWhole(blockMapPath(diskPath), `${JSON.stringify(map)}\n`)
}

/**
 * The parts of a raw disk that have to be written to a drive that holds anything at all; what is in none of them
 * may hold anything. Both ends of the root partition are in them, for old signatures lie there. Only for a disk that
 * is as the direct engine left it: one that was booted from or copied has another time, and then there is no map.
 * @param diskPath absolute
 * @param stamp of the disk now (`stat` with `bigint: true`, best of the open file)
 * @returns bytes, ascending, apart, and inside the disk; null when there is no map, or none of this very file
 */
export async function blockMapOf(diskPath: string, stamp: FileStamp): Promise<Range[] | null> {
  const text = await readFile(blockMapPath(diskPath), 'utf8').catch(() => null)
  if (text === null) return null
  let map
  try {
    map = blockMapSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
  if (map.sizeBytes !== String(stamp.size) || map.modified !== String(stamp.mtimeNs)) return null
  let end = 0
  for (const [offset, length] of map.ranges) {
    if (offset < end || offset + length > stamp.size) return null
    end = offset + length
  }
  return map.ranges.map(([offset, length]) => ({ offset, length }))
}
