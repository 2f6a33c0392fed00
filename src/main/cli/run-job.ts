import { createJobManager, type JobWork } from '../jobs/manager'
import { keepAwake } from './keep-awake'
import type { ExitCode, Reporter } from './reporter'

/** Signals that ask a program to end: Ctrl-C, kill, a closed terminal. */
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs work to its end and reports it. Ctrl-C cancels it and waits for its
 * clean-up; a second one does not cut the clean-up short. While drives are written the computer does not go to sleep.
 * @param work what is to be done
 * @param reporter where to say so
 * @param onSuccess reports the value
 * @param more what a failure's object for --json says besides
 * @returns the exit code
 */
export async function runJob<T>(
  work: JobWork<T>,
  reporter: Reporter,
  onSuccess: (value: T) => ExitCode | Promise<ExitCode>,
  more: () => object = () => ({}),
): Promise<ExitCode> {
  const jobs = createJobManager((_id, line) => {
    reporter.log(line)
  })
  const started = jobs.start(work)
  if (!started.ok) return reporter.fail(started.failure)
  const unsubscribe = jobs.subscribe(([job]) => {
    if (job !== undefined) reporter.progress(job)
  })
  const cancel = (): void => {
    const isFirst = jobs.list()[0]?.state !== 'cancelling'
    jobs.cancel(started.value.id)
    reporter.say(isFirst ? 'Cancelling, and cleaning up.' : 'Still cleaning up. This cannot be cut short.')
  }
  for (const signal of endingSignals) process.on(signal, cancel)
  const letSleep = work.kind === 'flash' ? keepAwake() : () => undefined
  const ending = await started.value.ending.finally(letSleep)
  for (const signal of endingSignals) process.off(signal, cancel)
  unsubscribe()
  const targets = jobs.list()[0]?.targets ?? []
  if (ending.state !== 'succeeded' && targets.length > 1) reporter.targets(targets)
  switch (ending.state) {
    case 'succeeded':
      return onSuccess(ending.value)
    case 'failed':
      return reporter.fail(ending.failure, more(), targets)
    case 'cancelled':
      return reporter.cancelled(targets)
  }
}
