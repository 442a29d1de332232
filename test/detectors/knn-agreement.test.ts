import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/core/errors.js'
import type { DetectorResult, RanFinding } from '../../src/core/result.js'
import { Rng } from '../../src/core/rng.js'
import { createContext, knnAgreement } from '../../src/node.js'
import { plantedActivations } from '../../src/redteam/planted-activations.js'
import { describeEachBackend } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

function ran(result: DetectorResult) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result
}

const findingOf = (result: DetectorResult, c: number) => ran(result).classes[c] as RanFinding

/** Share of the k nearest of all other rows, scaled to length 1, that bear another label: a sort of all distances. */
function naive({ data, cols }: { data: Float32Array; cols: number }, labels: ArrayLike<number>, k: (label: number) => number): number[] {
  const unit = (i: number) => {
    const row = data.subarray(i * cols, (i + 1) * cols)
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0))
    return Float64Array.from(row, (value) => value / norm)
  }
  const rows = Array.from({ length: labels.length }, (_, i) => unit(i))
  return rows.map((row, i) => {
    const own = labels[i] as number
    const nearest = rows
      .map((other, at) => ({ at, distance: other.reduce((sum, value, j) => sum + (value - (row[j] as number)) ** 2, 0) }))
      .filter(({ at }) => at !== i)
      .sort((a, b) => a.distance - b.distance)
      .slice(0, k(own))
    return nearest.filter(({ at }) => labels[at] !== own).length / nearest.length
  })
}

