import { expect, test } from 'vitest'
import { scoreScenario } from '../../src/bench/score-scenario.js'
import { checkTruth } from '../../src/bench/truth.js'
import { handMadeSet, ranFinding, ranResult, skippedFinding } from '../report/hand-made.js'

//               rows 0 … 3 are of class a, 4 … 9 of class b; 5 and 7 are poisoned
const set = handMadeSet(['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b', 'b', 'b'])
const poisoned = Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 1, 0, 0)
const told = { poisoned, attack: null, target: 'b', epsilon: null, source: null }
const truth = checkTruth(set, told, 'here')
const scores = [99, 98, 97, 96, 1, 5, 4, 3, 2, 0]

test('rates and areas are those of the target class alone, at the cut of the detector', () => {
  const result = ranResult('d', scores, [ranFinding([0, 1, 2]), ranFinding(null, { flagged: Uint32Array.of(5, 6), statistic: 0.25 })])
  expect(scoreScenario(set, truth, result)).toEqual({
    status: 'ran',
    auroc: 7 / 8, // of 2 · 4 pairs, row 7 loses against row 6
    tprAt1PercentFpr: 0.5,
    tprAt5PercentFpr: 0.5,
    tpr: 0.5,
    fpr: 0.25,
    flaggedRows: 2,
    flaggedShare: 2 / 6,
    poisonedLeft: 1,
    statistic: 0.25,
    accused: ['a'],
    targetAccused: false,
  })
})

test('an accusation counts whatever the cut flags', () => {
  const accusing = ranFinding([5], { flagged: new Uint32Array(0) })
  const score = scoreScenario(set, truth, ranResult('d', scores, [ranFinding(), accusing]))
  expect(score).toMatchObject({ accused: ['b'], targetAccused: true, tpr: 0, fpr: 0, poisonedLeft: 2 })
})

test('a clean set has a false positive rate over all rows, and no figure that needs poison', () => {
  const clean = checkTruth(set, { ...told, poisoned: new Uint8Array(10), target: null }, 'here')
  const result = ranResult('d', scores, [ranFinding([0, 1]), ranFinding(null, { flagged: Uint32Array.of(9) })])
  expect(scoreScenario(set, clean, result)).toMatchObject({
    ...{ auroc: null, tprAt1PercentFpr: null, tprAt5PercentFpr: null, tpr: null, poisonedLeft: null, statistic: null, targetAccused: null },
    ...{ fpr: 0.3, flaggedRows: 3, accused: ['a'] },
  })
})

test('a class of nothing but poison has no false positive rate, rather than one of 0', () => {
  const all = checkTruth(set, { ...told, poisoned: Uint8Array.of(0, 0, 0, 0, 1, 1, 1, 1, 1, 1) }, 'here')
  expect(scoreScenario(set, all, ranResult('d', scores, [ranFinding(), ranFinding()]))).toMatchObject({ fpr: null, auroc: null, tpr: 0 })
})

test('what was skipped or failed says why, and has no figures', () => {
  expect(scoreScenario(set, truth, { status: 'failed', id: 'd', reason: 'no luck', cause: null })).toEqual({
    status: 'failed',
    reason: 'no luck',
  })
  const skipped = ranResult('d', scores, [ranFinding(), skippedFinding('too few')])
  expect(scoreScenario(set, truth, skipped)).toEqual({ status: 'skipped', reason: 'too few' })
})

test('the target is found by label, as number or text, or is the one label that the poison bears', () => {
  const numbered = handMadeSet([3, 3, 7, 7])
  const mask = Uint8Array.of(0, 0, 1, 0)
  for (const target of [7, '7', null]) {
    const checked = checkTruth(numbered, { poisoned: mask, attack: null, target, epsilon: null, source: null }, 'here')
    expect(checked.target).toEqual({ index: 1, label: 7, rows: 2, poisonedRows: 1, epsilon: 0.5, source: null })
  }
})

test('the source is found by label, may be no class any more, and is none where rows kept their label', () => {
  const numbered = handMadeSet([3, 3, 7, 7])
  const sourceOf = (source: number | string | null) =>
    checkTruth(numbered, { poisoned: Uint8Array.of(0, 0, 1, 0), attack: null, target: 7, epsilon: null, source }, 'here').target?.source
  expect([3, '3', 5, 7, '7', null].map(sourceOf)).toEqual([3, 3, 5, null, null, null])
})

test('a truth that does not fit the rows is refused', () => {
  const check = (change: Partial<typeof told>) => () => checkTruth(set, { ...told, ...change }, 'here')
  expect(check({ poisoned: new Uint8Array(9) })).toThrow('here: poison_mask.npy has 9 entries, expected 10')
  expect(check({ target: 'c' })).toThrow('here: truth.json names c as target, but no poisoned row bears that label')
  expect(check({ target: 'a' })).toThrow('truth.json names a as target')
  expect(() => checkTruth(set, { ...told, target: null, poisoned: new Uint8Array(10).fill(1) }, 'here')).toThrow('bear 2 labels')
  expect(() => checkTruth(set, { ...told, epsilon: 0.5 } as never, 'here')).toThrow('has epsilon 0.5, but 2 of 6 rows are poisoned')
})
