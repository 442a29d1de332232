import { expect, it } from 'vitest'
import { OptionError } from '../../src/core/errors.js'
import type { DetectorResult, RanFinding } from '../../src/core/result.js'
import { scan } from '../../src/node.js'
import { plantedActivations } from '../../src/redteam/planted-activations.js'
import { auroc } from '../../src/stats/auroc.js'
import { describeEachBackend } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

function ran(result: DetectorResult) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result
}

const findingOf = (result: DetectorResult, c: number) => ran(result).classes[c] as RanFinding

function aurocIn(labels: ArrayLike<number>, poison: ArrayLike<number>, result: DetectorResult, label: number): number {
  const inside = Array.from(labels).flatMap((own, row) => (own === label ? [row] : []))
  return auroc(
    inside.map((i) => ran(result).scores[i] as number),
    inside.map((i) => poison[i] as number),
  ) as number
}

describeEachBackend('SCAn', ({ shared }) => {
  it('finds the one class of several with two groups, flags the smaller, and no other class', async () => {
    const set = planted({ seed: 41, rows: [300, 260, 280, 240, 320], features: 20, poison: { target: 3, rate: 0.25, shift: 9 } })
    const result = await scan(await shared(), set)
    expect(aurocIn(set.labels, set.poison, result, 3)).toBeGreaterThan(0.999)
    expect(findingOf(result, 3).statistic).toBeGreaterThan(findingOf(result, 3).threshold as number)
    expect(findingOf(result, 3).threshold).toBeCloseTo(7.389, 3)
    expect([...findingOf(result, 3).flagged].sort((a, b) => a - b)).toEqual([...set.poison.keys()].filter((i) => set.poison[i]))
    for (const c of [0, 1, 2, 4]) {
      expect(findingOf(result, c)).toMatchObject({ accusation: null, pValue: null })
      if (findingOf(result, c).statistic < 7) expect(findingOf(result, c).flagged).toHaveLength(0)
    }
  })

  it('takes the trusted rows’ covariance where there are enough of them, and their side for the clean one', async () => {
    const options = { seed: 4, rows: 300, classes: 4, features: 24, layer: 'linear' } as const
    const { set, truth } = plantedActivations({
      ...options,
      trusted: 60,
      attack: { kind: 'source-to-target', source: 1, target: 0, rate: 0.6, reach: 0.4, trigger: 8 },
    })
    const { trusted: _, ...without } = set
    const result = await scan(await shared(), set)
    expect(aurocIn(set.labels, truth.poison, result, 0)).toBeGreaterThan(0.99)
    expect(findingOf(result, 0).says).toMatch(/trusted rows are missing from it.*standard deviations of the trusted rows apart/)
    const plain = await scan(await shared(), without)
    expect(findingOf(plain, 0).says).toMatch(/standard deviations of the other classes apart/)
  })

  it('says J/n itself, without a threshold, for one class and for two', async () => {
    for (const rows of [[80], [80, 90]]) {
      const result = await scan(await shared(), planted({ seed: 43, rows, features: 6 }))
      expect(findingOf(result, 0)).toMatchObject({ threshold: null, says: expect.stringContaining('nothing to hold it against') })
      expect(findingOf(result, 0).statistic).toBeGreaterThan(0)
    }
  })

  it('has an answer where the MAD is 0: three classes of the same rows, and one of others', async () => {
    const { activations, labels } = planted({ seed: 44, rows: [60, 60], features: 5 })
    const rowsOf = (label: number) =>
      [...labels.keys()].filter((i) => labels[i] === label).flatMap((i) => [...activations.data.subarray(5 * i, 5 * i + 5)])
    const [first, other] = [rowsOf(0), rowsOf(1)]
    const of = (copies: number[][]) => ({
      activations: { data: copies.flat(), rows: 60 * copies.length, cols: 5 },
      labels: Array.from({ length: 60 * copies.length }, (_, i) => Math.floor(i / 60)),
    })
    const equal = await scan(await shared(), of([first, first, first]))
    expect([0, 1, 2].map((c) => findingOf(equal, c).statistic)).toEqual([0, 0, 0])
    const result = await scan(await shared(), of([first, first, first, other]))
    expect([0, 1, 2, 3].every((c) => Number.isFinite(findingOf(result, c).statistic))).toBe(true)
  })

  it('skips what it cannot judge and refuses more columns than it has memory for', async () => {
    const data = Float32Array.from({ length: 64 * 4200 }, (_, at) => at % 11)
    const labels = Int8Array.from({ length: 64 }, (_, i) => i % 2)
    const result = await scan(await shared(), { activations: { data, rows: 64, cols: 4200 }, labels })
    expect(result).toMatchObject({ status: 'skipped', reason: expect.stringContaining('4200 features') })
    const small = ran(await scan(await shared(), planted({ seed: 45, rows: [60, 3, 50], features: 4 })))
    expect(small.classes[1]).toEqual({ status: 'skipped', reason: 'class 1 has 3 rows, needs at least 20; add rows' })
  })

  it('names every bad option at once', async () => {
    const bad = scan(await shared(), planted({ seed: 1, rows: 40, features: 4 }), { directions: 65, minRows: 3 })
    await expect(bad).rejects.toThrow(OptionError)
    await expect(bad).rejects.toThrow(/directions[\s\S]*minRows/)
  })
})
