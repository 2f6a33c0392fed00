import { beforeEach, expect, test } from 'vitest'
import { createAttention } from '../../src/main/jobs/attention'
import type { JobSnapshot, JobTarget } from '../../src/shared/job'

const base = { id: 'a', kind: 'flash', title: 'SanDisk Ultra', startedAt: 0, diskId: null } as const
const running = (fraction: number | null, id = 'a'): JobSnapshot => ({
  ...base,
  id,
  state: 'running',
  phase: 'write',
  fraction,
  bytesPerSecond: null,
  remaining: null,
})
const done: JobSnapshot = { ...base, state: 'succeeded', endedAt: 9 }
const failed: JobSnapshot = {
  ...base,
  state: 'failed',
  endedAt: 9,
  failure: { code: 'drive-gone', facts: { device: '/dev/sdb' } },
}

let seen: (string | number | null)[] = []
let isFocused = false
const follow = (): ((jobs: readonly JobSnapshot[]) => void) =>
  createAttention({
    showProgress: (fraction) => void seen.push(fraction),
    notify: (title, text) => void seen.push(`${title}. ${text}`),
    keepAwake() {
      seen.push('awake')
      return () => void seen.push('may sleep')
    },
    isWindowFocused: () => isFocused,
  })
beforeEach(() => {
  seen = []
  isFocused = false
})

test('a write shows at the icon, keeps the computer awake, and tells its end', () => {
  const tell = follow()
  for (const job of [running(null), running(0.5), running(0.501), done]) tell([job])
  tell([done])
  expect(seen).toEqual([
    ...['awake', 'unknown', 0.5],
    ...['SanDisk Ultra: written and compared. It may be pulled.', 'may sleep', null],
  ])
})

test('a failure is told, a cancel is not, and neither to who looks at the window', () => {
  const tell = follow()
  tell([running(0.5)])
  tell([failed])
  expect(seen).toContain('SanDisk Ultra: not written. The drive /dev/sdb is no longer there.')
  const ends = [done, failed, { ...base, state: 'cancelled', endedAt: 9 } as const]
  for (const [index, end] of ends.entries()) {
    seen = []
    isFocused = index < 2
    const another = follow()
    another([running(0.5)])
    another([end])
    expect(seen).toEqual(['awake', 0.5, 'may sleep', null])
  }
})

test('of several drives those that failed are named as not written', () => {
  const tell = follow()
  const target = { isBegun: true, fraction: 1, stalled: false, failure: null }
  const targets: JobTarget[] = [
    { ...target, name: 'SanDisk Ultra', device: '/dev/sdb', state: 'done' },
    { ...target, name: 'Kingston', device: '/dev/sdc', state: 'failed' },
  ]
  const title = 'SanDisk Ultra, Kingston'
  tell([{ ...running(0.5), title }])
  tell([
    {
      ...{ ...base, title, targets, state: 'failed', endedAt: 9 },
      failure: { code: 'drives-failed', facts: { failed: ['/dev/sdc'], total: 2 } },
    },
  ])
  expect(seen).toContain('Kingston: not written. 1 of 2 drives could not be written: /dev/sdc.')
})

test('of several writes the icon shows the one that is least far, until the last has ended', () => {
  const tell = follow()
  tell([running(0.5), running(0.2, 'b')])
  tell([done, running(0.4, 'b')])
  expect(seen).not.toContain('may sleep')
  expect(seen.filter((one) => typeof one === 'number')).toEqual([0.2, 0.4])
})

test('other work and writes that ended long ago are nothing to tell', () => {
  follow()([done, { ...running(0.5), kind: 'build' }])
  expect(seen).toEqual([])
})
