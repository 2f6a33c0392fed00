import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { GIVE_UP_TIME, HURRIED_TIME, STALL_TIME } from '../../src/main/helper/flash-watch'
import { writeDisk, type WritePlan } from '../../src/main/helper/flash-write'
import { piecesOf, testJob } from '../support/flash'
import {
  gptDisk,
  isAll,
  isBlank,
  memoryDrive,
  MIB,
  pattern,
  planFor,
  type Memory,
} from '../support/memory-drive'

const disk = pattern(40 * MIB)
const holds = (drive: Memory): boolean => drive.content.subarray(0, disk.length).equals(disk)
const planForAll = (drives: Memory[], changes: Partial<WritePlan> = {}): WritePlan => ({
  ...planFor(memoryDrive(MIB), disk, changes),
  targets: drives.map((device, index) => ({ device, name: `/dev/x${index}` })),
})

describe('a drive that does not answer', () => {
  // The clock alone is pretended: what is asked of a drive takes its own time.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const until = (condition: () => boolean): Promise<boolean> =>
    vi.waitUntil(condition, { timeout: 20_000, interval: 5 })

  // Operations 1 and 2 blank the ends, 10 write and 10 compare what is between, 6 write and compare the first MiB.
  for (const [when, hangsAt] of [
    ['from the beginning', 1],
    ['in the middle of the write', 6],
    ['in the comparison', 16],
    ['when the first sector is written', 27],
  ] as const) {
    test(`${when} is said to be stalled, fails in the end, and stops no other`, async () => {
      const drives = [memoryDrive(44 * MIB), memoryDrive(44 * MIB), memoryDrive(44 * MIB)]
      const [first, hung, last] = drives as [Memory, Memory, Memory]
      hung.hangsAt = hangsAt
      const job = testJob(piecesOf(disk))
      const ending = writeDisk(planForAll(drives), job)
      await until(() => job.states[0]?.state === 'done' && job.states[2]?.state === 'done')
      expect([holds(first), holds(last)]).toEqual([true, true])
      vi.advanceTimersByTime(STALL_TIME + 2000)
      expect(job.states.map(({ stalled }) => stalled)).toEqual([false, true, false])
      vi.advanceTimersByTime(GIVE_UP_TIME)
      expect(await ending).toMatchObject({
        value: [null, { code: 'drive-io', facts: { device: '/dev/x1' } }, null],
      })
      expect(job.states[1]).toMatchObject({ state: 'failed', stalled: false })
      expect(hung.content.readUInt16BE(510)).not.toBe(0x55aa)
    })
  }

  test('holds up the others only until it is given up, when there is more than memory takes', async () => {
    const large = pattern(80 * MIB)
    const drives = [memoryDrive(84 * MIB), memoryDrive(84 * MIB)] as const
    drives[1].hangsAt = 3
    const job = testJob(piecesOf(large))
    const plan = {
      ...planFor(drives[0], large),
      targets: drives.map((device, index) => ({ device, name: `/dev/x${index}` })),
    }
    const ending = writeDisk(plan, job)
    await until(() => (job.states[0]?.bytesDone ?? 0) >= 56 * MIB)
    vi.advanceTimersByTime(GIVE_UP_TIME + 2000)
    expect(await ending).toMatchObject({ value: [null, { code: 'drive-io' }] })
    expect(drives[0].content.subarray(0, large.length).equals(large)).toBe(true)
  })

  test('does not hold up a cancel', async () => {
    const drives = [memoryDrive(44 * MIB), memoryDrive(44 * MIB)] as const
    drives[1].hangsAt = 4
    const job = testJob(piecesOf(disk), ({ bytesDone }) => {
      if (bytesDone >= 8 * MIB) job.abort.abort(new Error('cancelled'))
    })
    drives[0].fault = (kind) => {
      if (kind === 'read') job.abort.abort(new Error('cancelled'))
    }
    const ending = writeDisk(planForAll([...drives]), job)
    const ended = expect(ending).rejects.toThrow('cancelled')
    await until(() => job.abort.signal.aborted)
    await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(HURRIED_TIME + 2000)
    await ended
    expect(drives.map(isBlank)).toEqual([true, true])
  })

  test('and does after all is no longer said to be stalled', async () => {
    const drive = memoryDrive(44 * MIB)
    let answer: () => void = () => undefined
    const plan = planForAll([drive])
    const [target] = plan.targets
    const slow = { ...drive, flush: () => new Promise<void>((resolve) => (answer = resolve)) }
    const job = testJob(piecesOf(disk))
    const ending = writeDisk({ ...plan, targets: [{ ...target, name: '/dev/x', device: slow }] }, job)
    await until(() => drive.log.length === 2)
    await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(STALL_TIME + 2000)
    expect(job.states[0]?.stalled).toBe(true)
    slow.flush = () => Promise.resolve()
    answer()
    expect(await ending).toEqual({ ok: true, value: [null] })
    expect(job.states[0]).toMatchObject({ state: 'done', stalled: false })
  })
})

