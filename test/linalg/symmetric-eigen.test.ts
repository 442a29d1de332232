import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { symmetricEigen, withFixedSign } from '../../src/linalg/symmetric-eigen.js'
import { expectAllClose } from '../support/allclose.js'

function randomSymmetric(n: number, seed: number, scale = 1): Float64Array {
  const rng = new Rng(seed)
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      a[i * n + j] = scale * rng.normal()
      a[j * n + i] = a[i * n + j] as number
    }
  }
  return a
}

/** A·vᵢ = λᵢ·vᵢ, V·Vᵀ = I, V ᵀΛV = A and values falling: all that can be asked for. */
function expectEigenpairs(a: ArrayLike<number>, n: number): Float64Array {
  const { values, vectors } = symmetricEigen(a, n)
  let norm = 0
  for (let i = 0; i < n * n; i++) norm = Math.max(norm, Math.abs(a[i] as number))
  const gram = new Float64Array(n * n)
  const rebuilt = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let dot = 0
      let sum = 0
      for (let k = 0; k < n; k++) {
        dot += (vectors[i * n + k] as number) * (vectors[j * n + k] as number)
        sum += (values[k] as number) * (vectors[k * n + i] as number) * (vectors[k * n + j] as number)
      }
      gram[i * n + j] = dot
      rebuilt[i * n + j] = sum
    }
  }
  const identity = Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0))
  expectAllClose(gram, identity, { atol: 1e-13 * Math.max(10, n), rtol: 0 })
  expectAllClose(rebuilt, Float64Array.from(a), { atol: 1e-13 * Math.max(10, n) * norm, rtol: 0 })
  for (let i = 1; i < n; i++) expect(values[i] as number).toBeLessThanOrEqual(values[i - 1] as number)
  return values
}

describe('symmetricEigen', () => {
  test('a 2 × 2 case worked by hand', () => {
    const { values, vectors } = symmetricEigen([2, 1, 1, 2], 2)
    expectAllClose(values, [3, 1], { atol: 1e-15, rtol: 1e-15 })
    expect(Math.abs((vectors[0] as number) - (vectors[1] as number))).toBeLessThan(1e-15)
    expect(Math.abs((vectors[2] as number) + (vectors[3] as number))).toBeLessThan(1e-15)
  })

  test('1 × 1, also zero and negative, and no dimension at all', () => {
    expect(symmetricEigen([-4], 1)).toEqual({ values: Float64Array.of(-4), vectors: Float64Array.of(1) })
    expect(symmetricEigen([0], 1)).toEqual({ values: Float64Array.of(0), vectors: Float64Array.of(1) })
    expect(symmetricEigen([], 0)).toEqual({ values: new Float64Array(0), vectors: new Float64Array(0) })
  })

  test('zero on the diagonal', () => {
    expectAllClose(expectEigenpairs([0, 1, 1, 0], 2), [1, -1], { atol: 1e-15, rtol: 0 })
  })

  test.each([2, 3, 4, 7, 16, 33, 64])('random matrices of size %i', (n) => {
    for (let seed = 0; seed < 4; seed++) expectEigenpairs(randomSymmetric(n, seed), n)
  })

  test.each([1e-150, 1e-20, 1e20, 1e150])('values of about %d', (scale) => {
    expectEigenpairs(randomSymmetric(12, 5, scale), 12)
  })

  test.each([5, 20, 100])('the second difference on %i points, whose spectrum is known', (n) => {
    const a = new Float64Array(n * n)
    for (let i = 0; i < n; i++) {
      a[i * n + i] = 2
      if (i > 0) a[i * n + i - 1] = -1
      if (i + 1 < n) a[i * n + i + 1] = -1
    }
    const expected = Float64Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos(((n - k) * Math.PI) / (n + 1)))
    expectAllClose(expectEigenpairs(a, n), expected, { atol: 1e-13, rtol: 0 })
  })

  test('repeated values: the identity, and a matrix of ones', () => {
    const n = 9
    const identity = Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0))
    expectAllClose(expectEigenpairs(identity, n), new Float64Array(n).fill(1), { atol: 1e-14, rtol: 0 })
    const values = expectEigenpairs(new Float64Array(n * n).fill(1), n)
    expectAllClose(values, [n, ...new Array(n - 1).fill(0)], { atol: 1e-13, rtol: 0 })
  })

  test('a zero matrix, a diagonal one, and one with dead columns', () => {
    expect([...expectEigenpairs(new Float64Array(25), 5)]).toEqual([0, 0, 0, 0, 0])
    expect([...expectEigenpairs([1, 0, 0, 0, 3, 0, 0, 0, 2], 3)]).toEqual([3, 2, 1])
    const n = 10
    const a = randomSymmetric(n, 8)
    for (const dead of [0, 4, 9]) for (let i = 0; i < n; i++) a[dead * n + i] = a[i * n + dead] = 0
    expectEigenpairs(a, n)
  })

  test('a graded matrix, whose entries span many powers of ten', () => {
    const n = 12
    const a = Float64Array.from({ length: n * n }, (_, at) => 10 ** -(Math.floor(at / n) + (at % n)))
    expectEigenpairs(a, n)
  })

  test('reads the upper triangle and leaves the matrix alone', () => {
    const a = Float64Array.of(2, 1, 99, 2)
    expectAllClose(symmetricEigen(a, 2).values, [3, 1], { atol: 1e-15, rtol: 0 })
    expect([...a]).toEqual([2, 1, 99, 2])
  })

  test('input that is not finite ends, one way or the other', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (let at = 0; at < 6; at++) {
        const a = randomSymmetric(6, 1)
        a[at] = bad
        try {
          symmetricEigen(a, 6)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }
    }
  })
})

describe('withFixedSign', () => {
  const fixed = (...values: number[]) => [...withFixedSign(Float64Array.from(values))]

  test('makes the entry of largest magnitude positive', () => {
    expect(fixed(1, -3, 2)).toEqual([-1, 3, -2])
    expect(fixed(-1, 3, -2)).toEqual([-1, 3, -2])
  })

  test('lets the lowest index decide between entries that are equal but for rounding', () => {
    expect(fixed(-1, 1.00005, 0)).toEqual([1, -1.00005, -0])
    expect(fixed(-1, 1.0002, 0)).toEqual([-1, 1.0002, 0])
  })

  test('leaves a zero vector alone and what was passed in unchanged', () => {
    expect(fixed(0, 0)).toEqual([0, 0])
    const vector = Float64Array.of(-2, 1)
    withFixedSign(vector)
    expect([...vector]).toEqual([-2, 1])
  })
})
