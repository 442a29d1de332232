import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { bandLimits, type GramBands, gramBands, gramDeviations, gramFeatures } from '../../src/linalg/gram-bands.js'
import { expectAllClose } from '../support/allclose.js'

function deviationOf(row: number[], bands: GramBands) {
  const [beyond, within] = atOnce(gramDeviations({ rows: Float32Array.from(row), ...bandLimits(bands) }))
  return { beyond, within }
}

function featuresOf(row: number[]): Float64Array {
  const out = new Float64Array(8 * row.length)
  gramFeatures(row, 0, row.length, out)
  return out
}

describe('Gram features', () => {
  it('by hand: orders 1, 2 and 3 of (1, 2, 0)', () => {
    const out = featuresOf([1, 2, 0])
    // Row sums of x·xᵀ: 3, 6, 0. Of x²·x²ᵀ: 5, 20, 0, square roots. Of x³·x³ᵀ: 9, 72, 0, cube roots.
    expectAllClose(out.subarray(0, 9), Float64Array.of(3, 6, 0, Math.sqrt(5), Math.sqrt(20), 0, Math.cbrt(9), Math.cbrt(72), 0), {
      atol: 1e-12,
      rtol: 1e-12,
    })
  })

  it('are the row sums of the p-th order Gram matrix under the p-th root, for values of both signs', () => {
    const rng = new Rng(4)
    const x = Array.from({ length: 6 }, () => 3 * rng.normal())
    const naive: number[] = []
    for (let p = 1; p <= 8; p++) {
      const raised = x.map((value) => value ** p)
      for (const a of raised) {
        const sum = raised.reduce((total, b) => total + a * b, 0)
        naive.push(Math.sign(sum) * Math.abs(sum) ** (1 / p))
      }
    }
    expectAllClose(featuresOf(x), Float64Array.from(naive), { atol: 1e-9, rtol: 1e-9 })
  })

  it('neither overflow nor vanish, and are 0 for a row of zeros', () => {
    expect(featuresOf([1e38, 2e38, 0]).every(Number.isFinite)).toBe(true)
    expectAllClose(
      featuresOf([1e-30, 2e-30]),
      featuresOf([1, 2]).map((value) => value * 1e-60),
      { atol: 0, rtol: 1e-12 },
    )
    expect(featuresOf([0, 0])).toEqual(new Float64Array(16))
  })
})

describe('bands', () => {
  it('by hand in one column: median ± 10 MAD of the squares', () => {
    const { median, half, size } = atOnce(gramBands({ rows: [1, 2, 3, 4, 5], cols: 1 }))
    // Each order of a single value is its square: 1, 4, 9, 16, 25; the distances from 9 are 8, 5, 0, 7, 16.
    expectAllClose(median, new Float64Array(8).fill(9), { atol: 1e-9, rtol: 0 })
    expectAllClose(half, new Float64Array(8).fill(70), { atol: 1e-9, rtol: 0 })
    expectAllClose(size, new Float64Array(8).fill(11), { atol: 1e-9, rtol: 0 })
    const beyond = (value: number) => deviationOf([value], { median, half, size }).beyond
    expect(beyond(8)).toBe(0)
    expect(beyond(10)).toBeCloseTo((100 - 79) / (79 + 11), 9)
  })

  it('nothing leaves bands that have a width, a unit that was never on does, and all numbers are finite', () => {
    const rows = [1, 0, 2, 0, 3, 0]
    const bands = atOnce(gramBands({ rows, cols: 2 }))
    expect(deviationOf([2, 0], bands)).toEqual({ beyond: 0, within: 0 })
    expect(deviationOf([2, 0.5], bands).beyond).toBeGreaterThan(0)
    const dead = atOnce(gramBands({ rows: new Float32Array(6), cols: 2 }))
    expect(deviationOf([1, 0], dead).beyond).toBe(0.5)
    expect(deviationOf([1e38, 1e38], atOnce(gramBands({ rows: [1e-38, 1e-38], cols: 2 }))).beyond).toBe(1e30)
  })
})
