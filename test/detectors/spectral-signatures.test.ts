import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { OptionError } from '../../src/core/errors.js'
import type { DetectorResult } from '../../src/core/result.js'
import { Rng } from '../../src/core/rng.js'
import { spectralSignatures } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { expectAllClose } from '../support/allclose.js'
import { describeEachBackend } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

interface Golden {
  readonly x: { rows: number; cols: number; data: number[] }
  readonly poison: number[]
  readonly scores: { paper: number[]; uncentred: number[] }
}
const golden = JSON.parse(readFileSync(new URL('../fixtures/detectors/spectral-signatures.json', import.meta.url), 'utf8')) as Golden

function ran(result: DetectorResult) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result
}

describeEachBackend('spectral signatures', ({ shared }) => {
  const goldenSet = { activations: golden.x, labels: new Int32Array(golden.x.rows) }

  it.each(['paper', 'uncentred'] as const)('give NumPy’s scores on a class with a large mean: %s', async (variant) => {
    const { scores } = ran(await spectralSignatures(await shared(), goldenSet, { variant }))
    expectAllClose(scores, Float64Array.from(golden.scores[variant]), { atol: 0, rtol: 1e-4 })
  })

  it('rank planted poison first when centred, and last when the rows are projected uncentred', async () => {
    const of = async (variant: 'paper' | 'uncentred') =>
      auroc(ran(await spectralSignatures(await shared(), goldenSet, { variant })).scores, golden.poison)
    expect(await of('paper')).toBe(1)
    expect(await of('uncentred')).toBe(0)
  })

  it('add up the squares along the k leading directions', async () => {
    const set = planted({ seed: 3, rows: [90, 40], features: 6 })
    const scoresOf = async (k: number) => ran(await spectralSignatures(await shared(), set, { k })).scores
    const one = await scoresOf(1)
    const six = await scoresOf(6)
    const mean = (c: number, j: number) => {
      let sum = 0
      set.labels.forEach((label, i) => {
        if (label === c) sum += set.activations.data[i * 6 + j] as number
      })
      return sum / (c === 0 ? 90 : 40)
    }
    // Six directions span everything: the score is the squared distance to the class mean.
    const all = Float64Array.from(set.labels, (label, i) =>
      [0, 1, 2, 3, 4, 5].reduce((sum, j) => sum + ((set.activations.data[i * 6 + j] as number) - mean(label, j)) ** 2, 0),
    )
    expectAllClose(six, all, { atol: 1e-4, rtol: 1e-4 })
    one.forEach((score, i) => {
      expect(score).toBeLessThanOrEqual((six[i] as number) * (1 + 1e-4))
    })
    expect(await scoresOf(100)).toEqual(six)
  })

  it('flag the round(1.5 · ε · n) highest rows of each class and accuse none', async () => {
    const set = planted({ seed: 5, rows: [100, 33], features: 8, poison: { target: 0, rate: 0.1, shift: 12 } })
    const { classes, scores } = ran(await spectralSignatures(await shared(), set, { epsilon: 0.1 }))
    const flagged = classes.map((finding) => (finding.status === 'ran' ? finding.flagged : new Uint32Array()))
    expect(flagged.map((rows) => rows.length)).toEqual([15, 5])
    const poisoned = [...set.poison.keys()].filter((i) => set.poison[i])
    expect(poisoned.every((row) => flagged[0]?.includes(row))).toBe(true)
    const flaggedScores = Array.from(flagged[0] as Uint32Array, (row) => scores[row] as number)
    expect(flaggedScores).toEqual([...flaggedScores].sort((a, b) => b - a))
    expect(classes.every((finding) => finding.status === 'ran' && finding.accusation === null)).toBe(true)
  })

  it('skip classes with too few rows and classes whose rows are all equal, with the reason, at the lowest score', async () => {
    const rng = new Rng(1)
    const labels = [...new Array<number>(30).fill(0), ...new Array<number>(3).fill(7), ...new Array<number>(25).fill(9)]
    const data = Float32Array.from({ length: labels.length * 4 }, (_, i) =>
      (labels[Math.floor(i / 4)] as number) === 9 ? 0.1 : rng.normal(),
    )
    const { classes, scores } = ran(await spectralSignatures(await shared(), { activations: { data, rows: 58, cols: 4 }, labels }))
    expect(classes[1]).toEqual({
      status: 'skipped',
      reason: 'class 7 has 3 rows, needs at least 20; add rows or pass --set spectral-signatures.minRows=3',
    })
    expect(classes[2]).toMatchObject({ status: 'skipped', reason: expect.stringContaining('all equal') })
    expect(scores.subarray(30).every((score) => score === Math.min(...scores.subarray(0, 30)))).toBe(true)
  })

  it('survive dead columns', async () => {
    const set = planted({ seed: 8, rows: [60, 60], features: 16, deadColumns: 9 })
    const { scores } = ran(await spectralSignatures(await shared(), set, { k: 10 }))
    expect(scores.every(Number.isFinite)).toBe(true)
  })

  it('name every bad option at once', async () => {
    const bad = spectralSignatures(await shared(), goldenSet, { k: 0, epsilon: 2, colour: 'red' } as never)
    await expect(bad).rejects.toThrow(OptionError)
    await expect(bad).rejects.toThrow(/k.*[\s\S]*epsilon[\s\S]*colour/)
  })
})
