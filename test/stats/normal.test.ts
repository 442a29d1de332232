import { expect, it } from 'vitest'
import { normalCdf } from '../../src/stats/normal.js'

// scipy.stats.norm.cdf, SciPy 1.17.1
it.each([
  [-5, 2.866515718791933e-7],
  [-3, 0.0013498980316300933],
  [-1, 0.15865525393145707],
  [-0.1, 0.460172162722971],
  [0, 0.5],
  [0.5, 0.6914624612740131],
  [1.6448536269514722, 0.95],
  [2.5, 0.9937903346742238],
  [6, 0.9999999990134123],
])('has SciPy’s value at %d', (x, expected) => {
  expect(Math.abs(normalCdf(x) - expected)).toBeLessThan(1e-13)
})

it('adds up to 1 with the other tail, never falls, and ends in 0 and 1', () => {
  let last = normalCdf(Number.NEGATIVE_INFINITY)
  expect(last).toBe(0)
  for (let x = -45; x <= 45; x += 0.25) {
    expect(normalCdf(x) + normalCdf(-x)).toBe(1)
    expect(normalCdf(x)).toBeGreaterThan(last - 1e-14)
    last = normalCdf(x)
  }
  expect(normalCdf(Number.POSITIVE_INFINITY)).toBe(1)
})
