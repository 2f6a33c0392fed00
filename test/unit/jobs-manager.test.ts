import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createJobManager, type JobWork } from '../../src/main/jobs/manager'
import { fail, ok } from '../../src/shared/failure'
import { overallFraction, jobPhases, type JobContext, type JobSnapshot } from '../../src/shared/job'

function work(run: JobWork<string>['run'], locks: string[] = []): JobWork<string> {
  return { kind: 'build', title: 'a disk', diskId: null, locks, run }
}

function start(manager: ReturnType<typeof createJobManager>, job: JobWork<string>) {
  const started = manager.start(job)
  if (!started.ok) throw new Error(`not started: ${started.failure.code}`)
  return started.value
}

/** Work that waits until it is cancelled, as a well-behaved job does. */
async function untilCancelled(context: JobContext) {
  await sleep(60_000, undefined, { signal: context.signal })
  return ok('never')
}

/** A promise, and what fulfils it. */
function gate(): [Promise<void>, () => void] {
  let open: () => void = () => undefined
  const promise = new Promise<void>((resolve) => (open = resolve))
  return [promise, () => open()]
}

describe('job manager', () => {
  it('ends with the value, after the clean-ups in reverse order', async () => {
    const order: string[] = []
    const manager = createJobManager()
    const job = start(
      manager,
      work((context) => {
        context.defer(() => void order.push('first'))
        context.defer(async () => {
          await sleep(5)
          order.push('second')
        })
        order.push('work')
        return Promise.resolve(ok('done'))
      }),
    )
    expect(await job.ending).toEqual({ state: 'succeeded', value: 'done' })
    expect(order).toEqual(['work', 'second', 'first'])
    expect(manager.list()[0]?.state).toBe('succeeded')
  })

  it('publishes "cancelled" only when the clean-ups are done', async () => {
    const manager = createJobManager()
    let cleaned = false
    const states: [string, boolean][] = []
    manager.subscribe((jobs) => states.push([jobs[0]?.state ?? '', cleaned]))
    const job = start(
      manager,
      work(async (context) => {
        context.defer(async () => {
          await sleep(20)
          cleaned = true
        })
        return untilCancelled(context)
      }),
    )
    await sleep(5)
    expect(manager.cancel(job.id).ok).toBe(true)
    expect(await job.ending).toEqual({ state: 'cancelled' })
    expect(states).toContainEqual(['cancelling', false])
    expect(states.filter(([state]) => state === 'cancelled')).toEqual([['cancelled', true]])
  })

  it('refuses work that needs a held lock, and takes it afterwards', async () => {
    const manager = createJobManager()
    const first = start(manager, work(untilCancelled, ['file:/a']))
    const second = manager.start(work(untilCancelled, ['drive:x', 'file:/a']))
    expect(second).toEqual(fail('busy', { what: 'file:/a' }))
    manager.cancel(first.id)
    await first.ending
    const third = start(
      manager,
      work(() => Promise.resolve(ok('free')), ['file:/a']),
    )
    expect((await third.ending).state).toBe('succeeded')
  })

  it('turns a thrown bug into a failure with the stack in the log', async () => {
    const manager = createJobManager()
    const job = start(
      manager,
      work(() => Promise.reject(new Error('forgot something'))),
    )
    expect(await job.ending).toMatchObject({ state: 'failed', failure: { code: 'internal' } })
    const log = manager.log(job.id)
    expect(log.ok && log.value.join('\n')).toContain('forgot something')
  })

  it('does not call a job clean whose clean-up failed, and still runs the others', async () => {
    const manager = createJobManager()
    let other = false
    const job = start(
      manager,
      work((context) => {
        context.defer(() => void (other = true))
        context.defer(() => {
          throw new Error('still mounted')
        })
        return Promise.resolve(ok('x'))
      }),
    )
    expect(await job.ending).toMatchObject({ state: 'failed', failure: { code: 'clean-up-failed' } })
    expect(other).toBe(true)
  })

  it('says that a job which finished in spite of a cancel has finished', async () => {
    const manager = createJobManager()
    const [begun, begin] = gate()
    const [finished, finish] = gate()
    const job = start(
      manager,
      work(async () => {
        begin()
        await finished
        return ok('whole')
      }),
    )
    await begun
    expect(manager.cancel(job.id).ok).toBe(true)
    finish()
    expect(await job.ending).toEqual({ state: 'succeeded', value: 'whole' })
  })

  it('reports fractions that only grow through the phases, with speed and time left', async () => {
    const manager = createJobManager()
    const seen: JobSnapshot[] = []
    manager.subscribe((jobs) => {
      const job = jobs[0]
      if (job !== undefined) seen.push(job)
    })
    const job = start(
      manager,
      work(async (context) => {
        for (const phase of Object.keys(jobPhases.build)) {
          context.phase(phase)
          for (let done = 0; done <= 100; done += 25) {
            context.progress(done, 100)
            await sleep(40)
          }
        }
        return ok('x')
      }),
    )
    await job.ending
    const running = seen.flatMap((one) => (one.state === 'running' ? [one] : []))
    const fractions = running.map((one) => one.fraction ?? Number.NaN)
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(running.some((one) => (one.bytesPerSecond ?? 0) > 0 && (one.remaining ?? -1) >= 0)).toBe(true)
  })

  it('shows steps without a speed: how far the next one is nobody knows', async () => {
    const manager = createJobManager()
    const seen: JobSnapshot[] = []
    manager.subscribe((jobs) => seen.push(...jobs))
    const job = manager.start({
      ...{ kind: 'proof', title: 'x', diskId: null, locks: [] },
      async run(context) {
        context.phase('boot')
        for (const done of [0, 1, 2]) {
          context.steps(done, 3)
          await sleep(150)
        }
        return ok('x')
      },
    })
    if (!job.ok) throw new Error(job.failure.code)
    await job.value.ending
    const running = seen.flatMap((one) => (one.state === 'running' ? [one] : []))
    expect(running.at(-1)).toMatchObject({ phase: 'boot', bytesPerSecond: null, remaining: null })
    expect(running.at(-1)?.fraction).toBeCloseTo(2 / 3)
    expect(running.every((one) => one.bytesPerSecond === null && one.remaining === null)).toBe(true)
  })

  it('close() cancels everything and waits', async () => {
    const manager = createJobManager()
    const jobs = [start(manager, work(untilCancelled)), start(manager, work(untilCancelled))]
    await sleep(5)
    await manager.close()
    expect(manager.list().map((job) => job.state)).toEqual(['cancelled', 'cancelled'])
    expect(await jobs[0]?.ending).toEqual({ state: 'cancelled' })
  })

  it('dismisses ended jobs only', async () => {
    const manager = createJobManager()
    const job = start(manager, work(untilCancelled))
    expect(manager.dismiss(job.id)).toMatchObject({ ok: false, failure: { code: 'busy' } })
    manager.cancel(job.id)
    await job.ending
    expect(manager.dismiss(job.id).ok).toBe(true)
    expect(manager.list()).toEqual([])
  })

  it('takes off the list what is answered, but not what was cancelled or went wrong by a mistake', async () => {
    const outcomes = async (run: JobWork<string>['run'], cancels = false): Promise<string[]> => {
      const manager = createJobManager()
      const told = new Set<string>()
      manager.subscribe((jobs) => jobs.forEach(({ state }) => told.add(state)))
      const job = start(manager, { ...work(run), isAnswered: true })
      if (cancels) manager.cancel(job.id)
      await job.ending
      expect(manager.list().length).toBe(told.has('cancelled') || told.has('failed') ? 1 : 0)
      return [...told]
    }
    expect(await outcomes(() => Promise.resolve(ok('x')))).toEqual(['queued'])
    expect(await outcomes(() => Promise.resolve(fail('not-found', { what: 'x' })))).toEqual(['queued'])
    expect(await outcomes(untilCancelled, true)).toEqual(['queued', 'cancelling', 'cancelled'])
    expect(await outcomes(() => Promise.reject(new Error('bug')))).toEqual(['queued', 'failed'])
  })
})

describe('overallFraction', () => {
  it.each(Object.entries(jobPhases))('the weights of %s add up to 1', (_kind, phases) => {
    const weights: number[] = Object.values(phases)
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1)
  })
  it('throws for a phase that the kind does not have', () => {
    expect(() => overallFraction('flash', 'bake', 0)).toThrow()
  })
})
