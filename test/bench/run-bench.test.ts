import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BenchReport } from '../../src/bench/bench-report.js'
import { parseReferences } from '../../src/bench/references.js'
import { type BenchOptions, runBench } from '../../src/bench/run-bench.js'
import { type WritableArray, writeNpy } from '../../src/io/npy-writer.js'
import { auditWithScores, createContext, openAudit } from '../../src/node.js'
import { plantedActivations } from '../../src/redteam/planted-activations.js'
import { auroc } from '../../src/stats/auroc.js'
import { runFake } from '../cli/fake-io.js'
import { sharedData } from '../support/shared-data.js'

const examples = join(import.meta.dirname, '../../examples/data')
const shared = sharedData()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-bench-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const bench = (path: string, options: BenchOptions = {}) => runBench(createContext, path, { backend: 'cpu', ...options })
/** Quick ones. */
const classic = ['spectral-signatures', 'activation-clustering']

function scoreOf(report: BenchReport, name: string, id: string) {
  const score = report.scenarios.find((scenario) => scenario.name === name)?.detectors.find((detector) => detector.id === id)
  if (score?.status !== 'ran') throw new Error(`${id} did not run on ${name}: ${score?.reason}`)
  return score
}

describe('on examples/data', () => {
  let report: BenchReport
  beforeAll(async () => {
    report = await bench(examples, { detectors: [...classic, 'spectre'] })
  })

  test('finds both folders, and their target by label', () => {
    expect(report.scenarios.map(({ name, target }) => [name, target])).toEqual([
      ['clean', null],
      ['poisoned', { label: 3, rows: 642, poisonedRows: 42, epsilon: 0.065421, source: 14 }],
    ])
  })

  test('gives the figures that numpy gives for spectral signatures', () => {
    expect(scoreOf(report, 'poisoned', 'spectral-signatures')).toMatchObject({
      ...{ flaggedRows: 63, poisonedLeft: 42, tpr: 0, fpr: 63 / 600, accused: [], targetAccused: false, reference: null },
      auroc: expect.closeTo(0.32544, 4),
      options: { epsilon: 0.065421, k: 1, variant: 'paper' },
    })
    expect(scoreOf(report, 'clean', 'spectral-signatures')).toMatchObject({ fpr: expect.closeTo(0.075, 3), options: { epsilon: 0.05 } })
  })

  test('takes the smaller cluster for the cut of activation clustering, and its accusation from the silhouette rule', () => {
    const score = scoreOf(report, 'poisoned', 'activation-clustering')
    expect(score).toMatchObject({ options: { analysis: 'smaller' }, accused: [8] })
    expect(score.tpr).toBe(0)
    expect(score.flaggedShare).toBeCloseTo(297 / 642, 5)
    expect(score.statistic).toBeCloseTo(0.244, 2)
  })

  test('runs the detectors that were asked for, with the options that were given', async () => {
    const settings = { 'spectral-signatures': { epsilon: 0.05 } }
    const { scenarios, means } = await bench(join(examples, 'poisoned'), { detectors: ['spectral-signatures'], settings })
    expect(scenarios).toMatchObject([{ name: 'poisoned', detectors: [{ id: 'spectral-signatures', flaggedRows: 48, poisonedLeft: 42 }] }])
    expect(means).toMatchObject([{ id: 'spectral-signatures', scenarios: 1, poisonedLeft: 42, poisonedRows: 42 }])
  })

  test('tells SPECTRE the share of poison, as its paper does, and lets the audit assume its own', () => {
    expect(scoreOf(report, 'poisoned', 'spectre')).toMatchObject({ options: { epsilon: 0.065421 }, flaggedRows: 63 })
    expect(scoreOf(report, 'clean', 'spectre').options).toMatchObject({ epsilon: 0.05 })
  })

  test('gives the same figures again', async () => {
    const { timings: _, ...again } = await bench(examples, { detectors: [...classic, 'spectre'] })
    const { timings: __, ...before } = report
    expect(again).toEqual(before)
  })

  test('holds them against results.json, and tells the ε that is there', async () => {
    await cp(join(examples, 'poisoned'), join(folder, 'told', 'poisoned'), { recursive: true })
    const results = {
      spectral_signatures: { eps_used: 0.05, target_label: { auroc: 0.9, tpr: 0.4, fpr: 0.1, poisons_left: 35 } },
      activation_clustering_pca: { target_label: { tpr: 0.98, fpr: 0.4, relative_size: 0.44, silhouette: 0.26 } },
    }
    await writeFile(join(folder, 'told', 'results.json'), JSON.stringify({ poisoned: results, other: {} }))
    for (const path of [join(folder, 'told'), join(folder, 'told', 'poisoned')]) {
      const told = await bench(path, { detectors: classic })
      const nothing = { auroc: null, tpr: null, fpr: null, poisonedLeft: null, flaggedShare: null, statistic: null }
      const spectral = scoreOf(told, 'poisoned', 'spectral-signatures')
      expect(spectral).toMatchObject({ flaggedRows: 48, options: { epsilon: 0.05 } })
      expect(spectral.reference).toEqual({ ...nothing, auroc: 0.9, tpr: 0.4, fpr: 0.1, poisonedLeft: 35 })
      expect(scoreOf(told, 'poisoned', 'activation-clustering').reference).toEqual({
        ...nothing,
        ...{ tpr: 0.98, fpr: 0.4, flaggedShare: 0.44, statistic: 0.26 },
      })
    }
  })
})

