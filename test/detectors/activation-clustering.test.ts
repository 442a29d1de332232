import { expect, it } from 'vitest'
import type { DetectorResult, RanFinding } from '../../src/core/result.js'
import { activationClustering } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { backends, describeEachBackend, noWebGpu } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

function ran(result: DetectorResult) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return { ...result, findings: result.classes.map((finding) => finding as RanFinding) }
}

const rowsOf = (mask: Uint8Array) => [...mask.keys()].filter((i) => mask[i])

describeEachBackend('activation clustering', ({ shared }) => {
  const poisoned = planted({
    seed: 21,
    rows: [120, 100, 110],
    features: 24,
    poison: { target: 1, source: 2, rate: 0.2, shift: 14 },
    deadColumns: 4,
  })

  it('accuses the class with planted poison, and no other, and flags exactly its rows', async () => {
    const { findings, scores } = ran(await activationClustering(await shared(), poisoned))
    expect(findings.map(({ accusation }) => accusation !== null)).toEqual([false, true, false])
    const accusation = findings[1]?.accusation
    expect([...(accusation?.rows ?? [])].sort((a, b) => a - b)).toEqual(rowsOf(poisoned.poison))
    expect(accusation?.reason).toMatch(/20 of 100 rows/)
    const inside = [...poisoned.labels.keys()].filter((i) => poisoned.labels[i] === 1)
    expect(
      auroc(
        inside.map((i) => scores[i] as number),
        inside.map((i) => poisoned.poison[i] as number),
      ),
    ).toBe(1)
  })

  it('scores a row by its distances to both centres over the distance between them', async () => {
    // One class on a line: 5 rows at 10, 15 rows at 0, so the centres are 10 and 0 and the scores are ±1.
    const data = Float32Array.from({ length: 20 }, (_, i) => (i < 5 ? 10 : 0))
    const { scores, findings } = ran(
      await activationClustering(await shared(), { activations: { data, rows: 20, cols: 1 }, labels: new Uint8Array(20) }),
    )
    scores.forEach((score, i) => {
      expect(score).toBeCloseTo(i < 5 ? 1 : -1, 5)
    })
    expect(findings[0]?.statistic).toBeCloseTo(1, 5)
  })

  it('applies the analysis it is asked for to its own flags, and the silhouette rule to the verdict', async () => {
    // Halves: the smaller cluster is not small, so only "smaller" flags it.
    const halves = planted({ seed: 4, rows: [100, 100], features: 12, bimodalClass: 0 })
    const flaggedBy = async (analysis: 'smaller' | 'relative-size' | 'distance' | 'silhouette', set: typeof halves) => {
      const { findings } = ran(await activationClustering(await shared(), set, { analysis }))
      return { flagged: findings.map(({ flagged }) => flagged.length > 0), accused: findings.map(({ accusation }) => accusation !== null) }
    }
    expect((await flaggedBy('smaller', halves)).flagged).toEqual([true, true])
    expect((await flaggedBy('relative-size', halves)).flagged[0]).toBe(false)
    expect((await flaggedBy('silhouette', halves)).flagged[0]).toBe(false)
    expect((await flaggedBy('smaller', halves)).accused[0]).toBe(false)
    // Poison made of another class's rows: its cluster lies nearer to that class than to its own.
    const moved = planted({ seed: 6, rows: [100, 100], features: 12, poison: { target: 0, source: 1, rate: 0.2, shift: 10 } })
    expect((await flaggedBy('distance', moved)).flagged[0]).toBe(true)
    expect((await flaggedBy('distance', halves)).flagged[0]).toBe(false)
  })

  it('gives the same answer for the same seed, and draws other starts for another', async () => {
    const context = await shared()
    const first = ran(await activationClustering(context, poisoned))
    const second = ran(await activationClustering(context, poisoned))
    expect(second.scores).toEqual(first.scores)
  })

  it('skips classes with too few rows and classes whose rows are all equal', async () => {
    const labels = [...new Array<number>(40).fill(0), ...new Array<number>(4).fill(1), ...new Array<number>(30).fill(2)]
    const data = Float32Array.from({ length: labels.length * 3 }, (_, i) => (labels[Math.floor(i / 3)] === 2 ? 0.3 : Math.sin(i * i)))
    const result = ran(await activationClustering(await shared(), { activations: { data, rows: 74, cols: 3 }, labels }))
    expect(result.classes.map(({ status }) => status)).toEqual(['ran', 'skipped', 'skipped'])
    expect(result.scores.every(Number.isFinite)).toBe(true)
  })

  it('accuses the planted class on independent components too, and frees all it held', async () => {
    const { findings, scores } = ran(await activationClustering(await shared(), poisoned, { projection: 'ica', components: 4 }))
    expect(findings.map(({ accusation }) => accusation !== null)).toEqual([false, true, false])
    expect([...(findings[1]?.accusation?.rows ?? [])].sort((a, b) => a - b)).toEqual(rowsOf(poisoned.poison))
    expect(scores.every(Number.isFinite)).toBe(true)
    const again = ran(await activationClustering(await shared(), poisoned, { projection: 'ica', components: 4 }))
    expect(again.scores).toEqual(scores)
  })

  it('says which classes FastICA did not converge on, and only under that projection', async () => {
    // A Gaussian ball has no independent components to converge to; which of some seeds show it does not matter.
    const balls = planted({ seed: 3, rows: [300, 300], features: 12 })
    const says = ran(await activationClustering(await shared(), balls, { projection: 'ica' })).findings.map((finding) => finding.says)
    expect(says.some((line) => line.endsWith(' (FastICA did not converge; whitened PCA used)'))).toBe(true)
    const plain = ran(await activationClustering(await shared(), balls)).findings.map((finding) => finding.says)
    expect(plain.join()).not.toContain('FastICA')
  })

  it('takes as many independent components as a class has rank, and skips a class whose rows are all equal', async () => {
    const labels = [...new Array<number>(40).fill(0), ...new Array<number>(30).fill(1)]
    // Class 0 lies on a line: columns 1, 2, 3 are multiples of one number. Class 1 is constant.
    const data = Float32Array.from({ length: 70 * 3 }, (_, i) => {
      const row = Math.floor(i / 3)
      return row < 40 ? ((i % 3) + 1) * ((row < 10 ? 4 : 0) + Math.sin(3 * row)) : 0.3
    })
    const input = { activations: { data, rows: 70, cols: 3 }, labels }
    const { classes, scores } = ran(await activationClustering(await shared(), input, { projection: 'ica' }))
    expect(classes.map(({ status }) => status)).toEqual(['ran', 'skipped'])
    const [first] = classes
    expect(first?.status === 'ran' && [...(first.accusation?.rows ?? [])].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(scores.every(Number.isFinite)).toBe(true)
  })
})

it.skipIf(noWebGpu !== null)('both backends split classes alike on independent components', async () => {
  const set = planted({ seed: 5, rows: [300, 200, 250], features: 16, relu: true, poison: { target: 0, source: 1, rate: 0.15, shift: 9 } })
  const scores = []
  for (const { open } of backends) {
    using context = await open()
    scores.push(ran(await activationClustering(context, set, { projection: 'ica' })).scores)
  }
  const [cpu, gpu] = scores as [Float32Array, Float32Array]
  const apart = [...cpu.keys()].filter((i) => (cpu[i] as number) > 0 !== (gpu[i] as number) > 0 && Math.abs(cpu[i] as number) > 1e-4)
  expect(apart).toEqual([])
})
