import { describe, expect, test } from 'vitest'
import { type AttackRun, auditAttack, auditClean, type CleanRun } from '../../bench/quality/audits.js'
import { attackCase, cleanCase, cleanKinds } from '../../bench/quality/cases.js'
import { calibrationTable, isConfidentlyWrong, sweepSummary, sweepTable } from '../../bench/quality/tables.js'
import { createContext } from '../../src/node.js'
import { plantedActivations } from '../../src/redteam/planted-activations.js'

describe('the sets', () => {
  test('are of every kind, with trusted rows and without, and the same again', () => {
    const cases = Array.from({ length: 2 * cleanKinds.length }, (_, index) => cleanCase(index, 1))
    for (const kind of cleanKinds) {
      const own = cases.filter((entry) => entry.kind === kind)
      expect(own.map(({ options }) => options.trusted > 0)).toEqual([true, false])
    }
    expect(cleanCase(5, 1)).toEqual(cases[5])
    expect(cleanCase(5, 2)).not.toEqual(cases[5])
    expect(cases.every(({ options }) => options.attack === undefined)).toBe(true)
  })

  test('have 2 to 1,000 classes, and can all be planted', () => {
    const classes = new Set<number>()
    for (let index = 0; index < 110; index++) {
      for (const { options } of [cleanCase(index, 1), attackCase(index, { seed: 1, trusted: 100 })]) {
        classes.add(options.rows.length)
        if (options.rows.length < 10) expect(() => plantedActivations(options), String(index)).not.toThrow()
      }
    }
    expect(Math.min(...classes)).toBe(2)
    expect([...classes]).toEqual(expect.arrayContaining([10, 20, 43, 1000]))
  })

  test('have attacks of all rates and kinds, on a class of at least a hundred rows', () => {
    const attacks = Array.from({ length: 300 }, (_, index) => attackCase(index, { seed: 1, trusted: 100 }).options)
    const rates = attacks.map(({ attack }) => attack?.rate as number)
    expect(Math.min(...rates)).toBeLessThan(0.006)
    expect(Math.max(...rates)).toBeGreaterThan(0.4)
    expect(rates.every((rate) => rate >= 0.003 && rate < 0.51)).toBe(true)
    expect(new Set(attacks.map(({ attack }) => attack?.kind)).size).toBe(3)
    for (const { rows, attack } of attacks) expect(rows[attack?.target as number]).toBeGreaterThanOrEqual(100)
    const imbalance = attacks.map(({ rows }) => Math.max(...rows) / Math.min(...rows))
    expect(Math.max(...imbalance)).toBeGreaterThan(50)
  })
})

test('audits of both parts say what they were, and repeat', async () => {
  using context = await createContext({ backend: 'cpu' })
  const clean = await auditClean(context, 0, { seed: 0, clean: [] })
  expect(clean).toMatchObject({ part: 'calibration', index: 0, kind: 'normal distribution', withTrusted: true, concluded: [{}, {}] })
  const sets = { seed: 0, trusted: 20 }
  const small = Array.from({ length: 50 }, (_, index) => index).find((index) => attackCase(index, sets).options.rows.length === 2) as number
  const attack = await auditAttack(context, small, sets)
  expect(attack).toMatchObject({ part: 'sweep', index: small, classes: 2, audit: { verdict: expect.any(String) } })
  expect(attack.target.poisonedRows / attack.target.rows).toBe(attack.target.epsilon)
  expect(await auditAttack(context, small, sets)).toEqual(attack)
})

test('halves of clean scenarios take their place among the planted sets', async () => {
  const rows = 200
  const data = Float32Array.from({ length: rows * 2 }, (_, i) => Math.sin(12.9898 * i))
  const labels = Array.from({ length: rows }, (_, i) => i % 2)
  const source = { name: 'calm', data, cols: 2, labels, trusted: { activations: { data, rows, cols: 2 }, labels } }
  using context = await createContext({ backend: 'cpu' })
  const run = await auditClean(context, 9, { seed: 0, clean: [source] })
  expect(run).toMatchObject({ kind: 'half of calm', classes: 2, withTrusted: true })
  expect(run.rows).toBeGreaterThan(60)
  expect(run.rows).toBeLessThan(140)
  expect(await auditClean(context, 19, { seed: 0, clean: [source] })).toMatchObject({ withTrusted: false })
})

const cellsOf = (table: readonly string[], name: string) =>
  table
    .find((line) => line.startsWith(`| ${name} |`))
    ?.split('|')
    .slice(2, -1)
    .map((cell) => cell.trim())

