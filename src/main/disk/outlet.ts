/**
 * Gathers small writes into few large ones, a few of them under way at a time, so that the code which makes a
 * file system can be plain loops without a pause at every entry.
 */

/** Where a disk goes: a file, a device by way of the helper, or memory. */
export interface Sink {
  /** Whether bytes that are never written read as zero: true for a new file, not for a used stick. */
  readonly zeroed: boolean
  /**
   * Writes all of `bytes` at `position` (bytes). May be called again before it has ended, for other positions.
   * The bytes are not touched until it has.
   */
  write(bytes: Uint8Array, position: number): Promise<void>
}

/** A part of the disk, in bytes. */
export interface Range {
  offset: number
  length: number
}

/** Bytes of one write. Writes end at multiples of it, which flash memory likes. */
const CHUNK = 2 * 1024 * 1024
/** Writes under way at most, while whoever makes the bytes waits in `ready`: the next is there when one ends. */
const IN_FLIGHT = 3
/**
 * What writes past a page cache want of place and length in the file and of the place in memory, in bytes: the page,
 * which is no less than the logical block of any medium.
 */
export const ALIGNMENT = 4096
/** A run of zeroes is left out in steps of this many bytes. */
const STEP = 64 * 1024

const ZEROES = Buffer.alloc(STEP)

/**
 * A buffer of CHUNK bytes that begins at a page of memory. Buffers of Node begin anywhere; V8 takes memory for an
 * ArrayBuffer that may be resized from the system in whole pages.
 */
function alignedBuffer(): Buffer {
  return Buffer.from(new ArrayBuffer(CHUNK, { maxByteLength: CHUNK }))
}

export class Outlet {
  /** Bytes given to the sink. */
  bytesWritten = 0
  private readonly spare: Buffer[] = []
  private readonly pending = new Set<Promise<void>>()
  private failure: { error: unknown } | null = null
  private buffer: Buffer | null = null
  private start = 0
  private used = 0
  private limit = 0
  private readonly map: Range[] = []

  constructor(private readonly sink: Sink) {}

  get zeroed(): boolean {
    return this.sink.zeroed
  }

  /**
   * Takes bytes [start, end) of `source` for `position` (bytes). They are copied: `source` may be reused at once.
   * Never waits: ask `ready` after every megabyte or so.
   */
  put(position: number, source: Uint8Array, start = 0, end = source.length): void {
    let from = start
    let at = position
    while (from < end) {
      const buffer = this.room(at)
      const count = Math.min(end - from, this.limit - this.used)
      if (count === source.length) buffer.set(source, this.used)
      // A short copy by hand costs less than the view that a native one needs.
      else if (count < 64) for (let i = 0; i < count; i++) buffer[this.used + i] = source[from + i] as number
      else buffer.set(source.subarray(from, from + count), this.used)
      this.used += count
      from += count
      at += count
    }
  }

  /**
   * Sets `length` bytes at `position` to zero. On a zeroed sink a long run is not written, but stands in the
   * block map all the same: a used stick needs it.
   */
  zero(position: number, length: number): void {
    let at = position
    const end = position + length
    if (this.sink.zeroed && length >= STEP) {
      this.note(position, length)
      return
    }
    while (at < end) {
      const buffer = this.room(at)
      const count = Math.min(end - at, this.limit - this.used)
      buffer.fill(0, this.used, this.used + count)
      this.used += count
      at += count
    }
  }

  /** Sets what of `length` bytes at `position` was not written yet to zero. */
  zeroRest(position: number, length: number): void {
    this.flush()
    const end = position + length
    let at = position
    for (const range of this.blockMap()) {
      if (range.offset + range.length <= at) continue
      if (range.offset >= end) break
      if (range.offset > at) this.zero(at, range.offset - at)
      at = range.offset + range.length
    }
    if (at < end) this.zero(at, end - at)
  }

  /** Resolves when there is room for more, or is null when there is room now. Throws what the sink threw. */
  ready(): Promise<void> | null {
    if (this.failure !== null) throw this.failure.error
    return this.pending.size < IN_FLIGHT ? null : this.waitForRoom()
  }

  /** Hands over what is left and waits for all writes. Throws what the sink threw. */
  async finish(): Promise<void> {
    this.flush()
    await this.settle()
    if (this.failure !== null) throw this.failure.error
  }

  /** Waits until no write is under way, whether they succeeded or not; for giving up. */
  async settle(): Promise<void> {
    while (this.pending.size > 0) await Promise.all(this.pending)
  }

  /**
   * The parts of the disk that matter, ascending and joined: all that was put or zeroed. What is not in it may
   * hold anything.
   */
  blockMap(): Range[] {
    const sorted = [...this.map].sort((a, b) => a.offset - b.offset)
    const joined: Range[] = []
    for (const range of sorted) {
      const last = joined.at(-1)
      if (last !== undefined && range.offset <= last.offset + last.length) {
        last.length = Math.max(last.length, range.offset + range.length - last.offset)
      } else joined.push({ ...range })
    }
    return joined
  }

  private async waitForRoom(): Promise<void> {
    while (this.pending.size >= IN_FLIGHT) await Promise.race(this.pending)
    if (this.failure !== null) throw this.failure.error
  }

  /** The buffer that goes on at `position`, with at least one byte free. */
  private room(position: number): Buffer {
    if (this.buffer !== null && position === this.start + this.used && this.used < this.limit)
      return this.buffer
    this.flush()
    this.buffer = this.spare.pop() ?? alignedBuffer()
    this.start = position
    this.used = 0
    this.limit = CHUNK - (position % CHUNK)
    return this.buffer
  }

  private note(offset: number, length: number): void {
    const last = this.map.at(-1)
    if (last !== undefined && last.offset + last.length === offset) last.length += length
    else this.map.push({ offset, length })
  }

  private flush(): void {
    const { buffer, start, used } = this
    if (buffer === null) return
    this.buffer = null
    this.note(start, used)
    const writes: Promise<void>[] = []
    for (const { offset, length } of this.parts(buffer, used)) {
      this.bytesWritten += length
      writes.push(this.sink.write(buffer.subarray(offset, offset + length), start + offset))
    }
    const task = Promise.all(writes).then(
      () => undefined,
      (error: unknown) => {
        this.failure ??= { error }
      },
    )
    const done = task.then(() => {
      this.pending.delete(done)
      this.spare.push(buffer)
    })
    this.pending.add(done)
  }

  /** What has to be written of a buffer: all of it, or on a zeroed sink the steps that are not zero. */
  private parts(buffer: Buffer, used: number): Range[] {
    if (!this.sink.zeroed) return [{ offset: 0, length: used }]
    const parts: Range[] = []
    for (let offset = 0; offset < used; offset += STEP) {
      const length = Math.min(STEP, used - offset)
      // Most steps differ in their first or last byte: ask those before the whole.
      const zero =
        buffer[offset] === 0 &&
        buffer[offset + length - 1] === 0 &&
        buffer.compare(ZEROES, 0, length, offset, offset + length) === 0
      if (zero) continue
      const last = parts.at(-1)
      if (last !== undefined && last.offset + last.length === offset) last.length += length
      else parts.push({ offset, length })
    }
    return parts
  }
}
