import * as z from 'zod/mini'
import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding, RanFinding } from '../core/result.js'
import { earlyGram } from '../kernels/gram.js'
import { fewestRows } from '../linalg/class-split.js'
import { dot } from '../linalg/moments.js'
import { binomialInterval } from '../stats/binomial-interval.js'
import { fitTwoNormals, upperPosterior } from '../stats/two-normals.js'
import type { DividedClass, Suspected, SuspectedParts } from './class-divisions.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import type { Division } from './divide-class.js'
import type { ShapeSource, SplitEvidence } from './split-evidence.js'
import { splitOdds } from './split-log-odds.js'

export interface WhitenedMixtureOptions {
  readonly directions: number
  readonly logOdds: number
  readonly minRows: number
  readonly fitRows: number
}

const options: z.ZodMiniType<WhitenedMixtureOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(2), z.lte(64)), 30),
  logOdds: z._default(z.number(), 0),
  minRows: z._default(z.int().check(z.gte(2 * fewestRows)), 30),
  fitRows: z._default(z.int().check(z.gte(100)), 10_000),
})

const id = 'whitened-mixture'

/**
 * What varies in one class and in no other, split in two, and the odds that one part was planted. Per class c:
 *
 * 1. Directions: the leading solutions of S_c·v = λ·S·v, S_c being the class's covariance and S the mean of the other classes' (a ridge of
 *    1e-3 added). Natural variation is mostly shared by classes; what a trigger adds to one class is not. It is the whitening that SPECTRE
 *    (Hayase et al., ICML 2021) takes from a class's own robust covariance, with the other classes in its place.
 * 2. Divisions in two: mixtures of two normal distributions with one covariance (the two-component model of SCAn, Tang et al., USENIX
 *    Security 2021) in the first `directions` of them, from many starts, the smaller side peeled off three times, what is peeled
 *    off alone and together; and very small groups.
 * 3. Evidence, in rows held out, along the direction b that separates best for the noisiest group of the whole set: `splitEvidence`,
 *    `shapeSource`; added up by `splitOdds`. `suspectedPart` says which division is the class's; its log odds are the statistic.
 * 4. A row's score is its distance from the clean side's mean along b in standard deviations of the noisiest group, so scores of classes
 *    compare; the largest one where trusted rows say of several divisions that a part was planted. The suspicious side is the one without trusted rows, else the smaller one, but see `suspiciousSide` for cuts near half.
 *
 * Flagged are the rows that a mixture of two normal distributions along b gives to the suspicious side rather than to the other, in classes
 * whose log odds are at least `logOdds` (0). It accuses no class by itself: the verdict takes the log odds of all classes (`concludeClasses`).
 *
 * Classes of more than `fitRows` rows (10,000) are divided by so many, drawn by the seed: all that is said of divisions, and the interval of
 * the share, is of these. Every row is then placed along the directions that were found, scored and flagged, in one pass more. A group of
 * so few rows that fewer than five are drawn cannot be seen.
 *
 * Options: `directions` 2 … 64, `logOdds`, `minRows` ≥ 10, `fitRows` ≥ 100. Needs two classes of ten rows. Of trusted rows, predictions and logits it takes what
 * there is.
 * Cost: two passes (more where the covariances of all classes take more than 128 MiB), then on the host the work that `ownCoordinates`
 * counts and about 2,000·n·directions multiply-adds for the mixtures.
 */
export const whitenedMixture: Detector<WhitenedMixtureOptions> = {
  id,
  title: 'Whitened mixture',
  citation:
    'After Hayase et al.: SPECTRE, ICML 2021 (whitening), and Tang et al.: Demon in the Variant, USENIX Security 2021 (tied mixture)',
  needs: ['activations', 'labels'],
  options,
  early: earlyGram,
  async detect(context, set, { directions, logOdds, minRows, fitRows }) {
    const skipReason = (c: number, rank: number) => reasonToSkip(set, c, { id, minRows, least: 2 * fewestRows, rank })
    const wanted = [...set.set.classes.keys()].filter((c) => skipReason(c, set.varies[c] as number) === null)
    const { reasonNotToDivide, suspectedParts } = await import('./class-divisions.js') // pages load it when it first runs
    const refusal = wanted.length > 0 ? reasonNotToDivide(set) : null
    if (refusal) return { status: 'skipped', id, reason: refusal }
    const found = wanted.length > 0 ? await suspectedParts(set, { directions, minRows, fitRows }) : null
    const scores = new Float32Array(set.rows)
    const classes = await findingsOf(set, async (c): Promise<ClassFinding> => {
      const divided = found?.divided.get(c)
      if (!found || !divided) return { status: 'skipped', reason: skipReason(c, 0) ?? '' }
      const finding = await judge(set, c, { found, divided, threshold: logOdds, scores })
      context.progress(0.95 + (0.05 * (c + 1)) / set.set.classes.length)
      return finding
    })
    const result = gatherResult(id, set, scores, classes)
    const sampled = found?.fitted.says('divisions of')
    return result.status === 'ran' ? { ...result, unit: 'standard deviations', ...(sampled && { sampled }) } : result
  },
}

