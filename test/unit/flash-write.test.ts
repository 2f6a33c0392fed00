import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DriveError, type FlashDevice } from '../../src/main/helper/flash-device'
import { HEAD_BYTES, writeDisk, type WritePlan } from '../../src/main/helper/flash-write'
import { piecesOf, testJob, type TestJob } from '../support/flash'

const MIB = 1024 * 1024
const OLD = 0xaa

interface Memory extends FlashDevice {
  content: Buffer
  log: { kind: 'write' | 'read' | 'flush'; position: number; length: number }[]
  /** Called before each operation; may throw. */
  fault: (kind: 'write' | 'read', position: number, count: number) => void
  present: boolean
}

/** A drive of old data in memory. */
function memoryDrive(sizeBytes: number, sectorBytes = 512): Memory {
  let count = 0
  const drive: Memory = {
    content: Buffer.alloc(sizeBytes, OLD),
    log: [],
    fault: () => undefined,
    present: true,
    sizeBytes,
    sectorBytes,
    async write(bytes, position) {
      await Promise.resolve()
      check(bytes, position)
      drive.fault('write', position, ++count)
      drive.log.push({ kind: 'write', position, length: bytes.length })
      drive.content.set(bytes, position)
    },
    async read(bytes, position) {
      await Promise.resolve()
      check(bytes, position)
      drive.fault('read', position, ++count)
      drive.log.push({ kind: 'read', position, length: bytes.length })
      bytes.set(drive.content.subarray(position, position + bytes.length))
    },
    flush() {
      drive.log.push({ kind: 'flush', position: 0, length: 0 })
      return Promise.resolve()
    },
    isPresent: () => Promise.resolve(drive.present),
  }
  function check(bytes: Uint8Array, position: number): void {
    if (position % sectorBytes !== 0 || bytes.length % sectorBytes !== 0) throw new Error('EINVAL')
    if (position + bytes.length > sizeBytes) throw new Error('ENOSPC')
  }
  return drive
}

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 4)
    bytes.writeUInt32LE((at * 2654435761) >>> 0, Math.min(at, length - 4))
  return bytes
}

function planFor(device: FlashDevice, disk: Buffer, changes: Partial<WritePlan> = {}): WritePlan {
  return { device, name: '/dev/x', sizeBytes: disk.length, dataBytes: disk.length, verify: true, ...changes }
}

const isBlank = (drive: Memory): boolean => isAll(drive.content.subarray(0, HEAD_BYTES), 0)
const isAll = (bytes: Buffer, value: number): boolean => bytes.equals(Buffer.alloc(bytes.length, value))

describe('a whole disk', () => {
  test('lands byte for byte; what lies beyond it keeps its old data, but for the last MiB', async () => {
    const drive = memoryDrive(20 * MIB)
    const disk = pattern(13 * MIB + 1024)
    expect(await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))).toEqual({ ok: true, value: null })
    expect(drive.content.subarray(0, disk.length).equals(disk)).toBe(true)
    expect(isAll(drive.content.subarray(disk.length, 19 * MIB), OLD)).toBe(true)
    expect(isAll(drive.content.subarray(19 * MIB), 0)).toBe(true)
  })

  test('the first MiB is blanked and flushed before anything else and written after everything is compared', async () => {
    const drive = memoryDrive(20 * MIB)
    const disk = pattern(4 * MIB)
    await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
    expect(drive.log.slice(0, 3)).toEqual([
      { kind: 'write', position: 0, length: MIB },
      { kind: 'write', position: 19 * MIB, length: MIB },
      { kind: 'flush', position: 0, length: 0 },
    ])
    const bodyRead = drive.log.findIndex(({ kind }) => kind === 'read')
    expect(drive.log[bodyRead - 1]?.kind).toBe('flush')
    const lastRead = drive.log.findLastIndex(({ kind, position }) => kind === 'read' && position > 0)
    const heads = drive.log.flatMap(({ kind, position }, index) =>
      kind === 'write' && position === 0 ? [index] : [],
    )
    expect(heads).toHaveLength(2)
    expect(heads[1]).toBeGreaterThan(lastRead)
    expect(drive.log.at(-1)).toEqual({ kind: 'read', position: 0, length: MIB })
  })

  test.each([
    ['of a few bytes', 100, 512],
    ['smaller than the first MiB', 300 * 1024, 512],
    ['exactly the first MiB', MIB, 4096],
    ['that ends within a sector', 5 * MIB + 77, 4096],
    ['as large as the drive', 8 * MIB, 4096],
    ['that ends within the last MiB', 7 * MIB + 512 * 1024, 512],
  ])('one %s', async (_, length, sectorBytes) => {
    const drive = memoryDrive(8 * MIB, sectorBytes)
    const disk = pattern(length)
    const result = await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
    expect(result).toEqual({ ok: true, value: null })
    expect(drive.content.subarray(0, length).equals(disk)).toBe(true)
    const end = Math.max(length, 7 * MIB)
    expect(isAll(drive.content.subarray(end), 0)).toBe(true)
  })

  test('the rest of the last sector is blank, not a remainder of earlier data', async () => {
    const drive = memoryDrive(32 * MIB, 4096)
    const disk = pattern(22 * MIB + 77)
    await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
    expect(isAll(drive.content.subarray(disk.length, 22 * MIB + 4096), 0)).toBe(true)
    expect(isAll(drive.content.subarray(22 * MIB + 4096, 31 * MIB), OLD)).toBe(true)
  })

  test('progress counts every byte once, in each phase', async () => {
    const drive = memoryDrive(16 * MIB)
    const disk = pattern(10 * MIB)
    const job = testJob(piecesOf(disk))
    await writeDisk(planFor(drive, disk), job)
    const last = (phase: string): unknown => job.steps.findLast((step) => step.phase === phase)
    expect(last('write')).toEqual({ phase: 'write', bytesDone: 10 * MIB, bytesTotal: 10 * MIB })
    expect(last('verify')).toEqual({ phase: 'verify', bytesDone: 9 * MIB, bytesTotal: 9 * MIB })
  })

  test('without verification nothing is read', async () => {
    const drive = memoryDrive(16 * MIB)
    const disk = pattern(10 * MIB)
    await writeDisk(planFor(drive, disk, { verify: false }), testJob(piecesOf(disk)))
    expect(drive.log.some(({ kind }) => kind === 'read')).toBe(false)
    expect(drive.content.subarray(0, disk.length).equals(disk)).toBe(true)
  })
})

