import type { ActivationSet } from '../core/activation-set.js'
import type { ClassConclusion, DetectorResult, RanFinding, SplitFinding } from '../core/result.js'
import { showText } from '../core/untrusted-text.js'
import type { Testimony } from '../core/witness.js'
import { classPValue, logOddsAt } from './class-p-value.js'
import { holm } from './holm.js'
import { isStrong } from './testimony.js'

/** Weight of the source's shape from which a class is poisoned without trusted rows that say so. */
const sourceIsSure = 0.5
/** Of the trusted rows, from which a tight group is natural. */
const trustedClears = -0.5
/** The same weight from which a group that is not accused is not called natural either. */
const sourceStands = 0.8
/** And from which a group far off is not called natural: ten to one. */
const trustedDoubts = 1
/** Two natural groups that lie this many standard deviations apart are called so: three on either side. */
const apart = 6
/** A tight group that lies as far as this is not called natural without trusted rows that say so. */
const farApart = 10
/** Classes whose adjusted p-value is at most so many times the rate are not cleared either, nor those whose own is at most this share of it. */
const nearRate = 3
const nearOwn = 0.3

/** The same of classes that fall into halves which no trusted rows tell apart: either may be planted, and half of a class is much. */
const halves = 0.05
const twoHalves = 'two halves: poison or a merged label; trusted rows would tell'

type RanResult = Extract<DetectorResult, { status: 'ran' }>

/**
 * A verdict for every class. Decided by the log odds that a part of the class was planted (`splitOdds`): their p-values are adjusted
 * by Holm's method to a family-wise `falseAccusationRate`.
 *
 * - accused: p ≤ rate, and a kind of evidence agrees that does not look at the gap: trusted rows are missing from the part, it has the
 *   shape of one other class, or the model's testimony is strong (`isStrong`). `poisoned`, or `suspicious` where that is only just enough to name the class;
 * - not accused, but near it (p ≤ three times the rate, or before adjusting ≤ 0.3 times), or a group, two halves or a tight group far off that nothing tells from natural ones: `inconclusive`;
 * - a second group far off: `multimodal`, but `inconclusive` where it has the very shape of another class or lacks trusted rows at ten to one;
 *   otherwise `clean`.
 *
 * The source class is the one that the dividing detector names by the shape of the part, else the one that another detector names.
 *
 * Where no detector divides classes, a detector's own accusation makes a class `suspicious`, at no stated rate, and its silence proves nothing.
 */
export function concludeClasses(
  set: ActivationSet,
  results: readonly DetectorResult[],
  { falseAccusationRate, testimonies = new Map() }: { falseAccusationRate: number; testimonies?: ReadonlyMap<number, Testimony> },
): ClassConclusion[] {
  const ran = results.filter((result) => result.status === 'ran')
  const divides = ran.find(({ classes }) => classes.some((finding) => finding.status === 'ran' && finding.split !== undefined))
  if (!divides) return set.classes.map((_, c) => byAccusation(ran, c))
  const judged = divides.classes.flatMap((finding, c) => (finding.status === 'ran' && finding.split !== undefined ? [{ c, finding }] : []))
  const pValues = judged.map(({ finding }) => classPValue(finding.statistic))
  const adjusted = holm(pValues)
  const conclusions = set.classes.map(() => undecided)
  for (const [i, { c, finding }] of judged.entries()) {
    const testimony = testimonies.get(c)
    const rate = falseAccusationRate
    const conclusion = conclude(set, {
      c,
      id: divides.id,
      finding,
      pValue: pValues[i] as number,
      adjusted: adjusted[i] as number,
      rate,
      modelAgrees: testimony !== undefined && isStrong(testimony, { rate, asked: testimonies.size }),
      least: logOddsAt(falseAccusationRate / judged.length),
      source: finding.split?.source?.classIndex ?? sourceNamed(ran, c),
    })
    conclusions[c] = testimony ? { ...conclusion, testimony } : conclusion
  }
  return conclusions
}

interface Judged {
  readonly c: number
  readonly id: string
  readonly finding: RanFinding
  readonly pValue: number
  readonly adjusted: number
  readonly rate: number
  /** Whether the model's testimony is strong. */
  readonly modelAgrees: boolean
  /** Log odds from which the class would be accused. */
  readonly least: number
  /** The class that suspected rows seem to be taken from. */
  readonly source: number | null
}

