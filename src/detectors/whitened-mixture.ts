import * as z from 'zod/mini'
import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding, RanFinding } from '../core/result.js'
import { inTurns } from '../core/turns.js'
import { showText } from '../core/untrusted-text.js'
import { reasonNotToGather } from '../linalg/class-covariances.js'
import { fewestRows, splitClass } from '../linalg/class-split.js'
import { dot, type Moments, quadratic, type Rows } from '../linalg/moments.js'
import { otherGroups, projections, type Separation } from '../linalg/separation.js'
import { binomialInterval } from '../stats/binomial-interval.js'
import { gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import { type OwnCoordinates, ownCoordinates } from './own-coordinates.js'
import { type OtherClass, type ShapeSource, type SplitEvidence, shapeSource, splitEvidence } from './split-evidence.js'
import { splitOdds } from './split-log-odds.js'
import { suspiciousSide } from './suspicious-side.js'
import { type TrustedDrift, trustedDrifts } from './trusted-drift.js'

export interface WhitenedMixtureOptions {
  readonly directions: number
  readonly logOdds: number
  readonly minRows: number
}

const options: z.ZodMiniType<WhitenedMixtureOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(2), z.lte(64)), 30),
  logOdds: z._default(z.number(), 0),
  minRows: z._default(z.int().check(z.gte(2 * fewestRows)), 30),
})

const id = 'whitened-mixture'
/** Rows that a class needs for its covariance to be part of what the others are compared with. */
const referenceRows = 10
/** Directions that the separation is judged in: more than the mixture is fitted in, since some serve to cancel the noise of others. */
const evidenceDirections = 64

/**
 * What varies in one class and in no other, split in two, and the odds that one part was planted. Per class c:
 *
 * 1. Directions: the leading solutions of S_c·v = λ·S·v, S_c being the class's covariance and S the mean of the other classes' (a ridge of
 *    1e-3 added). Natural variation is mostly shared by classes; what a trigger adds to one class is not. It is the whitening that SPECTRE
 *    (Hayase et al., ICML 2021) takes from a class's own robust covariance, with the other classes in its place.
 * 2. Divisions in two: mixtures of two normal distributions with one covariance (the two-component model of SCAn, Tang et al., USENIX
 *    Security 2021) in the first `directions` of them, from many starts, the smaller side peeled off three times; and very small groups.
 * 3. Evidence, in rows held out, along the direction b that separates best for the noisiest group of the whole set: `splitEvidence`,
 *    `shapeSource`; added up by `splitOdds`. The division with the highest log odds is the class's, and they are its statistic.
 * 4. A row's score is its distance from the clean side's mean along b in standard deviations of the noisiest group, so scores of classes
 *    compare. The suspicious side is the one without trusted rows, else the smaller one, but see `suspiciousSide` for cuts near half.
 *
 * Flagged are the rows beyond the middle between the groups, in classes whose log odds are at least `logOdds` (0). It accuses no class by
 * itself: the verdict takes the log odds of all classes (`concludeClasses`).
 *
 * Options: `directions` 2 … 64, `logOdds`, `minRows` ≥ 10. Needs two classes of ten rows. Of trusted rows and logits it takes what there is.
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
  async detect(context, set, { directions, logOdds, minRows }) {
    const skipReason = (c: number, rank: number) => reasonToSkip(set, c, { id, minRows, least: 2 * fewestRows, rank })
    const wanted = [...set.set.classes.keys()].filter((c) => skipReason(c, set.varies[c] as number) === null)
    const refusal = wanted.length > 0 ? (reasonNotToGather(set) ?? reasonNotToCompare(set)) : null
    if (refusal) return { status: 'skipped', id, reason: refusal }
    const coordinates = wanted.length > 0 ? await ownCoordinates(set, { width: evidenceDirections, referenceRows, wanted }) : null
    const scores = new Float32Array(set.rows)
    const divided = new Map<number, readonly Divided[]>()
    const reasons = set.set.classes.map((_, c) => skipReason(c, set.varies[c] ? (coordinates?.width ?? 0) : 0))
    for (const [c, reason] of reasons.entries()) {
      if (reason === null && coordinates) divided.set(c, await divide(set, c, { coordinates, directions }))
      context.progress(0.5 + (0.45 * (c + 1)) / reasons.length)
    }
    const drifts = trustedDrifts([...divided.values()].map((splits) => splits.map(({ evidence }) => evidence)))
    const driftOf = new Map([...divided.keys()].map((c, i) => [c, drifts[i] as TrustedDrift]))
    const classes: ClassFinding[] = []
    for (const [c, reason] of reasons.entries()) {
      const [splits, drift] = [divided.get(c), driftOf.get(c)]
      if (!splits || !drift || !coordinates) classes.push({ status: 'skipped', reason: reason ?? '' })
      else classes.push(await judge(set, c, { coordinates, splits, drift, threshold: logOdds, scores }))
      context.progress(0.95 + (0.05 * (c + 1)) / reasons.length)
    }
    const result = gatherResult(id, set, scores, classes)
    return result.status === 'ran' ? { ...result, unit: 'standard deviations' } : result
  },
}

/** Why classes cannot be compared, or null where they can. */
function reasonNotToCompare(set: DeviceSet): string | null {
  const judged = set.set.classes.filter(({ rows }, c) => rows >= referenceRows && set.varies[c])
  if (judged.length >= 2) return null
  return `class ${showText(judged[0]?.label)} has no other class to be compared with: needs at least two classes of ${referenceRows} rows that differ`
}