interface Judging {
  readonly found: SuspectedParts
  readonly divided: DividedClass
  readonly threshold: number
  /** `[n]`, class order: the class's scores are written here. */
  readonly scores: Float32Array
}

async function judge(set: DeviceSet, c: number, { found, divided, threshold, scores }: Judging): Promise<ClassFinding> {
  const suspected = found.suspected.get(c)
  if (!suspected) {
    const says = `finds no second group of ${fewestRows} rows or more`
    return { status: 'ran', statistic: noSplit, threshold, pValue: null, says, flagged: new Uint32Array(0), accusation: null, split: null }
  }
  const along = await found.along(c)
  return describe(set, c, { along, positions: found.fitted.positionsOf(c), suspected, divided, threshold, scores })
}

/** The log odds of a class in which nothing can be divided. */
const noSplit = -20

interface Described {
  /** All rows of the class along the direction of the suspected division, and of each further one. */
  readonly along: readonly Float64Array[]
  /** Where in class order those stand that were divided; null: all of them. */
  readonly positions: Uint32Array | null
  readonly suspected: Suspected
  readonly divided: DividedClass
  readonly threshold: number
  readonly scores: Float32Array
}

function describe(set: DeviceSet, c: number, { along, positions, suspected, divided, threshold, scores }: Described): RanFinding {
  const { division, odds, further, isGroup, because, isKnown } = suspected
  const { evidence, source } = division
  const { divisions, drift } = divided
  const start = set.set.starts[c] as number
  const fittedAt = positions?.map((at) => at - start) ?? null
  const parts = [placed(along[0] as Float64Array, fittedAt, division, isGroup)]
  for (const [i, other] of further.entries()) {
    const part = placed(along[i + 1] as Float64Array, fittedAt, other, true)
    if (bringsMore(part, parts)) parts.push(part)
  }
  const { rows: n } = set.set.classes[c] as { rows: number }
  const own = scores.subarray(start, start + n).fill(Number.NEGATIVE_INFINITY)
  for (const { places } of parts) for (let i = 0; i < n; i++) own[i] = Math.max(own[i] as number, places[i] as number)
  const posterior = (position: number) => largest(parts, ({ posteriors }) => posteriors[position - start] as number)
  const beyond = positionsByScore(set, c, scores).filter((i) => posterior(i) > 0.5)
  const suspects = rowsAt(set, beyond)
  const low = isGroup ? evidence.shareOfLeast : 1 - evidence.shareOfMost
  const high = isGroup ? largest(parts, ({ most }) => most) : 1 - evidence.shareOfLeast
  const estimate = parts.length === 1 ? (parts[0]?.weight ?? beyond.length / n) : beyond.length / n
  const sampling = binomialInterval(Math.round(estimate * evidence.rows), evidence.rows, 0.9)
  const { logOdds, trusted } = odds
  const trustedThere = Math.round(isGroup ? evidence.trustedBeyond : evidence.trustedRows - evidence.trustedBeyond)
  const says =
    `what looks most like a planted group is ${beyond.length} of ${n} rows (suspicious because ${because}), with ${((evidence.between * n) / evidence.rows).toFixed(0)} rows ` +
    `between it and the rest${trusted === null ? '' : ` and ${trustedThere} of ${evidence.trustedRows} trusted rows in it`}: log odds of planted against natural ${logOdds.toFixed(1)}${positions ? `, by ${positions.length} rows drawn by the seed` : ''}`
  return {
    status: 'ran',
    statistic: logOdds,
    threshold,
    pValue: null,
    says,
    flagged: logOdds >= threshold ? suspects : new Uint32Array(0),
    accusation: null,
    split: {
      attainable: groupSizes(evidence.rows).map((rows) => ({
        rows: (rows * n) / evidence.rows,
        logOdds: splitOdds(wellApart(evidence, rows / evidence.rows), null, drift).logOdds,
      })),
      trusted,
      source: source && isGroup ? { weight: odds.source, classIndex: takenFrom(source, odds.source) } : null,
      agrees: { trusted: odds.agrees.trusted, source: odds.agrees.source && isGroup },
      separation: Math.max(...divisions.map((one) => one.evidence.separation)),
      isTight: odds.isTight,
      isHalf: Math.min(evidence.share, 1 - evidence.share) > halfShare && !isKnown,
      suspects,
      posteriors: Float32Array.from(beyond, posterior),
      share: { estimate, low: Math.min(low, sampling.low), high: Math.max(high, sampling.high) },
    },
  }
}

