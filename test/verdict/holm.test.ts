import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { holm } from '../../src/verdict/holm.js'

/** Holm's procedure as it is told: walk up the p-values, reject while the k-th of n is at most α / (n − k + 1), stop at the first that is not. */
function rejected(pValues: readonly number[], alpha: number): boolean[] {
  const order = [...pValues.keys()].sort((a, b) => (pValues[a] as number) - (pValues[b] as number))
  const stop = order.findIndex((index, k) => (pValues[index] as number) > alpha / (pValues.length - k))
  const through = new Set(stop < 0 ? order : order.slice(0, stop))
  return pValues.map((_, index) => through.has(index))
}

const randomPValues = (rng: Rng) => Array.from({ length: 1 + rng.below(12) }, () => rng.float() ** 4)

describe('Holm’s adjustment', () => {
  it('adjusts four p-values as by hand', () => {
    // 4 · 0.005; then 3 · 0.01; then 2 · 0.03 = 0.06, which 1 · 0.04 may not go below.
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02].map((p) => expect.closeTo(p, 14)))
    expect(holm([0.4, 0.5, 0])).toEqual([0.8, 0.8, 0])
    expect(holm([0.7])).toEqual([0.7])
    expect(holm([])).toEqual([])
  })

  it('rejects what the step-down procedure rejects, at every level', () => {
    const rng = new Rng(1)
    for (let round = 0; round < 200; round++) {
      const pValues = randomPValues(rng)
      const adjusted = holm(pValues)
      for (const alpha of [0.001, 0.01, 0.05, 0.3]) expect(adjusted.map((p) => p <= alpha)).toEqual(rejected(pValues, alpha))
    }
  })

  it('lowers none, keeps their order, stays within 1, and leaves what it was given', () => {
    const rng = new Rng(2)
    for (let round = 0; round < 100; round++) {
      const pValues = randomPValues(rng)
      const given = pValues.slice()
      const adjusted = holm(pValues)
      expect(pValues).toEqual(given)
      const ranked = [...pValues.keys()].sort((a, b) => (pValues[a] as number) - (pValues[b] as number))
      ranked.forEach((index, rank) => {
        expect(adjusted[index]).toBeGreaterThanOrEqual(pValues[index] as number)
        expect(adjusted[index]).toBeLessThanOrEqual(1)
        if (rank > 0) expect(adjusted[index]).toBeGreaterThanOrEqual(adjusted[ranked[rank - 1] as number] as number)
      })
      expect(holm(pValues.slice().reverse())).toEqual(adjusted.slice().reverse())
    }
  })

  it('rejects a true hypothesis in no more sets than it is allowed, also where p-values hang together and others are false', () => {
    const [sets, alpha] = [4000, 0.05]
    const rng = new Rng(3)
    let [apart, together] = [0, 0]
    for (let set = 0; set < sets; set++) {
      const one = rng.float()
      const own = Array.from({ length: 10 }, () => rng.float())
      const shared = own.map((p, i) => (i % 2 ? p : one))
      const small = [1e-6, 1e-4]
      if (holm([...small, ...own]).some((p, i) => i >= small.length && p <= alpha)) apart++
      if (holm([...small, ...shared]).some((p, i) => i >= small.length && p <= alpha)) together++
    }
    // Three standard deviations of the count; for independent p-values it is near the level: 1 − (1 − 0.05 / 10)^10 = 4.9 %.
    const slack = 3 * Math.sqrt(sets * alpha * (1 - alpha))
    expect(apart).toBeLessThan(sets * alpha + slack)
    expect(apart).toBeGreaterThan(sets * alpha - slack)
    expect(together).toBeLessThan(sets * alpha + slack)
  })
})
