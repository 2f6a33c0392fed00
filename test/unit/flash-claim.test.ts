import { describe, expect, test } from 'vitest'
import { drivesOf } from '../../src/main/drives/linux/drives'
import type { ClaimedDevice } from '../../src/main/helper/flash-device'
import { claimTarget, type ClaimSteps } from '../../src/main/helper/flash-target'
import type { Drive } from '../../src/shared/drive'
import { fail, ok, type Result } from '../../src/shared/failure'
import { targetFor } from '../support/flash'
import { GB, machine, nvmeMounts, nvmeRoot, usbStick, type Block } from '../support/machine'

const MOUNTED = '/dev/sdb1 /media/ada/PHOTOS vfat'
const OTHER = { serial: '4C530002', seq: '99' }

function drives(stick: Block, mounts: string[] = []): Drive[] {
  const state = machine({ blocks: [nvmeRoot(), stick], mounts: [...nvmeMounts, ...mounts] })
  return drivesOf(state, { paths: [], files: [] })
}

function stickOf(all: readonly Drive[]): Drive {
  const drive = all.find(({ device }) => device === '/dev/sdb')
  if (drive === undefined) throw new Error('no stick')
  return drive
}

interface World {
  /** What each look at the machine finds; the last one holds from then on. */
  looks: Drive[][]
  /** What is open after the open; the stick of the last look when left out. */
  opened?: { majorMinor: string; sizeBytes: number }
  openers?: string[]
  unmount?: boolean
}

/** Claims the stick of the first look in a world that changes, and tells what was done to it. */
async function claim({ looks, opened, openers = [], unmount = false }: World): Promise<{
  result: Result<ClaimedDevice>
  done: string[]
}> {
  const done: string[] = []
  const [confirmed = []] = looks
  let look = 0
  const steps: ClaimSteps = {
    find: () => Promise.resolve(ok(looks[Math.min(look++, looks.length - 1)] ?? [])),
    unmount: () => {
      done.push('unmount')
      return Promise.resolve(ok(null))
    },
    claim: () => {
      done.push('open')
      const { majorMinor, sizeBytes } = opened ?? stickOf(looks.at(-1) ?? [])
      const close = (): Promise<void> => {
        done.push('close')
        return Promise.resolve()
      }
      return Promise.resolve(ok({ majorMinor, device: { sizeBytes }, close } as ClaimedDevice))
    },
    openers: () => Promise.resolve(openers),
    letGo: () => Promise.resolve([]),
  }
  const target = targetFor(stickOf(confirmed), { unmount })
  const result = await claimTarget(target, 4 * GB, { paths: [], files: [] }, false, steps)
  return { result, done }
}

const plain = drives(usbStick('sdb'))
const exchanged = drives(usbStick('sdb', OTHER))
const mounted = drives(usbStick('sdb'), [MOUNTED])

test('a drive that stays what it is is opened and kept open', async () => {
  const { result, done } = await claim({ looks: [plain] })
  expect(result.ok).toBe(true)
  expect(done).toEqual(['open'])
})

describe('a drive that changes after it was judged', () => {
  test('is refused when it was exchanged before it was opened, and let go', async () => {
    const { result, done } = await claim({ looks: [plain, exchanged] })
    expect(result).toMatchObject({
      ok: false,
      failure: { code: 'drive-changed', facts: { field: 'serial' } },
    })
    expect(done).toEqual(['open', 'close'])
  })

  test('is refused when only its sequence number tells', async () => {
    const { result, done } = await claim({ looks: [plain, drives(usbStick('sdb', { seq: '99' }))] })
    expect(result).toMatchObject({ failure: { code: 'drive-changed', facts: { field: 'diskSequence' } } })
    expect(done).toEqual(['open', 'close'])
  })

  test('is refused when it became a part of the system', async () => {
    const swapping = drivesOf(
      machine({ blocks: [nvmeRoot(), usbStick('sdb')], mounts: nvmeMounts, swaps: ['/dev/sdb1'] }),
      { paths: [], files: [] },
    )
    const { result, done } = await claim({ looks: [plain, swapping] })
    expect(result).toMatchObject({ failure: { code: 'drive-refused', facts: { reasons: ['system'] } } })
    expect(done).toEqual(['open', 'close'])
  })

  test('is refused when it was mounted meanwhile, though unmounting was allowed', async () => {
    const { result, done } = await claim({ looks: [plain, mounted], unmount: true })
    expect(result).toMatchObject({ failure: { code: 'drive-refused', facts: { reasons: ['mounted'] } } })
    expect(done).toEqual(['open', 'close'])
  })

  test('is refused when it is gone', async () => {
    const { result, done } = await claim({
      looks: [plain, drives(usbStick('sdc'))],
      opened: stickOf(plain),
    })
    expect(result).toEqual(fail('drive-gone', { device: '/dev/sdb' }))
    expect(done).toEqual(['open', 'close'])
  })

  test.each([
    ['number', { majorMinor: '8:99', sizeBytes: 32 * GB }],
    ['size', { majorMinor: stickOf(plain).majorMinor, sizeBytes: 64 * GB }],
  ])('is refused when what was opened has another %s', async (_, opened) => {
    const { result, done } = await claim({ looks: [plain], opened })
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-changed' } })
    expect(done).toEqual(['open', 'close'])
  })

  test('is refused when somebody else has it open', async () => {
    const { result, done } = await claim({ looks: [plain], openers: ['dd (11)'] })
    expect(result).toEqual(fail('drive-busy', { device: '/dev/sdb', detail: 'it is open in dd (11)' }))
    expect(done).toEqual(['open', 'close'])
  })
})

describe('a drive that is mounted', () => {
  test('is unmounted when that was allowed, and judged before and after', async () => {
    const { result, done } = await claim({ looks: [mounted, plain], unmount: true })
    expect(result.ok).toBe(true)
    expect(done).toEqual(['unmount', 'open'])
  })

  test('is not touched when that was not allowed', async () => {
    const { result, done } = await claim({ looks: [mounted] })
    expect(result).toMatchObject({ failure: { code: 'drive-refused', facts: { reasons: ['mounted'] } } })
    expect(done).toEqual([])
  })

  test('is refused when it is mounted still, such as where no unmount of ours reaches', async () => {
    const { result, done } = await claim({ looks: [mounted], unmount: true })
    const detail = 'it is mounted at /media/ada/PHOTOS'
    expect(result).toEqual(fail('drive-busy', { device: '/dev/sdb', detail }))
    expect(done).toEqual(['unmount'])
  })

  test('is refused when it was exchanged while it was unmounted', async () => {
    const { result, done } = await claim({ looks: [mounted, exchanged], unmount: true })
    expect(result).toMatchObject({ ok: false, failure: { code: 'drive-changed' } })
    expect(done).toEqual(['unmount'])
  })
})
