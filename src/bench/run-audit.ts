import type { ActivationSet } from '../core/activation-set.js'
import type { Context } from '../core/backend.js'
import type { DeviceSet } from '../core/device-set.js'
import type { DetectorResult } from '../core/result.js'
import { detectOrFail } from '../detectors/detector.js'
import type { Selected } from '../detectors/select.js'
import { buildReport, combinedScores } from '../report/build.js'
import type { Report } from '../report/schema.js'
import { concludeClasses } from '../verdict/class-verdicts.js'
import { version } from '../version.js'

export interface RanDetectors {
  /** Parallel to the plan. */
  readonly results: readonly DetectorResult[]
  readonly elapsedMs: readonly number[]
}

/** Runs the detectors of a plan one after the other, each with the streams that it has in an audit. */
export async function runDetectors(context: Context, set: DeviceSet, plan: readonly Selected[]): Promise<RanDetectors> {
  const results: DetectorResult[] = []
  const elapsedMs: number[] = []
  for (const { detector, options } of plan) {
    const began = performance.now()
    results.push(await detectOrFail(context, set, { detector, options }))
    elapsedMs.push(performance.now() - began)
  }
  return { results, elapsedMs }
}

export interface ConcludedAudit {
  /** As `audit` gives it, but for digest, files, options and timings, which stay empty. */
  readonly report: Report
  /** `[n]` combined scores. */
  readonly scores: Float32Array
}

interface Found {
  readonly results: readonly DetectorResult[]
  readonly falseAccusationRate: number
}

/** What an audit concludes from results: one run of the detectors serves several rates. */
export function concludeAudit(
  { choice, seed }: Pick<Context, 'choice' | 'seed'>,
  set: ActivationSet,
  { results, falseAccusationRate }: Found,
): ConcludedAudit {
  const report = buildReport({
    set,
    results,
    conclusions: concludeClasses(set, results, { falseAccusationRate }),
    choice,
    tool: { name: 'assay', version },
    seed,
    options: {},
    digest: '',
    files: [],
    timings: { readMs: 0, computeMs: 0, detectors: {} },
  })
  return { report, scores: combinedScores(set, results) }
}
