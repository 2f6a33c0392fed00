const byteUnits = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const

/**
 * A size as people read it, in decimal units with three significant digits: `1.16 GB`.
 * @param bytes at least 0
 * @param rounding `up` for what is needed, so that the shown figure suffices
 * @param locale BCP 47; the system's own when absent
 */
export function formatBytes(bytes: number, rounding: 'nearest' | 'up' = 'nearest', locale?: string): string {
  let unit = 0
  let value = Math.max(0, bytes)
  while (value >= 1000 && unit < byteUnits.length - 1) {
    value /= 1000
    unit++
  }
  if (unit > 0) {
    const step = value >= 100 ? 1 : value >= 10 ? 10 : 100
    value = (rounding === 'up' ? Math.ceil(value * step) : Math.round(value * step)) / step
    if (value >= 1000 && unit < byteUnits.length - 1) {
      value /= 1000
      unit++
    }
  }
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: byteUnits[unit] ?? 'byte',
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: 2,
  }).format(value)
}

/**
 * A length of time as people say it: `3 s`, `2 min 5 s`, `1 h 4 min`. Below a second it says `under 1 s`.
 * @param milliseconds at least 0
 */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return 'under 1 s'
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
}

/**
 * How long ago something was, in the largest unit that fits: `2 hours ago`.
 * @param milliseconds since then
 */
export function formatAge(milliseconds: number): string {
  const units = [
    ['year', 365.25 * 86_400_000],
    ['month', (365.25 / 12) * 86_400_000],
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ] as const
  const fitting = units.find(([, length]) => milliseconds >= length)
  if (fitting === undefined) return 'just now'
  const [unit, length] = fitting
  return new Intl.RelativeTimeFormat('en').format(-Math.floor(milliseconds / length), unit)
}
