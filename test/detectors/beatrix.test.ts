import { expect, it } from 'vitest'
import { OptionError } from '../../src/core/errors.js'
import type { DetectorResult, RanFinding } from '../../src/core/result.js'
import { beatrix } from '../../src/node.js'
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

describeEachBackend('Beatrix', ({ shared }) => {
  const poisoned = plantedActivations({
    ...{ seed: 61, rows: 300, classes: 9, features: 40, trusted: 60, ownVariation: 0 },
    attack: { kind: 'source-to-target', target: 2, source: 4, rate: 0.3, reach: 0.2, trigger: 16 },
  })

  it('finds rows that leave the bands of trusted rows, and the class that has them', async () => {
    const { set, truth } = poisoned
    const result = await beatrix(await shared(), set)
    expect(aurocIn(set.labels, truth.poison, result, 2)).toBeGreaterThan(0.95)
    const { statistic, threshold, flagged, says } = findingOf(result, 2)
    expect(threshold).toBeCloseTo(7.389, 3)
    expect(statistic).toBeGreaterThan(threshold as number)
    expect(flagged.length).toBeGreaterThan(10)
    expect(flagged.filter((row) => truth.poison[row]).length / flagged.length).toBeGreaterThan(0.8)
    expect(says).toMatch(/of 300 rows have Gram features outside the bands of trusted rows, by .* on average/)
    for (const c of [0, 1, 3, 4, 5, 6, 7, 8]) {
      expect(findingOf(result, c).statistic).toBeLessThan(statistic)
      expect(findingOf(result, c)).toMatchObject({ pValue: null, accusation: null })
    }
  })

  it('without trusted rows takes the class’s own, which its poison has a part in', async () => {
    const { trusted: _, ...set } = poisoned.set
    const result = await beatrix(await shared(), set)
    expect(aurocIn(set.labels, poisoned.truth.poison, result, 2)).toBeGreaterThan(0.8)
    expect(findingOf(result, 2).says).toContain('the bands of the class itself')
  })

  it('has no threshold for one class and for two, and scores of rows within all bands are below 0', async () => {
    for (const rows of [[80], [80, 90]]) {
      const result = await beatrix(await shared(), planted({ seed: 63, rows, features: 6 }))
      expect(findingOf(result, 0)).toMatchObject({ threshold: null, says: expect.stringContaining('nothing to hold it against') })
      expect(findingOf(result, 0).flagged).toHaveLength(0)
      expect(Math.min(...ran(result).scores)).toBeGreaterThanOrEqual(-1)
      expect(ran(result).scores.filter((score) => score < 0).length).toBeGreaterThan(70)
    }
  })

  it('gives the same scores when all activations are scaled', async () => {
    const { trusted: _, ...set } = poisoned.set
    const { activations } = set
    const [plain, scaled] = [
      ran(await beatrix(await shared(), set)).scores,
      ran(await beatrix(await shared(), { ...set, activations: { ...activations, data: activations.data.map((value) => value * 1024) } }))
        .scores,
    ]
    scaled.forEach((score, i) => {
      expect(score).toBeCloseTo(plain[i] as number, 4)
    })
  })

  it('names every bad option at once', async () => {
    const bad = beatrix(await shared(), planted({ seed: 1, rows: 40, features: 4 }), { minRows: 4, k: 3 } as never)
    await expect(bad).rejects.toThrow(OptionError)
    await expect(bad).rejects.toThrow(/minRows[\s\S]*k/)
  })
})
