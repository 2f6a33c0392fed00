import { BLOCK } from './layout'
import { decimal } from './values'

/** A sparse map of more parts than this is an attack: it would be held in memory. */
export const MOST_SEGMENTS = 1_000_000

/**
 * Whether offsets and lengths are ascending, within the file, and as long together as the data that follows.
 * @returns what is wrong, or null
 */
export function checkSegments(segments: number[], size: number, stored: number): string | null {
  if (segments.length % 2 !== 0) return 'a sparse map of an odd length'
  let end = 0
  let sum = 0
  for (let i = 0; i < segments.length; i += 2) {
    const offset = segments[i] as number
    const length = segments[i + 1] as number
    if (offset < end) return 'a sparse map that overlaps'
    end = offset + length
    sum += length
  }
  if (end > size) return 'a sparse map that ends beyond its file'
  return sum === stored ? null : 'a sparse map that disagrees with its data'
}

/** Collects the map of GNU sparse format 1.0: a count and pairs, each number on its line, padded to 512 bytes. */
export class SparseMap {
  readonly segments: number[] = []
  /** of the map so far */
  bytes = 0
  private rest = ''
  private left: number | null = null

  /** Takes the next block. */
  add(bytes: Buffer, start: number): 'more' | 'done' | 'wrong' {
    this.bytes += BLOCK
    const lines = (this.rest + bytes.toString('latin1', start, start + BLOCK)).split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) {
      const value = decimal(line)
      if (value === null) return 'wrong'
      if (this.left === null) {
        if (value > MOST_SEGMENTS) return 'wrong'
        this.left = value * 2
      } else {
        this.segments.push(value)
        this.left--
      }
      if (this.left === 0) return 'done'
    }
    return this.rest.length > BLOCK ? 'wrong' : 'more'
  }
}
