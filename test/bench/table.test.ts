import { expect, test } from 'vitest'
import { type AuditScore, type BenchReport, type DetectorReport, meansOf, type ScenarioReport } from '../../src/bench/bench-report.js'
import { summariseAudits } from '../../src/bench/summarise-audits.js'
import { formatBench } from '../../src/bench/table.js'
import { toJsonText } from '../../src/report/json.js'

type Ran = Extract<DetectorReport, { status: 'ran' }>

function ran(id: string, change: Partial<Ran> = {}): Ran {
  return {
    ...{
      id,
      status: 'ran',
      options: {},
      reference: null,
      auroc: 0.75,
      tprAt1PercentFpr: 0.25,
      tprAt5PercentFpr: 0.375,
      tpr: 0.5,
      fpr: 0.125,
    },
    ...{ flaggedRows: 3, flaggedShare: 0.3, poisonedLeft: 1, statistic: 0.1, accused: [], targetAccused: false },
    ...change,
  }
}

function scenario(name: string, detectors: readonly DetectorReport[], clean = false): ScenarioReport {
  const target = clean ? null : { label: 7, rows: 10, poisonedRows: 2, epsilon: 0.2, source: 3 }
  return { name, attack: 'BadNets', rows: 100, classes: 10, target, detectors, audits: [] }
}

function report(scenarios: readonly ScenarioReport[]): BenchReport {
  return {
    ...{ schemaVersion: 1, tool: { name: 'assay', version: '0.1.0' }, seed: 7 },
    backend: { name: 'cpu', adapter: 'plain TypeScript', reason: 'asked for by name' },
    ...{ scenarios, means: meansOf(scenarios), falseAccusationRate: 0.01, summaries: summariseAudits(scenarios), timings: [] },
  }
}

const clean = {
  auroc: null,
  tprAt1PercentFpr: null,
  tprAt5PercentFpr: null,
  tpr: null,
  poisonedLeft: null,
  statistic: null,
  targetAccused: null,
}
const reference = { auroc: 0.5, tpr: 0.25, fpr: 0.5, poisonedLeft: 2, flaggedShare: null, statistic: null }
const lineOf = (text: string, start: string) =>
  text
    .split('\n')
    .find((line) => line.startsWith(start))
    ?.split(/\s{2,}/)

test('prints each figure with the reference beside it, and their means', () => {
  const text = formatBench(
    report([
      scenario('first', [ran('some-detector', { reference })]),
      scenario('second', [ran('some-detector', { reference, auroc: 0.25, targetAccused: true, accused: [7, 3, 4], poisonedLeft: 0 })]),
    ]),
    { width: 120 },
  )
  expect(lineOf(text, 'poisoned  ')).toEqual(['poisoned', 'class', 'AUROC', 'TPR@1%', 'TPR@5%', 'TPR %', 'FPR %', 'left', 'accused'])
  expect(lineOf(text, 'first')).toEqual(['first', '7', '0.750 (0.500)', '25.0', '37.5', '50.0 (25.0)', '12.5 (50.0)', '1/2 (2)', 'no'])
  expect(lineOf(text, 'second')).toEqual([
    'second',
    '7',
    '0.250 (0.500)',
    '25.0',
    '37.5',
    '50.0 (25.0)',
    '12.5 (50.0)',
    '0/2 (2)',
    'yes +2',
  ])
  expect(lineOf(text, 'mean')).toEqual(['mean of 2', '0.500 (0.500)', '25.0', '37.5', '50.0 (25.0)', '12.5 (50.0)', '1/4', '1/2 +2'])
  expect(text).toContain('Classes accused in second: 7, 3, 4.')
})

test('a figure that is not to be had is a dash, never 0, and leaves the mean alone', () => {
  const text = formatBench(report([scenario('all', [ran('d', { fpr: null, auroc: null })]), scenario('some', [ran('d')])]), { width: 120 })
  expect(lineOf(text, 'all')).toEqual(['all', '7', '–', '25.0', '37.5', '50.0', '–', '1/2', 'no'])
  expect(lineOf(text, 'mean')).toEqual(['mean of 2', '0.750', '25.0', '37.5', '50.0', '12.5', '2/4', '0/2'])
})

test('a mean stands beside the mean of the reference only where both are over the same scenarios', () => {
  const text = formatBench(report([scenario('a', [ran('d', { reference })]), scenario('b', [ran('d')])]), { width: 120 })
  expect(lineOf(text, 'mean')).toEqual(['mean of 2', '0.750', '25.0', '37.5', '50.0', '12.5', '2/4', '0/2'])
})

test('clean scenarios have a table of their own: rows flagged, and the classes accused', () => {
  const text = formatBench(report([scenario('calm', [ran('d', { ...clean, accused: [1, 'two'], flaggedRows: 12 })], true)]), { width: 120 })
  expect(lineOf(text, 'calm')).toEqual(['calm', '100', '10', '12.5', '12', '1, two'])
  expect(text).not.toContain('mean of')
})

test('says of spectral signatures that it is told the share of poison', () => {
  const at = (epsilon: number) => ran('spectral-signatures', { options: { epsilon } })
  const cleanOne = ran('spectral-signatures', { ...clean, options: { epsilon: 0.05 } })
  const text = formatBench(report([scenario('a', [at(0.0910499)]), scenario('b', [cleanOne], true)]), { width: 120 })
  expect(text).toContain('spectral-signatures: is told ε, the share of poison, as its paper is (5 % in clean sets)')
  expect(lineOf(text, 'poisoned  ')).toContain('told ε %')
  expect(lineOf(text, 'a ')).toContain('9.1')
  expect(formatBench(report([scenario('a', [at(0.2)]), scenario('b', [at(0.2)])]), { width: 120 })).toContain('is told ε = 20.0 %;')
})

