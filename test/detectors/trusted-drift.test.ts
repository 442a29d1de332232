import { expect, it } from 'vitest'
import { type TrustedCounts, trustedDrifts } from '../../src/detectors/trusted-drift.js'
import { logBetaBinomial } from '../../src/stats/binomial.js'

const counts = (share: number, trustedBeyond: number, trustedRows = 100): TrustedCounts => ({ share, trustedRows, trustedBeyond })
const matching = [counts(0.3, 30), counts(0.2, 20), counts(0.4, 40)]
const bunched = [counts(0.3, 0), counts(0.2, 60), counts(0.4, 95)]
const nothing: TrustedCounts[] = []
const repeated = (divisions: TrustedCounts[], times: number) => Array.from({ length: times }, () => divisions)

/** The drift that one more class, of which nothing is known, takes over from `classes`. */
function learnt(classes: readonly (readonly TrustedCounts[])[]) {
  const drift = trustedDrifts([nothing, ...classes])[0]
  if (!drift) throw new Error('no drift')
  return drift
}

const prior = learnt([])
const meanLog = ({ strengths, weights }: typeof prior) =>
  strengths.reduce((sum, strength, i) => sum + (weights[i] as number) * Math.log(strength), 0)

it('weights add up to 1, about a strength of 4 where there is nothing to learn from', () => {
  for (const drift of [prior, learnt([matching]), learnt(repeated(bunched, 40))]) {
    expect(drift.weights).toHaveLength(drift.strengths.length)
    expect(drift.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12)
  }
  expect(prior.strengths[prior.weights.indexOf(Math.max(...prior.weights))]).toBe(4)
  expect(learnt([nothing, [counts(0.3, 0, 0)]])).toEqual(prior)
})

it('shares that match make it strong, and rows that come in bunches weak, the more classes show it', () => {
  const strong = [1, 3, 10, 100].map((classes) => meanLog(learnt(repeated(matching, classes))))
  const weak = [1, 3, 10, 100].map((classes) => meanLog(learnt(repeated(bunched, classes))))
  for (const [i, value] of strong.entries()) expect(value).toBeGreaterThan(strong[i - 1] ?? meanLog(prior))
  for (const [i, value] of weak.entries()) expect(value).toBeLessThan(weak[i - 1] ?? meanLog(prior))
  expect(Math.exp(strong[3] as number)).toBeGreaterThan(30)
  expect(Math.exp(weak[3] as number)).toBeLessThan(1)
})

it('a class learns from the others and not from itself', () => {
  const [first, second, third] = trustedDrifts([bunched, matching, matching])
  expect(first?.weights).toEqual(learnt([matching, matching]).weights.map((weight) => expect.closeTo(weight, 10)))
  expect(second?.weights).toEqual(learnt([bunched, matching]).weights.map((weight) => expect.closeTo(weight, 10)))
  expect(third?.weights).toEqual(second?.weights.map((weight) => expect.closeTo(weight, 10)))
  expect(trustedDrifts([bunched])[0]?.weights).toEqual(prior.weights.map((weight) => expect.closeTo(weight, 12)))
})

it('weighs strengths by the prior times what one division of another class makes likely', () => {
  const raw = prior.strengths.map((a, i) => (prior.weights[i] as number) * Math.exp(logBetaBinomial(7, 20, a, (a * 0.75) / 0.25)))
  const sum = raw.reduce((total, value) => total + value, 0)
  expect(learnt([[counts(0.25, 7.2, 20)]]).weights).toEqual(raw.map((value) => expect.closeTo(value / sum, 10)))
})

it('every class counts for one, however many divisions it has, and divisions without trusted rows for nothing', () => {
  const once = learnt([[counts(0.3, 12)]])
  const often = learnt([[...Array.from({ length: 9 }, () => counts(0.3, 12)), counts(0.5, 0, 0)]])
  expect(often.weights).toEqual(once.weights.map((weight) => expect.closeTo(weight, 10)))
})

it('looks at the smaller side, whichever that is', () => {
  expect(learnt([[counts(0.7, 88)]]).weights).toEqual(learnt([[counts(0.3, 12)]]).weights.map((weight) => expect.closeTo(weight, 10)))
})

it('stays finite where a side is empty, and where a thousand classes agree', () => {
  for (const classes of [[[counts(0, 5)], [counts(1, 5)]], repeated(bunched, 1000)]) {
    for (const { weights } of trustedDrifts(classes)) expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 10)
  }
})
