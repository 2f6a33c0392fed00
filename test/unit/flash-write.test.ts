import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DriveError } from '../../src/main/helper/drive-io'
import { GPT_HEADER } from '../../src/main/disk/gpt'
import { HEAD_BYTES } from '../../src/main/helper/flash-track'
import { writeDisk, type WritePlan } from '../../src/main/helper/flash-write'
import { piecesOf, testJob, type TestJob } from '../support/flash'
import {
  failed,
  gptDisk,
  isAll,
  isBlank,
  memoryDrive,
  MIB,
  OLD,
  pattern,
  planFor,
  written,
  type Memory,
} from '../support/memory-drive'

describe('pieces in any order', () => {
  const straight = { order: 'any', dataBytes: null } as const

  test('land byte for byte, both ends of the disk at the very last', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 1e9 }), { minLength: 40, maxLength: 40 }),
        async (keys) => {
          const disk = pattern(10 * MIB)
          const drive = memoryDrive(disk.length)
          const pieces = piecesOf(disk, 256 * 1024)
            .map((piece, index) => ({ piece, key: keys[index % keys.length] ?? 0 }))
            .sort((a, b) => a.key - b.key)
            .map(({ piece }) => piece)
          expect(await writeDisk(planFor(drive, disk, straight), testJob(pieces))).toEqual(written)
          expect(drive.content.equals(disk)).toBe(true)
          const isEnd = (position: number): boolean => position < HEAD_BYTES || position >= disk.length - MIB
          const body = drive.log.findLastIndex(({ kind, position }) => kind === 'write' && !isEnd(position))
          const after = drive.log
            .slice(body)
            .filter(({ kind, position }) => kind === 'write' && isEnd(position))
          expect(after.map(({ position }) => position)).toEqual([
            ...[disk.length - MIB, 4096],
            ...[disk.length - 512, 512, 0],
          ])
        },
      ),
      { numRuns: 8 },
    )
  })

  test('that end early leave both ends blank, whatever came', async () => {
    const disk = pattern(10 * MIB)
    const drive = memoryDrive(disk.length)
    const pieces = piecesOf(disk).toReversed()
    const job = testJob(pieces)
    drive.fault = (kind) => {
      if (kind === 'read') throw new DriveError(0, 'EIO')
    }
    expect(await writeDisk(planFor(drive, disk, straight), job)).toEqual(failed('drive-io'))
    expect(isBlank(drive)).toBe(true)
    expect(isAll(drive.content.subarray(disk.length - MIB), 0)).toBe(true)
  })

  for (const phase of ['write', 'verify'])
    test(`that are cancelled during ${phase} leave both ends blank`, async () => {
      const disk = pattern(20 * MIB)
      const drive = memoryDrive(disk.length)
      const job = testJob(piecesOf(disk).toReversed(), (step, { abort }) => {
        if (step.phase === phase && step.bytesDone > 6 * MIB) abort.abort(new Error('cancelled by the test'))
      })
      await expect(writeDisk(planFor(drive, disk, straight), job)).rejects.toThrow('cancelled by the test')
      expect(drive.content.subarray(6 * MIB).equals(Buffer.alloc(14 * MIB))).toBe(false)
      expect(isBlank(drive)).toBe(true)
      expect(isAll(drive.content.subarray(disk.length - MIB), 0)).toBe(true)
    })

  test('are refused where something is already', async () => {
    const disk = pattern(10 * MIB)
    const drive = memoryDrive(disk.length)
    const pieces = piecesOf(disk)
    const result = await writeDisk(
      planFor(drive, disk, straight),
      testJob([...pieces, ...pieces.slice(1, 2)]),
    )
    expect(result).toMatchObject({ ok: false, failure: { code: 'helper-protocol' } })
    expect(isBlank(drive)).toBe(true)
  })
})

