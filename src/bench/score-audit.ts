import type { ActivationSet } from '../core/activation-set.js'
import type { ClassReport, ClassVerdict } from '../report/schema.js'
import { decideRows, isAccused, isUndecided } from '../sanitize/decide-rows.js'
import { auroc } from '../stats/auroc.js'
import { confusion } from '../stats/confusion.js'
import type { AuditScore, SanitizeScore } from './bench-report.js'
import type { ConcludedAudit } from './run-audit.js'
import type { Truth } from './truth.js'

const removeFlagged = { remove: 'flagged', relabel: false, signal: undefined } as const

/** Holds what an audit says against the truth; a figure that needs poison is null for a clean set. Pure. */
export function scoreAudit(set: ActivationSet, truth: Truth, { report, scores }: ConcludedAudit): AuditScore {
  const { target, poisoned } = truth
  const holdsPoison = new Uint8Array(set.classes.length)
  for (const [row, c] of set.classOf.entries()) if (poisoned[row]) holdsPoison[c] = 1
  const accused = report.classes.filter(isAccused)
  const cleanClasses: Record<ClassVerdict, number> = { clean: 0, multimodal: 0, suspicious: 0, poisoned: 0, inconclusive: 0 }
  for (const [c, { verdict }] of report.classes.entries()) if (!holdsPoison[c]) cleanClasses[verdict]++
  const isFlagged = new Uint8Array(poisoned.length)
  for (const row of report.rows.flagged) isFlagged[row] = 1
  const inTarget = target ? set.order.subarray(set.starts[target.index], set.starts[target.index + 1]) : new Uint32Array(0)
  const ofTarget = (values: ArrayLike<number>) => Float32Array.from(inTarget, (row) => values[row] as number)
  const rates = confusion(ofTarget(poisoned), ofTarget(isFlagged))
  const said = target ? (report.classes[target.index] as ClassReport) : null
  // Scores of a class that no detector judged are all 0, which would read as chance.
  const wasJudged = said !== null && said.evidence.length > 0
  return {
    withTrusted: set.trusted !== null,
    verdict: report.verdict,
    targetVerdict: said?.verdict ?? null,
    accused: accused.map(({ label }) => label),
    wronglyAccused: report.classes.filter((entry, c) => isAccused(entry) && !holdsPoison[c]).map(({ label }) => label),
    cleanClasses,
    auroc: wasJudged ? auroc(ofTarget(scores), ofTarget(poisoned)) : null,
    aurocOfAll: wasJudged ? auroc(scores, poisoned) : null,
    tpr: rates.truePositiveRate,
    fpr: rates.falsePositiveRate,
    fprOfAll: confusion(poisoned, isFlagged).falsePositiveRate,
    epsilon: target && said?.epsilon ? { ...said.epsilon, covers: holds(said.epsilon, target.epsilon) } : null,
    minDetectableEpsilon: said?.minDetectableEpsilon ?? null,
    sourceLabel: said?.sourceLabel ?? null,
    sanitize: sanitizeScore(set, truth, report),
  }
}

const holds = ({ low, high }: { readonly low: number; readonly high: number }, value: number) => low <= value && value <= high

function sanitizeScore(set: ActivationSet, { poisoned }: Truth, report: ConcludedAudit['report']): SanitizeScore {
  const { drop } = decideRows(set, report, removeFlagged)
  const removedPoison = drop.reduce((sum, row) => sum + (poisoned[row] ? 1 : 0), 0)
  const poisonedRows = poisoned.reduce((sum, value) => sum + (value ? 1 : 0), 0)
  return {
    outcome: isUndecided(set, report, removeFlagged) ? 'undecided' : drop.length > 0 ? 'cleaned' : 'unchanged',
    removedRows: drop.length,
    poisonedRows,
    poisonLeft: poisonedRows - removedPoison,
    cleanLost: drop.length - removedPoison,
  }
}
