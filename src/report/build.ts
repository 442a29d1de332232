import type { ActivationSet, ClassInfo } from '../core/activation-set.js'
import type { BackendChoice } from '../core/backend.js'
import type { ClassConclusion, DetectorResult } from '../core/result.js'
import { showText } from '../core/untrusted-text.js'
import type { Testimony } from '../core/witness.js'
import type { ClassReport, Report, ReportVerdict } from './schema.js'

/** Undecided classes may hold this share of the rows before they make the whole audit undecided. */
const MAX_UNDECIDED_SHARE = 0.05
/** Skipped classes that a detector's reason names one by one. */
const LISTED_SKIPS = 5

/** What a report is made of. */
export interface ReportParts {
  readonly set: ActivationSet
  /** One per detector that was asked for, in order. */
  readonly results: readonly DetectorResult[]
  /** One per class of the set. */
  readonly conclusions: readonly ClassConclusion[]
  /** What was heard from the model; null or absent where it was not asked. */
  readonly hearing?: Readonly<Report['detectors'][number]> | null
  readonly choice: BackendChoice
  readonly tool: Readonly<Report['tool']>
  readonly seed: number
  /** The options in effect that can change a result. */
  readonly options: Readonly<Record<string, unknown>>
  readonly digest: string
  /** What `combinedScores` gave of `results`, where it is known already. */
  readonly scores?: Float32Array
  readonly files: readonly Readonly<Report['input']['files'][number]>[]
  readonly timings: Readonly<Report['timings']>
}

type RanResult = Extract<DetectorResult, { status: 'ran' }>

/** Gathers what the detectors found, and what was concluded from it, into a report. Pure: no clock, no randomness, nothing passed in is changed. */
export function buildReport(parts: ReportParts): Report {
  const { set, results, conclusions, hearing, choice, tool, seed, options, digest, files, timings } = parts
  const ran = results.filter((result) => result.status === 'ran')
  const classes = set.classes.map((info, index) =>
    reportClass(set, { info, index, ran, conclusion: conclusions[index] as ClassConclusion }),
  )
  const detectors = results.map((result) => reportDetector(result, set.classes))
  return {
    schemaVersion: 1,
    tool: { name: tool.name, version: tool.version },
    input: {
      rows: set.activations.rows,
      features: set.activations.cols,
      classes: set.classes.length,
      digest,
      files: files.map(({ name, sha256 }) => ({ name, sha256 })),
    },
    backend: { name: choice.name, adapter: choice.adapter, reason: choice.reason },
    seed,
    options: { ...options },
    verdict: overallVerdict(classes, detectors),
    classes,
    rows: reportRows(parts, ran),
    detectors: hearing ? [...detectors, { id: hearing.id, status: hearing.status, reason: hearing.reason }] : detectors,
    timings: { readMs: timings.readMs, computeMs: timings.computeMs, detectors: { ...timings.detectors } },
  }
}

/** The verdict over all classes. An undecided class, or a detector that said nothing, never reads as clean. */
export function overallVerdict(
  classes: readonly Pick<ClassReport, 'verdict' | 'rows'>[],
  detectors: readonly Pick<Report['detectors'][number], 'status'>[],
): ReportVerdict {
  if (classes.some(({ verdict }) => verdict === 'poisoned')) return 'poisoned'
  if (classes.some(({ verdict }) => verdict === 'suspicious')) return 'suspicious'
  let rows = 0
  let undecided = 0
  for (const entry of classes) {
    rows += entry.rows
    if (entry.verdict === 'inconclusive') undecided += entry.rows
  }
  const mute = detectors.every(({ status }) => status === 'skipped') || detectors.some(({ status }) => status === 'failed')
  return mute || undecided > MAX_UNDECIDED_SHARE * rows ? 'inconclusive' : 'clean'
}

/**
 * One suspicion per row, `[n]`, in [0, 1], comparable across classes. In a class that a detector with scores in standard deviations judged
 * it is the largest of those scores s, as (1 + s/(1 + |s|))/2: 0.5 is the middle of what counts as clean, 0.9 is four deviations off.
 *
 * In other classes it is the largest of the detectors' ranks of the row within its class, halved where the set has classes of the first
 * kind, since every class has a row of the highest rank. Rank = (rows with a lower score + half of the other rows with the same score) /
 * (rows − 1). A class of one row, and a class that no detector ran on, gets 0.
 */
export function combinedScores(set: ActivationSet, results: readonly DetectorResult[]): Float32Array {
  const ran = results.flatMap((result) => (result.status === 'ran' ? [result] : []))
  const inDeviations = ran.filter(({ unit }) => unit === 'standard deviations')
  const isJudged = (c: number) => inDeviations.some(({ classes }) => classes[c]?.status === 'ran')
  const share = set.classes.some((_, c) => isJudged(c)) ? 0.5 : 1
  const combined = new Float32Array(set.activations.rows)
  for (let c = 0; c < set.classes.length; c++) {
    const members = set.order.subarray(set.starts[c], set.starts[c + 1])
    const judged = isJudged(c)
    for (const { scores, classes } of judged ? inDeviations : ran) {
      if (classes[c]?.status !== 'ran') continue
      const of = judged ? deviationOf(scores) : rankOf(scores, members, share)
      for (const row of members) combined[row] = Math.max(combined[row] as number, of(row))
    }
  }
  return combined
}

