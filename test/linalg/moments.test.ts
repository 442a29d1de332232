import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { moments, quadratic, without } from '../../src/linalg/moments.js'
import { expectAllClose } from '../support/allclose.js'

const rng = new Rng(4)
const rows = { data: Float64Array.from({ length: 60 }, () => rng.normal() + 5), cols: 3 }
const side = Uint8Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? 1 : 0))

test('moments of two rows by hand', () => {
  const { count, mean, scatter } = moments({ data: Float64Array.of(1, 2, 3, 6, 100, 100), cols: 2 }, Uint8Array.of(0, 0, 1), 0)
  expect({ count, mean: [...mean], scatter: [...scatter] }).toEqual({ count: 2, mean: [2, 4], scatter: [2, 4, 4, 8] })
})

test('what is left without a part is what the other rows have', () => {
  const rest = without(moments(rows, new Uint8Array(20), 0), moments(rows, side, 1))
  const expected = moments(rows, side, 0)
  expect(rest.count).toBe(expected.count)
  expectAllClose(rest.mean, expected.mean, { atol: 1e-12, rtol: 1e-12 })
  expectAllClose(rest.scatter, expected.scatter, { atol: 1e-11, rtol: 1e-11 })
})

test('the scatter along a direction is the sum of squares of the projections', () => {
  const { mean, scatter } = moments(rows, side, 1)
  const b = Float64Array.of(0.5, -2, 1)
  let sum = 0
  side.forEach((value, i) => {
    if (value === 1) sum += b.reduce((s, w, j) => s + w * ((rows.data[i * 3 + j] as number) - (mean[j] as number)), 0) ** 2
  })
  expect(quadratic(scatter, b)).toBeCloseTo(sum, 10)
})
