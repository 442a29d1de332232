import { expect, it } from 'vitest'
import { OptionError } from '../../src/core/errors.js'
import type { DetectorResult, RanFinding } from '../../src/core/result.js'
import { Rng } from '../../src/core/rng.js'
import { spectralSignatures, spectre } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { describeEachBackend } from '../support/each-backend.js'
import { type Planted, planted } from '../support/planted.js'

function ran(result: DetectorResult) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result
}

const findingOf = (result: DetectorResult, c: number) => ran(result).classes[c] as RanFinding

function aurocIn(set: Planted, result: DetectorResult, label: number): number {
  const inside = [...set.labels.keys()].filter((i) => set.labels[i] === label)
  return auroc(
    inside.map((i) => ran(result).scores[i] as number),
    inside.map((i) => set.poison[i] as number),
  ) as number
}

describeEachBackend('SPECTRE', ({ shared }) => {
  it('finds poison that is not the strongest variation of its class, which spectral signatures miss', async () => {
    const plain = planted({ seed: 31, rows: [600, 300], features: 24, poison: { target: 0, rate: 0.05, shift: 9 } })
    const rng = new Rng(1)
    const data = plain.activations.data.map((value, at) => (at % 24 < 5 ? value + 12 * rng.normal() : value))
    const set = { ...plain, activations: { ...plain.activations, data } }
    expect(aurocIn(set, await spectralSignatures(await shared(), set), 0)).toBeLessThan(0.8)
    const result = await spectre(await shared(), set)
    expect(aurocIn(set, result, 0)).toBeGreaterThan(0.99)
    expect(findingOf(result, 0).statistic).toBeGreaterThan(3 * findingOf(result, 1).statistic)
    expect(findingOf(result, 0)).toMatchObject({ threshold: null, pValue: null, accusation: null })
    expect(findingOf(result, 0).says).toMatch(/in \d+ directions and with (10|30) % of the rows trimmed; its highest 45 of 600/)
  })

  it('says nearly nothing of a normal class', async () => {
    const set = planted({ seed: 32, rows: [2000], features: 9 })
    expect(Math.abs(findingOf(await spectre(await shared(), set), 0).statistic)).toBeLessThan(0.3)
  })

  it('takes fewer directions where told to, where rows are few, and where there are many columns', async () => {
    const directionsOf = (result: DetectorResult) => Number(/in (\d+) directions/.exec(findingOf(result, 0).says)?.[1])
    const set = planted({ seed: 33, rows: [100, 90], features: 30 })
    expect(directionsOf(await spectre(await shared(), set, { directions: 5 }))).toBeLessThanOrEqual(4)
    expect(directionsOf(await spectre(await shared(), set))).toBeLessThanOrEqual(16)
    const wide = planted({ seed: 34, rows: [250, 250], features: 600 })
    expect(directionsOf(await spectre(await shared(), wide))).toBeLessThanOrEqual(36)
  })

  it('survives units that are on in a single row, and rows that are mostly equal', async () => {
    const set = planted({ seed: 35, rows: [80, 80], features: 12, relu: true, deadColumns: 4 })
    const data = set.activations.data.slice()
    data[3 * 12] = 1e4
    for (let i = 20; i < 160; i++) data.copyWithin(i * 12, 19 * 12, 20 * 12)
    const { scores } = ran(await spectre(await shared(), { ...set, activations: { ...set.activations, data } }))
    expect(scores.every(Number.isFinite)).toBe(true)
  })

  it('names every bad option at once', async () => {
    const bad = spectre(await shared(), planted({ seed: 1, rows: 40, features: 4 }), { directions: 101, alpha: 0, minRows: 5, epsilon: 2 })
    await expect(bad).rejects.toThrow(OptionError)
    await expect(bad).rejects.toThrow(/directions[\s\S]*alpha[\s\S]*epsilon[\s\S]*minRows/)
  })
})