describeEachBackend('kNN agreement', ({ shared }) => {
  it('is the share of other labels among all other rows, by a sort of all distances', async () => {
    const set = planted({ seed: 51, rows: [40, 30, 24], features: 7, poison: { target: 0, source: 1, rate: 0.2, shift: 9 } })
    const { scores } = ran(await knnAgreement(await shared(), set, { k: 15 }))
    const expected = naive(set.activations, set.labels, (label) => Math.min(15, [20, 15, 12][label] as number))
    scores.forEach((score, i) => {
      expect(score).toBeCloseTo(expected[i] as number, 6)
    })
  })

  it('flags the rows that lie among another class: mislabelled ones, and few others', async () => {
    const { set } = plantedActivations({ seed: 5, rows: [150, 120, 130], features: 16 })
    const labels = Int32Array.from(set.labels)
    const rng = new Rng(2)
    const flipped = [...labels.keys()].filter((i) => labels[i] === 1 && rng.float() < 0.1)
    for (const i of flipped) labels[i] = 0
    const result = await knnAgreement(await shared(), { ...set, labels }, { k: 20 })
    const { flagged, statistic } = findingOf(result, 0)
    expect(flipped.every((row) => flagged.includes(row))).toBe(true)
    expect(flagged.length).toBeLessThan(flipped.length + 5)
    expect(statistic).toBeCloseTo(flagged.length / (150 + flipped.length), 12)
    expect(findingOf(result, 2).flagged.length).toBeLessThan(5)
    expect(findingOf(result, 0)).toMatchObject({ threshold: null, pValue: null, accusation: null })
  })

  it('draws references where all rows would be too many, and keeps a class of thirty visible beside one of twenty thousand', async () => {
    const { set } = plantedActivations({ seed: 6, rows: [20_000, 30], features: 8 })
    const result = await knnAgreement(await shared(), set)
    expect(findingOf(result, 1).statistic).toBeLessThan(0.1)
    expect(findingOf(result, 1).says).toMatch(/among the 15 nearest of 130 reference rows drawn by the seed/)
  })

  it('beyond the switch says what it would be among all rows, with an interval that covers it in 95 of a hundred draws', async () => {
    const { activations, labels: given } = planted({ seed: 52, rows: [140, 110, 90], features: 6 })
    const set = { activations, labels: given.map((label, i) => (i % 9 === 0 ? (label + 1) % 3 : label)) }
    const context = await shared()
    const exact = await knnAgreement(context, set, { k: 12, exactRows: 340 })
    const shares = [0, 1, 2].map((c) => findingOf(exact, c).statistic)
    expect(Math.max(...shares)).toBeGreaterThan(0.03)
    expect(findingOf(exact, 0).says).not.toMatch(/drawn/)
    expect(ran(exact).sampled).toBeUndefined()
    let covered = 0
    const widths: number[] = []
    for (let seed = 0; seed < 100; seed++) {
      const drawn = await knnAgreement({ ...context, rng: new Rng(seed) }, set, { k: 12, exactRows: 339 })
      expect(ran(drawn).sampled).toBe('neighbours looked for among 72 of 340 rows, drawn by the seed')
      shares.forEach((share, c) => {
        const [, low, high] =
          /all 340 rows it would be [\d.]+ % of the class \(95 %: ([\d.]+) to ([\d.]+)\), by 50/.exec(findingOf(drawn, c).says) ?? []
        widths.push(Number(high) - Number(low))
        if (100 * share >= Number(low) - 0.05 && 100 * share <= Number(high) + 0.05) covered++
      })
    }
    expect(covered).toBeGreaterThanOrEqual(285)
    expect(Math.max(...widths)).toBeLessThan(30)
  })

  it('scores every row among drawn references much as among all rows, and the same way for the same seed', async () => {
    const { set } = plantedActivations({ seed: 8, rows: [400, 300, 300], features: 12 })
    const labels = Int32Array.from(set.labels)
    const flipped = [...labels.keys()].filter((i) => labels[i] === 1).slice(0, 20)
    for (const i of flipped) labels[i] = 2
    const context = await shared()
    const [exact, drawn, again] = await Promise.all(
      [1000, 500, 500].map((exactRows) => knnAgreement(context, { ...set, labels }, { k: 20, exactRows })),
    )
    const isFlagged = findingOf(drawn as DetectorResult, 2).flagged
    expect(flipped.every((row) => isFlagged.includes(row))).toBe(true)
    const [a, b] = [ran(exact as DetectorResult).scores, ran(drawn as DetectorResult).scores]
    expect(a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] as number)), 0) / a.length).toBeLessThan(0.1)
    expect(again).toEqual(drawn)
  })

  it('takes rows of zeros and values near the ends of float32', async () => {
    const { set } = plantedActivations({ seed: 7, rows: 40, classes: 3, features: 6 })
    const data = set.activations.data.map((value, at) => (at < 18 ? 0 : at < 60 ? value * 1e37 : value * 1e-37))
    const { scores } = ran(await knnAgreement(await shared(), { ...set, activations: { ...set.activations, data } }))
    expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true)
  })

  it('says that one class has no other to lie among', async () => {
    const result = await knnAgreement(await shared(), planted({ seed: 2, rows: [80], features: 5 }))
    expect(result).toMatchObject({ status: 'skipped', reason: expect.stringContaining('class 0 has no other class') })
  })

  it('names every bad option at once', async () => {
    const bad = knnAgreement(await shared(), planted({ seed: 1, rows: 40, features: 4 }), { k: 0, minRows: 1 })
    await expect(bad).rejects.toThrow(OptionError)
    await expect(bad).rejects.toThrow(/k[\s\S]*minRows/)
  })
})

describe('large sets', () => {
  it.each([
    { name: '1,000 classes', options: { rows: 30, classes: 1000, features: 128 }, most: 0.3 },
    { name: '2,048 columns', options: { rows: 1500, classes: 4, features: 2048 }, most: 0.05 },
  ])(
    '$name: fewer references and columns still agree with the labels',
    async ({ options, most }) => {
      using context = await createContext({ backend: 'cpu' })
      const { set } = plantedActivations({ ...options, ownVariation: 0.2 })
      const { scores } = ran(await knnAgreement(context, set))
      const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
      expect(mean).toBeLessThan(most)
    },
    60_000,
  )
})