function conclude(set: ActivationSet, judged: Judged): ClassConclusion {
  const { c, id, finding, pValue, adjusted, rate, modelAgrees, least, source: sourceClass } = judged
  const split = finding.split ?? null
  const minDetectableEpsilon = split ? detectable(split, (set.classes[c] as { rows: number }).rows, least) : null
  const base = { pValue, minDetectableEpsilon, sourceClass: null, accusations: [], says: null }
  const none = { ...base, epsilon: { estimate: 0, low: 0, high: minDetectableEpsilon ?? 1 } }
  if (!split) return { ...none, verdict: 'clean' }
  const open = { ...base, verdict: 'inconclusive', epsilon: { estimate: 0, low: 0, high: split.share.high } } as const
  const isUnknown = split.isTight && split.separation >= farApart && !(split.trusted !== null && split.trusted <= trustedClears)
  if (adjusted > rate && isUnknown)
    return { ...open, says: 'a tight group far from the rest: near-duplicates, or planted copies; look at it' }
  const isNear = adjusted <= nearRate * rate || pValue <= nearOwn * rate
  if (!isNear) {
    const says = doubtOf(split, pValue)
    return says === null ? { ...none, verdict: split.separation >= apart ? 'multimodal' : 'clean' } : { ...open, says }
  }
  if (adjusted > rate) return { ...open, says: 'not accused, but too near to it to be cleared' }
  const { trusted, source } = split.agrees
  if (split.isHalf && !trusted && !modelAgrees) return { ...open, says: twoHalves }
  if (!trusted && !source && !modelAgrees) {
    return { ...open, says: 'a group of its own, but neither trusted rows nor the shape of another class say that it was planted' }
  }
  const sourceName = sourceClass === null ? undefined : set.classes[sourceClass]
  const reason = [
    `${split.suspects.length} rows of class ${showText(set.classes[c]?.label, 60)} form a group of their own, with a gap between it and the rest`,
    ...(trusted ? ['none or too few of the trusted rows lie there'] : []),
    ...(sourceName ? [`they resemble class ${showText(sourceName.label, 60)} more than any other, and seem to be taken from it`] : []),
    ...(modelAgrees ? ['what sets them apart leads the model to the class on inputs of other classes'] : []),
  ].join('; ')
  const planted = 1 / (1 + Math.exp(-finding.statistic))
  return {
    ...base,
    verdict: trusted || modelAgrees || (split.source?.weight ?? 0) >= sourceIsSure ? 'poisoned' : 'suspicious',
    epsilon: split.share,
    sourceClass,
    accusations: [{ detector: id, reason, rows: split.suspects, probabilities: split.posteriors.map((posterior) => planted * posterior) }],
  }
}

/** Why a class that is nowhere near to being accused is not cleared either; null where it is. */
function doubtOf({ separation, source, trusted, isHalf }: SplitFinding, pValue: number): string | null {
  if (separation >= apart && (source?.weight ?? 0) >= sourceStands)
    return 'a group far from the rest with the shape of another class, too small or too blurred to be accused'
  if (separation >= apart && (trusted ?? 0) >= trustedDoubts)
    return 'a group far from the rest where hardly any trusted rows lie: planted, or not among the trusted rows; look at it'
  return isHalf && pValue <= halves ? twoHalves : null
}

const undecided: ClassConclusion = {
  verdict: 'inconclusive',
  pValue: null,
  epsilon: null,
  minDetectableEpsilon: null,
  sourceClass: null,
  accusations: [],
  says: null,
}

/** The source that another detector names, the first that does. */
function sourceNamed(ran: readonly RanResult[], c: number): number | null {
  for (const { classes } of ran) {
    const finding = classes[c]
    if (finding?.status === 'ran' && typeof finding.sourceClass === 'number') return finding.sourceClass
  }
  return null
}

function byAccusation(ran: readonly RanResult[], c: number): ClassConclusion {
  const accusations = ran.flatMap(({ id, classes }) => {
    const finding = classes[c]
    return finding?.status === 'ran' && finding.accusation ? [{ detector: id, ...finding.accusation, probabilities: null }] : []
  })
  return accusations.length > 0 ? { ...undecided, verdict: 'suspicious', accusations } : undecided
}

/** How many times the rows that just would do are promised: trusted rows and valleys differ from what they are on average. */
const promised = 1.5

/** The smallest share that would be accused if it lay well apart, with some to spare, at most half; null where none would. */
function detectable({ attainable }: SplitFinding, rows: number, least: number): number | null {
  const smallest = attainable.find(({ logOdds }) => logOdds >= least)
  return smallest ? Math.min((promised * smallest.rows) / rows, 0.5) : null
}
