import { describe, expect, it } from 'vitest'
import { combinedScores, overallVerdict } from '../../src/report/build.js'
import { reportSchema } from '../../src/report/schema.js'
import { handMadeReport, handMadeSet, ranFinding, ranResult, skippedFinding } from './hand-made.js'

const failed = (id: string) => ({ status: 'failed', id, reason: 'it broke', cause: new Error('it broke') }) as const
const skipped = (id: string) => ({ status: 'skipped', id, reason: 'needs logits' }) as const

describe('combinedScores', () => {
  it('ranks rows within their class, in the order of the set', () => {
    const set = handMadeSet([1, 0, 1, 0, 1])
    const scores = combinedScores(set, [ranResult('a', [10, 500, 30, 400, 20], [ranFinding(), ranFinding()])])
    expect([...scores]).toEqual([0, 1, 1, 0, 0.5])
  })

  it('gives ties the middle of their places', () => {
    const set = handMadeSet([0, 0, 0, 0, 0])
    expect([...combinedScores(set, [ranResult('a', [1, 2, 2, 2, 3], [ranFinding()])])]).toEqual([0, 0.5, 0.5, 0.5, 1])
    expect([...combinedScores(set, [ranResult('a', [2, 2, 1, 1, 1], [ranFinding()])])]).toEqual([0.875, 0.875, 0.25, 0.25, 0.25])
    expect([...combinedScores(set, [ranResult('a', [0, -0, 0, -0, 0], [ranFinding()])])]).toEqual([0.5, 0.5, 0.5, 0.5, 0.5])
  })

  it('takes the largest rank over the detectors, and does not look at the scores of one that skipped the class', () => {
    const set = handMadeSet([0, 0, 0, 1, 1])
    const results = [
      ranResult('a', [1, 2, 3, 9, 1], [ranFinding(), skippedFinding()]),
      ranResult('b', [30, 20, 10, 1, 9], [ranFinding(), ranFinding()]),
      skipped('c'),
      failed('d'),
    ]
    expect([...combinedScores(set, results)]).toEqual([1, 0.5, 1, 0, 1])
  })

  it('takes standard deviations before ranks, and halves the ranks of classes that have none', () => {
    const set = handMadeSet([0, 0, 0, 1, 1])
    const deviations = { ...ranResult('a', [-1, 0, 4, 0, 0], [ranFinding(), skippedFinding()]), unit: 'standard deviations' } as const
    const ranks = ranResult('b', [30, 20, 10, 1, 9], [ranFinding(), ranFinding()])
    const expected = [0.25, 0.5, 0.9, 0, 0.5].map(Math.fround)
    expect([...combinedScores(set, [ranks, deviations])]).toEqual(expected)
    expect([...combinedScores(set, [deviations, ranks])]).toEqual(expected)
    const skippedAll = { ...ranResult('a', [0, 0, 0, 0, 0], [skippedFinding(), skippedFinding()]), unit: 'standard deviations' } as const
    expect([...combinedScores(set, [ranks, skippedAll])]).toEqual([1, 0.5, 0, 0, 1])
  })

  it('gives 0 to a class of one row and to a class that no detector ran on', () => {
    const set = handMadeSet([0, 1, 1])
    expect([...combinedScores(set, [ranResult('a', [5, 1, 2], [ranFinding(), skippedFinding()])])]).toEqual([0, 0, 0])
    expect([...combinedScores(set, [])]).toEqual([0, 0, 0])
  })

  it('agrees with counting, row by row, on scores with many ties', () => {
    const labels = Array.from({ length: 300 }, (_, row) => (row * 7) % 4)
    const values = labels.map((_, row) => (row * 31) % 11)
    const set = handMadeSet(labels)
    const scores = combinedScores(set, [
      ranResult(
        'a',
        values,
        set.classes.map(() => ranFinding()),
      ),
    ])
    for (let row = 0; row < labels.length; row++) {
      const peers = values.filter((_, other) => other !== row && labels[other] === labels[row])
      const lower = peers.filter((value) => value < (values[row] as number)).length
      const ties = peers.filter((value) => value === values[row]).length
      expect(scores[row]).toBe(Math.fround((lower + ties / 2) / peers.length))
    }
  })
})

