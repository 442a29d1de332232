import { expect, it } from 'vitest'
import { OptionError } from '../../src/core/errors.js'
import type { DetectorResult, RanFinding } from '../../src/core/result.js'
import { Rng } from '../../src/core/rng.js'
import { whitenedMixture } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { expectAllClose } from '../support/allclose.js'
import { describeEachBackend } from '../support/each-backend.js'
import { type Planted, planted } from '../support/planted.js'

function ran(result: DetectorResult) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result
}

const findingOf = (result: DetectorResult, c: number) => {
  const finding = ran(result).classes[c]
  if (finding?.status !== 'ran') throw new Error(`class ${c}: ${finding?.reason}`)
  return finding as RanFinding
}

function aurocIn(set: Planted, result: DetectorResult, label: number): number | null {
  const inside = [...set.labels.keys()].filter((i) => set.labels[i] === label)
  return auroc(
    inside.map((i) => ran(result).scores[i] as number),
    inside.map((i) => set.poison[i] as number),
  )
}

/** Shared variation: a few columns of every class vary ten times as much as the others, and would be what a class varies most along. */
function withSharedVariation(set: Planted): Planted {
  const data = set.activations.data.map((value, at) => (at % set.activations.cols < 4 ? 10 * value : value))
  return { ...set, activations: { ...set.activations, data } }
}

