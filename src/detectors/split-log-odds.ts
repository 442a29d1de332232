import { logBetaBinomial, logBinomial } from '../stats/binomial.js'
import type { ShapeSource, SplitEvidence } from './split-evidence.js'
import type { TrustedDrift } from './trusted-drift.js'

/** How the log odds come about: what each kind of evidence adds. */
export interface SplitOdds {
  /** Natural logarithm of the odds of planted against natural; their sum. */
  readonly logOdds: number
  /** Trusted rows: log10 of the likelihood ratio of a group that is no part of the clean class, −4 … 3; null where the class has none. */
  readonly trusted: number | null
  /** How much the group has the shape of one other class, 0 … 1. */
  readonly source: number
  /** Which evidence that does not look at the gap says by itself that the group was planted. */
  readonly agrees: { readonly trusted: boolean; readonly source: boolean }
  /** The group is a tighter blob than the weights were fitted to. */
  readonly isTight: boolean
  /** The side that trusted rows speak against is the rest, not the group. */
  readonly isRest: boolean
}

/** How much the group has the shape of another class. */
export type Shape = Pick<ShapeSource, 'aboveOwn' | 'aboveNext' | 'vote'>

/** Logistic weights, fitted with the signs held to divisions of clean and of poisoned classes: see docs/verdicts.md. */
const weights = {
  constant: -2.9,
  valley: -1.45,
  otherClass: -0.95,
  variance: 1.8,
  distinct: 2.25,
  trusted: 0.95,
  /** Beyond what is `rare`. */
  trustedBeyond: 2,
  source: 3.2,
  /** As well, of a group that lies `far` off. */
  sourceFar: 2,
  misfit: -2.45,
}

/** A share above which either side may be the planted one; above a lower one, where trusted rows tell. */
const large = 1 / 3
const notSmall = 0.1
/** ln of a variance ratio below which a blob is not held to be tighter: no natural group that the weights come from was. */
const tightest = -1.2
/** The same for the share of a group's rows that are no near-duplicates. */
const fewestDistinct = 0.2
/** Log10 likelihood ratio of the trusted rows, and weight of the source's shape, from which they are evidence of their own. */
const trustedAgrees = 1.5
const sourceAgrees = 0.5

/** The same from which it counts for more: hardly any natural group has as few of the trusted rows. */
const rare = 1
/** And from which that rows are mispredicted explains no more, or that they are near-duplicates where as many as `enoughDistinct` are not. */
const sure = 2
const enoughDistinct = 100
/**
 * Standard deviations between which the source's shape comes to count for more: close to the rest, rows that look like another class are mostly the
 * hard ones of this; far off, hardly any natural group does.
 */
const far = { from: 5, to: 8 }
/** The same below which they speak against a source. */
const trustedDenies = -0.3

/**
 * Whether a source is clear: its shape fits better than any other class's, not much worse than their own, and a good part of the rows lie towards
 * it; which means little with fewer than four other classes.
 */
const isClear = ({ aboveOwn, aboveNext, vote }: Shape, others: number) =>
  others >= fewestOthers && aboveOwn >= -5 && aboveNext >= 2 && vote >= 0.3
const fewestOthers = 4

/**
 * Whether the group lies as far off as another class, and no prediction says that the model has brought it to this one: two classes under one
 * label look like that, whatever shape the second has.
 */
const isElsewhere = ({ largestOther, misfits }: SplitEvidence) => largestOther >= asFarAsAClass && !(misfits && misfits.group <= fewMisfits)
const asFarAsAClass = 0.9
const fewMisfits = 0.1

/** More misfits than this say no more. */
const mostMisfits = 0.3

/**
 * Log odds that one side of a division was planted, from evidence of six kinds:
 *
 * - valley: natural groups have rows between them. Held-out rows between the two sides against those beyond;
 * - other classes: rows that lie where another class lies are hard, not planted;
 * - near-duplicates count once, and a tight blob (a video's frames) is less telling than a group as wide as the class;
 * - trusted rows: a natural group has its share of them, a planted one has none;
 * - source: rows that a trigger has moved keep the shape of the class they were taken from;
 * - predictions: a model that has learnt a trigger predicts what its rows are labelled. Rows that are hard, or labelled wrongly by chance, it
 *   often does not.
 *
 * Near-duplicates and predictions are reasons for a natural group to lie apart; trusted rows that are clearly missing leave little room for one:
 * for many copies of a few rows, which come in bunches, but not for rows by the hundred.
 */
