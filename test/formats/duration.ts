/**
 * How long a test that tries things at random goes on, in milliseconds: a few seconds, or as many as SLIPWAY_LONG says,
 * for a search that runs for hours.
 */
export function searchTime(seconds: number): number {
  return Number(process.env['SLIPWAY_LONG'] ?? seconds) * 1000
}
