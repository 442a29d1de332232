import type { ActivationSet } from '../core/activation-set.js'
import type { DetectorResult } from '../core/result.js'
import { auroc } from '../stats/auroc.js'
import { confusion } from '../stats/confusion.js'
import { tprAtFpr } from '../stats/tpr-at-fpr.js'
import type { DetectorScore } from './bench-report.js'
import type { Truth } from './truth.js'

export type ScoreOrReason =
  | ({ readonly status: 'ran' } & DetectorScore)
  | { readonly status: 'skipped' | 'failed'; readonly reason: string }

/**
 * Holds a detector's answer against the truth: inside the target class of a poisoned set, over all rows of a clean one. A target class
 * that the detector skipped is `skipped` here too: its scores say nothing. Pure.
 */
export function scoreScenario(set: ActivationSet, truth: Truth, result: DetectorResult): ScoreOrReason {
  if (result.status !== 'ran') return { status: result.status, reason: result.reason }
  const { target } = truth
  const finding = target ? result.classes[target.index] : undefined
  if (finding?.status === 'skipped') return { status: 'skipped', reason: finding.reason }
  const isFlagged = new Uint8Array(set.activations.rows)
  for (const found of result.classes) if (found.status === 'ran') for (const row of found.flagged) isFlagged[row] = 1
  const rows = target ? set.order.subarray(set.starts[target.index], set.starts[target.index + 1]) : set.order
  const poisoned = Uint8Array.from(rows, (row) => truth.poisoned[row] as number)
  const flagged = Uint8Array.from(rows, (row) => isFlagged[row] as number)
  const scores = Float32Array.from(rows, (row) => result.scores[row] as number)
  const { truePositives, falsePositives, falseNegatives, truePositiveRate, falsePositiveRate } = confusion(poisoned, flagged)
  const accused = result.classes.flatMap((found, c) => (found.status === 'ran' && found.accusation ? [c] : []))
  return {
    status: 'ran',
    auroc: auroc(scores, poisoned),
    tprAt1PercentFpr: tprAtFpr(scores, poisoned, 0.01),
    tprAt5PercentFpr: tprAtFpr(scores, poisoned, 0.05),
    tpr: truePositiveRate,
    fpr: falsePositiveRate,
    flaggedRows: truePositives + falsePositives,
    flaggedShare: (truePositives + falsePositives) / rows.length,
    poisonedLeft: target ? falseNegatives : null,
    statistic: finding?.status === 'ran' ? finding.statistic : null,
    accused: accused.map((c) => (set.classes[c] as ActivationSet['classes'][number]).label),
    targetAccused: target ? accused.includes(target.index) : null,
  }
}
