import { isActive, type JobSnapshot } from '../../shared/job'
import { describeFailure } from '../../shared/sentences'

/** What tells a person about a write while the window is not looked at. */
export interface AttentionSurface {
  /** Shows how far the work is at the program's icon: 0 to 1, `unknown`, or null to take it away. */
  showProgress(fraction: number | 'unknown' | null): void
  /** Says that something ended. */
  notify(title: string, text: string): void
  /** Keeps the computer awake until the returned function is called. */
  keepAwake(): () => void
  isWindowFocused(): boolean
}

/**
 * Follows the writes among the jobs: progress at the icon, no sleep while one runs, a notification at the end of
 * one that nobody watches.
 * @param surface where it is shown
 * @returns takes every new list of jobs
 */
export function createAttention(surface: AttentionSurface): (jobs: readonly JobSnapshot[]) => void {
  const active = new Set<string>()
  let letSleep: (() => void) | null = null
  let shown: number | 'unknown' | null = null

  return (jobs) => {
    const writes = jobs.filter((job) => job.kind === 'flash')
    for (const job of writes) {
      if (isActive(job)) active.add(job.id)
      else if (active.delete(job.id)) announce(job, surface)
    }
    const running = writes.filter(isActive)
    if (running.length > 0) letSleep ??= surface.keepAwake()
    else {
      letSleep?.()
      letSleep = null
    }
    const next = progressOf(running)
    if (next !== shown) surface.showProgress(next)
    shown = next
  }
}

/** Of several writes the one that is least far, in hundredths, so that the icon is not drawn without need. */
function progressOf(running: readonly JobSnapshot[]): number | 'unknown' | null {
  if (running.length === 0) return null
  const fractions = running.map((job) => (job.state === 'running' ? job.fraction : null))
  const known = fractions.filter((fraction) => fraction !== null)
  return known.length < fractions.length ? 'unknown' : Math.round(Math.min(...known) * 100) / 100
}

function announce(job: JobSnapshot, surface: AttentionSurface): void {
  if (surface.isWindowFocused()) return
  if (job.state === 'succeeded') surface.notify(`${job.title}: written and compared`, 'It may be pulled.')
  else if (job.state === 'failed') {
    // Of several drives some may be written.
    const names = (job.targets ?? []).filter(({ state }) => state !== 'done').map(({ name }) => name)
    const title = names.length === 0 ? job.title : names.join(', ')
    surface.notify(`${title}: not written`, describeFailure(job.failure).happened)
  }
}
