import { createHash } from 'node:crypto'
import { fail, ok, type Result } from '../../shared/failure'
import { alignedBuffer, type FlashDevice } from './flash-device'
import type { HelperJob } from './job'

/** Written at once, and at multiples of it: a multiple of every common erase block, and enough to hide USB's latency. */
const CHUNK_BYTES = 4 * 1024 * 1024
/** Chunks under way at the same time; Node writes with four threads. */
const IN_FLIGHT = 4
/** Blank until everything else is written: partition tables, boot code and the first file system's superblock lie here. */
export const HEAD_BYTES = 1024 * 1024
/** Blanked at the end of the drive: backup GPT (at most 5 blocks of 4 KiB), md 1.0 superblock (last 64 KiB), ZFS labels 2 and 3 (last 512 KiB). */
const TAIL_BYTES = 1024 * 1024

export interface WritePlan {
  device: FlashDevice
  /** `/dev/sdb`, for failures. */
  name: string
  /** Bytes of the disk to be written, holes included. */
  sizeBytes: number
  /** Bytes of all data pieces. */
  dataBytes: number
  verify: boolean
}

interface Chunk {
  position: number
  length: number
  digest: string
}

type Job = Pick<HelperJob, 'signal' | 'progress' | 'log' | 'data'>

/**
 * Writes the pieces to the drive, so that it is blank from the first moment
 * until everything else is on it and compared: first zeros to the first and
 * last MiB, then all data but the first MiB, then the comparison, then the
 * first MiB. An ending before that leaves the drive plainly blank.
 * @param plan the drive and what is to come
 * @param job pieces must ascend without overlap and begin and end at sectors, but for the end of the disk
 * @returns null; `helper-protocol` for pieces that do not, `verify-mismatch`, `drive-gone` for a medium that was exchanged.
 *   Throws DriveError, and the signal's reason when cancelled
 */
export async function writeDisk(plan: WritePlan, job: Job): Promise<Result<null>> {
  const { device, name } = plan
  const sector = device.sectorBytes
  const head = alignedBuffer(HEAD_BYTES)
  const headLength = Math.min(HEAD_BYTES, roundUp(plan.sizeBytes, sector))
  await blankEnds(plan)

  const written = await writeBody(plan, job, head)
  if (!written.ok) return written
  await device.flush()
  if (plan.verify) {
    const verdict = await verifyChunks(plan, job, written.value)
    if (!verdict.ok) return verdict
  }
  job.signal.throwIfAborted()
  if (!(await device.isPresent())) return fail('drive-gone', { device: name })

  // From here on nothing is cancelled: the drive is as good as done.
  let isWhole = false
  try {
    const bytes = head.subarray(0, headLength)
    await device.write(bytes, 0)
    await device.flush()
    if (plan.verify) {
      const chunk = { position: 0, length: headLength, digest: sha256(bytes) }
      const found = alignedBuffer(HEAD_BYTES).subarray(0, headLength)
      await device.read(found, 0)
      if (sha256(found) !== chunk.digest) {
        return fail('verify-mismatch', { device: name, offset: 0, length: headLength })
      }
    }
    isWhole = true
    return ok(null)
  } finally {
    if (!isWhole) {
      await blankEnds(plan).catch((error: unknown) => {
        job.log(`the beginning of ${name} could not be blanked again: ${String(error)}`)
      })
    }
  }
}

/** Zeros the first MiB, and of the last MiB what the disk does not reach. */
async function blankEnds({ device, sizeBytes }: WritePlan): Promise<void> {
  const zeros = alignedBuffer(HEAD_BYTES)
  await device.write(zeros.subarray(0, Math.min(HEAD_BYTES, device.sizeBytes)), 0)
  const start = Math.max(roundUp(sizeBytes, device.sectorBytes), device.sizeBytes - TAIL_BYTES, 0)
  if (start < device.sizeBytes) await device.write(zeros.subarray(0, device.sizeBytes - start), start)
  await device.flush()
}

