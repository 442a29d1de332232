import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { medianInPlace } from '../../src/stats/median.js'

function naive(values: Float64Array): number {
  const sorted = values.slice().sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

test.each([
  ['one value', [7], 7],
  ['two', [9, 1], 5],
  ['an odd count', [5, 1, 3], 3],
  ['an even count', [4, 1, 3, 2], 2.5],
  ['all equal', [2, 2, 2, 2], 2],
  ['negative values', [-5, -1, -3], -3],
])('%s', (_, values, expected) => {
  expect(medianInPlace(Float64Array.from(values))).toBe(expected)
})

test('is NaN for no values', () => {
  expect(medianInPlace(new Float64Array(0))).toBeNaN()
})

test.each([
  ['random', (rng: Rng) => rng.normal()],
  ['many ties', (rng: Rng) => rng.below(3)],
  ['rising', (_: Rng, i: number) => i],
  ['falling', (_: Rng, i: number) => -i],
  ['an organ pipe', (_: Rng, i: number, n: number) => Math.min(i, n - i)],
  ['a few outliers', (rng: Rng) => (rng.below(10) ? 0 : 1e30)],
] as const)('agrees with sorting: %s', (_, make) => {
  const rng = new Rng(2)
  for (const n of [1, 2, 3, 4, 5, 10, 11, 100, 101, 999, 1000]) {
    const values = Float64Array.from({ length: n }, (_value, i) => make(rng, i, n))
    const sorted = values.slice().sort()
    const expected = naive(values)
    expect(medianInPlace(values), `n = ${n}`).toBe(expected)
    expect(values.sort()).toEqual(sorted)
  }
})
