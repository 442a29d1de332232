import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { fitTwoNormals, type TwoNormals, upperPosterior } from '../../src/stats/two-normals.js'

function drawn({ weight, lower, upper }: TwoNormals, n: number): Float64Array {
  const rng = new Rng(5, 'two normals')
  return Float64Array.from({ length: n }, () => {
    const { mean, variance } = rng.float() < weight ? upper : lower
    return mean + Math.sqrt(variance) * rng.normal()
  })
}

const wide: TwoNormals = { weight: 0.1, lower: { mean: 0, variance: 0.01 }, upper: { mean: 0.8, variance: 0.1 } }

describe('a mixture of two normal distributions', () => {
  it('is found again from its values, though the start cuts a wide part in two', () => {
    const fit = fitTwoNormals(drawn(wide, 20_000), { cut: 0.5, leastVariance: 1e-4 }) as TwoNormals
    expect(fit.weight).toBeCloseTo(0.1, 2)
    expect(fit.lower.mean).toBeCloseTo(0, 2)
    expect(fit.upper.mean).toBeCloseTo(0.8, 1)
    expect(Math.sqrt(fit.lower.variance)).toBeCloseTo(0.1, 2)
    expect(Math.sqrt(fit.upper.variance)).toBeCloseTo(Math.sqrt(0.1), 1)
  })

  it('has the means, variances and shares of its parts where they lie far apart', () => {
    const values = Float64Array.of(-1, 0, 1, 99, 100, 100, 101)
    expect(fitTwoNormals(values, { cut: 50, leastVariance: 1e-4 })).toEqual({
      weight: expect.closeTo(4 / 7, 12),
      lower: { mean: expect.closeTo(0, 12), variance: expect.closeTo(2 / 3, 12) },
      upper: { mean: expect.closeTo(100, 12), variance: expect.closeTo(1 / 2, 12) },
    })
  })

  it('keeps the least variance where all values of a part are one', () => {
    const values = Float64Array.of(0, 0, 0, 0, 1, 1, 1)
    expect(fitTwoNormals(values, { cut: 0.5, leastVariance: 1e-4 })).toMatchObject({ lower: { variance: 1e-4 }, upper: { variance: 1e-4 } })
  })

  it('is none where a part has fewer than three values', () => {
    expect(fitTwoNormals(Float64Array.of(0, 0, 0, 0, 1, 1), { cut: 0.5, leastVariance: 1e-4 })).toBeNull()
    expect(fitTwoNormals(new Float64Array(0), { cut: 0.5, leastVariance: 1e-4 })).toBeNull()
  })

  it('gives a posterior by Bayes’ rule between the means, which never falls and stays beyond them', () => {
    const density = (x: number, { mean, variance }: TwoNormals['lower']) =>
      Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(variance)
    const naive = (x: number) => {
      const upper = wide.weight * density(x, wide.upper)
      return upper / (upper + (1 - wide.weight) * density(x, wide.lower))
    }
    for (const x of [0, 0.1, 0.3, 0.5, 0.8]) expect(upperPosterior(wide)(x)).toBeCloseTo(naive(x), 12)
    const places = Array.from({ length: 301 }, (_, i) => -1 + i / 100)
    const posteriors = places.map((x) => upperPosterior(wide)(x))
    expect(posteriors).toEqual([...posteriors].sort((a, b) => a - b))
    expect(upperPosterior(wide)(-5)).toBe(upperPosterior(wide)(0))
    expect(upperPosterior(wide)(5)).toBe(upperPosterior(wide)(0.8))
  })
})