describe('overallVerdict', () => {
  const ran = [{ status: 'ran' }] as const
  const classes = (...entries: [Parameters<typeof overallVerdict>[0][number]['verdict'], number][]) =>
    entries.map(([verdict, rows]) => ({ verdict, rows }))

  it('is the worst of the classes', () => {
    expect(overallVerdict(classes(['clean', 9], ['suspicious', 1], ['poisoned', 1], ['inconclusive', 9]), ran)).toBe('poisoned')
    expect(overallVerdict(classes(['clean', 9], ['suspicious', 1], ['inconclusive', 9]), ran)).toBe('suspicious')
    expect(overallVerdict(classes(['clean', 9], ['multimodal', 1]), ran)).toBe('clean')
  })

  it('is undecided from more than 5 % of the rows in undecided classes', () => {
    expect(overallVerdict(classes(['clean', 95], ['inconclusive', 5]), ran)).toBe('clean')
    expect(overallVerdict(classes(['clean', 94], ['inconclusive', 6]), ran)).toBe('inconclusive')
    expect(overallVerdict(classes(['clean', 949], ['inconclusive', 51]), ran)).toBe('inconclusive')
  })

  it('is undecided where a detector failed, every one was skipped, or there was none', () => {
    const clean = classes(['clean', 100])
    expect(overallVerdict(clean, [{ status: 'ran' }, { status: 'failed' }])).toBe('inconclusive')
    expect(overallVerdict(clean, [{ status: 'skipped' }, { status: 'skipped' }])).toBe('inconclusive')
    expect(overallVerdict(clean, [])).toBe('inconclusive')
    expect(overallVerdict(clean, [{ status: 'ran' }, { status: 'skipped' }])).toBe('clean')
  })

  it('stays an accusation though a detector failed', () => {
    expect(overallVerdict(classes(['suspicious', 1]), [{ status: 'ran' }, { status: 'failed' }])).toBe('suspicious')
  })
})

describe('buildReport', () => {
  it('calls an accused class suspicious and any other undecided, never clean', () => {
    const set = handMadeSet(['b', 'a', 'b', 2, 2] as string[])
    const report = handMadeReport(set, [ranResult('x', [0, 0, 1, 0, 0], [skippedFinding(), ranFinding(), ranFinding([2])])])
    expect(report.classes.map(({ label, verdict, rows }) => [label, verdict, rows])).toEqual([
      [2, 'inconclusive', 2],
      ['a', 'inconclusive', 1],
      ['b', 'suspicious', 2],
    ])
    expect(report.verdict).toBe('suspicious')
    expect(report.input).toMatchObject({ rows: 5, features: 1, classes: 3 })
  })

  it('flags the accused rows once each, most suspicious first, ties by index, with a sentence per accuser', () => {
    const set = handMadeSet([0, 0, 0, 0, 0])
    const report = handMadeReport(set, [
      ranResult('x', [5, 1, 9, 5, 1], [ranFinding([3, 0, 3], { accusation: { rows: Uint32Array.of(3, 0, 3), reason: 'apart' } })]),
      ranResult('y', [0, 0, 0, 0, 0], [ranFinding([2, 3], { accusation: { rows: Uint32Array.of(3, 2), reason: 'alone' } })]),
    ])
    expect(report.rows).toEqual({
      flagged: [2, 0, 3],
      reasons: [['y: alone'], ['x: apart'], ['x: apart', 'y: alone']],
      probability: null,
    })
  })

  it('gives evidence for each detector that ran on a class, and puts skipped classes into the reason', () => {
    const set = handMadeSet([0, 0, 7])
    const report = handMadeReport(set, [
      ranResult('x', [0, 1, 0], [ranFinding(), skippedFinding('1 row, needs at least 20')]),
      ranResult('y', [0, 1, 0], [ranFinding(null, { threshold: null }), ranFinding()]),
    ])
    expect(report.classes[0]?.evidence).toEqual([
      { detector: 'x', statistic: 1.5, pValue: null, threshold: 1, says: 'two groups' },
      { detector: 'y', statistic: 1.5, pValue: null, threshold: null, says: 'two groups' },
    ])
    expect(report.classes[1]?.evidence.map(({ detector }) => detector)).toEqual(['y'])
    expect(report.detectors).toEqual([
      { id: 'x', status: 'ran', reason: 'ran on 1 of 2 classes; skipped class 7: 1 row, needs at least 20' },
      { id: 'y', status: 'ran', reason: 'ran on all 2 classes' },
    ])
  })

  it('caps the list of skipped classes and says how many more there are', () => {
    const set = handMadeSet(Array.from({ length: 1000 }, (_, row) => `${row}${'x'.repeat(10_000)}`))
    const report = handMadeReport(set, [
      ranResult(
        'x',
        Array(1000).fill(0),
        set.classes.map(() => skippedFinding('y'.repeat(10_000))),
      ),
    ])
    expect(report.detectors[0]?.reason).toMatch(/^ran on 0 of 1000 classes; skipped class 0x.*; and 995 more$/)
    expect(report.detectors[0]?.reason.length).toBeLessThan(1500)
    expect(report.verdict).toBe('inconclusive')
  })

  it('keeps skipped and failed detectors with their reasons', () => {
    const report = handMadeReport(handMadeSet([0, 0]), [skipped('x'), failed('y')])
    expect(report.detectors).toEqual([
      { id: 'x', status: 'skipped', reason: 'needs logits' },
      { id: 'y', status: 'failed', reason: 'it broke' },
    ])
    expect(report.verdict).toBe('inconclusive')
    expect(report.classes[0]?.evidence).toEqual([])
    expect(report.rows).toEqual({ flagged: [], reasons: [], probability: null })
    expect(reportSchema.safeParse(report).success).toBe(true)
  })
})
