import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { auroc } from '../../src/stats/auroc.js'

/** Straight from the definition: every pair of a positive and a negative. */
function naive(scores: readonly number[], positive: readonly number[]): number | null {
  let won = 0
  let pairs = 0
  for (const [i, a] of scores.entries()) {
    if (!positive[i]) continue
    for (const [j, b] of scores.entries()) {
      if (positive[j]) continue
      pairs++
      won += a > b ? 1 : a === b ? 0.5 : 0
    }
  }
  return pairs === 0 ? null : won / pairs
}

const goldens = JSON.parse(readFileSync(new URL('../fixtures/detectors/auroc.json', import.meta.url), 'utf8')) as {
  cases: { name: string; scores: number[]; positives: number[]; auroc: number }[]
}

describe('agrees with scikit-learn', () => {
  test.each(goldens.cases)('$name', ({ scores, positives, auroc: expected }) => {
    expect(auroc(scores, positives)).toBeCloseTo(expected, 12)
  })
})

test('agrees with counting pairs on random scores, with many ties and with none', () => {
  const rng = new Rng(1)
  for (let round = 0; round < 60; round++) {
    const n = 1 + rng.below(60)
    const levels = 1 + rng.below(round % 2 ? 5 : 1000)
    const scores = Array.from({ length: n }, () => rng.below(levels) - 3)
    const positive = Array.from({ length: n }, () => rng.below(3) % 2)
    const expected = naive(scores, positive)
    const got = auroc(Float32Array.from(scores), Uint8Array.from(positive))
    if (expected === null) expect(got).toBeNull()
    else expect(got).toBeCloseTo(expected, 12)
  }
})

test('is null where a kind is missing, as nothing can be said then', () => {
  expect(auroc([1, 2], [0, 0])).toBeNull()
  expect(auroc([1, 2], [1, 1])).toBeNull()
  expect(auroc([], [])).toBeNull()
})

test('turning the scores round turns it round', () => {
  const scores = [3, 1, 4, 1, 5, 9, 2, 6]
  const positive = [1, 0, 0, 1, 0, 1, 1, 0]
  const value = auroc(scores, positive) as number
  expect(
    auroc(
      scores.map((score) => -score),
      positive,
    ),
  ).toBeCloseTo(1 - value, 12)
})

test('infinite scores tie with themselves', () => {
  expect(auroc([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0], [1, 0, 0])).toBe(0.75)
})

test('what was passed in stays as it is', () => {
  const scores = Float32Array.of(3, 1, 2)
  auroc(scores, [1, 0, 1])
  expect([...scores]).toEqual([3, 1, 2])
})
