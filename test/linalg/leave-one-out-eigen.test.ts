import { describe, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { choleskyOf, solveLower } from '../../src/linalg/cholesky.js'
import { factorReference, leaveOneOutDirections, within } from '../../src/linalg/leave-one-out-eigen.js'
import { symmetricEigen } from '../../src/linalg/symmetric-eigen.js'
import { expectAllClose } from '../support/allclose.js'
import { randomCovariance } from '../support/random-covariance.js'

const ridge = 1e-3

function problem(size: number, classes: number) {
  const rng = new Rng(size)
  const covariances = Array.from({ length: classes }, () => randomCovariance(size, rng))
  const mean = new Float64Array(size * size).map((_, at) => covariances.reduce((sum, s) => sum + (s[at] as number), 0) / classes)
  const reference = atOnce(factorReference(mean, { size, classes, ridge }))
  // The mean of the others as it is meant: what is left of the ridged mean of all without the class.
  let trace = 0
  for (let i = 0; i < size; i++) trace += mean[i * size + i] as number
  const own = covariances[0] as Float64Array
  const others = mean.map(
    (value, at) => (classes * (value + (at % (size + 1) === 0 ? (ridge * trace) / size : 0)) - (own[at] as number)) / (classes - 1),
  )
  return { own, others, reference }
}

/** All generalised eigenvalues, by factoring `others` itself. */
function denseValues(own: Float64Array, others: Float64Array, n: number): Float64Array {
  const factor = choleskyOf(others, n)
  const half = own.slice()
  for (let i = 0; i < n; i++) solveLower(factor, n, half.subarray(i * n, (i + 1) * n))
  const turned = half.map((_, at) => half[(at % n) * n + Math.floor(at / n)] as number)
  for (let i = 0; i < n; i++) solveLower(factor, n, turned.subarray(i * n, (i + 1) * n))
  return symmetricEigen(turned, n).values
}

describe.each([
  { size: 12, classes: 2, wanted: 12, rtol: 1e-9 },
  { size: 40, classes: 7, wanted: 10, rtol: 1e-9 },
  { size: 120, classes: 3, wanted: 12, rtol: 1e-9 },
  { size: 300, classes: 3, wanted: 12, rtol: 1e-4, denseUpTo: 256 },
])('leave-one-out directions of $size columns in $classes classes', ({ size, classes, wanted, rtol, denseUpTo = 256 }) => {
  const { own, others, reference } = problem(size, classes)
  const { values, vectors } = atOnce(leaveOneOutDirections(own, reference, { wanted, rng: new Rng(1), denseUpTo }))

  it('have the generalised eigenvalues of a solver that is given the others’ mean itself', () => {
    expectAllClose(values, denseValues(own, others, size).subarray(0, wanted), { atol: 0, rtol })
  })

  it('are uncorrelated in the others, of variance 1 there and λ in the class', () => {
    const inOthers = atOnce(within(others, size, vectors))
    const inOwn = atOnce(within(own, size, vectors))
    const unit = inOthers.map((_, at) => (at % (wanted + 1) === 0 ? 1 : 0))
    expectAllClose(inOthers, unit, { atol: 10 * rtol, rtol: 0 })
    const diagonal = inOwn.map((_, at) => (at % (wanted + 1) === 0 ? (values[at % wanted] as number) : 0))
    expectAllClose(inOwn, diagonal, { atol: 10 * rtol * (values[0] as number), rtol: 0 })
  })
})