describe('a whole disk', () => {
  test('lands byte for byte; what lies beyond it keeps its old data, but for the last MiB', async () => {
    const drive = memoryDrive(20 * MIB)
    const disk = pattern(13 * MIB + 1024)
    expect(await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))).toEqual(written)
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
    expect(drive.log.at(-1)).toEqual({ kind: 'read', position: 0, length: 512 })
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
    expect(result).toEqual(written)
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
    // The first MiB is written last of all.
    expect(last('write')).toEqual({ phase: 'write', bytesDone: 9 * MIB, bytesTotal: 10 * MIB })
    expect(last('verify')).toEqual({ phase: 'verify', bytesDone: 9 * MIB, bytesTotal: 10 * MIB })
    expect(job.states[0]).toMatchObject({ state: 'done', bytesDone: 10 * MIB })
  })

  test('several chunks are under way at once, in a write as in a comparison', async () => {
    const drive = memoryDrive(40 * MIB)
    const disk = pattern(33 * MIB)
    await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
    expect(drive.most).toEqual({ write: 4, read: 4 })
  })

  test('progress counts no byte before it is on the drive', async () => {
    const drive = memoryDrive(16 * MIB)
    const disk = pattern(16 * MIB)
    let onDrive = 0
    const job = testJob(piecesOf(disk), ({ phase, bytesDone }) => {
      const blanked = 2 * MIB
      if (phase === 'write') expect(bytesDone).toBeLessThanOrEqual(onDrive - blanked)
    })
    drive.onStored = (bytes) => (onDrive += bytes)
    expect(await writeDisk(planFor(drive, disk), job)).toEqual(written)
    expect(job.states[0]).toMatchObject({ bytesDone: 16 * MIB, bytesTotal: 16 * MIB })
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
        expect(result).toEqual(written)
        expect(drive.content.equals(expected)).toBe(true)
      }),
      { numRuns: 8 },
    )
  })

  test('pieces that touch become large writes', async () => {
    const drive = memoryDrive(16 * MIB)
    const disk = pattern(12 * MIB)
    await writeDisk(planFor(drive, disk, { verify: false }), testJob(piecesOf(disk, 4096)))
    const body = drive.log.filter(
      ({ kind, position }) => kind === 'write' && position >= MIB && position < 12 * MIB,
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
      const result = await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
      expect(result, `operation ${failing}`).toEqual(failed('drive-io', { detail: 'EIO' }))
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
    expect(result).toEqual(failed('drive-gone', { device: '/dev/x' }))
    expect(isBlank(drive)).toBe(true)
  })

  test('a medium that is exchanged while the first MiB is written is not blanked', async () => {
    const drive = memoryDrive(20 * MIB)
    const disk = pattern(4 * MIB)
    let heads = 0
    drive.fault = (kind, position) => {
      if (kind !== 'write' || position !== 0 || ++heads !== 2) return
      drive.content.fill(OLD)
      drive.present = false
      throw new DriveError(position, 'EIO')
    }
    expect(await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))).toEqual(failed('drive-gone'))
    expect(isAll(drive.content, OLD)).toBe(true)
  })

  test.each([
    ['in the middle', 9 * MIB, { offset: 8 * MIB, length: 4 * MIB }],
    ['in the last byte', 14 * MIB - 1, { offset: 12 * MIB, length: 2 * MIB }],
    ['in the first sector', 5, { offset: 0, length: 512 }],
    ['in the first MiB', 9000, { offset: 4096, length: MIB - 4096 }],
  ])('a byte %s that reads back wrong', async (_, at, facts) => {
    const drive = memoryDrive(16 * MIB)
    drive.fault = (kind, position) => {
      if (kind === 'read' && position === facts.offset) drive.content[at] = (drive.content[at] ?? 0) ^ 1
    }
    const result = await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))
    expect(result).toEqual(failed('verify-mismatch', { device: '/dev/x', ...facts }))
    expect(isBlank(drive)).toBe(true)
  })
})

