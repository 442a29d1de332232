import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { tprAtFpr } from '../../src/stats/tpr-at-fpr.js'

test('counts the positives above the threshold that the allowed negatives reach', () => {
  const positive = [1, 1, 0, 1, 0, 0]
  const scores = [9, 8, 7, 6, 5, 4]
  expect(tprAtFpr(scores, positive, 0)).toBe(2 / 3)
  expect(tprAtFpr(scores, positive, 0.3)).toBe(2 / 3)
  expect(tprAtFpr(scores, positive, 1 / 3)).toBe(1)
  expect(tprAtFpr(scores, positive, 1)).toBe(1)
})

test('29 of 2,900 are not more than 1 %', () => {
  const scores = Float64Array.from({ length: 2901 }, (_, i) => (i === 2900 ? 29.5 : 2900 - i - 2842))
  const positive = Uint8Array.from(scores, (_, i) => (i === 2900 ? 1 : 0))
  expect(scores.filter((score) => score > 29.5)).toHaveLength(29)
  expect(tprAtFpr(scores, positive, 0.01)).toBe(1)
})

test('equal scores are caught together or not at all', () => {
  expect(tprAtFpr([1, 1], [1, 0], 0)).toBe(0)
  expect(tprAtFpr([1, 1], [1, 0], 1)).toBe(1)
  expect(tprAtFpr([2, 1, 1], [1, 1, 0], 0)).toBe(0.5)
})

test('is 0, not missing, where every positive scores lowest', () => {
  expect(tprAtFpr([1, 2, 3], [1, 0, 0], 0.01)).toBe(0)
})

test('is null where positives or negatives are missing', () => {
  expect(tprAtFpr([1, 2], [0, 0], 0.01)).toBeNull()
  expect(tprAtFpr([1, 2], [1, 1], 0.01)).toBeNull()
  expect(tprAtFpr([], [], 0.01)).toBeNull()
})

test('agrees with trying every score as a threshold', () => {
  const rng = new Rng(3)
  for (let round = 0; round < 40; round++) {
    const n = 1 + rng.below(40)
    const scores = Float32Array.from({ length: n }, () => rng.below(12))
    const positive = Uint8Array.from({ length: n }, () => rng.below(2))
    const maxFpr = rng.below(5) / 8
    const share = (kind: number, threshold: number) => {
      const members = [...scores.keys()].filter((i) => positive[i] === kind)
      return members.filter((i) => (scores[i] as number) >= threshold).length / members.length
    }
    const thresholds = [...scores, Number.POSITIVE_INFINITY].filter((threshold) => share(0, threshold) <= maxFpr)
    const expected = new Set(positive).size < 2 ? null : Math.max(...thresholds.map((threshold) => share(1, threshold)))
    expect(tprAtFpr(scores, positive, maxFpr)).toBe(expected)
  }
})
