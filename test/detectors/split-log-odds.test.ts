import { describe, expect, it } from 'vitest'
import type { SplitEvidence } from '../../src/detectors/split-evidence.js'
import { type Shape, splitOdds } from '../../src/detectors/split-log-odds.js'
import { logBetaBinomial } from '../../src/stats/binomial.js'

/** A group of forty among five hundred, hardly a row in between. */
const evidence: SplitEvidence = {
  rows: 500,
  groupRows: 40,
  separation: 8,
  share: 0.08,
  shareOfMost: 0.09,
  shareOfLeast: 0.07,
  between: 2,
  beyond: 38,
  distinct: 40,
  varianceRatio: 0.8,
  others: 9,
  largestOther: 0.02,
  meanOther: 0.005,
  misfits: null,
  trustedRows: 0,
  trustedBeyond: 0,
}
const drift = { strengths: [2, 8], weights: [0.4, 0.6] }
const odds = (change: Partial<SplitEvidence> = {}, source: Shape | null = null) => splitOdds({ ...evidence, ...change }, source, drift)
const logOdds = (...args: Parameters<typeof odds>) => odds(...args).logOdds

function expectFalling(values: readonly number[]): void {
  for (const [i, value] of values.entries()) if (i > 0) expect(value).toBeLessThan(values[i - 1] as number)
}

describe.each([{ trustedRows: 0 }, { trustedRows: 50 }])('the log odds of a split with $trustedRows trusted rows', ({ trustedRows }) => {
  it('fall with every row between the two parts', () => {
    expectFalling([0, 1, 5, 20, 100].map((between) => logOdds({ trustedRows, between })))
  })

  it('rise with the rows beyond', () => {
    expectFalling([100, 38, 10, 2].map((beyond) => logOdds({ trustedRows, beyond })))
  })

  it('fall where another class lies beyond the middle too', () => {
    expectFalling([0, 0.02, 0.5, 1].map((largestOther) => logOdds({ trustedRows, largestOther })))
  })

  it('fall as near-duplicates and tighter groups do, down to what the weights were fitted to', () => {
    expectFalling([40, 30, 20, 8].map((distinct) => logOdds({ trustedRows, distinct, between: 0 })))
    expectFalling([1, 0.8, 0.5, Math.exp(-1.2)].map((varianceRatio) => logOdds({ trustedRows, varianceRatio })))
    const [wide, tightest] = [odds({ trustedRows, varianceRatio: 5 }), odds({ trustedRows, varianceRatio: 1e-30 })]
    expect(wide).toEqual(odds({ trustedRows, varianceRatio: 1 }))
    expect(tightest).toEqual({ ...odds({ trustedRows, varianceRatio: 1e-9 }), isTight: true })
    expect([wide.isTight, odds({ trustedRows, distinct: 8 }).isTight, odds({ trustedRows, distinct: 8.1 }).isTight]).toEqual([
      false,
      true,
      false,
    ])
  })

  it('fall with rows that the model predicts to be of another class, and no further beyond three in ten', () => {
    const misfit = (group: number, rest = 0) => logOdds({ trustedRows, misfits: { group, rest } })
    expectFalling([0, 0.1, 0.2, 0.3].map((group) => misfit(group)))
    expect(misfit(0)).toBe(logOdds({ trustedRows }))
    expect([misfit(0.9), misfit(0.3, 0.5)]).toEqual([misfit(0.3), misfit(0.3)])
  })

  it('rise with a source whose shape fits, and not without end', () => {
    const source = (aboveOwn: number, aboveNext: number) => odds({ trustedRows }, { aboveOwn, aboveNext, vote: 0 })
    expectFalling([source(20, 8), source(20, 4), source(-4, 4), odds({ trustedRows })].map((of) => of.logOdds))
    expect(source(1e9, Number.POSITIVE_INFINITY)).toEqual(source(5, 10))
    expect([source(-4, 4), source(-99, 50), source(9, 9)].map((of) => of.source)).toEqual([0.1, 0, 0.9].map((x) => expect.closeTo(x, 12)))
  })

  it('rise more with it the further off the group lies, from five standard deviations to eight', () => {
    const shape = { aboveOwn: 9, aboveNext: 12, vote: 0 }
    const gain = (separation: number) => logOdds({ trustedRows, separation }, shape) - logOdds({ trustedRows, separation })
    expectFalling([8, 7, 6, 5].map(gain))
    expect([gain(3), gain(12)]).toEqual([gain(5), gain(8)].map((value) => expect.closeTo(value, 12)))
    // The side that the trusted rows speak against is the rest: how far off the group lies says nothing of it.
    const rest = { share: 0.45, trustedRows: 50, trustedBeyond: 50 }
    expect(odds(rest).isRest).toBe(true)
    expect(logOdds({ ...rest, separation: 12 }, shape)).toBe(logOdds({ ...rest, separation: 3 }, shape))
  })

  it('come with a source that agrees where its shape is very like, or clear and most like with a third of the rows towards it', () => {
    const agrees = (aboveOwn: number, aboveNext: number, vote: number) => odds({ trustedRows }, { aboveOwn, aboveNext, vote }).agrees.source
    expect([agrees(1, 5, 0), agrees(1, 4.9, 0.29), agrees(1, 4.9, 0.3)]).toEqual([true, false, true])
    expect([agrees(-5, 2, 0.3), agrees(-5.1, 2, 0.3), agrees(-5, 1.9, 0.3)]).toEqual([true, false, false])
    expect(odds({ trustedRows }).agrees).toEqual({ trusted: false, source: false })
    // Among three other classes one is always most alike.
    const among = (others: number, aboveNext: number) => odds({ trustedRows, others }, { aboveOwn: 1, aboveNext, vote: 0.9 }).agrees.source
    expect([among(4, 4), among(3, 4), among(3, 5)]).toEqual([true, false, true])
  })

  it('come with no source that agrees where the group lies as far off as another class, unless the model predicts its label there', () => {
    const clear = { aboveOwn: 9, aboveNext: 12, vote: 0.8 }
    const agrees = (largestOther: number, misfits: SplitEvidence['misfits'] = null) =>
      odds({ trustedRows, largestOther, misfits }, clear).agrees.source
    expect([agrees(0.5), agrees(0.89), agrees(0.9), agrees(1)]).toEqual([true, true, false, false])
    expect([agrees(1, { group: 0.1, rest: 0 }), agrees(1, { group: 0.2, rest: 0 })]).toEqual([true, false])
  })

  it('look at both sides where both may be the planted one', () => {
    // Ten other classes; one of them lies on the group's side, or all of them but one do.
    const large = { trustedRows, share: 0.45, largestOther: 0.9 }
    expect(logOdds({ ...large, meanOther: 1 })).toBeGreaterThan(logOdds({ ...large, meanOther: 0.1 }))
    expect(logOdds({ ...large, share: 0.3, meanOther: 1 })).toBe(logOdds({ ...large, share: 0.3, meanOther: 0.1 }))
  })
})

