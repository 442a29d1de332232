import { describe, expect, test } from 'vitest'
import { expectAllClose } from './allclose.js'

const exact = { atol: 0, rtol: 0 }

describe('expectAllClose', () => {
  test('passes equal values, empty arrays, and values exactly at the tolerance', () => {
    expectAllClose([], [], exact)
    expectAllClose(Float32Array.of(1, -2), [1, -2], exact)
    expectAllClose([1.5, 10.5], [1, 10], { atol: 0.5, rtol: 0 })
    expectAllClose([12], [8], { atol: 0, rtol: 0.5 })
  })

  test('names the worst index, both values and the tolerance there', () => {
    expect(() => expectAllClose([1, 3, 2.5], [1, 2, 2], { atol: 0.25, rtol: 0.125 })).toThrow(
      '1 of 3 values are not close; worst at index 1: got 3, expected 2, |difference| 1, tolerance 0.5 (atol 0.25 + rtol 0.125 · |expected|)',
    )
  })

  test('takes the value furthest past its own tolerance as the worst, not the largest difference', () => {
    expect(() => expectAllClose([1100, 1], [1000, 0], { atol: 0.5, rtol: 0.0999 })).toThrow('worst at index 1')
  })

  test('is relative to the expected value, not to the actual one', () => {
    expect(() => expectAllClose([8], [4], { atol: 0, rtol: 0.5 })).toThrow('tolerance 2')
  })

  test('NaN is close to nothing, not even NaN', () => {
    for (const pair of [[Number.NaN, 1] as const, [1, Number.NaN] as const, [Number.NaN, Number.NaN] as const]) {
      expect(() => expectAllClose([0, pair[0]], [0, pair[1]], { atol: 1e9, rtol: 1e9 })).toThrow('worst at index 1')
    }
  })

  test('an infinity is close only to itself, whatever the tolerance', () => {
    const loose = { atol: 1, rtol: 1 }
    expectAllClose([Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY], exact)
    expect(() => expectAllClose([Number.NEGATIVE_INFINITY], [Number.POSITIVE_INFINITY], loose)).toThrow('index 0')
    expect(() => expectAllClose([1], [Number.POSITIVE_INFINITY], loose)).toThrow('index 0')
    expect(() => expectAllClose([Number.POSITIVE_INFINITY], [1], loose)).toThrow('index 0')
  })

  test('refuses arrays of different lengths', () => {
    expect(() => expectAllClose([1], [1, 2], exact)).toThrow('got 1 values, expected 2')
  })
})