export function splitOdds(evidence: SplitEvidence, source: Shape | null, drift: TrustedDrift): SplitOdds {
  const distinct = clamp(evidence.distinct / Math.max(evidence.groupRows, 1), fewestDistinct, 1)
  const valley = Math.log((evidence.between * distinct + 0.5) / (evidence.beyond * distinct + 0.5))
  const { ratio, isRest } = trustedRatio(evidence, drift)
  const besideRest = evidence.others * (1 - evidence.meanOther)
  const besideEither = evidence.share > large ? Math.min(evidence.largestOther, besideRest) : evidence.largestOther
  const otherClass = isRest ? Math.min(besideRest, 1) : besideEither
  const variance = clamp(Math.log(Math.max(evidence.varianceRatio, 1e-6)), tightest, 0)
  const shape = source ? clamp(Math.min(source.aboveOwn + 5, source.aboveNext) / 10, 0, 1) : 0
  const isFar = isRest ? 0 : clamp((evidence.separation - far.from) / (far.to - far.from), 0, 1)
  const misfits = evidence.misfits ? (isRest ? evidence.misfits.rest : evidence.misfits.group) : 0
  const w = weights
  const overruled = clamp(((ratio ?? 0) - rare) / (sure - rare), 0, 1)
  const tightness = Math.log(distinct) + overruled * Math.log(clamp(evidence.distinct / enoughDistinct, distinct, 1) / distinct)
  const logOdds =
    w.constant +
    w.valley * valley +
    w.otherClass * otherClass +
    w.variance * variance +
    w.trusted * (ratio ?? 0) +
    w.trustedBeyond * Math.max(0, (ratio ?? 0) - rare) +
    (w.source + w.sourceFar * isFar) * shape +
    w.distinct * tightness +
    (w.misfit * (1 - overruled) * Math.min(misfits, mostMisfits)) / mostMisfits
  const agrees = {
    trusted: ratio !== null && ratio >= trustedAgrees,
    source:
      source !== null &&
      !isRest &&
      (ratio ?? 0) > trustedDenies &&
      !isElsewhere(evidence) &&
      (shape >= sourceAgrees || isClear(source, evidence.others)),
  }
  return { logOdds, trusted: ratio, source: shape, agrees, isTight: variance === tightest || distinct === fewestDistinct, isRest }
}

/**
 * log10 of the likelihood of so few trusted rows beyond the middle where the group is no part of the clean class, Beta(½, 50), over that where
 * it is a natural one whose share strays as `drift` says, and no closer than the rows of the group that are not near-duplicates allow.
 * Where the group is large, both sides are looked at.
 */
function trustedRatio(
  { trustedRows, trustedBeyond, share, distinct }: SplitEvidence,
  drift: TrustedDrift,
): { ratio: number | null; isRest: boolean } {
  if (trustedRows === 0) return { ratio: null, isRest: false }
  const natural = clamp(share, 1e-4, 1 - 1e-4)
  const inGroup = Math.round(trustedBeyond)
  const ofGroup = ratioOf(inGroup, trustedRows, { share: natural, drift, most: Math.max(distinct, 0.5) })
  const ofRest =
    natural > notSmall
      ? ratioOf(trustedRows - inGroup, trustedRows, { share: 1 - natural, drift, most: Number.POSITIVE_INFINITY })
      : Number.NEGATIVE_INFINITY
  return { ratio: clamp(Math.max(ofGroup, ofRest), -4, 3), isRest: ofRest > ofGroup }
}

function ratioOf(k: number, n: number, { share, drift, most }: { share: number; drift: TrustedDrift; most: number }): number {
  const planted = logBetaBinomial(k, n, 0.5, 50)
  // No fewer than a natural group has: at best no evidence, however its share may have strayed.
  if (k / n >= share * 0.999) return Math.min(0, planted - logBinomial(k, n, k / n)) / Math.LN10
  const natural = drift.strengths.reduce((sum, strength, i) => {
    const a = Math.min(strength, most)
    return sum + (drift.weights[i] as number) * Math.exp(logBetaBinomial(k, n, a, (a * (1 - share)) / share))
  }, 0)
  return (planted - Math.log(natural)) / Math.LN10
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high)
