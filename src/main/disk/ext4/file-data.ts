import type { Outlet } from '../outlet'
import type { Run } from './allocator'
import type { Extent } from './extents'
import { BLOCK_SIZE } from './layout'

/** Which blocks a file's data touches, and where in those blocks each part of it lies. */
export interface Plan {
  /** the file's blocks; the disk's are not known yet */
  parts: Extent[]
  blocks: number
  /** lengths of the parts of the file that hold data, in bytes */
  lengths: number[]
  /** where each begins, in bytes from the first of the blocks above */
  starts: number[]
}

/** The plan of a file without holes. */
export function densePlan(size: number): Plan {
  const blocks = Math.ceil(size / BLOCK_SIZE)
  return { parts: [{ logical: 0, start: 0, count: blocks }], blocks, lengths: [size], starts: [0] }
}

/**
 * The plan of a sparse file.
 * @param segments offset and length, in bytes, of each part that is no hole, ascending
 */
export function sparsePlan(segments: number[]): Plan {
  const plan: Plan = { parts: [], blocks: 0, lengths: [], starts: [] }
  for (let i = 0; i < segments.length; i += 2) {
    const offset = segments[i] as number
    const length = segments[i + 1] as number
    if (length === 0) continue
    const first = Math.floor(offset / BLOCK_SIZE)
    const end = Math.ceil((offset + length) / BLOCK_SIZE)
    let last = plan.parts.at(-1)
    if (last === undefined || first > last.logical + last.count) {
      last = { logical: first, start: 0, count: 0 }
      plan.parts.push(last)
    }
    const before = plan.blocks - last.count + (first - last.logical)
    const count = Math.max(last.count, end - last.logical)
    plan.blocks += count - last.count
    last.count = count
    plan.lengths.push(length)
    plan.starts.push(before * BLOCK_SIZE + (offset % BLOCK_SIZE))
  }
  return plan
}

const ZERO_BLOCK = new Uint8Array(BLOCK_SIZE)
const NOTHING: Plan = { parts: [], blocks: 0, lengths: [], starts: [] }

/** Puts the data of one file after the other into the blocks that it was given. */
export class FileData {
  private plan = NOTHING
  private runs: Run[] = []
  private run = 0
  private usedOfRun = 0
  /** Bytes of the blocks that were filled. */
  private filled = 0
  private segment = 0
  private usedOfSegment = 0

  /** @param offset of the file system on the disk, in bytes */
  constructor(
    private readonly outlet: Outlet,
    private readonly offset: number,
  ) {}

  /** Begins a file; `runs` are as many blocks as the plan has. */
  begin(plan: Plan, runs: Run[]): void {
    this.plan = plan
    this.runs = runs
    this.run = 0
    this.usedOfRun = 0
    this.filled = 0
    this.segment = 0
    this.usedOfSegment = 0
  }

  /** Takes bytes [start, end), the next of the file's data. */
  take(bytes: Uint8Array, start: number, end: number): void {
    let from = start
    while (from < end) {
      const left = (this.plan.lengths[this.segment] as number) - this.usedOfSegment
      if (left === 0) {
        this.segment++
        this.usedOfSegment = 0
        continue
      }
      if (this.usedOfSegment === 0) this.pad((this.plan.starts[this.segment] as number) - this.filled)
      const count = Math.min(left, end - from)
      this.send(bytes, from, from + count)
      this.usedOfSegment += count
      from += count
    }
  }

  /** Ends the file: fills its last block. */
  end(): void {
    this.pad(this.plan.blocks * BLOCK_SIZE - this.filled)
  }

  private send(bytes: Uint8Array, start: number, end: number): void {
    let from = start
    while (from < end) {
      const count = Math.min(end - from, this.roomInRun())
      this.outlet.put(this.position(), bytes, from, from + count)
      this.advance(count)
      from += count
    }
  }

  private pad(length: number): void {
    let left = length
    while (left > 0) {
      const count = Math.min(left, this.roomInRun())
      if (count <= BLOCK_SIZE) this.outlet.put(this.position(), ZERO_BLOCK, 0, count)
      else this.outlet.zero(this.position(), count)
      this.advance(count)
      left -= count
    }
  }

  private roomInRun(): number {
    return (this.runs[this.run] as Run).count * BLOCK_SIZE - this.usedOfRun
  }

  private position(): number {
    return this.offset + (this.runs[this.run] as Run).start * BLOCK_SIZE + this.usedOfRun
  }

  private advance(count: number): void {
    this.filled += count
    this.usedOfRun += count
    if (this.roomInRun() > 0) return
    this.run++
    this.usedOfRun = 0
  }
}
