import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { type AxisSplit, axisSplits } from '../../src/linalg/axis-splits.js'

/** Every threshold between two values of one coordinate, by trying all. */
function naiveGain(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const squares = (some: readonly number[]) => {
    const mean = some.reduce((sum, value) => sum + value, 0) / some.length
    return some.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  }
  const splits = sorted.slice(1).map((_, i) => squares(sorted.slice(0, i + 1)) + squares(sorted.slice(i + 1)))
  return squares(sorted) - Math.min(...splits)
}

const column = (points: Float32Array, dims: number, j: number) => [...points].filter((_, i) => i % dims === j)

function splitsOf(points: Float32Array, dims: number): AxisSplit[] {
  const spread = Float64Array.from({ length: dims }, (_, j) => {
    const own = column(points, dims, j)
    return Math.sqrt(own.reduce((sum, value) => sum + value ** 2, 0) / own.length)
  })
  return atOnce(axisSplits(points, spread))
}

it('splits a coordinate between its two values', () => {
  expect(splitsOf(Float32Array.of(-1, -1, -1, 3), 1)).toEqual([{ axis: 0, low: -1, high: 3, gain: 12 }])
})

it.each([
  ['one cloud', 0, 0],
  ['a twentieth far off', 0.05, 9],
  ['a hundredth further off than any threshold', 0.01, 400],
])('gains almost what the best threshold gains: %s', (_, share, apart) => {
  const rng = new Rng(4)
  const points = Float32Array.from({ length: 600 }, (_, i) => rng.normal() + (i < 600 * share ? apart : 0))
  const mean = points.reduce((sum, value) => sum + value, 0) / points.length
  const centred = points.map((value) => value - mean)
  const best = naiveGain([...centred])
  const [split] = splitsOf(centred, 1) as [AxisSplit]
  expect(split.gain).toBeGreaterThan(0.98 * best)
  expect(split.gain).toBeLessThanOrEqual(best * (1 + 1e-6))
})

it('puts the coordinate first whose split gains most, though others have more variance', () => {
  const rng = new Rng(5)
  const points = Float32Array.from({ length: 3 * 4000 }, (_, at) => {
    const [i, j] = [Math.floor(at / 3), at % 3]
    if (j === 2) return i < 40 ? 9.9 : -0.1
    return (j === 0 ? 1.2 : 0.5) * rng.normal()
  })
  const splits = splitsOf(points, 3)
  expect(splits.map(({ axis }) => axis)).toEqual([2, 0, 1])
  expect(splits[0]?.low).toBeCloseTo(-0.1, 5)
  expect(splits[0]?.high).toBeCloseTo(9.9, 5)
})

it('has nothing for a coordinate without spread, nor for one row', () => {
  expect(splitsOf(Float32Array.of(0, 1, 0, -1), 2).map(({ axis }) => axis)).toEqual([1])
  expect(splitsOf(Float32Array.of(0, 0), 2)).toEqual([])
})
