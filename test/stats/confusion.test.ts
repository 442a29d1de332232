import { expect, test } from 'vitest'
import { confusion, outcome } from '../../src/stats/confusion.js'

test('codes are those of the published evaluation: 0 true positive, 1 true negative, 2 false positive, 3 false negative', () => {
  expect(outcome).toEqual({ truePositive: 0, trueNegative: 1, falsePositive: 2, falseNegative: 3 })
  expect([...confusion([1, 0, 0, 1], [1, 0, 1, 0]).codes]).toEqual([0, 1, 2, 3])
})

test('counts and rates of a case worked by hand', () => {
  const poisoned = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
  const flagged = [1, 1, 1, 0, 1, 0, 0, 0, 0, 0]
  expect(confusion(poisoned, flagged)).toMatchObject({
    truePositives: 3,
    falseNegatives: 1,
    falsePositives: 1,
    trueNegatives: 5,
    truePositiveRate: 3 / 4,
    falsePositiveRate: 1 / 6,
    precision: 3 / 4,
  })
})

test('any number but zero means yes', () => {
  expect([...confusion(Uint8Array.of(255, 0), Float32Array.of(0.5, -1)).codes]).toEqual([0, 2])
})

test('a rate whose denominator is 0 is null, never 0', () => {
  expect(confusion([0, 0], [1, 0])).toMatchObject({ truePositiveRate: null, falsePositiveRate: 0.5, precision: 0 })
  expect(confusion([1, 1], [1, 0])).toMatchObject({ truePositiveRate: 0.5, falsePositiveRate: null, precision: 1 })
  expect(confusion([1, 0], [0, 0])).toMatchObject({ truePositiveRate: 0, falsePositiveRate: 0, precision: null })
  expect(confusion([], [])).toMatchObject({ truePositiveRate: null, falsePositiveRate: null, precision: null, truePositives: 0 })
})
