import type { ActivationSet, ClassInfo } from '../core/activation-set.js'
import type { BackendChoice } from '../core/backend.js'
import { fallingOrder } from '../core/falling-order.js'
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
      const own = new Float32Array(members.length)
      for (let i = 0; i < own.length; i++) own[i] = scores[members[i] as number] as number
      const suspicions = judged ? own.map(ofDeviation) : ranks(own, share)
      for (let i = 0; i < own.length; i++) {
        const row = members[i] as number
        combined[row] = Math.max(combined[row] as number, suspicions[i] as number)
      }
    }
  }
  return combined
}

const ofDeviation = (score: number) => (1 + score / (1 + Math.abs(score))) / 2

/** Each score's rank among all of them, times `share`. */
function ranks(scores: Float32Array, share: number): Float32Array {
  const out = new Float32Array(scores.length)
  const last = scores.length - 1
  const order = fallingOrder(scores)
  for (let first = 0, end: number; first < last; first = end) {
    end = first + 1
    while (end <= last && scores[order[end] as number] === scores[order[first] as number]) end++
    const rank = (share * (scores.length - end + (end - first - 1) / 2)) / last
    for (let at = first; at < end; at++) out[order[at] as number] = rank
  }
  return out
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
  /** By row, one more than its place among the rows that are accused. */
  const placeOf = new Uint32Array(set.activations.rows)
  /** By place. */
  const reasonsAt: string[][] = []
  const probabilityAt: (number | null)[] = []
  for (const { detector, reason, rows, probabilities } of conclusions.flatMap(({ accusations }) => accusations)) {
    const sentence = `${detector}: ${reason}`
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number
      const reasons = reasonsAt[(placeOf[row] as number) - 1]
      if (!reasons) {
        placeOf[row] = reasonsAt.push([sentence])
        probabilityAt.push(probabilities ? (probabilities[i] as number) : null)
      } else if (!reasons.includes(sentence)) reasons.push(sentence)
    }
  }
  const count = reasonsAt.length
  const scores = known ?? (count > 0 ? combinedScores(set, ran) : new Float32Array())
  const accused = new Uint32Array(count)
  const suspicion = new Float32Array(count)
  for (let row = 0, at = 0; at < count; row++) {
    if (placeOf[row] === 0) continue
    accused[at] = row
    suspicion[at++] = scores[row] as number
  }
  const flagged = Array.from(fallingOrder(suspicion), (at) => accused[at] as number)
  const reasons = flagged.map((row) => reasonsAt[(placeOf[row] as number) - 1] as string[])
  const probability = flagged.map((row) => probabilityAt[(placeOf[row] as number) - 1] as number | null)
  return { flagged, reasons, probability: count > 0 && probability.every((value) => value !== null) ? probability : null }
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