/** A division of a class, without the places of its rows. */
interface Divided {
  readonly side: Uint8Array
  readonly separation: Separation
  readonly evidence: SplitEvidence
}

async function divide(
  set: DeviceSet,
  c: number,
  { coordinates, directions }: { coordinates: OwnCoordinates; directions: number },
): Promise<Divided[]> {
  const { signal, rng } = set.context
  const { label } = set.set.classes[c] as { label: unknown }
  const rows = await coordinates.rowsOf(c)
  const others = otherClasses(coordinates, c)
  const { covariances, counts } = coordinates.othersOf(c)
  const groups = otherGroups(covariances, counts, coordinates.width)
  const trusted = trustedRows(set, c, coordinates)
  const splits = await inTurns(splitClass(rows, { others: groups, directions, rng: rng.fork(`${id} ${label}`), trusted }), signal)
  const divided: Divided[] = []
  for (const split of splits) {
    const { side, separation } = split
    divided.push({ side, separation, evidence: await inTurns(splitEvidence(rows, split, others), signal) })
  }
  return divided
}

interface Judging {
  readonly coordinates: OwnCoordinates
  readonly splits: readonly Divided[]
  readonly drift: TrustedDrift
  readonly threshold: number
  /** `[n]`, class order: the class's scores are written here. */
  readonly scores: Float32Array
}

async function judge(set: DeviceSet, c: number, { coordinates, splits, drift, threshold, scores }: Judging): Promise<ClassFinding> {
  const best = mostTelling(splits, drift)
  if (!best) {
    const says = `finds no second group of ${fewestRows} rows or more`
    return { status: 'ran', statistic: noSplit, threshold, pValue: null, says, flagged: new Uint32Array(0), accusation: null, split: null }
  }
  const rows = await coordinates.rowsOf(c)
  const source = await inTurns(shapeSource(rows, best, otherClasses(coordinates, c)), set.context.signal)
  const furthest = splits.reduce((most, { evidence }) => Math.max(most, evidence.separation), 0)
  return await describe(set, c, { rows, split: best, source, drift, furthest, threshold, scores })
}

/** The division with the highest log odds; where none is at all likely to be planted, the one that lies furthest apart. */
function mostTelling(splits: readonly Divided[], drift: TrustedDrift): Divided | undefined {
  const weighed = splits.map((split) => ({ split, logOdds: splitOdds(split.evidence, null, drift).logOdds }))
  const [likeliest] = weighed.sort((a, b) => b.logOdds - a.logOdds)
  // They come furthest apart first.
  return likeliest && likeliest.logOdds < unlikely ? splits[0] : likeliest?.split
}

const unlikely = -3

/** The log odds of a class in which nothing can be divided. */
const noSplit = -20

interface Described {
  readonly rows: Rows
  readonly split: Divided
  readonly source: ShapeSource | null
  readonly drift: TrustedDrift
  /** Largest separation of any division. */
  readonly furthest: number
  readonly threshold: number
  readonly scores: Float32Array
}

