import { describe, expect, it } from 'vitest'
import { classPValue, logOddsAt } from '../../src/verdict/class-p-value.js'

describe('the p-value of a class', () => {
  it('falls as the log odds rise, from 1', () => {
    let last = classPValue(-20)
    expect(last).toBe(1)
    for (let logOdds = -19; logOdds <= 30; logOdds++) {
      const p = classPValue(logOdds)
      expect(p).toBeGreaterThan(0)
      if (last < 1) expect(p).toBeLessThan(last)
      else expect(p).toBeLessThanOrEqual(1)
      last = p
    }
    expect(last).toBeLessThan(1e-9)
  })

  it('is p at the log odds that are said to be p’s', () => {
    for (const p of [1, 0.5, 0.05, 1e-3, 1e-5, 1e-12]) {
      expect(classPValue(logOddsAt(p)) / p).toBeCloseTo(1, 10)
      expect(classPValue(logOddsAt(p) - 0.1)).toBeGreaterThan(p === 1 ? 0.999 : p)
    }
  })

  it('asks more of one class among many: log odds rise by a constant for every tenfold', () => {
    const [one, ten, hundred, thousand] = [1, 10, 100, 1000].map((classes) => logOddsAt(0.01 / classes)) as [number, number, number, number]
    expect(hundred - ten).toBeCloseTo(thousand - hundred, 12)
    // Beyond what was seen, more than before.
    expect(hundred - ten).toBeGreaterThan(ten - one)
    expect(ten).toBeGreaterThan(one)
  })
})
