import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { shapeLikelihood } from '../../src/linalg/shape-likelihood.js'
import { randomCovariance } from '../support/random-covariance.js'

const n = 3
type Matrix = Float64Array
const at = (a: Matrix, i: number, j: number) => a[(i % n) * n + (j % n)] as number
const scaled = (a: Matrix, by: number) => a.map((value) => by * value)
const transposed = (a: Matrix) => a.map((_, k) => at(a, k % n, Math.floor(k / n)))
const cofactor = (a: Matrix, i: number, j: number) => at(a, i + 1, j + 1) * at(a, i + 2, j + 2) - at(a, i + 1, j + 2) * at(a, i + 2, j + 1)
const determinant = (a: Matrix) => at(a, 0, 0) * cofactor(a, 0, 0) + at(a, 0, 1) * cofactor(a, 0, 1) + at(a, 0, 2) * cofactor(a, 0, 2)

function product(a: Matrix, b: Matrix): Matrix {
  return a.map((_, k) => [0, 1, 2].reduce((sum, m) => sum + at(a, Math.floor(k / n), m) * at(b, m, k % n), 0))
}

/** The formula with the inverse by cofactors. */
function naive(scatter: Matrix, count: number, covariance: Matrix): number {
  const inverse = covariance.map((_, k) => cofactor(covariance, k % n, Math.floor(k / n)) / determinant(covariance))
  const mixed = product(inverse, scatter)
  const trace = (at(mixed, 0, 0) + at(mixed, 1, 1) + at(mixed, 2, 2)) / count
  return -0.5 * (Math.log(determinant(covariance)) + n * Math.log(trace / n))
}

const rng = new Rng(1)
const covariances = Array.from({ length: 12 }, () => randomCovariance(n, rng))
const [first, second] = covariances as [Matrix, Matrix]
const group = { scatter: scaled(randomCovariance(n, rng), 40), count: 40 }

describe('the likelihood of a shape', () => {
  it('is the formula’s, and leaves what it was given', () => {
    const before = group.scatter.slice()
    for (const covariance of covariances) {
      expect(shapeLikelihood(group, covariance)).toBeCloseTo(naive(group.scatter, group.count, covariance), 10)
    }
    expect(group.scatter).toEqual(before)
  })

  it('is −½·ln det Σ of a group that has that very covariance', () => {
    const own = { scatter: scaled(first, 10), count: 10 }
    expect(shapeLikelihood(own, first)).toBeCloseTo(-0.5 * Math.log(determinant(first)), 10)
  })

  it('does not depend on the size of a covariance, nor its order of covariances on the size of the group', () => {
    expect(shapeLikelihood(group, scaled(first, 7))).toBeCloseTo(shapeLikelihood(group, first), 10)
    const between = (by: number) => {
      const grown = { ...group, scatter: scaled(group.scatter, by) }
      return shapeLikelihood(grown, first) - shapeLikelihood(grown, second)
    }
    expect(Math.abs(between(1))).toBeGreaterThan(0.01)
    for (const by of [0.01, 30]) expect(between(by)).toBeCloseTo(between(1), 10)
  })

  it('is highest for the shape of the group itself', () => {
    const own = shapeLikelihood(group, scaled(group.scatter, 3))
    for (const covariance of covariances) expect(shapeLikelihood(group, covariance)).toBeLessThan(own)
  })

  it('changes by −ln |det A| for every covariance where rows are mapped by A', () => {
    const map = Float64Array.from({ length: n * n }, () => rng.normal())
    const mapped = (a: Matrix) => product(product(map, a), transposed(map))
    for (const covariance of covariances) {
      const change = shapeLikelihood({ ...group, scatter: mapped(group.scatter) }, mapped(covariance)) - shapeLikelihood(group, covariance)
      expect(change).toBeCloseTo(-Math.log(Math.abs(determinant(map))), 9)
    }
  })
})
