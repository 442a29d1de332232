import { describe, expect, it } from 'vitest'
import type { ActivationSetInput } from '../../src/core/activation-set.js'
import { scoreHistogram } from '../../src/exhibits/histogram.js'
import { viewReport } from '../../src/exhibits/view-report.js'
import { unpackPoints } from '../../src/views/point-cloud.js'
import { pointKinds } from '../../src/views/report-view.js'
import { manyRows, plantedView } from '../report/planted-view.js'

describe('viewReport', () => {
  it('draws every row of each class, flagged ones parted from the rest, before others', async () => {
    const { report, set, scores } = plantedView()
    const view = await viewReport(report, { set, scores })
    const [accused, clean] = view.classes
    expect(view.classes.map(({ index }) => index)).toEqual([1, 0])
    expect(accused).toMatchObject({ flaggedRows: 10, scatter: { axes: 'evidence', drawn: 100, rows: 100 } })
    expect(clean).toMatchObject({ flaggedRows: 0, scatter: { axes: 'principal', drawn: 100 }, trigger: null, tokens: null })
    if (!accused?.scatter) throw new Error('no scatter')
    const points = unpackPoints(accused.scatter)
    const of = (kind: string) => [...points.kind.keys()].filter((point) => pointKinds[points.kind[point] as number] === kind)
    expect(of('flagged').map((point) => points.row[point])).toEqual(report.rows.flagged)
    expect(of('own')).toHaveLength(90)
    expect(of('source').every((point) => points.classIndex[point] === 0)).toBe(true)
    const across = (kind: string) => of(kind).map((point) => points.x[point] as number)
    expect(Math.min(...across('flagged'))).toBeGreaterThan(Math.max(...across('own')))
  })

  it('shows flagged rows in order, typical ones beside them, and what flagged texts and pictures have', async () => {
    const { report, set, scores } = plantedView()
    const [accused] = (await viewReport(report, { set, scores })).classes
    expect(accused?.flagged.map(({ row }) => row)).toEqual(report.rows.flagged)
    expect(accused?.flagged[0]?.picture?.url).toMatch(/^data:image\/png;base64,/)
    expect(accused?.typical).toHaveLength(12)
    expect(accused?.typical.some(({ row }) => report.rows.flagged.includes(row))).toBe(false)
    expect(accused?.trigger?.region).toEqual({ top: 6, bottom: 8, left: 1, right: 3 })
    expect(accused?.trigger?.matchedClass).toBe(0)
    expect(accused?.tokens?.tokens[0]?.token).toBe('xyzzy')
  })

  it('is the same for the same input, and plain data', async () => {
    const { report, set, scores } = plantedView()
    const view = await viewReport(report, { set, scores })
    expect(await viewReport(report, { set, scores })).toEqual(view)
    expect(structuredClone(view)).toEqual(view)
    expect(JSON.parse(JSON.stringify(view))).toEqual(view)
  })

  it('reads rows that come in blocks like those in memory', async () => {
    const { report, set, scores } = plantedView()
    const { data, rows, cols } = set.activations as { data: Float32Array; rows: number; cols: number }
    const activations = {
      rows,
      cols,
      *blocks() {
        for (let row = 0; row < rows; row += 7) yield data.slice(row * cols, Math.min(rows, row + 7) * cols)
      },
    }
    const blocked: ActivationSetInput = { ...set, activations }
    expect(await viewReport(report, { set: blocked, scores })).toEqual(await viewReport(report, { set, scores }))
  })

  it('shows what a report alone says', async () => {
    expect(await viewReport(plantedView().report)).toMatchObject({ classes: [], moreClasses: 0 })
  })

  it('refuses a report of another set, and scores of another length', async () => {
    const { report, set, scores } = plantedView()
    const other = { ...set, labels: Array.from(set.labels as number[]).fill(1, 0, 7), texts: undefined, images: undefined }
    await expect(viewReport(report, { set: other, scores })).rejects.toMatchObject({ code: 'wrong-report' })
    await expect(viewReport(report, { set, scores: scores.subarray(1) })).rejects.toMatchObject({ code: 'row-count' })
  })

  it('draws at most 50,000 rows of all classes, flagged ones first', async () => {
    const { report, set, scores } = manyRows(120_000, { classes: 4, flagged: 30 })
    const { classes } = await viewReport(report, { set, scores })
    expect(classes.reduce((sum, { scatter }) => sum + (scatter?.drawn ?? 0), 0)).toBe(50_000)
    expect(classes[0]?.scatter?.drawn).toBe(30_000)
    const points = classes[0]?.scatter && unpackPoints(classes[0].scatter)
    expect(classes[0]?.scatter?.axes).toBe('evidence')
    expect([...(points?.kind ?? [])].filter((kind) => pointKinds[kind] === 'flagged')).toHaveLength(30)
  })
})

describe('scoreHistogram', () => {
  it('counts every row once and says what reaches the lowest flagged score', () => {
    const scores = Float32Array.of(0, 0.25, 0.5, 0.75, 1, 0.9)
    const view = scoreHistogram(scores, [0, 1, 2, 3, 4], new Set([3]))
    expect(view).toMatchObject({ low: 0, high: 1, cut: { score: 0.75, unflaggedAbove: 1 } })
    expect(view?.unflagged.reduce((sum, count) => sum + count)).toBe(4)
    expect(view?.flagged.reduce((sum, count) => sum + count)).toBe(1)
    expect(view?.unflagged.at(-1)).toBe(1)
  })

  it('is stated for equal scores, and has no cut where nothing is flagged', () => {
    expect(scoreHistogram(new Float32Array(3), [0, 1, 2], new Set())).toMatchObject({ low: 0, high: 0, cut: null })
    expect(scoreHistogram(new Float32Array(3), [], new Set())).toBeNull()
  })
})
