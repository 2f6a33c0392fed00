/** Ranges of which none touches what another has. */
export interface DisjointRanges {
  /**
   * Adds a range; neighbours are joined, so that a thousand pieces in a row cost no more than one.
   * @param start bytes
   * @param end bytes, behind the range
   * @returns false when some of it is there already; nothing is added then
   */
  add(start: number, end: number): boolean
}

/** Makes an empty set of ranges. */
export function disjointRanges(): DisjointRanges {
  /** Ascending; the end of the range at the same index in `ends`. */
  const starts: number[] = []
  const ends: number[] = []
  /** The first range that begins at `position` or behind it. */
  function indexFrom(position: number): number {
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((starts[middle] as number) < position) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    add(start, end) {
      if (start === end) return true
      const next = indexFrom(start)
      const before = ends[next - 1]
      const after = starts[next]
      if ((before !== undefined && before > start) || (after !== undefined && after < end)) return false
      const joinsBefore = before === start
      const joinsAfter = after === end
      if (joinsBefore && joinsAfter) {
        ends[next - 1] = ends[next] as number
        starts.splice(next, 1)
        ends.splice(next, 1)
      } else if (joinsBefore) ends[next - 1] = end
      else if (joinsAfter) starts[next] = start
      else {
        starts.splice(next, 0, start)
        ends.splice(next, 0, end)
      }
      return true
    },
  }
}
