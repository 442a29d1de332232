import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { twoGroups } from '../../src/linalg/two-groups.js'

/** The largest share · (1 − share) · ‖δ‖² over all ways to cut the rows in two. */
function best(points: Float32Array, dims: number): number {
  const n = points.length / dims
  let largest = 0
  for (let mask = 1; mask < 2 ** (n - 1); mask++) {
    const sums = [new Float64Array(dims), new Float64Array(dims)]
    const counts = [0, 0]
    for (let i = 0; i < n; i++) {
      const k = (mask >> i) & 1
      counts[k] = (counts[k] as number) + 1
      for (let j = 0; j < dims; j++) (sums[k] as Float64Array)[j] = (sums[k]?.[j] as number) + (points[i * dims + j] as number)
    }
    const [a, b] = counts as [number, number]
    let apart = 0
    for (let j = 0; j < dims; j++) apart += ((sums[0]?.[j] as number) / a - (sums[1]?.[j] as number) / b) ** 2
    largest = Math.max(largest, ((a * b) / n ** 2) * apart)
  }
  return largest
}

it.each([1, 2, 3, 4, 5, 6])('finds the best of all ways to cut twelve rows in two, set %i', (seed) => {
  const rng = new Rng(seed)
  const dims = 1 + (seed % 3)
  const points = Float32Array.from({ length: 12 * dims }, (_, at) => rng.normal() * (at % dims === 0 ? 2 : 1))
  expect(atOnce(twoGroups({ points, dims }))?.gain).toBeCloseTo(best(points, dims), 4)
})

it('finds five rows of four hundred that lie apart, and says which', () => {
  const rng = new Rng(9)
  const points = Float32Array.from({ length: 400 * 4 }, (_, at) => rng.normal() + (at >= 395 * 4 && at % 4 === 2 ? 60 : 0))
  const split = atOnce(twoGroups({ points, dims: 4 }))
  const ones = split?.side.reduce((count, value) => count + value, 0)
  const marked = split?.side.slice(395).reduce((count, value) => count + value, 0)
  expect([ones, marked]).toEqual(marked === 5 ? [5, 5] : [395, 0])
  expect(split?.gain).toBeCloseTo(((5 * 395) / 400 ** 2) * 3600, -1)
})

it('is null where all rows are equal', () => {
  expect(atOnce(twoGroups({ points: new Float32Array(20), dims: 2 }))).toBeNull()
})