test('a detector that was skipped or failed says so in its line, and is in no mean', () => {
  const failed: DetectorReport = { id: 'd', status: 'failed', reason: 'out of luck', options: {} }
  const text = formatBench(report([scenario('a', [failed]), scenario('b', [ran('d')])]), { width: 120 })
  expect(text).toMatch(/^a +failed: out of luck$/m)
  expect(text).toMatch(/^mean of 1 /m)
})

test('no line is longer than 132 columns, and what a folder name or label holds cannot drive a terminal', () => {
  const hostile = `${'x'.repeat(90)}\u001b[2J\u202e`
  const detectors = [
    ran('d', { accused: [hostile, ...Array(40).keys()], reference: { ...reference, flaggedShare: 0.5, statistic: 0.123 } }),
  ]
  const made = report([{ ...scenario(hostile, detectors), target: { label: hostile, rows: 10, poisonedRows: 2, epsilon: 0.2, source: 3 } }])
  const text = formatBench(made, { width: 400 })
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(132)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
  expect(text).not.toMatch(/[\u001b\u202e]/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
  expect(toJsonText(made)).not.toMatch(/[\u001b\u202e]/)
  expect(JSON.parse(toJsonText(made))).toEqual(JSON.parse(JSON.stringify(made)))
})

function audit(change: Partial<AuditScore> = {}): AuditScore {
  return {
    ...{ withTrusted: true, verdict: 'poisoned', targetVerdict: 'poisoned', accused: [7], wronglyAccused: [] },
    cleanClasses: { clean: 6, multimodal: 2, suspicious: 0, poisoned: 0, inconclusive: 1 },
    ...{ auroc: 0.9, aurocOfAll: 0.8, tpr: 0.5, fpr: 0.25, fprOfAll: 0.125 },
    epsilon: { estimate: 0.3, low: 0.1, high: 0.4, covers: true },
    ...{ minDetectableEpsilon: 0.05, sourceLabel: 3 },
    sanitize: { outcome: 'cleaned', removedRows: 3, poisonedRows: 2, poisonLeft: 1, cleanLost: 2 },
    ...change,
  }
}

test('says what a whole audit makes of poisoned and of clean scenarios, and sums it up', () => {
  const undecided = audit({
    ...{
      verdict: 'inconclusive',
      targetVerdict: 'inconclusive',
      accused: [],
      sourceLabel: null,
      tpr: 0,
      fpr: 0,
      minDetectableEpsilon: null,
    },
    epsilon: { estimate: 0, low: 0, high: 0.1, covers: false },
    sanitize: { outcome: 'undecided', removedRows: 0, poisonedRows: 2, poisonLeft: 2, cleanLost: 0 },
  })
  const text = formatBench(
    report([
      { ...scenario('found', []), audits: [audit()] },
      { ...scenario('open', []), audits: [undecided] },
      { ...scenario('calm', [], true), audits: [audit({ verdict: 'suspicious', accused: [1, 'two'] })] },
    ]),
    { width: 132 },
  )
  const [target = '', rows = ''] = ['class', 'AUROC'].map((title) => text.slice(text.search(new RegExp(`^poisoned +${title}`, 'm'))))
  expect(lineOf(target, 'found')).toEqual(['found', '7', 'poisoned', '6', '2', '1', '0', '20.0', '30.0 [10.0, 40.0]', '5.0', '3 (3)'])
  expect(lineOf(target, 'open')).toEqual(['open', '7', 'inconclusive', '6', '2', '1', '0', '20.0', '0.0 [0.0, 10.0] ✗', '–', '– (3)'])
  expect(lineOf(rows, 'found')).toEqual(['found', '0.900', '0.800', '50.0', '25.0', '12.5', '3', '1/2', '2'])
  expect(lineOf(rows, 'open')).toEqual(['open', '0.900', '0.800', '0.0', '0.0', '12.5', 'undecided', '2/2', '0'])
  expect(lineOf(text, 'calm')).toEqual(['calm', '100', 'suspicious', '6', '2', '1', '3', '1, two'])
  expect(text.replaceAll('\n', ' ')).toContain(
    'Poisoned: 1 of 2 targets accused, 1 undecided, 0 cleared; 0 of 18 clean classes accused; mean TPR 25.0 %, FPR 12.5 %; ε within its interval in 1 of 2; source named rightly in 1 of 1 accused targets that have one, wrongly in 0; sanitize leaves 3 of 4 poisoned rows and loses 2 clean ones.',
  )
  expect(text.replaceAll('\n', ' ')).toContain('Clean: 1 of 1 sets accused, 0 undecided; 2 of 10 classes accused; sanitize loses 2 rows.')
})

test('audits with trusted rows and without are summed up apart', () => {
  const summaries = summariseAudits([
    { ...scenario('a', []), audits: [audit(), audit({ withTrusted: false, sourceLabel: 5 })] },
    { ...scenario('b', []), audits: [audit({ withTrusted: false, targetVerdict: 'multimodal', wronglyAccused: [4, 5] })] },
  ])
  expect(summaries).toMatchObject([
    { withTrusted: true, poisoned: { scenarios: 1, targetsAccused: 1, sources: 1, sourcesRight: 1, sourcesWrong: 0 } },
    {
      withTrusted: false,
      poisoned: {
        scenarios: 2,
        targetsAccused: 1,
        targetsCleared: 1,
        cleanClassesAccused: 2,
        sources: 1,
        sourcesRight: 0,
        sourcesWrong: 1,
      },
    },
  ])
  expect(summariseAudits([])).toEqual([])
})