/** The rows of a class with regard to one suspected part. */
interface Placed {
  /** Distance from the clean side's mean in standard deviations of the noisiest group. */
  readonly places: Float64Array
  /** Probability of the part rather than the rest. */
  readonly posteriors: Float64Array
  /** The part's share of the class; null where it has too few rows for a distribution of its own. */
  readonly weight: number | null
  /** The largest share that rows held out leave it. */
  readonly most: number
}

/** `all: [rows]` of the class along the division's direction; the distributions are fitted to those that were divided. */
function placed(
  all: Float64Array,
  divided: Uint32Array | null,
  { direction, sd, groupMean, restMean, evidence }: Division,
  isGroup: boolean,
): Placed {
  const sign = isGroup ? 1 : -1
  const origin = dot(isGroup ? restMean : groupMean, direction)
  const along = all.map((at) => sign * (at - origin))
  const fit = fitTwoNormals(divided ? Float64Array.from(divided, (i) => along[i] as number) : along, { cut: halfway, leastVariance })
  return {
    places: along.map((at) => at / sd),
    posteriors: along.map(fit ? upperPosterior(fit) : (at) => Number(at > halfway)),
    weight: fit?.weight ?? null,
    most: evidence.shareOfMost,
  }
}

/** Whether a good part of the rows of a part are in none of the others: it is a group of its own, not one of them once more. */
function bringsMore({ posteriors }: Placed, others: readonly Placed[]): boolean {
  let [count, more] = [0, 0]
  for (const [i, posterior] of posteriors.entries()) {
    if (posterior <= 0.5) continue
    count++
    if (others.every((other) => (other.posteriors[i] as number) <= 0.5)) more++
  }
  return more > newShare * count
}
const newShare = 1 / 3

const largest = <T>(of: readonly T[], value: (one: T) => number) =>
  of.reduce((most, one) => Math.max(most, value(one)), Number.NEGATIVE_INFINITY)

/**
 * The class that planted rows seem to be taken from: the one whose very shape they have, or whose shape they have, not much worse than their own,
 * and some lie towards; else null.
 */
const takenFrom = ({ classIndex, aboveOwn, aboveNext, vote }: ShapeSource, weight: number) =>
  weight >= 0.8 || (aboveOwn >= -5 && aboveNext >= 1.2 && vote >= 0.15) ? classIndex : null

/** Places lie on a line on which the clean side's mean is 0 and the suspected side's 1. */
const halfway = 0.5
/** On that line. */
const leastVariance = 1e-4

/** Smaller parts above this share of the class are called halves. */
const halfShare = 0.25

/**
 * The evidence of a group of a share ε that lies well apart: 90 % of it past the valley and 6 % in it, beside one in a thousand of the
 * class's other rows; unlike any other class, and unknown to the trusted rows.
 */
function wellApart(evidence: SplitEvidence, epsilon: number): SplitEvidence {
  const groupRows = epsilon * evidence.rows
  return {
    ...evidence,
    groupRows,
    distinct: groupRows,
    share: epsilon,
    between: 0.06 * groupRows + 0.001 * evidence.rows,
    beyond: 0.9 * groupRows,
    varianceRatio: 1,
    largestOther: 0,
    meanOther: 0,
    misfits: null,
    trustedBeyond: 0,
  }
}

/** From `fewestRows` up to half of n rows, each at most a tenth more than the one before. */
function groupSizes(n: number): number[] {
  const sizes: number[] = []
  for (let size = fewestRows; size <= n / 2; size = Math.max(size + 1, Math.floor(1.1 * size))) sizes.push(size)
  return sizes
}
