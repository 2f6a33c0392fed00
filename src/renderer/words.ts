import { useSyncExternalStore } from 'react'
import { formatBytes } from '../shared/amounts'

const MINUTE = 60_000
const ageUnits: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 24 * 60 * MINUTE],
  ['month', 30 * 24 * 60 * MINUTE],
  ['day', 24 * 60 * MINUTE],
  ['hour', 60 * MINUTE],
  ['minute', MINUTE],
]

/**
 * How long ago something was: `2 hours ago`.
 * @param moment milliseconds since 1970
 * @param now milliseconds since 1970
 */
export function formatAge(moment: number, now: number): string {
  const elapsed = now - moment
  for (const [unit, length] of ageUnits) {
    if (elapsed >= length) {
      return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(
        -Math.floor(elapsed / length),
        unit,
      )
    }
  }
  return 'just now'
}

/** Day and time of day. @param moment milliseconds since 1970 */
export function formatMoment(moment: number): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(moment)
}

/** @param bytesPerSecond speed, `410 MB/s` */
export function formatSpeed(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}

/** @param fraction 0 to 1, `62 %` as the system's language writes it */
export function formatPercent(fraction: number): string {
  return new Intl.NumberFormat(undefined, { style: 'percent' }).format(fraction)
}

/** `3 volumes`, `1 volume`. */
export function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

/** The part of a path behind its last separator. */
export function fileName(path: string): string {
  return path.split(/[/\\]/).at(-1) ?? path
}

function subscribeToMinutes(listener: () => void): () => void {
  const timer = setInterval(listener, MINUTE / 2)
  return () => {
    clearInterval(timer)
  }
}

/** The time now in milliseconds since 1970, to the minute, renewed as minutes pass. */
export function useNow(): number {
  return useSyncExternalStore(subscribeToMinutes, () => Math.floor(Date.now() / MINUTE) * MINUTE)
}
