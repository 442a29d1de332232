import { describe, expect, it } from 'vitest'
import { logBinomial } from '../../src/stats/binomial.js'
import { binomialInterval } from '../../src/stats/binomial-interval.js'

describe('Clopper and Pearson’s interval', () => {
  it('is 1 − 0.05^(1/10) at most for none of ten at 90 %, and its mirror for all', () => {
    const end = 1 - 0.05 ** 0.1
    expect(binomialInterval(0, 10, 0.9)).toEqual({ low: 0, high: expect.closeTo(end, 12) })
    expect(binomialInterval(10, 10, 0.9)).toEqual({ low: expect.closeTo(1 - end, 12), high: 1 })
    expect(binomialInterval(0, 0, 0.9)).toEqual({ low: 0, high: 1 })
  })

  // Quantiles of Beta(k, n − k + 1) and Beta(k + 1, n − k), scipy.stats.beta.ppf, SciPy 1.17.1
  it.each([
    [5, 10, 0.9, 0.2224411010081294, 0.7775588989918706],
    [5, 20, 0.95, 0.08657146910143461, 0.49104587170795744],
    [3, 1000, 0.9, 0.0008181753982218001, 0.007735244718479458],
  ])('has SciPy’s ends for %d of %d at %d', (hits, n, confidence, low, high) => {
    expect(binomialInterval(hits, n, confidence)).toEqual({ low: expect.closeTo(low, 10), high: expect.closeTo(high, 10) })
  })

  it('covers every probability at least as often as it says', () => {
    const n = 15
    for (const confidence of [0.5, 0.9, 0.99]) {
      const intervals = Array.from({ length: n + 1 }, (_, hits) => binomialInterval(hits, n, confidence))
      for (let p = 0.005; p < 1; p += 0.005) {
        const covered = intervals.reduce(
          (sum, { low, high }, hits) => sum + (low <= p && p <= high ? Math.exp(logBinomial(hits, n, p)) : 0),
          0,
        )
        expect(covered, `p = ${p}`).toBeGreaterThanOrEqual(confidence)
      }
    }
  })

  it('rises with the hits, and widens with the confidence', () => {
    for (let hits = 1; hits <= 30; hits++) {
      const [before, after, wide] = [binomialInterval(hits - 1, 30, 0.9), binomialInterval(hits, 30, 0.9), binomialInterval(hits, 30, 0.99)]
      expect(after.low).toBeGreaterThan(before.low)
      expect(after.high).toBeGreaterThan(before.high)
      expect(wide.low).toBeLessThan(after.low)
      expect(wide.high).toBeGreaterThanOrEqual(after.high)
    }
  })
})
