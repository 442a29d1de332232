import { type ActivationSet, type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import type { ClassFinding, DetectorResult, RanFinding } from '../../src/core/result.js'
import { buildReport, type ReportParts } from '../../src/report/build.js'
import type { Report } from '../../src/report/schema.js'
import { concludeClasses } from '../../src/verdict/class-verdicts.js'

/** A set of one feature with the given labels. */
export function handMadeSet(labels: ActivationSetInput['labels'], classNames?: ActivationSetInput['classNames']): ActivationSet {
  const rows = labels.length
  return toActivationSet({ activations: { data: new Float32Array(rows), rows, cols: 1 }, labels, classNames })
}

export function ranFinding(accused: readonly number[] | null = null, rest: Partial<RanFinding> = {}): RanFinding {
  const rows = Uint32Array.from(accused ?? [])
  const accusation = accused && { rows, reason: 'its activations stand apart' }
  return { status: 'ran', statistic: 1.5, threshold: 1, pValue: null, says: 'two groups', flagged: rows, accusation, ...rest }
}

export const skippedFinding = (reason = '3 rows, needs at least 20'): ClassFinding => ({ status: 'skipped', reason })

export function ranResult(id: string, scores: readonly number[], classes: readonly ClassFinding[]): DetectorResult {
  return { status: 'ran', id, scores: Float32Array.from(scores), classes }
}

export function handMadeReport(set: ActivationSet, results: readonly DetectorResult[], rest: Partial<ReportParts> = {}): Report {
  return buildReport({
    set,
    results,
    conclusions: concludeClasses(set, results, { falseAccusationRate: 0.01 }),
    choice: { name: 'cpu', adapter: 'plain TypeScript, 1 thread', reason: 'the webgpu package is not installed' },
    tool: { name: 'assay', version: '0.1.0' },
    seed: 7,
    options: { detectors: results.map(({ id }) => id) },
    digest: 'ab'.repeat(32),
    files: [{ name: 'activations.npy', sha256: 'cd'.repeat(32) }],
    timings: { readMs: 1.5, computeMs: 20, detectors: Object.fromEntries(results.map(({ id }) => [id, 10])) },
    ...rest,
  })
}

/** 43 traffic signs: class 7 is accused, class 41 has too few rows. */
export function trafficSignReport(): Report {
  const labels = Array.from({ length: 43 }, (_, label) => Array<number>(label === 41 ? 3 : 100 + 20 * label).fill(label)).flat()
  const names = Array.from({ length: 43 }, (_, label) => (label === 7 ? 'speed limit 60' : label === 14 ? 'stop' : `sign ${label}`))
  const set = handMadeSet(labels, names)
  const accused = [...set.order.subarray(set.starts[7], set.starts[8])].slice(0, 24)
  const scores = labels.map((_, row) => ((row * 7919) % 1000) / 1000 + (accused.includes(row) ? 1 : 0))
  const spectral = set.classes.map(({ label }) =>
    label === 41
      ? skippedFinding()
      : ranFinding(null, {
          statistic: label === 7 ? 12.345 : 2.1,
          threshold: null,
          says: `the top direction holds ${label === 7 ? 61 : 9} % of the variance`,
        }),
  )
  const clustering = set.classes.map(({ label }) =>
    label === 41
      ? skippedFinding()
      : label === 7
        ? ranFinding(accused, {
            statistic: 0.4321,
            threshold: 0.1,
            says: 'two clusters lie well apart, and the smaller one holds 24 of 240 rows (10 %); its rows may have been planted',
          })
        : ranFinding(null, { statistic: 0.05, threshold: 0.1, says: 'no smaller cluster stands apart' }),
  )
  return handMadeReport(set, [ranResult('spectral-signatures', scores, spectral), ranResult('activation-clustering', scores, clustering)])
}
