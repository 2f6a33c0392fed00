import { refuse } from '../refusal'
import { BLOCK_SIZE, BLOCKS_PER_GROUP } from './layout'

/** Neighbouring blocks. */
export interface Run {
  start: number
  count: number
}

/** Whether n is a power of `base`. */
function isPower(n: number, base: number): boolean {
  let power = base
  while (power < n) power *= base
  return power === n
}

/**
 * Whether a group begins with a copy of the superblock and the descriptors: sparse_super keeps them in groups
 * 0, 1 and the powers of 3, 5 and 7 (kernel, Documentation/filesystems/ext4/super.rst).
 */
export function hasBackup(group: number): boolean {
  return group <= 1 || isPower(group, 3) || isPower(group, 5) || isPower(group, 7)
}

/**
 * Hands out blocks from the front of the file system to its end, stepping over the copies of the superblock.
 * So the disk is written in one sweep, and what is in use is a short list of runs.
 */
export class Allocator {
  /** Blocks handed out, ascending and joined; those given back are in `freed`. */
  readonly used: Run[] = []
  readonly freed: Run[] = []
  private next = 0
  /** Where the copy of the superblock begins that comes next. */
  private barrier = 0

  /**
   * @param limit blocks of the file system at most
   * @param copyBlocks blocks kept at the front of a group with a copy: the superblock and all descriptors
   */
  constructor(
    private readonly limit: number,
    private readonly copyBlocks: number,
  ) {
    this.step()
  }

  /** The first block that was not handed out. */
  get end(): number {
    return this.next
  }

  /** Blocks handed out and not given back. */
  get usedCount(): number {
    const sum = (runs: Run[]): number => runs.reduce((total, run) => total + run.count, 0)
    return sum(this.used) - sum(this.freed)
  }

  /** Takes `count` blocks, in as few runs as there can be. Refuses when the disk is too small. */
  take(count: number): Run[] {
    const runs: Run[] = []
    let left = count
    while (left > 0) {
      const part = Math.min(left, this.barrier - this.next)
      runs.push({ start: this.next, count: part })
      this.claim(part, left)
      left -= part
    }
    return runs
  }

  /** Takes `count` neighbouring blocks, leaving free what lies before a copy and is too short. */
  takeRun(count: number): number {
    while (this.barrier - this.next < count) {
      this.next = this.barrier
      this.step()
      if (this.next > this.limit) break
    }
    const start = this.next
    this.claim(count, count)
    return start
  }

  /** Gives blocks back. They stay unused: a disk is written once. */
  free(run: Run): void {
    if (run.count > 0) this.freed.push(run)
  }

  /** Leaves everything before `block` that was not handed out free. */
  advanceTo(block: number): void {
    while (this.barrier <= block) {
      this.next = this.barrier
      this.step()
    }
    if (this.next < block) this.next = block
  }

  private claim(count: number, wanted: number): void {
    if (this.next + wanted > this.limit) {
      refuse('size-too-small', {
        sizeBytes: this.limit * BLOCK_SIZE,
        neededBytes: (this.next + wanted) * BLOCK_SIZE,
      })
    }
    const last = this.used.at(-1)
    if (last !== undefined && last.start + last.count === this.next) last.count += count
    else this.used.push({ start: this.next, count })
    this.next += count
    if (this.next === this.barrier) this.step()
  }

  /** Goes past the copy at `barrier` and finds the next. */
  private step(): void {
    this.next = this.barrier + this.copyBlocks
    let group = this.barrier / BLOCKS_PER_GROUP + 1
    while (!hasBackup(group)) group++
    this.barrier = group * BLOCKS_PER_GROUP
  }
}