/** Writes all but the first MiB, which it collects in `head`; answers what was written where. */
async function writeBody(plan: WritePlan, job: Job, head: Uint8Array): Promise<Result<Chunk[]>> {
  const { device, sizeBytes, dataBytes } = plan
  const chunks: Chunk[] = []
  const free = Array.from({ length: IN_FLIGHT }, () => alignedBuffer(CHUNK_BYTES))
  const flight = openFlight()
  let current: { buffer: Uint8Array; position: number; filled: number } | null = null
  let end = 0
  let bytesDone = 0
  const report = (bytes: number): void => {
    bytesDone += bytes
    job.progress('write', bytesDone, dataBytes)
  }

  function submit(): void {
    if (current === null) return
    const { buffer, position, filled } = current
    current = null
    const length = roundUp(filled, device.sectorBytes)
    buffer.fill(0, filled, length)
    const bytes = buffer.subarray(0, length)
    flight.add(
      device.write(bytes, position).then(() => {
        free.push(buffer)
        report(filled)
      }),
    )
    // The write is under way in another thread while this one hashes.
    chunks.push({ position, length, digest: sha256(bytes) })
  }

  async function append(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const at = position + done
      if (current !== null && current.position + current.filled !== at) submit()
      if (current === null) {
        while (free.length === 0) await flight.next()
        current = { buffer: free.pop() as Uint8Array, position: at, filled: 0 }
      }
      const room = CHUNK_BYTES - (current.position % CHUNK_BYTES) - current.filled
      const part = bytes.subarray(done, done + room)
      current.buffer.set(part, current.filled)
      current.filled += part.length
      done += part.length
      if (part.length === room) submit()
    }
  }

  try {
    for await (const { position, bytes } of job.data) {
      job.signal.throwIfAborted()
      const wrong = pieceFault(position, bytes.length, end, plan)
      if (wrong !== null) return fail('helper-protocol', { detail: wrong })
      end = position + bytes.length
      const inHead = Math.min(Math.max(HEAD_BYTES - position, 0), bytes.length)
      if (inHead > 0) {
        head.set(bytes.subarray(0, inHead), position)
        report(inHead)
      }
      if (inHead < bytes.length) await append(position + inHead, bytes.subarray(inHead))
    }
    job.signal.throwIfAborted()
    submit()
    await flight.all()
  } finally {
    // No write of ours may still be under way when the drive is let go.
    await flight.settled()
  }
  if (end > sizeBytes || bytesDone !== dataBytes) {
    return fail('helper-protocol', { detail: `${bytesDone} bytes came, ${dataBytes} were announced` })
  }
  return ok(chunks)
}

/** What is wrong with a piece, or null. */
function pieceFault(position: number, length: number, end: number, plan: WritePlan): string | null {
  const sector = plan.device.sectorBytes
  const stop = position + length
  if (position < end) return `data at ${position} after ${end}`
  if (stop > plan.sizeBytes) return `data up to ${stop} of ${plan.sizeBytes}`
  const isAligned = position % sector === 0 && (stop % sector === 0 || stop === plan.sizeBytes)
  return isAligned ? null : `data at ${position} of ${length} bytes`
}

/** Reads all chunks back, several at a time, and compares; the first one in order that differs is told. */
async function verifyChunks(plan: WritePlan, job: Job, chunks: readonly Chunk[]): Promise<Result<null>> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const free = Array.from({ length: IN_FLIGHT }, () => alignedBuffer(CHUNK_BYTES))
  const flight = openFlight()
  const wrong: Chunk[] = []
  let bytesDone = 0
  job.progress('verify', 0, total)
  try {
    for (const chunk of chunks) {
      job.signal.throwIfAborted()
      while (free.length === 0) await flight.next()
      if (wrong.length > 0) break
      const buffer = free.pop() as Uint8Array
      const found = buffer.subarray(0, chunk.length)
      flight.add(
        plan.device.read(found, chunk.position).then(() => {
          if (sha256(found) !== chunk.digest) wrong.push(chunk)
          free.push(buffer)
          bytesDone += chunk.length
          job.progress('verify', bytesDone, total)
        }),
      )
    }
    await flight.all()
  } finally {
    await flight.settled()
  }
  const [first] = wrong.sort((a, b) => a.position - b.position)
  if (first === undefined) return ok(null)
  return fail('verify-mismatch', { device: plan.name, offset: first.position, length: first.length })
}

interface Flight {
  add(operation: Promise<void>): void
  /** Resolves when one more operation ended; rejects when one failed. */
  next(): Promise<void>
  /** Resolves when all ended; rejects when one failed. */
  all(): Promise<void>
  /** Resolves when all ended, well or not. */
  settled(): Promise<void>
}

/** The operations under way. A failure is kept until it is asked for, so that none goes unhandled. */
function openFlight(): Flight {
  const running = new Set<Promise<void>>()
  let failure: { error: unknown } | null = null
  const check = (): void => {
    if (failure !== null) throw failure.error
  }
  return {
    add(operation) {
      const tracked = operation.then(
        () => {
          running.delete(tracked)
        },
        (error: unknown) => {
          running.delete(tracked)
          failure ??= { error }
        },
      )
      running.add(tracked)
    },
    async next() {
      check()
      await Promise.race(running)
      check()
    },
    async all() {
      await Promise.all(running)
      check()
    },
    async settled() {
      await Promise.all(running)
    },
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}
