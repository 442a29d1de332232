import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { minimaxDirection } from '../../src/linalg/minimax-direction.js'
import { dot, quadratic } from '../../src/linalg/moments.js'
import { randomCovariance } from '../support/random-covariance.js'

const noisiest = (b: Float64Array, covariances: readonly Float64Array[]) => Math.max(...covariances.map((s) => quadratic(s, b)))

/** The least largest variance over all directions of the plane, by trying 20,000 of them. */
function bruteForce(apart: Float64Array, covariances: readonly Float64Array[]): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 20_000; i++) {
    const angle = (Math.PI * i) / 20_000
    const b = Float64Array.of(Math.cos(angle), Math.sin(angle))
    least = Math.min(least, noisiest(b, covariances) / dot(b, apart) ** 2)
  }
  return least
}

describe('the minimax direction', () => {
  it('is Fisher’s, S⁻¹·apart, for one group', () => {
    const { direction } = minimaxDirection(Float64Array.of(1, 1), [Float64Array.of(2, 0, 0, 0.5)])
    expect(direction[0]).toBeCloseTo(0.2, 12)
    expect(direction[1]).toBeCloseTo(0.8, 12)
  })

  it('is as good as the best of all directions of the plane', () => {
    for (let seed = 0; seed < 20; seed++) {
      const rng = new Rng(seed)
      const covariances = Array.from({ length: 2 + (seed % 5) }, () => randomCovariance(2, rng))
      const apart = Float64Array.of(rng.normal(), rng.normal())
      const { direction } = minimaxDirection(apart, covariances)
      expect(dot(direction, apart)).toBeCloseTo(1, 10)
      const least = bruteForce(apart, covariances)
      expect(noisiest(direction, covariances) / least).toBeGreaterThan(1 - 1e-4)
      expect(noisiest(direction, covariances) / least).toBeLessThan(1.02)
    }
  })

  it('comes as near in fewer steps from the weights of a like problem', () => {
    const rng = new Rng(5)
    const covariances = Array.from({ length: 8 }, () => randomCovariance(6, rng))
    const apart = Float64Array.from({ length: 6 }, () => rng.normal())
    const { direction, weights } = minimaxDirection(apart, covariances)
    const near = minimaxDirection(
      apart.map((value) => value * 1.05),
      covariances,
      { steps: 12, weights },
    )
    expect((noisiest(near.direction, covariances) * 1.05 ** 2) / noisiest(direction, covariances)).toBeLessThan(1.02)
  })

  it('is zero where the means are the same', () => {
    expect([...minimaxDirection(new Float64Array(2), [Float64Array.of(1, 0, 0, 1)]).direction]).toEqual([0, 0])
  })
})