describeEachBackend('the whitened mixture', ({ shared }) => {
  it('finds poison that is nothing beside the variation all classes share, flags it, and flags nothing else', async () => {
    const set = withSharedVariation(
      planted({ seed: 21, rows: [400, 300, 350, 250], features: 24, poison: { target: 2, rate: 0.08, shift: 14 } }),
    )
    const result = await whitenedMixture(await shared(), set)
    expect(aurocIn(set, result, 2)).toBe(1)
    const statistics = [0, 1, 2, 3].map((c) => findingOf(result, c).statistic)
    expect(statistics[2]).toBeGreaterThan(2)
    for (const c of [0, 1, 3]) {
      expect(statistics[c]).toBeLessThan(-2)
      expect(findingOf(result, c).flagged).toHaveLength(0)
    }
    expect([...findingOf(result, 2).flagged].sort((a, b) => a - b)).toEqual([...set.poison.keys()].filter((i) => set.poison[i]))
    expect(findingOf(result, 2)).toMatchObject({ threshold: 0, accusation: null, pValue: null })
    expect(findingOf(result, 2).says).toMatch(/28 of 350 rows.*with 0 rows between it and the rest/)
  })

  it('scores in standard deviations from the clean side: the flagged lie beyond half the distance', async () => {
    const set = planted({ seed: 22, rows: 300, classes: 3, features: 16, poison: { target: 0, rate: 0.1, shift: 12 } })
    const result = ran(await whitenedMixture(await shared(), set))
    const clean = [...set.labels.keys()].filter((i) => set.labels[i] === 0 && !set.poison[i]).map((i) => result.scores[i] as number)
    const mean = clean.reduce((sum, value) => sum + value, 0) / clean.length
    expect(Math.abs(mean)).toBeLessThan(0.1)
    expect(Math.sqrt(clean.reduce((sum, value) => sum + (value - mean) ** 2, 0) / clean.length)).toBeLessThan(1.05)
    const { flagged } = findingOf(result, 0)
    const scores = Array.from(flagged, (row) => result.scores[row] as number)
    expect(scores).toEqual([...scores].sort((a, b) => b - a))
    expect(Math.min(...scores)).toBeGreaterThan(3)
  })

  it('finds ten rows in a thousand', async () => {
    const set = planted({ seed: 23, rows: [1000, 400, 400], features: 32, poison: { target: 0, rate: 0.01, shift: 10 } })
    expect(aurocIn(set, await whitenedMixture(await shared(), set), 0)).toBeGreaterThan(0.99)
  })

  it('where the cut is near half: the model’s surer side, or the one of larger activations, or the one without trusted rows', async () => {
    const set = planted({ seed: 24, rows: [400, 300, 300], features: 16, poison: { target: 0, rate: 0.48, shift: 14 } })
    const { cols, data } = set.activations
    const logits = (sign: number) => ({
      rows: 1000,
      cols: 3,
      data: Float32Array.from({ length: 3000 }, (_, at) => (at % 3 === 0 ? sign * (set.poison[Math.floor(at / 3)] as number) : 0)),
    })
    const context = await shared()
    expect(aurocIn(set, await whitenedMixture(context, { ...set, logits: logits(1) }), 0)).toBe(1)
    expect(aurocIn(set, await whitenedMixture(context, { ...set, logits: logits(-1) }), 0)).toBe(0)
    // Larger activations: rows of the poisoned side ten times further out in a column of their own.
    const larger = data.map((value, at) => (set.poison[Math.floor(at / cols)] && at % cols === 0 ? value + 40 : value))
    expect(aurocIn(set, await whitenedMixture(context, { ...set, activations: { ...set.activations, data: larger } }), 0)).toBe(1)
    const clean = [...set.labels.keys()].filter((i) => set.labels[i] === 0 && !set.poison[i]).slice(0, 40)
    const trusted = {
      activations: { data: clean.flatMap((i) => [...data.subarray(i * cols, (i + 1) * cols)]), rows: 40, cols },
      labels: new Int32Array(40),
    }
    const result = await whitenedMixture(context, { ...set, logits: logits(-1), trusted })
    expect(aurocIn(set, result, 0)).toBe(1)
    expect(findingOf(result, 0).says).toContain('trusted rows are missing from it')
  })

  it('takes the side without trusted rows for the suspicious one, though it is the larger', async () => {
    const set = planted({ seed: 25, rows: [300, 300], features: 12, poison: { target: 1, rate: 0.75, shift: 13 } })
    const { cols, data } = set.activations
    const clean = [...set.labels.keys()].filter((i) => set.labels[i] === 1 && !set.poison[i]).slice(0, 30)
    const trusted = {
      activations: { data: clean.flatMap((i) => [...data.subarray(i * cols, (i + 1) * cols)]), rows: 30, cols },
      labels: new Int32Array(30).fill(1),
    }
    expect(aurocIn(set, await whitenedMixture(await shared(), set), 1)).toBe(0)
    expect(aurocIn(set, await whitenedMixture(await shared(), { ...set, trusted }), 1)).toBe(1)
  })

  it('flags every group that trusted rows say was planted, not only the likeliest', async () => {
    const set = planted({ seed: 29, rows: [600, 400, 400], features: 16, poison: { target: 0, rate: 0.25, shift: 12 } })
    const { cols } = set.activations
    // Every other poisoned row goes another way: two groups.
    const poisoned = [...set.poison.keys()].filter((i) => set.poison[i])
    const second = new Set(poisoned.filter((_, at) => at % 2 === 1))
    const data = set.activations.data.map((value, at) => (second.has(Math.floor(at / cols)) && at % cols === 5 ? value - 22 : value))
    const clean = [...set.labels.keys()].filter((i) => set.labels[i] === 0 && !set.poison[i]).slice(0, 100)
    const trusted = {
      activations: { data: clean.flatMap((i) => [...data.subarray(i * cols, (i + 1) * cols)]), rows: 100, cols },
      labels: new Int32Array(100),
    }
    const result = await whitenedMixture(await shared(), { ...set, activations: { ...set.activations, data }, trusted })
    const finding = findingOf(result, 0)
    expect([...finding.flagged].sort((a, b) => a - b)).toEqual(poisoned)
    expect(aurocIn(set, result, 0)).toBe(1)
    const { estimate, low, high } = finding.split?.share ?? { estimate: 0, low: 0, high: 0 }
    expect(estimate).toBeCloseTo(0.25, 2)
    expect(low).toBeLessThan(0.25)
    expect(high).toBeGreaterThan(0.25)
  })

  it('gives the same scores when all activations are scaled and moved, dead columns and all', async () => {
    const set = planted({ seed: 26, rows: [200, 150, 150], features: 20, deadColumns: 6, poison: { target: 1, rate: 0.2, shift: 12 } })
    const moved = { ...set.activations, data: set.activations.data.map((value) => 8 * value + 3) }
    const [plain, other] = [
      ran(await whitenedMixture(await shared(), set)).scores,
      ran(await whitenedMixture(await shared(), { ...set, activations: moved })).scores,
    ]
    expectAllClose(other, Float64Array.from(plain), { atol: 0.02, rtol: 1e-2 })
  })

  it('judges d = 300 with many more columns than directions', async () => {
    const set = planted({ seed: 27, rows: [200, 200, 200], features: 300, poison: { target: 1, rate: 0.15, shift: 24 } })
    expect(aurocIn(set, await whitenedMixture(await shared(), set), 1)).toBeGreaterThan(0.99)
  })

  it('skips small and constant classes with the reason, at the lowest score, and one class that has no other', async () => {
    const rng = new Rng(1)
    const labels = [
      ...new Array<number>(60).fill(0),
      ...new Array<number>(12).fill(3),
      ...new Array<number>(3).fill(7),
      ...new Array<number>(40).fill(9),
    ]
    const data = Float32Array.from({ length: labels.length * 4 }, (_, i) => (labels[Math.floor(i / 4)] === 9 ? 0.1 : rng.normal()))
    const input = { activations: { data, rows: labels.length, cols: 4 }, labels }
    const { classes, scores } = ran(await whitenedMixture(await shared(), input))
    expect(classes.map(({ status }) => status)).toEqual(['ran', 'skipped', 'skipped', 'skipped'])
    expect(classes[1]).toMatchObject({
      reason: 'class 3 has 12 rows, needs at least 30; add rows or pass --set whitened-mixture.minRows=12',
    })
    expect(classes[2]).toMatchObject({ reason: 'class 7 has 3 rows, needs at least 30; add rows' })
    expect(classes[3]).toMatchObject({ reason: expect.stringContaining('all equal') })
    expect(scores.subarray(60).every((score) => score === Math.min(...scores.subarray(0, 60)))).toBe(true)
    const alone = await whitenedMixture(await shared(), planted({ seed: 2, rows: [80], features: 5 }))
    expect(alone).toMatchObject({ status: 'skipped', reason: expect.stringContaining('class 0 has no other class') })
  })

  it('refuses more columns than it has memory for', async () => {
    const data = Float32Array.from({ length: 64 * 4200 }, (_, at) => at % 11)
    const labels = Int8Array.from({ length: 64 }, (_, i) => i % 2)
    const result = await whitenedMixture(await shared(), { activations: { data, rows: 64, cols: 4200 }, labels })
    expect(result).toMatchObject({ status: 'skipped', reason: expect.stringContaining('4200 features') })
  })

  it('names every bad option at once', async () => {
    const bad = whitenedMixture(await shared(), planted({ seed: 1, rows: 40, features: 4 }), {
      directions: 1,
      minRows: 5,
      logOdds: Number.NaN,
    })
    await expect(bad).rejects.toThrow(OptionError)
    await expect(bad).rejects.toThrow(/directions[\s\S]*logOdds[\s\S]*minRows/)
  })
})