/** Ascending ranges of sectors within a disk of 12 MiB, and the end of the disk. */
const someRanges = fc
  .uniqueArray(fc.integer({ min: 0, max: (12 * MIB) / 512 }), { minLength: 2, maxLength: 12 })
  .map((cuts) => {
    const sorted = cuts.sort((a, b) => a - b).map((cut) => cut * 512)
    const ranges: { position: number; length: number }[] = []
    for (let index = 0; index + 1 < sorted.length; index += 2) {
      const position = sorted[index] ?? 0
      ranges.push({ position, length: (sorted[index + 1] ?? 0) - position })
    }
    return ranges
  })

function rangePieces(
  disk: Buffer,
  ranges: { position: number; length: number }[],
): ReturnType<typeof piecesOf> {
  return ranges.flatMap(({ position, length }) =>
    piecesOf(disk.subarray(position, position + length), 64 * 1024 + 512).map((piece) => ({
      position: position + piece.position,
      bytes: piece.bytes,
    })),
  )
}

describe('ranges', () => {
  test('only they and the two ends are written', async () => {
    const disk = pattern(12 * MIB)
    await fc.assert(
      fc.asyncProperty(someRanges, async (ranges) => {
        const drive = memoryDrive(16 * MIB)
        const expected = Buffer.alloc(16 * MIB, OLD)
        expected.fill(0, 0, HEAD_BYTES)
        expected.fill(0, 15 * MIB)
        for (const { position, length } of ranges)
          expected.set(disk.subarray(position, position + length), position)
        const dataBytes = ranges.reduce((sum, range) => sum + range.length, 0)
        const plan = planFor(drive, disk, { dataBytes, verify: false })
        const result = await writeDisk(plan, testJob(rangePieces(disk, ranges)))
        expect(result).toEqual({ ok: true, value: null })
        expect(drive.content.equals(expected)).toBe(true)
      }),
      { numRuns: 15 },
    )
  })

  test('pieces that touch become large writes', async () => {
    const drive = memoryDrive(16 * MIB)
    const disk = pattern(12 * MIB)
    await writeDisk(planFor(drive, disk, { verify: false }), testJob(piecesOf(disk, 4096)))
    const body = drive.log.filter(
      ({ kind, position }) => kind === 'write' && position > 0 && position < 12 * MIB,
    )
    expect(body.map(({ position, length }) => [position / MIB, length / MIB])).toEqual([
      [1, 3],
      [4, 4],
      [8, 4],
    ])
  })

  test.each<[string, { position: number; length: number }[], number]>([
    [
      'that overlap',
      [
        { position: 0, length: 1024 },
        { position: 512, length: 1024 },
      ],
      2048,
    ],
    [
      'that go back',
      [
        { position: 4096, length: 512 },
        { position: 0, length: 512 },
      ],
      1024,
    ],
    ['beyond the disk', [{ position: 12 * MIB, length: 512 }], 512],
    ['across its end', [{ position: 12 * MIB - 512, length: 1024 }], 1024],
    ['not at a sector', [{ position: 100, length: 512 }], 512],
    ['that end within a sector', [{ position: 0, length: 100 }], 100],
    ['fewer than announced', [{ position: 0, length: 512 }], 1024],
  ])('ranges %s are an error, and the drive stays blank', async (_, ranges, dataBytes) => {
    const drive = memoryDrive(16 * MIB)
    const pieces = ranges.map(({ position, length }) => ({ position, bytes: Buffer.alloc(length, 1) }))
    const result = await writeDisk(planFor(drive, pattern(12 * MIB), { dataBytes }), testJob(pieces))
    expect(result).toMatchObject({ ok: false, failure: { code: 'helper-protocol' } })
    expect(isBlank(drive)).toBe(true)
  })
})

