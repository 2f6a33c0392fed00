import { statfs } from 'node:fs/promises'
import { fail, ok, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { startMachine, type Machine, type MachineEnding, type MachineOptions } from './machine'

export interface PreviewInput extends Omit<MachineOptions, 'signal' | 'log'> {
  /** Called once, when the machine runs, and waited for. */
  onMachine: (machine: Machine) => void | Promise<void>
}

/**
 * A preview as a job: starts the machine, hands it out, and lasts until it ends. Cancelling ends it at once.
 * @returns success when the machine was stopped or switched itself off; else the failures of `startMachine`,
 *   those of `judgeEnding`
 */
export async function runPreview(context: JobContext, input: PreviewInput): Promise<Result<null>> {
  const { signal } = context
  context.phase('start')
  const { onMachine, ...options } = input
  const started = await startMachine({
    ...options,
    signal,
    log: (line) => {
      context.log(line)
    },
  })
  if (!started.ok) return started
  const machine = started.value
  context.defer(async () => {
    await machine.stop()
  })
  const stop = (): void => void machine.stop()
  signal.addEventListener('abort', stop, { once: true })
  context.log(`The machine runs (${machine.accelerator})`)
  context.phase('run')
  await onMachine(machine)
  const ending = await machine.ended
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  return judgeEnding(context, input.keepChanges === true, ending)
}

/**
 * What a machine's end means for the job that ran it.
 * @param changesKept whether it wrote to the disk itself
 * @returns success when it was stopped or switched itself off; `preview-no-room` when there was no room for what the
 *   guest wrote; `preview-failed` when QEMU failed or was killed
 */
export async function judgeEnding(
  context: Pick<JobContext, 'log'>,
  changesKept: boolean,
  ending: MachineEnding,
): Promise<Result<null>> {
  switch (ending.reason) {
    case 'stopped':
      return ok(null)
    case 'powered-off':
      context.log('The machine switched itself off')
      return ok(null)
    case 'no-space': {
      const { folder } = ending
      const { bavail, bsize } = await statfs(folder)
      return fail('preview-no-room', { folder, freeBytes: bavail * bsize, changesKept })
    }
    case 'failed':
      return fail('preview-failed', { detail: ending.detail, ...(changesKept ? { changesKept } : {}) })
  }
}
