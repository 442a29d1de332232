import { expect, it } from 'vitest'
import { OptionError } from '../../src/core/errors.js'
import type { DetectorResult, RanFinding } from '../../src/core/result.js'
import { Rng } from '../../src/core/rng.js'
import { exreLite } from '../../src/node.js'
import { plantedActivations } from '../../src/redteam/planted-activations.js'
import { auroc } from '../../src/stats/auroc.js'
import { describeEachBackend } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

function ran(result: DetectorResult) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result
}

const findingOf = (result: DetectorResult, c: number) => ran(result).classes[c] as RanFinding

/** Classes 12 apart on axes of their own; `moved` rows of class 0 lie about `at`. */
function classes({ moved, at, rows = 120, count = 4 }: { moved: number; at: (axis: number) => number; rows?: number; count?: number }) {
  const cols = count + 2
  const rng = new Rng(17, 'exre')
  const data = new Float32Array(count * rows * cols)
  const labels = Int32Array.from({ length: count * rows }, (_, i) => Math.floor(i / rows))
  labels.forEach((label, i) => {
    for (let axis = 0; axis < cols; axis++) {
      const centre = i < moved ? at(axis) : axis === label ? 12 : 0
      data[i * cols + axis] = centre + rng.normal()
    }
  })
  return { activations: { data, rows: labels.length, cols }, labels }
}

