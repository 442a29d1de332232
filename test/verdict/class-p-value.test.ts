import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { classPValue, logOddsAt } from '../../src/verdict/class-p-value.js'

const others = [-3, -1, 2, -6, 0.5, -2, -9, 1]
const kinds = [{ hasTrusted: true }, { hasTrusted: false }]

describe.each(kinds)('the p-value of a class, trusted rows: $hasTrusted', ({ hasTrusted }) => {
  it('falls as the log odds rise, from 1', () => {
    let last = classPValue({ logOdds: -20, hasTrusted }, others)
    expect(last).toBe(1)
    for (let logOdds = -19; logOdds <= 30; logOdds++) {
      const p = classPValue({ logOdds, hasTrusted }, others)
      expect(p).toBeGreaterThan(0)
      if (last < 1) expect(p).toBeLessThan(last)
      else expect(p).toBeLessThanOrEqual(1)
      last = p
    }
    expect(last).toBeLessThan(1e-9)
  })

  it('is p at the log odds that are said to be p’s', () => {
    for (const p of [1, 0.5, 0.05, 1e-3, 1e-5, 1e-12]) {
      for (const set of [others, [], [-50]]) {
        const logOdds = logOddsAt(p, hasTrusted, set)
        expect(classPValue({ logOdds, hasTrusted }, set) / p).toBeCloseTo(1, 10)
        expect(classPValue({ logOdds: logOdds - 0.1, hasTrusted }, set)).toBeGreaterThan(p === 1 ? 0.999 : p)
      }
    }
  })

  it('does not depend on the order of the other classes, and takes a thousand of them', () => {
    const rng = new Rng(1)
    const many = Array.from({ length: 1000 }, () => 3 * rng.normal() - 4)
    const own = { logOdds: 1, hasTrusted }
    const p = classPValue(own, many)
    expect(p).toBeGreaterThan(0)
    expect(p).toBeLessThanOrEqual(1)
    const before = many.slice()
    expect(classPValue(own, many.slice().reverse()) / p).toBeCloseTo(1, 12)
    expect(many).toEqual(before)
  })
})

describe('the level of the other classes', () => {
  const p = (hasTrusted: boolean, of: readonly number[]) => classPValue({ logOdds: 1, hasTrusted }, of)

  it('does not matter where trusted rows tell', () => {
    expect(p(true, [5, 5, 5])).toBe(p(true, []))
  })

  it('is the mean of the highest quarter: what lies below does not matter', () => {
    const level = p(false, [2, 2, -1, -1, -1, -1, -1, -1])
    expect(p(false, [3, 1, 0.9, -1, -90, -1, -1, -1]) / level).toBeCloseTo(1, 12)
    expect(p(false, [2]) / level).toBeCloseTo(1, 12)
    expect(p(false, [3, 2, -1, -1, -1, -1, -1, -1])).toBeGreaterThan(level)
  })

  it('has a floor, and no classes count as that', () => {
    expect(p(false, [-20, -30])).toBe(p(false, [-1000]))
    expect(p(false, [])).toBe(p(false, [-20]))
    expect(p(false, [0])).toBeGreaterThan(p(false, []))
  })
})
