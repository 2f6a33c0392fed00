import fc from 'fast-check'
import { expect, test } from 'vitest'
import { disjointRanges } from '../../src/main/helper/disjoint-ranges'

test('a range is taken unless some of it is there, as a set of numbers says', () => {
  const range = fc.record({ start: fc.nat(60), length: fc.nat(12) })
  fc.assert(
    fc.property(fc.array(range, { maxLength: 40 }), (asked) => {
      const ranges = disjointRanges()
      const taken = new Set<number>()
      for (const { start, length } of asked) {
        const numbers = Array.from({ length }, (_, index) => start + index)
        const isFree = numbers.every((number) => !taken.has(number))
        expect(ranges.add(start, start + length)).toBe(isFree)
        if (isFree) for (const number of numbers) taken.add(number)
      }
    }),
    { numRuns: 2000 },
  )
})