describeEachBackend('ExRe-lite', ({ shared }) => {
  it('sends rows of another class under a wrong label back to it: their source, named', async () => {
    const set = classes({ moved: 20, at: (axis) => (axis === 2 ? 12 : 0) })
    const result = await exreLite(await shared(), set)
    const finding = findingOf(result, 0)
    expect(finding).toMatchObject({ statistic: 1, threshold: 0.5, accusation: null })
    expect(finding.pValue).toBeLessThan(1e-6)
    expect(finding.says).toMatch(/^of 20 suspected rows of 120 .* sends 20 to class 2 and 0 to their own/)
    expect([...finding.flagged].sort((a, b) => a - b)).toEqual([...Array(20).keys()])
  })

  it('keeps a natural group of a class: a head that has not seen it sends it to its own class', async () => {
    // Off on an axis that no class lies on.
    const set = classes({ moved: 20, at: (axis) => (axis === 0 ? 12 : axis === 5 ? 14 : 0) })
    const result = await exreLite(await shared(), set)
    expect(findingOf(result, 0)).toMatchObject({ statistic: 0, pValue: 1, says: expect.stringContaining('all to their own class') })
    expect(findingOf(result, 0).flagged).toHaveLength(0)
  })

  it('names the class that a part was moved from, though it stays where it is, and none where two are as likely', async () => {
    // A fifth of the way to class 2, which is 3.4, and 8 off on an axis of its own: a cosine of 0.39.
    const moved = (towards: readonly number[]) =>
      classes({ moved: 24, at: (axis) => (axis === 0 ? 12 - 2.4 * towards.length : towards.includes(axis) ? 2.4 : axis === 5 ? 8 : 0) })
    const one = findingOf(await exreLite(await shared(), moved([2])), 0)
    expect(one).toMatchObject({
      statistic: 0,
      sourceClass: 2,
      says: expect.stringMatching(/they lie towards class 2 \(cosine 0\.(?:3[4-9]|4[0-4])\)/),
    })
    const two = findingOf(await exreLite(await shared(), moved([1, 2])), 0)
    expect(two.sourceClass).toBeNull()
    const natural = findingOf(
      await exreLite(await shared(), classes({ moved: 24, at: (axis) => (axis === 0 ? 12 : axis === 5 ? 15 : 0) })),
      0,
    )
    expect(natural.sourceClass).toBeNull()
  })

  it('ranks the part above the rest of its class', async () => {
    const set = planted({ seed: 31, rows: [200, 220, 180], features: 16, poison: { target: 1, rate: 0.15, shift: 12 } })
    const result = ran(await exreLite(await shared(), set))
    const inside = [...set.labels.keys()].filter((i) => set.labels[i] === 1)
    const area = auroc(
      inside.map((i) => result.scores[i] as number),
      inside.map((i) => set.poison[i] as number),
    )
    expect(area).toBeGreaterThan(0.99)
  })

  it('gives the scores of the textbook’s head: log odds of two normal distributions with the classes’ mean covariance', async () => {
    const set = classes({ moved: 30, at: (axis) => (axis === 4 ? 20 : axis === 0 ? 12 : 0), count: 3 })
    const result = ran(await exreLite(await shared(), set))
    const { data, cols } = set.activations
    const rowsOf = (keep: (i: number) => boolean) =>
      [...set.labels.keys()].filter(keep).map((i) => [...data.subarray(i * cols, (i + 1) * cols)])
    const mean = (rows: number[][]) =>
      Array.from({ length: cols }, (_, j) => rows.reduce((sum, row) => sum + (row[j] as number), 0) / rows.length)
    const scatter = (rows: number[][]) => {
      const centre = mean(rows)
      const at = (row: number[], j: number) => (row[j] as number) - (centre[j] as number)
      return Array.from({ length: cols }, (_, j) =>
        Array.from({ length: cols }, (_, k) => rows.reduce((sum, row) => sum + at(row, j) * at(row, k), 0)),
      )
    }
    const [part, rest] = [rowsOf((i) => i < 30), rowsOf((i) => i >= 30 && i < 120)]
    // Class 0's covariance without what lies between its two parts, and those of the others; a ridge of the mean variance of all as they are.
    const own = scatter(part).map((row, j) => row.map((value, k) => (value + ((scatter(rest)[j] as number[])[k] as number)) / 119))
    const [second, third] = [1, 2].map((label) =>
      scatter(rowsOf((i) => set.labels[i] === label)).map((row) => row.map((value) => value / 119)),
    )
    const whole = scatter(rowsOf((i) => set.labels[i] === 0)).map((row) => row.map((value) => value / 119))
    const average = (first: number[][]) =>
      first.map((row, j) =>
        row.map((value, k) => (value + ((second as number[][])[j]?.[k] as number) + ((third as number[][])[j]?.[k] as number)) / 3),
      )
    const ridge = (1e-3 * average(whole).reduce((sum, row, j) => sum + (row[j] as number), 0)) / cols
    const pooled = average(own).map((row, j) => row.map((value, k) => value + (j === k ? ridge : 0)))
    const [a, b] = [mean(part), mean(rest)]
    const direction = solve(
      pooled,
      a.map((value, j) => value - (b[j] as number)),
    )
    for (const i of [0, 7, 29, 30, 77, 119]) {
      const row = data.subarray(i * cols, (i + 1) * cols)
      const expected = direction.reduce(
        (sum, value, j) => sum + value * ((row[j] as number) - ((a[j] as number) + (b[j] as number)) / 2),
        0,
      )
      expect(Math.abs((result.scores[i] as number) / expected - 1)).toBeLessThan(1e-3)
    }
  })

  it('shares its divisions with the whitened mixture, and has nothing to say where nothing divides', async () => {
    const { set } = plantedActivations({ seed: 3, rows: 60, classes: 3, features: 8, layer: 'linear' })
    const result = ran(await exreLite(await shared(), set))
    expect(result.classes.every((finding) => finding.status === 'ran' && finding.statistic >= 0 && finding.statistic <= 1)).toBe(true)
  })

  it('names every bad option at once', async () => {
    const bad = exreLite(await shared(), classes({ moved: 0, at: () => 0 }), { directions: 65, minRows: 9 })
    await expect(bad).rejects.toThrow(OptionError)
    await expect(bad).rejects.toThrow(/directions[\s\S]*minRows/)
  })
})

/** Gauss’s elimination with pivots. */
function solve(matrix: number[][], right: number[]): number[] {
  const n = right.length
  const a = matrix.map((row, i) => [...row, right[i] as number])
  for (let i = 0; i < n; i++) {
    const pivot = a
      .slice(i)
      .reduce((best, row, k) => (Math.abs(row[i] as number) > Math.abs((a[best] as number[])[i] as number) ? i + k : best), i)
    ;[a[i], a[pivot]] = [a[pivot] as number[], a[i] as number[]]
    for (let k = i + 1; k < n; k++) {
      const ratio = ((a[k] as number[])[i] as number) / ((a[i] as number[])[i] as number)
      for (let j = i; j <= n; j++) (a[k] as number[])[j] = ((a[k] as number[])[j] as number) - ratio * ((a[i] as number[])[j] as number)
    }
  }
  const x = new Array<number>(n).fill(0)
  for (let i = n - 1; i >= 0; i--) {
    const row = a[i] as number[]
    const known = x.reduce((sum, value, j) => (j > i ? sum + value * (row[j] as number) : sum), 0)
    x[i] = ((row[n] as number) - known) / (row[i] as number)
  }
  return x
}