test('false accusations are counted by kind and of all, with their interval', () => {
  const run = (index: number, kind: string, accused: readonly [number, number]): CleanRun => ({
    ...{ part: 'calibration', index, kind, classes: 4, rows: 100, withTrusted: index % 2 === 0 },
    concluded: accused.map((count) => ({ verdict: count > 0 ? 'suspicious' : 'inconclusive', accused: count, undecided: 1 })),
  })
  const table = calibrationTable([run(0, 'tails', [0, 0]), run(1, 'tails', [0, 3]), run(2, 'tracks', [1, 1]), run(3, 'tracks', [0, 0])])
  expect(cellsOf(table, 'tails')).toEqual(['2', '0 (0.0 %)', '0.0–84.2 %', '1 (50.0 %)', '1.3–98.7 %', '100 %', '25.0 %'])
  expect(cellsOf(table, '**all**')).toEqual(['4', '1 (25.0 %)', '0.6–80.6 %', '2 (50.0 %)', '6.8–93.2 %', '75.0 %', '25.0 %'])
  expect(cellsOf(table, '**with trusted rows**')?.[0]).toBe('2')
})

function attackRun(
  targetVerdict: AttackRun['audit']['targetVerdict'],
  change: Partial<AttackRun['audit']> = {},
  poisonedRows = 30,
): AttackRun {
  const accused = targetVerdict === 'poisoned'
  return {
    ...{ part: 'sweep', index: 0, kind: 'all-to-one', classes: 5, rows: 500 },
    target: { rows: 300, poisonedRows, epsilon: poisonedRows / 300, source: 2 },
    audit: {
      ...{ withTrusted: true, verdict: 'poisoned', targetVerdict, accused: [], wronglyAccused: [] },
      cleanClasses: { clean: 4, multimodal: 0, suspicious: 0, poisoned: 0, inconclusive: 0 },
      ...{ auroc: 1, aurocOfAll: 1, tpr: accused ? 1 : 0, fpr: 0, fprOfAll: 0 },
      epsilon: { estimate: 0.1, low: 0, high: 0.2, covers: accused },
      ...{ minDetectableEpsilon: 0.05, sourceLabel: accused ? 2 : null },
      sanitize: { outcome: 'cleaned', removedRows: 30, poisonedRows, poisonLeft: 0, cleanLost: 0 },
      ...change,
    },
  }
}

test('sure and wrong is a clean class accused, or a target cleared that would have been seen', () => {
  expect(isConfidentlyWrong(attackRun('poisoned'))).toBe(false)
  expect(isConfidentlyWrong(attackRun('inconclusive'))).toBe(false)
  expect(isConfidentlyWrong(attackRun('clean'))).toBe(true)
  expect(isConfidentlyWrong(attackRun('multimodal'))).toBe(true)
  expect(isConfidentlyWrong(attackRun('clean', {}, 10))).toBe(false) // 3.3 %, of 5 that would be seen
  expect(isConfidentlyWrong(attackRun('clean', { minDetectableEpsilon: null }))).toBe(false)
  expect(isConfidentlyWrong(attackRun('poisoned', { wronglyAccused: [1] }))).toBe(true)
})

test('the sweep is counted by attack, poison, trusted rows and classes', () => {
  const runs = [
    attackRun('poisoned'),
    attackRun('poisoned', { withTrusted: false, sourceLabel: 3 }),
    attackRun('inconclusive'),
    attackRun('multimodal', {}, 100),
    attackRun('clean', {}, 10),
  ]
  const table = sweepTable(runs)
  expect(cellsOf(table, '**all**')).toEqual(['5', '2', '1', '2', '1', '0', '100', '0.0', '1/2', '1', '2/5'])
  expect(cellsOf(table, '1–19 poisoned rows')).toEqual(['1', '0', '0', '1', '0', '0', '–', '–', '0/0', '0', '0/1'])
  expect(cellsOf(table, '**without**')?.[0]).toBe('1')
  expect(cellsOf(table, '1,000')).toBeUndefined()
  const [wrong, decided, covered] = sweepSummary(runs)
  expect(wrong).toContain(': 1 of 5 (20.0 %, 0.5–71.6 %).')
  expect(decided).toContain('decided 3 of 4 (75.0 %, 19.4–99.4 %), accused 2 of 4')
  expect(covered).toContain(': 2 of 2 (100 %, 15.8–100 %).')
})