describe('on a planted set', () => {
  const { set, truth } = plantedActivations({
    ...{ rows: [150, 120, 120], features: 32, trusted: 20, seed: 3 },
    attack: { kind: 'source-to-target', target: 0, source: 2, rate: 0.2 },
  })
  let path: string
  let report: BenchReport
  beforeAll(async () => {
    path = join(folder, 'made', 'planted')
    await mkdir(join(path, 'truth'), { recursive: true })
    const { activations, labels, trusted } = set
    const arrays: [name: string, data: WritableArray, shape: number[]][] = [
      ['activations', activations.data, [activations.rows, activations.cols]],
      ['labels', labels, [labels.length]],
      ['trusted_activations', trusted?.activations.data as Float32Array, [60, 32]],
      ['trusted_labels', trusted?.labels as Int32Array, [60]],
      ['truth/poison_mask', truth.poison, [labels.length]],
    ]
    for (const [name, data, shape] of arrays) await writeFile(join(path, `${name}.npy`), writeNpy(data, shape))
    await writeFile(join(path, 'truth', 'truth.json'), JSON.stringify({ target: truth.target, source: truth.source }))
    report = await bench(path)
  })

  test('concludes what an audit concludes, with the trusted rows and without', async () => {
    const input = await openAudit(path)
    const [{ audits, target } = { audits: [], target: null }] = report.scenarios
    expect(target).toMatchObject({ label: 0, poisonedRows: 30, source: 2 })
    expect(audits.map(({ withTrusted }) => withTrusted)).toEqual([true, false])
    for (const [at, given] of [input, { ...input, trusted: undefined }].entries()) {
      const { report: audited, scores } = await auditWithScores(given, { backend: 'cpu' })
      const [said] = audited.classes
      expect(audits[at]).toMatchObject({
        ...{ verdict: audited.verdict, targetVerdict: said?.verdict, epsilon: said?.epsilon, sourceLabel: said?.sourceLabel },
        minDetectableEpsilon: said?.minDetectableEpsilon,
        sanitize: { removedRows: audited.verdict === 'inconclusive' ? 0 : audited.rows.flagged.length, poisonedRows: 30 },
        aurocOfAll: auroc(scores, truth.poison),
      })
    }
    expect(report).toMatchObject({
      schemaVersion: 1,
      falseAccusationRate: 0.01,
      summaries: [{ withTrusted: true }, { withTrusted: false }],
    })
  })

  test('measures the detectors of the audit itself, but for those that it tells something', async () => {
    const alone = await bench(path, { detectors: ['whitened-mixture'] })
    expect(scoreOf(alone, 'planted', 'whitened-mixture')).toEqual(scoreOf(report, 'planted', 'whitened-mixture'))
    const [{ audits } = { audits: [] }] = alone.scenarios
    expect(audits.map(({ targetVerdict }) => targetVerdict)).toEqual(report.scenarios[0]?.audits.map(({ targetVerdict }) => targetVerdict))
    expect(report.timings).toMatchObject([{ scenario: 'planted', audits: [expect.any(Number), expect.any(Number)] }])
  })

  test('is summed up over as many audits as there were', () => {
    expect(report.summaries.map(({ poisoned, clean }) => [poisoned.scenarios, poisoned.cleanClasses, clean.scenarios])).toEqual([
      [1, 2, 0],
      [1, 2, 0],
    ])
  })
})