function deviationOf(scores: Float32Array): (row: number) => number {
  return (row) => {
    const score = scores[row] as number
    return (1 + score / (1 + Math.abs(score))) / 2
  }
}

function rankOf(scores: Float32Array, members: Uint32Array, share: number): (row: number) => number {
  if (members.length < 2) return () => 0
  const sorted = Float32Array.from(members, (row) => scores[row] as number).sort()
  return (row) => {
    const score = scores[row] as number
    const lower = countBelow(sorted, score)
    let ties = 0
    while (sorted[lower + ties + 1] === score) ties++
    return (share * (lower + ties / 2)) / (members.length - 1)
  }
}

interface Concluded {
  readonly info: ClassInfo
  readonly index: number
  readonly ran: readonly RanResult[]
  readonly conclusion: ClassConclusion
}

function reportClass(set: ActivationSet, { info, index, ran, conclusion }: Concluded): ClassReport {
  const { label, name, rows } = info
  const { verdict, pValue, epsilon, minDetectableEpsilon, sourceClass, says: concluded, testimony } = conclusion
  const evidence: ClassReport['evidence'] = []
  for (const { id, classes } of ran) {
    const finding = classes[index]
    if (finding?.status !== 'ran') continue
    const { statistic, threshold, split } = finding
    // The p-value of a class is that of the division the verdict rests on.
    const isDivision = split !== undefined
    const says = isDivision && concluded !== null ? `${finding.says}; ${concluded}` : finding.says
    evidence.push({ detector: id, statistic, pValue: isDivision ? pValue : finding.pValue, threshold, says })
  }
  if (testimony) evidence.push(evidenceOf(testimony))
  return {
    label,
    name,
    rows,
    verdict,
    pValue,
    epsilon: epsilon && { ...epsilon },
    minDetectableEpsilon,
    sourceLabel: sourceClass === null ? null : (set.classes[sourceClass]?.label ?? null),
    evidence,
  }
}

function evidenceOf({ inputs, sent, sentByMatched, pValue, mark }: Testimony): ClassReport['evidence'][number] {
  const says = `${mark} leads the model to this class on ${sent} of ${inputs} inputs of other classes; the same of other rows of the class: ${sentByMatched}`
  return { detector: 'causal-test', statistic: (sent - sentByMatched) / inputs, pValue, threshold: null, says }
}

function reportRows({ set, conclusions, scores: known }: ReportParts, ran: readonly RanResult[]): Report['rows'] {
  const found = new Map<number, { reasons: string[]; probability: number | null }>()
  for (const { detector, reason, rows, probabilities } of conclusions.flatMap(({ accusations }) => accusations)) {
    const sentence = `${detector}: ${reason}`
    for (const [i, row] of [...rows].entries()) {
      const before = found.get(row)
      if (!before) found.set(row, { reasons: [sentence], probability: probabilities ? (probabilities[i] as number) : null })
      else if (!before.reasons.includes(sentence)) before.reasons.push(sentence)
    }
  }
  const scores = known ?? (found.size > 0 ? combinedScores(set, ran) : new Float32Array())
  const flagged = [...found.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
  const probability = flagged.map((row) => found.get(row)?.probability ?? null)
  return {
    flagged,
    reasons: flagged.map((row) => found.get(row)?.reasons as string[]),
    probability: flagged.length > 0 && probability.every((value) => value !== null) ? probability : null,
  }
}

/** A detector that ran may still have skipped classes; the reason says so, because an empty evidence list alone would not say why. */
function reportDetector(result: DetectorResult, classes: readonly ClassInfo[]): Report['detectors'][number] {
  const { id, status } = result
  if (status !== 'ran') return { id, status, reason: result.reason }
  const skips: string[] = []
  let skipped = 0
  for (const [index, finding] of result.classes.entries()) {
    if (finding.status !== 'skipped') continue
    skipped++
    if (skips.length >= LISTED_SKIPS) continue
    const reason = showText(finding.reason, 200)
    const name = `class ${showText(classes[index]?.label, 40)}`
    skips.push(reason.startsWith(name) ? reason : `${name}: ${reason}`)
  }
  const of = classes.length === 1 ? '1 class' : `${classes.length} classes`
  const sampled = result.sampled === undefined ? '' : `; ${result.sampled}`
  if (skipped === 0) return { id, status, reason: `${classes.length === 1 ? 'ran on the only class' : `ran on all ${of}`}${sampled}` }
  const more = skipped > skips.length ? `; and ${skipped - skips.length} more` : ''
  return { id, status, reason: `ran on ${classes.length - skipped} of ${of}${sampled}; skipped ${skips.join('; ')}${more}` }
}

/** How many of the sorted values are less than `value`. */
function countBelow(sorted: Float32Array, value: number): number {
  let start = 0
  let end = sorted.length
  while (start < end) {
    const middle = (start + end) >>> 1
    if ((sorted[middle] as number) >= value) end = middle
    else start = middle + 1
  }
  return start
}
