import { describe, expect, it } from 'vitest'
import { auditWith, type ScoredAudit } from '../../src/audit.js'
import type { AuditOptions } from '../../src/audit-options.js'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import { WebGpuBackend } from '../../src/backends/webgpu.js'
import type { ContextFactory } from '../../src/context.js'
import { dispose } from '../../src/core/dispose.js'
import { createContext } from '../../src/node.js'
import { blockings } from '../support/blockings.js'
import { backends, noWebGpu } from '../support/each-backend.js'
import { type Planted, planted } from '../support/planted.js'
import { trustedRows } from '../support/trusted-rows.js'

/** Contexts that hold sets as `of` says. */
const holding =
  (of: (typeof blockings)[number]['of'], { activations }: Planted): ContextFactory =>
  async (...args) => {
    const context = await createContext(...args)
    return { ...of(context, activations.rows, Math.ceil(activations.cols / 4) * 4), [dispose]: () => context[dispose]() }
  }

/** Scores to 1e-3 of their range, and the same verdicts and flagged rows: what two backends owe each other, and two ways of holding a set too. */
function expectAlike(actual: ScoredAudit, expected: ScoredAudit): void {
  expect(actual.report.verdict).toBe(expected.report.verdict)
  expect(actual.report.classes.map(({ verdict }) => verdict)).toEqual(expected.report.classes.map(({ verdict }) => verdict))
  expect([...actual.report.rows.flagged].sort()).toEqual([...expected.report.rows.flagged].sort())
  expect(actual.report.input).toEqual(expected.report.input)
  expect([...actual.detectorScores.keys()]).toEqual([...expected.detectorScores.keys()])
  for (const [id, scores] of expected.detectorScores) {
    const own = actual.detectorScores.get(id) as Float32Array
    let [low, high, worst] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
    scores.forEach((score, i) => {
      low = Math.min(low, score)
      high = Math.max(high, score)
      worst = Math.max(worst, Math.abs(score - (own[i] as number)))
    })
    expect(high).toBeGreaterThan(low)
    expect(worst / (high - low), id).toBeLessThanOrEqual(1e-3)
  }
}

/** 1,000 classes of 6 to 15 rows but for one of 1,200; poison in that one. Rows of all classes come mixed, so every class straddles blocks. */
const unaided = planted({
  seed: 21,
  rows: Array.from({ length: 1000 }, (_, c) => (c === 137 ? 1200 : 6 + ((c * 7) % 10))),
  features: 18,
  poison: { target: 137, rate: 0.15, shift: 14 },
})
const manyClasses = { ...unaided, trusted: trustedRows(unaided, 80) }

describe.each(backends)('on $name', ({ name: backend }) => {
  it('1,000 classes, one 200 times as large as another: blocks give what one block gives', async () => {
    const options: AuditOptions = {
      backend,
      detectorOptions: { 'spectral-signatures': { minRows: 5 }, 'activation-clustering': { minRows: 5, restarts: 2, components: 6 } },
    }
    const results: ScoredAudit[] = []
    for (const { of } of blockings) results.push(await auditWith(holding(of, manyClasses)).auditWithScores(manyClasses, options))
    const [expected, ...others] = results as [ScoredAudit, ...ScoredAudit[]]
    expect(expected.report.classes[137]?.verdict).toBe('poisoned')
    for (const { status, reason } of expected.report.detectors) expect(status, reason).toBe('ran')
    for (const other of others) expectAlike(other, expected)
  }, 240_000)

  it('a class whose rows lie together and one whose rows lie apart, every analysis and projection', async () => {
    const set = planted({ seed: 9, rows: [300, 40, 260], features: 22, poison: { target: 0, source: 2, rate: 0.2, shift: 12 } })
    const byClass = [...set.labels.keys()].sort((a, b) => (set.labels[a] as number) - (set.labels[b] as number) || a - b)
    const { cols, rows } = set.activations
    const data = Float32Array.from(byClass.flatMap((row) => [...set.activations.data.subarray(row * cols, (row + 1) * cols)]))
    const sorted = {
      activations: { data, rows, cols },
      labels: Int32Array.from(byClass, (row) => set.labels[row] as number),
      poison: set.poison,
    }
    for (const input of [set, sorted]) {
      for (const clustering of [{ analysis: 'distance' }, { projection: 'ica', components: 5 }]) {
        const options: AuditOptions = { backend, detectorOptions: { 'activation-clustering': { restarts: 3, ...clustering } } }
        const results: ScoredAudit[] = []
        for (const { of } of blockings) results.push(await auditWith(holding(of, input)).auditWithScores(input, options))
        const [expected, ...others] = results as [ScoredAudit, ...ScoredAudit[]]
        for (const other of others) expectAlike(other, expected)
      }
    }
  }, 120_000)

  it('models fitted on rows drawn from large classes: every row is scored, as where all are fitted on, however the set is held', async () => {
    const aided = planted({ seed: 14, rows: [1300, 900, 1100], features: 20, poison: { target: 0, source: 2, rate: 0.1, shift: 9 } })
    const set = { ...aided, trusted: trustedRows(aided, 150) }
    const drawing: AuditOptions = {
      backend,
      detectorOptions: {
        'activation-clustering': { restarts: 2, exactRows: 400 },
        'whitened-mixture': { fitRows: 700 },
        'exre-lite': { fitRows: 700 },
        spectre: { fitRows: 600 },
        scan: { fitRows: 500 },
        'knn-agreement': { exactRows: 1000, k: 20 },
      },
    }
    const results: ScoredAudit[] = []
    for (const { of } of blockings) results.push(await auditWith(holding(of, set)).auditWithScores(set, drawing))
    const [expected, ...others] = results as [ScoredAudit, ...ScoredAudit[]]
    for (const other of others) expectAlike(other, expected)
    for (const { id, status, reason } of expected.report.detectors) {
      expect(status).toBe('ran')
      if (id in (drawing.detectorOptions ?? {})) expect(reason, id).toMatch(/drawn by the seed/)
    }
    const whole = await auditWith(createContext).auditWithScores(set, { backend })
    expect(expected.report.classes.map(({ verdict }) => verdict)).toEqual(['poisoned', 'clean', 'clean'])
    expect(whole.report.classes.map(({ verdict }) => verdict)).toEqual(['poisoned', 'clean', 'clean'])
    const isTrue = (row: number) => set.poison[row] === 1
    for (const { report } of [whole, expected]) {
      expect(report.rows.flagged.filter(isTrue).length).toBeGreaterThan(0.9 * 130)
      expect(report.rows.flagged.filter((row) => !isTrue(row)).length).toBeLessThan(13)
      const { epsilon } = report.classes[0] as { epsilon: { low: number; high: number } }
      expect(epsilon.low).toBeLessThan(0.1)
      expect(epsilon.high).toBeGreaterThan(0.1)
    }
    // Scores of drawn and of all rows rank alike: a model of half of the rows is much the same model.
    for (const id of ['whitened-mixture', 'scan', 'spectre']) {
      const [a, b] = [whole, expected].map(({ detectorScores }) => detectorScores.get(id) as Float32Array) as [Float32Array, Float32Array]
      const inside = [...set.labels.keys()].filter((row) => set.labels[row] === 0)
      expect(
        correlation(
          inside.map((row) => a[row] as number),
          inside.map((row) => b[row] as number),
        ),
        id,
      ).toBeGreaterThan(0.9)
    }
  }, 120_000)
})