describe('trusted rows', () => {
  const trusted = (trustedBeyond: number, trustedRows = 50, change: Partial<SplitEvidence> = {}) =>
    odds({ share: 0.3, trustedRows, trustedBeyond, ...change })

  it('say nothing where there are none', () => {
    expect(odds()).toMatchObject({ trusted: null, isRest: false })
  })

  it('raise the odds where the group has none of them, the more the more there are, and lower them as it has its share', () => {
    // Small enough for the group that only it is suspected.
    const share = { share: 0.09, trustedRows: 100 }
    expectFalling([0, 1, 2, 4, 8].map((trustedBeyond) => logOdds({ ...share, trustedBeyond })))
    expectFalling([400, 100, 20, 3].map((trustedRows) => logOdds({ share: 0.09, trustedRows, trustedBeyond: 0 })))
    expect(odds({ ...share, trustedBeyond: 0 }).trusted).toBeGreaterThan(0.3)
    expect(odds({ ...share, trustedBeyond: 9 }).trusted).toBeLessThan(-1)
  })

  it('weigh a planted group, Beta(½, 50), against a natural one that strays as far as the drift says', () => {
    const natural = drift.strengths.reduce(
      (sum, a, i) => sum + (drift.weights[i] as number) * Math.exp(logBetaBinomial(2, 50, a, (a * 0.7) / 0.3)),
      0,
    )
    const expected = (logBetaBinomial(2, 50, 0.5, 50) - Math.log(natural)) / Math.LN10
    expect(expected).toBeGreaterThan(0.1)
    expect(trusted(2)).toMatchObject({ trusted: expect.closeTo(expected, 10), isRest: false })
    // Rows that are all copies of two allow no closer share than two rows do.
    const bunched = trusted(2, 50, { distinct: 2 }).trusted as number
    expect(bunched).toBeLessThan(expected)
    expect(bunched).toBe(
      splitOdds({ ...evidence, share: 0.3, trustedRows: 50, trustedBeyond: 2 }, null, { strengths: [2, 2], weights: [0.4, 0.6] }).trusted,
    )
  })

  it('are no evidence for poison where the group has its share of them or more, however that may stray', () => {
    const strays = { strengths: [0.01], weights: [1] }
    for (const trustedBeyond of [15, 16, 20]) {
      expect(splitOdds({ ...evidence, share: 0.3, trustedRows: 50, trustedBeyond }, null, strays).trusted).toBeLessThanOrEqual(0)
    }
  })

  it('leave near-duplicates and predictions less to explain from ten to one on, and nothing from a hundred to one', () => {
    const doubtful = { distinct: 10, misfits: { group: 0.3, rest: 0 } }
    const lost = (trustedRows: number) => {
      const plain = odds({ trustedRows, share: 0.5, varianceRatio: 1 })
      return {
        ratio: plain.trusted as number,
        lost: plain.logOdds - logOdds({ ...doubtful, distinct: 40, trustedRows, share: 0.5, varianceRatio: 1 }),
      }
    }
    const few = lost(2)
    expect(few.ratio).toBeLessThan(1)
    expect(few.lost).toBeCloseTo(2.45, 12)
    const some = [8, 12, 16, 24, 40].map(lost).find(({ ratio }) => ratio > 1 && ratio < 2)
    expect(some?.lost).toBeCloseTo(2.45 * (2 - (some?.ratio as number)), 12)
    const many = lost(400)
    expect(many.ratio).toBeGreaterThan(2)
    expect(many.lost).toBe(0)
  })

  it('say −4 at least and 3 at most', () => {
    const close = { strengths: [1e4], weights: [1] }
    const of = (change: Partial<SplitEvidence>) =>
      splitOdds({ ...evidence, distinct: 1e4, trustedRows: 2000, ...change }, null, close).trusted
    expect(of({ share: 0.09, trustedBeyond: 0 })).toBe(3)
    expect(of({ share: 0.09, trustedBeyond: 2000 })).toBe(-4)
  })

  it('deny a source where they lie in the group', () => {
    const source = { aboveOwn: 9, aboveNext: 9, vote: 1 }
    const agrees = (trustedBeyond: number) => odds({ share: 0.09, trustedRows: 50, trustedBeyond }, source).agrees.source
    expect([agrees(0), agrees(5)]).toEqual([true, false])
  })

  it('agree from thirty to one on', () => {
    expect(trusted(0, 10).trusted).toBeLessThan(1.3)
    expect(trusted(0, 10).agrees.trusted).toBe(false)
    expect(trusted(0, 50).trusted).toBeGreaterThan(1.3)
    expect(trusted(0, 50).agrees.trusted).toBe(true)
  })

  it('tell of the rest where they all lie in a smaller part, unless that is too small to be the clean one', () => {
    expect(trusted(50)).toMatchObject({ isRest: true })
    expect(trusted(50).trusted).toBeGreaterThan(1)
    expect(trusted(0)).toMatchObject({ isRest: false })
    expect(trusted(50, 50, { share: 0.09 })).toMatchObject({ isRest: false, trusted: -4 })
    // Then it is the rest's predictions that count, while there is something to explain.
    const few = [4, 6, 8, 10, 12].find((rows) => trusted(rows, rows).isRest && (trusted(rows, rows).trusted as number) < 1.9) as number
    const misfits = (group: number, rest: number) => trusted(few, few, { misfits: { group, rest } }).logOdds
    expect(misfits(0.3, 0)).toBeGreaterThan(misfits(0, 0.3))
    // Then it is other classes beside the rest that count.
    const beside = (meanOther: number, largestOther: number) => trusted(50, 50, { share: 0.2, meanOther, largestOther }).logOdds
    expect(beside(0.99, 1)).toBeGreaterThan(beside(0.95, 1))
    expect(beside(0.95, 1)).toBe(beside(0.95, 0.96))
  })
})

it('says of a group of no rows what can be said', () => {
  const none = odds({ groupRows: 0, distinct: 0, between: 0, beyond: 0, share: 0, varianceRatio: 0, trustedRows: 3 })
  expect(Number.isFinite(none.logOdds)).toBe(true)
})
