/**
 * How far a test that tries things at random goes: so many runs, however long they take on a busy machine; or for as
 * many seconds as SLIPWAY_LONG says, for a search that runs for hours.
 * @param runs what has to be tried at least for the test to mean anything
 */
export function search(runs: number): { numRuns: number; interruptAfterTimeLimit?: number } {
  const long = process.env['SLIPWAY_LONG']
  if (long === undefined) return { numRuns: runs }
  return { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: Number(long) * 1000 }
}