function correlation(a: number[], b: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [ofA, ofB] = [mean(a), mean(b)]
  const sum = (of: (x: number, y: number) => number) => a.reduce((total, value, i) => total + of(value - ofA, (b[i] as number) - ofB), 0)
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y))
}

/** A device that binds no more than WebGPU promises everywhere (128 MiB), or as much as the adapter can. */
function openGpu(limits: 'promised' | 'all'): ContextFactory {
  return async (options, onShare = () => undefined) => {
    const context = await createContext({ ...options, backend: 'cpu' })
    context[dispose]()
    const adapter = await (await openNodeGpu()).gpu?.requestAdapter()
    if (!adapter) throw new Error('there is an adapter, or this suite would have been skipped')
    const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits
    const device = await adapter.requestDevice(limits === 'all' ? { requiredLimits: { maxStorageBufferBindingSize, maxBufferSize } } : {})
    const backend = WebGpuBackend.on(device, limits)
    const choice = { name: 'webgpu', adapter: limits, reason: 'a test' } as const
    return { ...context, backend, choice, memory: 2 ** 32, progress: onShare, [dispose]: () => backend[dispose]() }
  }
}

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('beyond 128 MiB, which is what a buffer holds on any device', () => {
  it('both detectors on 250 classes, one 200 times as large as another: as on a device that binds it whole', async () => {
    const set = planted({
      seed: 10,
      rows: Array.from({ length: 250 }, (_, c) => (c === 100 ? 80_000 : 400 + ((c * 29) % 3200))),
      features: 64,
      poison: { target: 100, rate: 0.1, shift: 20 },
    })
    expect(set.activations.data.byteLength).toBeGreaterThan(128 * 2 ** 20)
    const options: AuditOptions = {
      detectors: ['spectral-signatures', 'activation-clustering'],
      detectorOptions: { 'activation-clustering': { restarts: 1, components: 2, exactRows: 100 } },
    }
    const expected = await auditWith(openGpu('all')).auditWithScores(set, options)
    expectAlike(await auditWith(openGpu('promised')).auditWithScores(set, options), expected)
  }, 300_000)
})

it('a report says where the activations were read again, and how much memory they might take', async () => {
  const set = planted({ seed: 12, rows: [9000, 100], features: 40 })
  const options: AuditOptions = { backend: 'cpu', threads: 2, detectors: ['spectral-signatures'] }
  const { audit } = auditWith(createContext)
  expect((await audit(set, { ...options, memory: 2 ** 21 })).backend.reason).toBe('asked for by name; 2 threads')
  expect((await audit(set, { ...options, memory: 2 ** 20 })).backend.reason).toBe(
    'asked for by name; 2 threads; the activations need 1.4 MiB and may take 1.0 MiB, so every pass read them again, in blocks of 1638 rows',
  )
})
