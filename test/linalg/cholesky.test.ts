import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { choleskyOf, solveLower, solveLowerTransposed } from '../../src/linalg/cholesky.js'
import { expectAllClose } from '../support/allclose.js'
import { randomCovariance } from '../support/random-covariance.js'

test('the factor times its transpose is the matrix, and both solves invert it', () => {
  const n = 17
  const a = randomCovariance(n, new Rng(1))
  const l = choleskyOf(a, n)
  const product = a.map((_, at) => {
    let sum = 0
    for (let k = 0; k < n; k++) sum += (l[Math.floor(at / n) * n + k] as number) * (l[(at % n) * n + k] as number)
    return sum
  })
  expectAllClose(product, a, { atol: 1e-13, rtol: 1e-12 })
  const x = Float64Array.from({ length: n }, (_, i) => i - 3)
  const image = x.map((_, i) => x.reduce((sum, value, j) => sum + (a[i * n + j] as number) * value, 0))
  expectAllClose(solveLowerTransposed(l, n, solveLower(l, n, image)), x, { atol: 1e-9, rtol: 1e-9 })
})

test('a matrix that is not positive definite is refused', () => {
  expect(() => choleskyOf(Float64Array.of(1, 2, 2, 1), 2)).toThrow(RangeError)
})