describe('several drives from one reading', () => {
  const disk = pattern(14 * MIB)
  const planForAll = (drives: Memory[], changes: Partial<WritePlan> = {}): WritePlan => ({
    ...planFor(memoryDrive(MIB), disk, changes),
    targets: drives.map((device, index) => ({ device, name: `/dev/x${index}` })),
  })

  test('all get the disk, and the data is taken once', async () => {
    const drives = [memoryDrive(16 * MIB), memoryDrive(20 * MIB, 4096), memoryDrive(14 * MIB)]
    const job = testJob(piecesOf(disk))
    expect(await writeDisk(planForAll(drives), job)).toEqual({ ok: true, value: [null, null, null] })
    for (const { content } of drives) expect(content.subarray(0, disk.length).equals(disk)).toBe(true)
    expect(job.states.map(({ state }) => state)).toEqual(['done', 'done', 'done'])
    const writes = job.steps.filter(({ phase }) => phase === 'write').map(({ bytesDone }) => bytesDone)
    expect(writes.at(-1)).toBe(13 * MIB)
    expect(writes).toEqual(writes.toSorted((a, b) => a - b))
  })

  test.each([
    ['write', 9 * MIB],
    ['read', 9 * MIB],
  ] as const)('one that fails in a %s stays blank and does not stop the others', async (kind, from) => {
    const drives = [memoryDrive(16 * MIB), memoryDrive(16 * MIB), memoryDrive(16 * MIB)]
    const [, bad] = drives
    if (bad === undefined) throw new Error('no drive')
    bad.fault = (what, position) => {
      if (what === kind && position + 4 * MIB > from && position < 14 * MIB)
        throw new DriveError(position, 'EIO')
    }
    const job = testJob(piecesOf(disk))
    const result = await writeDisk(planForAll(drives), job)
    expect(result).toMatchObject({ ok: true, value: [null, { code: 'drive-io' }, null] })
    expect(isBlank(bad)).toBe(true)
    for (const good of drives.filter((drive) => drive !== bad))
      expect(good.content.subarray(0, disk.length).equals(disk)).toBe(true)
    expect(job.states.map(({ state }) => state)).toEqual(['done', 'failed', 'done'])
  })

  test('one that was exchanged is told apart from one that fails', async () => {
    const drives = [memoryDrive(16 * MIB), memoryDrive(16 * MIB)]
    if (drives[0] !== undefined) drives[0].present = false
    const result = await writeDisk(planForAll(drives), testJob(piecesOf(disk)))
    expect(result).toMatchObject({ value: [{ code: 'drive-gone', facts: { device: '/dev/x0' } }, null] })
  })

  test('when all have failed the rest of the data is not taken', async () => {
    const drives = [memoryDrive(16 * MIB), memoryDrive(16 * MIB)]
    for (const drive of drives) {
      drive.fault = (kind, position) => {
        if (kind === 'write' && position >= MIB && position < 14 * MIB) throw new DriveError(position, 'EIO')
      }
    }
    let taken = 0
    const job = testJob([])
    job.data = {
      async *[Symbol.asyncIterator]() {
        for (const piece of piecesOf(disk, MIB)) {
          taken += 1
          await new Promise((resolve) => setImmediate(resolve))
          yield piece
        }
      },
    }
    const result = await writeDisk(planForAll(drives), job)
    expect(result).toMatchObject({ value: [{ code: 'drive-io' }, { code: 'drive-io' }] })
    expect(taken).toBeLessThan(14)
    expect(drives.every(isBlank)).toBe(true)
  })

  test('a cancel leaves all of them blank', async () => {
    const drives = [memoryDrive(16 * MIB), memoryDrive(16 * MIB)]
    const job = testJob(piecesOf(disk), ({ phase }, self) => {
      if (phase === 'verify') self.abort.abort(new Error('cancelled'))
    })
    await expect(writeDisk(planForAll(drives), job)).rejects.toThrow('cancelled')
    expect(drives.every(isBlank)).toBe(true)
  })
})

describe('a disk whose size is not known before', () => {
  const unknown = { isSizeKnown: false, sizeBytes: 1, dataBytes: null }

  test('lands byte for byte, over the blank end of the drive', async () => {
    const drive = memoryDrive(16 * MIB)
    const disk = pattern(16 * MIB - 300 * 1024 - 12)
    const job = testJob(piecesOf(disk))
    expect(await writeDisk(planFor(drive, disk, unknown), job)).toEqual(written)
    expect(drive.content.subarray(0, disk.length).equals(disk)).toBe(true)
    expect(isAll(drive.content.subarray(disk.length), 0)).toBe(true)
    expect(job.steps.find(({ phase }) => phase === 'write')?.bytesTotal).toBeNull()
  })

  test('that does not fit leaves the drive blank and says so; a larger one beside it is written', async () => {
    const small = memoryDrive(8 * MIB)
    const large = memoryDrive(16 * MIB)
    const disk = pattern(12 * MIB)
    const targets = [small, large].map((device, index) => ({ device, name: `/dev/x${index}` }))
    const result = await writeDisk({ ...planFor(large, disk, unknown), targets }, testJob(piecesOf(disk)))
    expect(result).toEqual({
      ok: true,
      value: [{ code: 'drive-too-small', facts: { device: '/dev/x0', sizeBytes: 8 * MIB } }, null],
    })
    expect(isBlank(small)).toBe(true)
    expect(large.content.subarray(0, disk.length).equals(disk)).toBe(true)
  })

  test('may end within a sector, but not go on behind it', async () => {
    const drive = memoryDrive(16 * MIB)
    const pieces = [
      { position: 0, bytes: Buffer.alloc(2 * MIB + 100, 1) },
      { position: 2 * MIB + 100, bytes: Buffer.alloc(412, 1) },
    ]
    const result = await writeDisk(planFor(drive, pattern(4 * MIB), unknown), testJob(pieces))
    expect(result).toMatchObject({ ok: false, failure: { code: 'helper-protocol' } })
    expect(isBlank(drive)).toBe(true)
  })
})

