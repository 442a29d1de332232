import { describe, expect, it } from 'vitest'
import { chiSquaredCdf, chiSquaredQuantile } from '../../src/stats/chi-squared.js'
import { logGamma } from '../../src/stats/log-gamma.js'

describe('log gamma', () => {
  it('is ln (n − 1)! at whole numbers, and ln √π at a half', () => {
    for (let n = 1, factorial = 1; n <= 20; factorial *= n++) expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 11)
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 13)
    expect(logGamma(0.25)).toBeCloseTo(Math.log(3.625609908221908), 12)
  })
})

describe('the chi-squared distribution', () => {
  it('is 1 − exp(−x/2) for two degrees of freedom', () => {
    for (const x of [0.01, 0.5, 1, 3, 10, 40]) expect(chiSquaredCdf(x, 2)).toBeCloseTo(1 - Math.exp(-x / 2), 12)
    expect(chiSquaredCdf(0, 3)).toBe(0)
    expect(chiSquaredCdf(1e6, 3)).toBe(1)
  })

  // scipy.stats.chi2.ppf(.05, k), SciPy 1.10.1
  it.each([
    [1, 0.003932140000019522],
    [3, 0.3518463177492714],
    [4, 0.7107230213973239],
    [9, 3.325112843066815],
    [100, 77.92946516501726],
    [2000, 1897.1196987673022],
  ])('has SciPy’s 5 %% quantile at %d degrees of freedom', (freedom, quantile) => {
    expect(chiSquaredQuantile(0.05, freedom) / quantile).toBeCloseTo(1, 9)
  })
})