describe('an ending before the end leaves a blank drive', () => {
  const disk = pattern(14 * MIB)
  const total = countOperations(disk)

  async function countOperations(bytes: Buffer): Promise<number> {
    const drive = memoryDrive(16 * MIB)
    await writeDisk(planFor(drive, bytes), testJob(piecesOf(bytes)))
    return drive.log.filter(({ kind }) => kind !== 'flush').length
  }

  test('a failure of any single read or write', async () => {
    const operations = await total
    expect(operations).toBeGreaterThan(10)
    // Number 1 is the blanking itself: before it nothing was promised.
    for (let failing = 2; failing <= operations; failing++) {
      const drive = memoryDrive(16 * MIB)
      drive.fault = (_, position, count) => {
        if (count === failing) throw new DriveError(position, 'EIO')
      }
      await expect(writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))).rejects.toBeInstanceOf(
        DriveError,
      )
      expect(isBlank(drive), `operation ${failing}`).toBe(true)
    }
  })

  test('a cancel at any step of the progress', async () => {
    const job = testJob(piecesOf(disk))
    await writeDisk(planFor(memoryDrive(16 * MIB), disk), job)
    const steps = job.steps.length
    let cancelled = 0
    for (let at = 0; at < steps; at++) {
      const drive = memoryDrive(16 * MIB)
      let seen = 0
      const stopped: TestJob = testJob(piecesOf(disk), (_, self) => {
        if (seen++ === at) self.abort.abort(new Error('cancelled'))
      })
      await expect(writeDisk(planFor(drive, disk), stopped)).rejects.toThrow('cancelled')
      expect(isBlank(drive), `step ${at}`).toBe(true)
      cancelled += 1
    }
    expect(cancelled).toBeGreaterThan(8)
  })

  test('data that stop coming', async () => {
    const drive = memoryDrive(16 * MIB)
    const job = testJob([])
    job.data = {
      // eslint-disable-next-line @typescript-eslint/require-await
      async *[Symbol.asyncIterator]() {
        yield* piecesOf(disk).slice(0, 3)
        throw new Error('the connection closed')
      },
    }
    await expect(writeDisk(planFor(drive, disk), job)).rejects.toThrow('the connection closed')
    expect(isBlank(drive)).toBe(true)
  })

  test('a medium that was exchanged while it was written', async () => {
    const drive = memoryDrive(16 * MIB)
    drive.present = false
    const result = await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
    expect(result).toEqual({ ok: false, failure: { code: 'drive-gone', facts: { device: '/dev/x' } } })
    expect(isBlank(drive)).toBe(true)
  })

  test.each([
    ['in the middle', 9 * MIB, { offset: 8 * MIB, length: 4 * MIB }],
    ['in the last byte', 14 * MIB - 1, { offset: 12 * MIB, length: 2 * MIB }],
    ['in the first MiB', 5, { offset: 0, length: MIB }],
  ])('a byte %s that reads back wrong', async (_, at, facts) => {
    const drive = memoryDrive(16 * MIB)
    drive.fault = (kind, position) => {
      if (kind === 'read' && position === facts.offset) drive.content[at] = (drive.content[at] ?? 0) ^ 1
    }
    const result = await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
    expect(result).toEqual({
      ok: false,
      failure: { code: 'verify-mismatch', facts: { device: '/dev/x', ...facts } },
    })
    expect(isBlank(drive)).toBe(true)
  })
})