describe('a disk with a GUID partition table', () => {
  const lastHeader = (drive: Memory): ReturnType<typeof GPT_HEADER.decode> =>
    GPT_HEADER.decode(drive.content, drive.sizeBytes - 512)

  test('gets its second table at the end of each drive, and all that checks out', async () => {
    const drives = [memoryDrive(16 * MIB), memoryDrive(11 * MIB + 4096)]
    const disk = gptDisk(10 * MIB)
    const targets = drives.map((device, index) => ({ device, name: `/dev/x${index}` }))
    const result = await writeDisk({ ...planFor(memoryDrive(MIB), disk), targets }, testJob(piecesOf(disk)))
    expect(result).toEqual({ ok: true, value: [null, null] })
    for (const drive of drives) {
      const last = drive.sizeBytes / 512 - 1
      const primary = GPT_HEADER.decode(drive.content, 512)
      expect(primary.AlternateLBA).toBe(BigInt(last))
      expect(primary.LastUsableLBA).toBe(BigInt(last - 33))
      const secondary = lastHeader(drive)
      expect(secondary.MyLBA).toBe(BigInt(last))
      expect(secondary.PartitionEntryLBA).toBe(BigInt(last - 32))
      // The same partitions, and nothing else of the disk is another.
      const entries = drive.content.subarray((last - 32) * 512, last * 512)
      expect(entries.equals(disk.subarray(1024, 1024 + 32 * 512))).toBe(true)
      expect(drive.content.subarray(34 * 512, disk.length).equals(disk.subarray(34 * 512))).toBe(true)
    }
  })

  test.each<[string, (disk: Buffer) => void, Partial<{ sizeBytes: number; sector: number }>]>([
    ['whose header is damaged', (disk) => (disk[600] = 1), {}],
    ['whose entries are damaged', (disk) => (disk[1100] = 1), {}],
    ['that is an ISO image too', (disk) => disk.write('CD001', 32769, 'latin1'), {}],
    ['on a drive of other sectors', () => undefined, { sector: 4096 }],
    ['on a drive of its own size', () => undefined, { sizeBytes: 10 * MIB }],
    ['on a drive that is too little larger', () => undefined, { sizeBytes: 10 * MIB + 8192 }],
  ])('is written as it is: one %s', async (_, change, { sizeBytes = 16 * MIB, sector = 512 }) => {
    const drive = memoryDrive(sizeBytes, sector)
    const disk = gptDisk(10 * MIB)
    change(disk)
    expect(await writeDisk(planFor(drive, disk), testJob(piecesOf(disk)))).toEqual(written)
    expect(drive.content.subarray(0, disk.length).equals(disk)).toBe(true)
  })

  test('stays blank when its second table cannot be written', async () => {
    const drive = memoryDrive(16 * MIB)
    let tails = 0
    drive.fault = (kind, position) => {
      if (kind === 'write' && position > 15 * MIB && ++tails > 0) throw new DriveError(position, 'EIO')
    }
    expect(await writeDisk(planFor(drive, gptDisk(10 * MIB)), testJob(piecesOf(gptDisk(10 * MIB))))).toEqual(
      failed('drive-io'),
    )
    expect(tails).toBe(1)
    expect(isBlank(drive)).toBe(true)
  })
})
