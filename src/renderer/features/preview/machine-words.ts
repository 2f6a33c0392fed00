import type { JobSnapshot } from '../../../shared/job'
import type { MachineChoice, PreviewState } from '../../../shared/preview'
import { firmwareTitles, outcomeTexts, phaseTitle } from '../../../shared/sentences'

/** What becomes of what the machine writes. */
export function fileWords(choice: MachineChoice): string {
  return choice.keepChanges ? 'Its changes are kept in the file.' : 'The file stays as it was built.'
}

/**
 * How a preview stands, in one sentence.
 * @param job the newest preview of the disk, or null
 * @param isStarting whether another is being asked for
 * @param state of the machine, once it runs
 */
export function stateWords(
  job: JobSnapshot | null,
  isStarting: boolean,
  state: PreviewState | undefined,
): string {
  if (isStarting || job?.state === 'queued') return 'Starting the machine.'
  switch (job?.state) {
    case 'running':
      return state === undefined ? `${phaseTitle(job.phase)}.` : machineWords(state)
    case 'cancelling':
      return 'Stopping.'
    case 'failed':
      return 'The preview failed.'
    case 'succeeded':
    case 'cancelled':
      return 'The machine is off.'
    case undefined:
      return 'The machine is off.'
  }
}

/** `Running under UEFI, emulated: it came to a login.` */
function machineWords({ choice, accelerator, outcome }: PreviewState): string {
  const how = accelerator === 'tcg' ? 'emulated' : `with ${accelerator.toUpperCase()}`
  const came = outcome === null ? '' : `: ${outcomeTexts[outcome]}`
  return `Running under ${firmwareTitles[choice.firmware]}, ${how}${came}.`
}

/** That the machine was started again one step safer, and why. */
export function fallbackWords({ from, detail }: NonNullable<PreviewState['fallback']>): string {
  return `${from.toUpperCase()} did not work on this computer, so the machine was started again without it, which is slower: ${detail}.`
}
