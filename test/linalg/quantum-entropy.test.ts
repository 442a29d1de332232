import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { choleskyOf, solveLower } from '../../src/linalg/cholesky.js'
import { type QueMap, queMap } from '../../src/linalg/quantum-entropy.js'
import { symmetricEigen } from '../../src/linalg/symmetric-eigen.js'
import { expectAllClose } from '../support/allclose.js'

type Square = number[][]
const times = (a: Square, b: Square): Square =>
  a.map((row) => b.map((_, j) => row.reduce((sum, value, t) => sum + value * (b[t]?.[j] ?? 0), 0)))

/** exp of a matrix by its power series, scaled down by 2¹⁰ and squared ten times. */
function expm(a: Square): Square {
  const small = a.map((row) => row.map((value) => value / 1024))
  let term: Square = a.map((row, i) => row.map((_, j) => (i === j ? 1 : 0)))
  let sum = term
  for (let n = 1; n < 20; n++) {
    term = times(term, small).map((row) => row.map((value) => value / n))
    sum = sum.map((row, i) => row.map((value, j) => value + (term[i]?.[j] ?? 0)))
  }
  for (let n = 0; n < 10; n++) sum = times(sum, sum)
  return sum
}

/** Rows with mean 0 and the identity for their second moment, exactly. */
function whiteRows(n: number, k: number, rng: Rng): Float64Array {
  const raw = Float64Array.from({ length: n * k }, (_, at) => rng.normal() * (at % k === 0 && at < 3 * k ? 9 : 1))
  for (let j = 0; j < k; j++) {
    let mean = 0
    for (let i = 0; i < n; i++) mean += (raw[i * k + j] as number) / n
    for (let i = 0; i < n; i++) raw[i * k + j] = (raw[i * k + j] as number) - mean
  }
  const second = Float64Array.from({ length: k * k }, (_, at) => {
    let sum = 0
    for (let i = 0; i < n; i++) sum += ((raw[i * k + Math.floor(at / k)] as number) * (raw[i * k + (at % k)] as number)) / n
    return sum
  })
  const factor = choleskyOf(second, k)
  for (let i = 0; i < n; i++) solveLower(factor, k, raw.subarray(i * k, (i + 1) * k))
  return raw
}

const scoreOf = ({ mean, directions }: QueMap, row: Float64Array) =>
  directions.reduce(
    (sum, direction) => sum + direction.reduce((along, v, j) => along + v * ((row[j] as number) - (mean[j] as number)), 0) ** 2,
    0,
  )

describe('QUE scores', () => {
  it('are x̃ᵀ·M·x̃ / trace M with the exponential of the matrix, not of its entries', () => {
    const rng = new Rng(3)
    const [n, k, alpha] = [60, 4, 4]
    const rows = whiteRows(n, k, rng)
    const factor = choleskyOf(
      Float64Array.from({ length: k * k }, (_, at) => (at % (k + 1) === 0 ? 0.5 + 0.1 * at : 0.07)),
      k,
    )
    const mean = Float64Array.of(0.1, -0.3, 0.2, 0)
    const white = Array.from({ length: n }, (_, i) =>
      solveLower(
        factor,
        k,
        rows.slice(i * k, (i + 1) * k).map((value, j) => value - (mean[j] as number)),
      ),
    )
    const second: Square = Array.from({ length: k }, (_, i) =>
      Array.from({ length: k }, (_, j) => white.reduce((sum, x) => sum + ((x[i] as number) * (x[j] as number)) / n, 0)),
    )
    const largest = symmetricEigen(second.flat(), k).values[0] as number
    const m = expm(second.map((row, i) => row.map((value, j) => (alpha * (value - (i === j ? 1 : 0))) / (largest - 1))))
    const trace = m.reduce((sum, row, i) => sum + (row[i] as number), 0)
    const naive = white.map((x) => {
      let sum = 0
      for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) sum += (x[i] as number) * (m[i]?.[j] as number) * (x[j] as number)
      return sum / trace
    })
    const map = atOnce(queMap({ mean, factor }, alpha))
    const scores = Array.from({ length: n }, (_, i) => scoreOf(map, rows.slice(i * k, (i + 1) * k)))
    expectAllClose(scores, Float64Array.from(naive), { atol: 1e-9, rtol: 1e-9 })
    expect(map.average).toBeCloseTo(
      naive.reduce((sum, value) => sum + value / n, 0),
      9,
    )
  })

  it('are squared robust distances over k where nothing sticks out: no division by nothing', () => {
    const factor = Float64Array.of(2, 0, 0, 4)
    for (const scale of [1, 0.5]) {
      const map = atOnce(queMap({ mean: new Float64Array(2), factor: factor.map((value) => value * scale) }, 4))
      if (scale === 1) expect(scoreOf(map, Float64Array.of(2, 4))).toBeCloseTo((1 + 1) / 2, 12)
      expect(Number.isFinite(map.average)).toBe(true)
    }
    const exact = atOnce(queMap({ mean: new Float64Array(2), factor: Float64Array.of(1, 0, 0, 1) }, 4))
    expect(exact.average).toBe(1)
    expect(scoreOf(exact, Float64Array.of(3, 1))).toBeCloseTo(5, 12)
  })

  it('do not overflow where a direction sticks out by 1e12, nor where α is large', () => {
    const map = atOnce(queMap({ mean: new Float64Array(2), factor: Float64Array.of(1e-6, 0, 0, 1) }, 500))
    expect(map.average).toBeCloseTo(1e12, -4)
    expect(map.directions).toHaveLength(1)
  })
})
