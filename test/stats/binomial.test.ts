import { describe, expect, it } from 'vitest'
import { binomialCdf, logBetaBinomial, logBinomial } from '../../src/stats/binomial.js'

const upTo = (n: number) => Array.from({ length: n + 1 }, (_, k) => k)
const total = (n: number, log: (k: number) => number) => upTo(n).reduce((sum, k) => sum + Math.exp(log(k)), 0)

describe('the binomial distribution', () => {
  it('adds up to what can be counted', () => {
    expect(binomialCdf(1, 3, 0.5)).toBeCloseTo(0.5, 14)
    expect(binomialCdf(0, 10, 0.1)).toBeCloseTo(0.9 ** 10, 14)
    expect([binomialCdf(-1, 5, 0.5), binomialCdf(5, 5, 0.5), binomialCdf(2, 5, 0), binomialCdf(2, 5, 1)]).toEqual([0, 1, 1, 0])
  })

  it('has the probabilities of three throws of a coin, and of none', () => {
    for (const [k, ways] of [1, 3, 3, 1].entries()) expect(Math.exp(logBinomial(k, 3, 0.5))).toBeCloseTo(ways / 8, 14)
    expect(logBinomial(0, 0, 0.3)).toBeCloseTo(0, 14)
  })

  it('is certain where p is 0 or 1, and impossible outside 0 … n', () => {
    expect([logBinomial(0, 5, 0), logBinomial(5, 5, 1)].map(Math.exp)).toEqual([1, 1].map((one) => expect.closeTo(one, 13)))
    for (const [k, p] of [
      [1, 0],
      [4, 1],
      [-1, 0.5],
      [6, 0.5],
    ] as const) {
      expect(logBinomial(k, 5, p)).toBe(Number.NEGATIVE_INFINITY)
    }
  })

  // scipy.stats.binom.logpmf, SciPy 1.17.1
  it.each([
    [7, 30, 0.2, -1.8719676472651603],
    [400, 50_000, 0.01, -14.7543846912194],
  ])('has SciPy’s value at %d of %d, p = %d', (k, n, p, expected) => {
    expect(logBinomial(k, n, p)).toBeCloseTo(expected, 8)
  })

  // scipy.stats.binom.cdf, SciPy 1.10.1
  it.each([
    [7, 30, 0.2, 0.7607906186989565],
    [0, 400, 0.03, 5.11321090528672e-6],
    [399, 400, 0.9, 1],
    [350, 50_000, 0.01, 6.556384924772187e-13],
    [500, 50_000, 0.01, 0.5118912718515743],
    [700, 50_000, 0.01, 1],
    [200_000, 400_000, 0.5, 0.500630782736265],
    [199_000, 400_000, 0.5, 0.0007869459614574597],
    [3, 1_000_000, 1e-6, 0.9810119044370966],
    [900, 1000, 0.99, 8.274776878914506e-65],
  ])('has SciPy’s cumulative value at %d of %d, p = %d', (k, n, p, expected) => {
    expect(binomialCdf(k, n, p) / expected).toBeCloseTo(1, 7)
  })

  it('adds up to 1, and to its own cumulative probabilities', () => {
    for (const [n, p] of [
      [1, 0.2],
      [17, 0.5],
      [400, 0.03],
    ] as const) {
      expect(total(n, (k) => logBinomial(k, n, p))).toBeCloseTo(1, 11)
      let sum = 0
      for (const k of upTo(n)) {
        sum += Math.exp(logBinomial(k, n, p))
        expect(binomialCdf(k, n, p)).toBeCloseTo(sum, 11)
      }
    }
  })
})

describe('the beta-binomial distribution', () => {
  it('is uniform over 0 … n for Beta(1, 1), and halves one draw of Beta(a, a)', () => {
    for (const k of upTo(9)) expect(Math.exp(logBetaBinomial(k, 9, 1, 1))).toBeCloseTo(0.1, 13)
    expect(Math.exp(logBetaBinomial(1, 1, 0.3, 0.3))).toBeCloseTo(0.5, 13)
    // Two draws of Beta(½, ½), by hand: 3/8, 1/4, 3/8.
    expect(upTo(2).map((k) => Math.exp(logBetaBinomial(k, 2, 0.5, 0.5)))).toEqual([0.375, 0.25, 0.375].map((p) => expect.closeTo(p, 13)))
    expect([-1, 3].map((k) => logBetaBinomial(k, 2, 0.5, 0.5))).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])
  })

  // scipy.stats.betabinom.logpmf, SciPy 1.17.1
  it.each([
    [3, 10, 0.5, 50, -6.856508747594889],
    [12, 40, 4, 9, -2.7073361714921376],
  ])('has SciPy’s value at %d of %d, Beta(%d, %d)', (k, n, a, b, expected) => {
    expect(logBetaBinomial(k, n, a, b)).toBeCloseTo(expected, 10)
  })

  it('adds up to 1 with mean n·a / (a + b)', () => {
    for (const [n, a, b] of [
      [1, 0.25, 3],
      [25, 0.5, 50],
      [300, 7, 2],
    ] as const) {
      expect(total(n, (k) => logBetaBinomial(k, n, a, b))).toBeCloseTo(1, 10)
      const mean = upTo(n).reduce((sum, k) => sum + k * Math.exp(logBetaBinomial(k, n, a, b)), 0)
      expect(mean / ((n * a) / (a + b))).toBeCloseTo(1, 9)
    }
  })

  it('comes to the binomial as its probability becomes certain, and is wider before', () => {
    for (const k of upTo(20)) expect(logBetaBinomial(k, 20, 3e6, 7e6)).toBeCloseTo(logBinomial(k, 20, 0.3), 4)
    expect(logBetaBinomial(0, 20, 3, 7)).toBeGreaterThan(logBinomial(0, 20, 0.3) + 2)
  })
})
