import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { mixtureStarts } from '../../src/linalg/mixture-starts.js'
import { TiedMixtureFit } from '../../src/linalg/tied-mixture.js'
import { auroc } from '../../src/stats/auroc.js'

/** n rows around 0 in columns of falling spread, the first `group` of them `shift` standard deviations further along the third. */
function mixture({ n, cols, group, shift, seed }: { n: number; cols: number; group: number; shift: number; seed: number }) {
  const rng = new Rng(seed)
  const data = Float64Array.from({ length: n * cols }, (_, at) => {
    const column = at % cols
    return (rng.normal() + (at < group * cols && column === Math.min(2, cols - 1) ? shift : 0)) * (1 + (cols - column) / 4)
  })
  return { rows: { data, cols }, truth: Uint8Array.from({ length: n }, (_, i) => (i < group ? 1 : 0)) }
}

const all = (n: number) => new Uint8Array(n)

describe('a tied mixture', () => {
  it('never lowers the penalised likelihood, from any start', () => {
    const { rows } = mixture({ n: 120, cols: 6, group: 30, shift: 4, seed: 1 })
    const fit = new TiedMixtureFit(rows, all(120), 0)
    for (const start of atOnce(mixtureStarts(rows))) {
      let posterior: ArrayLike<number> = start
      let before = Number.NEGATIVE_INFINITY
      for (let step = 0; step < 40; step++) {
        const next = fit.step(posterior)
        if (!next) break
        expect(next.objective).toBeGreaterThanOrEqual(before - 1e-9 * Math.abs(before))
        before = next.objective
        posterior = next.logOdds.map((odds) => 1 / (1 + Math.exp(-odds)))
      }
    }
  })

  it('is the penalised likelihood of the textbook’s formula, up to one constant', () => {
    const { rows } = mixture({ n: 40, cols: 2, group: 12, shift: 5, seed: 2 })
    const fit = new TiedMixtureFit(rows, all(40), 0)
    const differences = [8, 12, 20].map((first) => {
      const posterior = Float64Array.from({ length: 40 }, (_, i) => (i < first ? 0.9 : 0.2))
      return (fit.step(posterior)?.objective as number) - textbook(rows.data, posterior)
    })
    for (const difference of differences) expect(difference).toBeCloseTo(differences[0] as number, 8)
  })

  it.each([
    { name: 'a tenth', n: 600, cols: 12, group: 60, shift: 8 },
    { name: 'one in fifty', n: 1000, cols: 8, group: 20, shift: 9 },
    { name: 'a half', n: 400, cols: 30, group: 200, shift: 7 },
  ])('finds a planted group from the best of its starts: $name', (options) => {
    const { rows, truth } = mixture({ ...options, seed: 3 })
    const fit = new TiedMixtureFit(rows, all(options.n), 0)
    const found = atOnce(mixtureStarts(rows))
      .map((start) => atOnce(fit.run(start, 60)))
      .filter((one) => one !== null)
      .sort((a, b) => b.objective - a.objective)[0]
    const area = auroc(found?.logOdds as Float64Array, truth) as number
    expect(Math.max(area, 1 - area)).toBeGreaterThan(0.99)
  })

  it('has starts that do not depend on the order of the rows', () => {
    const { rows } = mixture({ n: 90, cols: 4, group: 10, shift: 6, seed: 4 })
    const reversed = new Float64Array(rows.data.length)
    for (let i = 0; i < 90; i++) reversed.set(rows.data.subarray(i * 4, (i + 1) * 4), (89 - i) * 4)
    const marks = (starts: Uint8Array[]) => starts.map((start) => [...start].join('')).sort()
    const turned = atOnce(mixtureStarts({ data: reversed, cols: 4 })).map((start) => start.reverse())
    // A principal direction may come with the other sign, which swaps two starts: hence sorted.
    expect(marks(turned)).toEqual(marks(atOnce(mixtureStarts(rows))))
  })

  it('gives up a component that has lost its rows', () => {
    const { rows } = mixture({ n: 30, cols: 2, group: 3, shift: 5, seed: 5 })
    const fit = new TiedMixtureFit(rows, all(30), 0)
    expect(fit.step(Float64Array.from({ length: 30 }, (_, i) => (i === 0 ? 1 : 0)))).toBeNull()
  })
})

/** Mixture log likelihood and the prior's −q/2·(ln|Σ| + tr Σ⁻¹) after one M-step in two dimensions, as plainly as it can be written. */
function textbook(data: Float64Array, posterior: Float64Array): number {
  const n = posterior.length
  const weight = posterior.reduce((sum, g) => sum + g, 0)
  const mean = (weights: Float64Array, total: number) =>
    [0, 1].map((j) => weights.reduce((sum, g, i) => sum + g * (data[i * 2 + j] as number), 0) / total) as [number, number]
  const rest = posterior.map((g) => 1 - g)
  const groups = [
    { weights: posterior, at: mean(posterior, weight), share: weight / n },
    { weights: rest, at: mean(rest, n - weight), share: 1 - weight / n },
  ]
  const s = [2, 0, 0, 2]
  for (const { weights, at } of groups) {
    weights.forEach((g, i) => {
      const x = [(data[i * 2] as number) - at[0], (data[i * 2 + 1] as number) - at[1]] as const
      s.forEach((_, k) => {
        s[k] = (s[k] as number) + g * x[k >> 1 ? 1 : 0] * x[k % 2 ? 1 : 0]
      })
    })
  }
  const [a, b, , d] = s.map((value) => value / (n + 2)) as [number, number, number, number]
  const determinant = a * d - b * b
  let sum = 0
  for (let i = 0; i < n; i++) {
    let density = 0
    for (const { at, share } of groups) {
      const [x, y] = [(data[i * 2] as number) - at[0], (data[i * 2 + 1] as number) - at[1]]
      density += share * Math.exp(-(d * x * x - 2 * b * x * y + a * y * y) / (2 * determinant))
    }
    sum += Math.log(density)
  }
  return sum - (n / 2) * Math.log(determinant) - Math.log(determinant) - (a + d) / determinant
}