test.skipIf(!shared)('reaches what the reference reached on two scenarios of the shared data', async () => {
  for (const name of ['A-fashion-badnets-10', 'F-fashion-clean']) {
    const report = await bench(join(shared as string, name), { detectors: classic })
    for (const id of classic) {
      const { reference, ...ours } = scoreOf(report, name, id)
      expect(reference, `${name} ${id}`).not.toBeNull()
      for (const key of ['auroc', 'tpr', 'fpr', 'flaggedShare', 'statistic'] as const) {
        const theirs = reference?.[key] ?? null
        if (theirs !== null) expect(Math.abs((ours[key] as number) - theirs), `${name} ${id} ${key}`).toBeLessThan(0.005)
      }
      if (reference?.poisonedLeft != null) expect(ours.poisonedLeft).toBe(reference.poisonedLeft)
    }
  }
})

test('refuses a folder without a scenario, and results that are none', async () => {
  await mkdir(join(folder, 'empty', 'sub', 'truth'), { recursive: true })
  await expect(bench(join(folder, 'empty'))).rejects.toMatchObject({ code: 'no-scenario' })
  await expect(bench(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' })
  expect(() => parseReferences({ a: { spectral_signatures: { eps_used: 2 } } }, 'results.json')).toThrow(
    /^results\.json: a\.spectral_signatures\.eps_used: /,
  )
  expect(() => parseReferences([1], 'results.json')).toThrow('results.json: ')
})

test('names every option that is wrong before it reads anything', async () => {
  const options = { detectors: ['nonsense'], settings: { 'activation-clustering': { restarts: 0 } } }
  await expect(bench(join(folder, 'nowhere'), options)).rejects.toThrow(/got "nonsense"[\s\S]*restarts/)
})

test('stops when it is told to', async () => {
  await expect(bench(examples, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
})

describe('assay bench', () => {
  const path = join(examples, 'poisoned')

  test('prints tables, or nothing but JSON with --json -', async () => {
    const { code, stdout, stderr } = await runFake(['bench', path, '--backend', 'cpu', '--detectors', classic.join()])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^poisoned +3 +6\.5 +0\.325 .* 42\/42 +no$/m)
    const asJson = await runFake([
      'bench',
      path,
      '--backend',
      'cpu',
      '--json',
      '-',
      '--quiet',
      '--seed',
      '3',
      '--detectors',
      'spectral-signatures',
    ])
    expect(JSON.parse(asJson.stdout)).toMatchObject({ schemaVersion: 1, tool: { name: 'assay' }, seed: 3, backend: { name: 'cpu' } })
  })

  test('shows progress on a terminal, and takes it away', async () => {
    const { stderr } = await runFake(['bench', path, '--backend', 'cpu', '--detectors', 'spectral-signatures'], { tty: true })
    expect(stderr).toContain('1/1 poisoned 0 %')
    expect(stderr.endsWith('\r\u001b[K')).toBe(true)
  })

  test('exits 64 without a folder and says what to pass, 65 where there is no truth, and has help', async () => {
    expect(await runFake(['bench'])).toMatchObject({ code: 64, stdout: '', stderr: expect.stringContaining('assay bench examples/data') })
    expect(await runFake(['bench', join(folder)])).toMatchObject({ code: 65, stderr: expect.stringContaining('poison_mask.npy') })
    expect(await runFake(['bench', path, '--set', 'spectral-signatures.k=0'])).toMatchObject({ code: 64 })
    expect((await runFake(['bench', '--help'])).stdout).toMatch(/Example:\n {2}\$ assay bench /)
  })
})