test('a drive is compared and let go while a slower one is still written', async () => {
  const drives = [memoryDrive(44 * MIB), memoryDrive(44 * MIB)] as const
  let isFirstDone = false
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  const slow = {
    ...drives[1],
    write: async (bytes: Uint8Array, position: number) => {
      if (position >= MIB) await held
      await drives[1].write(bytes, position)
    },
  }
  const plan = planForAll([...drives])
  const ending = writeDisk(
    {
      ...plan,
      targets: [
        {
          device: drives[0],
          name: '/dev/x0',
          whenDone: () => {
            isFirstDone = true
            release()
            return Promise.resolve()
          },
        },
        { device: slow, name: '/dev/x1' },
      ],
    },
    testJob(piecesOf(disk)),
  )
  expect(await ending).toEqual({ ok: true, value: [null, null] })
  expect(isFirstDone).toBe(true)
  expect(drives.map(holds)).toEqual([true, true])
})

describe('a drive that is pulled at any byte', () => {
  const GPT = Buffer.from('EFI PART')
  const hasTable = (drive: Memory, at: number): boolean => drive.content.subarray(at, at + 8).equals(GPT)

  for (const [what, driveBytes, order] of [
    ['as large as the disk', 6 * MIB, 'ascending'],
    ['larger than the disk', 9 * MIB, 'ascending'],
    ['as large as the disk, which comes backwards', 6 * MIB, 'any'],
  ] as const) {
    test(`is plainly blank: one ${what}`, async () => {
      const table = gptDisk(6 * MIB)
      const pieces = order === 'any' ? piecesOf(table, MIB).toReversed() : piecesOf(table, MIB)
      const plan = (drive: Memory): WritePlan => planFor(drive, table, { order })
      const whole = memoryDrive(driveBytes)
      await writeDisk(plan(whole), testJob(pieces))
      expect([hasTable(whole, 512), hasTable(whole, driveBytes - 512)]).toEqual([true, true])
      const operations = whole.log.filter(({ kind }) => kind !== 'flush')
      let pulled = 0
      for (const [index, { kind, length }] of operations.entries()) {
        // Before its ends are blank nothing was promised.
        if (kind !== 'write' || index < 2) continue
        for (const bytes of [0, 511, 512, 1024, 20_000, length - 512, length - 1]) {
          if (bytes < 0 || bytes >= length) continue
          const drive = memoryDrive(driveBytes)
          drive.pulledAt = { count: index + 1, bytes }
          const result = await writeDisk(plan(drive), testJob(pieces))
          expect(result).toMatchObject({ value: [{ code: 'drive-gone' }] })
          expect(drive.content.subarray(510, 512), `write ${index}, byte ${bytes}`).not.toEqual(
            Buffer.from([0x55, 0xaa]),
          )
          // A header of a table stands at an end only when nothing but the first sectors is missing.
          if (hasTable(drive, 512) || hasTable(drive, driveBytes - 512)) {
            expect(drive.content.subarray(4096).equals(whole.content.subarray(4096)), `write ${index}`).toBe(
              true,
            )
          } else expect(isAll(drive.content.subarray(0, 4096), 0)).toBe(true)
          pulled += 1
        }
      }
      expect(pulled).toBeGreaterThan(20)
    }, 60_000)
  }
})