async function describe(
  set: DeviceSet,
  c: number,
  { rows, split, source, drift, furthest, threshold, scores }: Described,
): Promise<RanFinding> {
  const { side, evidence } = split
  const { direction, sd, group, rest } = split.separation
  const odds = splitOdds(evidence, source, drift)
  const missingFrom = odds.trusted !== null && odds.trusted >= telling ? (odds.isRest ? 'rest' : 'group') : null
  const { isGroup, because, isKnown } = await suspiciousSide(set, { classIndex: c, side, missingFrom })
  const [suspected, clean] = isGroup ? [group, rest] : [rest, group]
  const sign = isGroup ? 1 : -1
  const origin = dot(clean.mean, direction)
  const start = set.set.starts[c] as number
  projections(rows, direction).forEach((at, i) => {
    scores[start + i] = (sign * (at - origin)) / sd
  })
  const cut = 0.5 / sd
  const beyond = positionsByScore(set, c, scores).filter((i) => (scores[i] as number) > cut)
  const posterior = posteriorAlong({ direction, suspected, clean })
  const suspects = rowsAt(set, beyond)
  const n = evidence.rows
  const [low, high] = isGroup ? [evidence.shareOfLeast, evidence.shareOfMost] : [1 - evidence.shareOfMost, 1 - evidence.shareOfLeast]
  const sampling = binomialInterval(beyond.length, n, 0.9)
  const { logOdds, trusted } = odds
  const trustedThere = Math.round(isGroup ? evidence.trustedBeyond : evidence.trustedRows - evidence.trustedBeyond)
  const says =
    `what looks most like a planted group is ${beyond.length} of ${n} rows (suspicious because ${because}), with ${evidence.between.toFixed(0)} rows ` +
    `between it and the rest${trusted === null ? '' : ` and ${trustedThere} of ${evidence.trustedRows} trusted rows in it`}: log odds of planted against natural ${logOdds.toFixed(1)}`
  return {
    status: 'ran',
    statistic: logOdds,
    threshold,
    pValue: null,
    says,
    flagged: logOdds >= threshold ? suspects : new Uint32Array(0),
    accusation: null,
    split: {
      logOdds,
      attainable: groupSizes(n).map((rows) => ({ rows, logOdds: splitOdds(wellApart(evidence, rows / n), null, drift).logOdds })),
      trusted,
      source: source && isGroup ? { weight: odds.source, classIndex: source.classIndex, isNamed: isNamed(source) } : null,
      separation: furthest,
      isTight: odds.isTight,
      isHalf: Math.min(evidence.share, 1 - evidence.share) > halfShare && !isKnown,
      suspects,
      posteriors: Float32Array.from(beyond, (position) => posterior((scores[position] as number) * sd)),
      share: { estimate: beyond.length / n, low: Math.min(low, sampling.low), high: Math.max(high, sampling.high) },
    },
  }
}

/** log10 of a likelihood ratio from which trusted rows decide on the side. */
const telling = 0.5
/** Whether a source is sure enough to be named: its shape fits better than any other class's, and a good part of the rows lie towards it. */
const isNamed = ({ aboveOwn, aboveNext, vote }: ShapeSource) => aboveOwn >= -5 && aboveNext >= 2 && vote >= 0.3

/** Smaller parts above this share of the class are called halves. */
const halfShare = 0.25

/**
 * The evidence of a group of a share ε that lies well apart: 95 % of it past the valley and 3 % in it, beside one in two thousand of the
 * class's other rows; unlike any other class, and unknown to the trusted rows.
 */
function wellApart(evidence: SplitEvidence, epsilon: number): SplitEvidence {
  const groupRows = epsilon * evidence.rows
  return {
    ...evidence,
    groupRows,
    distinct: groupRows,
    share: epsilon,
    between: 0.03 * groupRows + 0.0005 * evidence.rows,
    beyond: 0.95 * groupRows,
    varianceRatio: 1,
    largestOther: 0,
    meanOther: 0,
    trustedBeyond: 0,
  }
}

/** From `fewestRows` up to half of n rows, each at most a tenth more than the one before. */
function groupSizes(n: number): number[] {
  const sizes: number[] = []
  for (let size = fewestRows; size <= n / 2; size = Math.max(size + 1, Math.floor(1.1 * size))) sizes.push(size)
  return sizes
}

/** Posterior of the suspected part at a place on the line on which the clean one's mean is 0 and its own 1, as two normal distributions; never falling. */
function posteriorAlong({
  direction,
  suspected,
  clean,
}: {
  direction: Float64Array
  suspected: Moments
  clean: Moments
}): (place: number) => number {
  const variance = ({ scatter, count }: Moments) => Math.max(quadratic(scatter, direction) / Math.max(count - 1, 1), 1e-4)
  const [own, other] = [variance(suspected), variance(clean)]
  const odds = Math.log(suspected.count / clean.count) + Math.log(other / own) / 2
  return (place) => {
    const at = Math.min(Math.max(place, 0), 1)
    return 1 / (1 + Math.exp(-(odds + at ** 2 / (2 * other) - (1 - at) ** 2 / (2 * own))))
  }
}

/** The class's trusted rows in its coordinates; null where it has none. */
function trustedRows(set: DeviceSet, c: number, { width, place }: OwnCoordinates): Rows | null {
  const { trusted } = set.set
  if (!trusted) return null
  const { data, cols } = trusted.activations
  const own = [...trusted.classOf.keys()].filter((i) => trusted.classOf[i] === c)
  if (own.length === 0) return null
  const placed = new Float64Array(own.length * width)
  for (const [at, i] of own.entries()) placed.set(place(c, data.subarray(i * cols, (i + 1) * cols)), at * width)
  return { data: placed, cols: width }
}

function otherClasses(coordinates: OwnCoordinates, c: number): OtherClass[] {
  const { classes, counts, covariances } = coordinates.othersOf(c)
  const { shrunk } = otherGroups(covariances, counts, coordinates.width)
  // The first covariance is the reference's, which is no class.
  return classes.map((classIndex, i) => ({
    classIndex,
    rows: counts[i + 1] as number,
    mean: coordinates.meanOf(c, classIndex),
    covariance: covariances[i + 1] as Float64Array,
    shrunk: shrunk[i + 1] as Float64Array,
  }))
}
