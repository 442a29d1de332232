import type { ClassSplit } from '../linalg/class-split.js'
import { distinctRows } from '../linalg/distinct-rows.js'
import { dot, quadratic, type Rows } from '../linalg/moments.js'
import { inGroup, inRest, shrunk } from '../linalg/separation.js'
import { shapeLikelihood } from '../linalg/shape-likelihood.js'
import { normalCdf } from '../stats/normal.js'

/**
 * What a division of a class in two looks like: how rows that did not take part in it fall on a line on which 0 is the mean of the rest and 1
 * that of the group (counts are means over the divisions in halves), and what the group resembles.
 */
export interface SplitEvidence {
  /** Rows of the class, and of the group. */
  readonly rows: number
  readonly groupRows: number
  /** Distance of the two means in standard deviations of the noisiest group of the set, in rows held out. */
  readonly separation: number
  /** Share of the class beyond the middle; beyond a quarter, and beyond three quarters of the way. */
  readonly share: number
  readonly shareOfMost: number
  readonly shareOfLeast: number
  /** Rows in the valley, a third of the way long (see `valleyMiddle`), and rows past it. */
  readonly between: number
  readonly beyond: number
  /** Rows of the group that are not near-duplicates of each other. */
  readonly distinct: number
  /** Variance within the group over that within the rest, in directions other than the one between them. */
  readonly varianceRatio: number
  /** Classes that the class was compared with. The largest share that one of them has beyond the middle, and the mean of their shares. */
  readonly others: number
  readonly largestOther: number
  readonly meanOther: number
  /** Shares of the group's rows and of the rest's that the model predicts to be of another class; null where predictions are not known. */
  readonly misfits: { readonly group: number; readonly rest: number } | null
  /** Trusted rows of the class, and how many lie beyond the middle. */
  readonly trustedRows: number
  readonly trustedBeyond: number
}

export interface ShapeSource {
  readonly classIndex: number
  /** Log likelihood a row of the group's shape under that class's covariance, above that under the covariance of the rest of its own class. */
  readonly aboveOwn: number
  /** The same above the next best class; Infinity where there is none. */
  readonly aboveNext: number
  /** Share of the group's rows that lie nearest to that class's mean, of all other classes' means: where a linear head would send them. */
  readonly vote: number
}

/** Another class in the coordinates of the one that is divided. */
export interface OtherClass {
  readonly classIndex: number
  readonly rows: number
  readonly mean: Float64Array
  /** As it is, and shrunk towards the reference. */
  readonly covariance: Float64Array
  readonly shrunk: Float64Array
}

/**
 * Where on the line the valley between two groups is looked for: where rows are as likely to be of either, if both are normal and as wide as the
 * noisiest group of the set. Halfway between groups of one size; beside a group of few rows nearer to it, past the tail of the many. Never
 * outside the middle third.
 */
export function valleyMiddle(share: number, separation: number): number {
  const even = Math.min(Math.max(share, 1e-4), 1 - 1e-4)
  const middle = 1 / 2 + Math.log((1 - even) / even) / Math.max(separation, 1) ** 2
  return Math.min(Math.max(middle, 1 / 3), 2 / 3)
}
/** Half of the valley's length. */
const half = 1 / 6

export interface Beside {
  readonly others: readonly OtherClass[]
  /** 1 for every row of the class that the model predicts to be of it; null where predictions are not known. */
  readonly fits: Uint8Array | null
  /** The class's typical distance. */
  readonly typical: number
}

export function* splitEvidence(rows: Rows, split: ClassSplit, { others, fits, typical }: Beside): Generator<void, SplitEvidence, void> {
  const { side, separation, held } = split
  const { direction, group, rest } = separation
  const n = side.length
  const repeats = held.places.length / n
  const sharePast = (border: number) => {
    let count = 0
    for (let at = 0; at < held.places.length; at++) if ((held.places[at] as number) >= border) count++
    return count / (n * repeats)
  }
  const share = sharePast(1 / 2)
  const middle = valleyMiddle(share, held.crossFitted)
  const past = sharePast(middle + half)
  const trustedOver = held.trustedPlaces.reduce((count, place) => count + (place >= 1 / 2 ? 1 : 0), 0)
  const origin = dot(rest.mean, direction)
  const shares = others.map(({ mean, covariance }) => {
    const sd = Math.sqrt(quadratic(covariance, direction))
    return normalCdf((dot(mean, direction) - origin - 1 / 2) / Math.max(sd, 1e-12))
  })
  const members = [...side.keys()].filter((i) => side[i] === inGroup)
  return {
    rows: n,
    groupRows: group.count,
    separation: held.crossFitted,
    share,
    shareOfMost: sharePast(1 / 4),
    shareOfLeast: sharePast(3 / 4),
    between: n * (sharePast(middle - half) - past),
    beyond: n * past,
    distinct: yield* distinctRows(rows, members, typical),
    varianceRatio: varianceAcross(group, direction) / Math.max(varianceAcross(rest, direction), 1e-12),
    others: others.length,
    largestOther: shares.reduce((a, b) => Math.max(a, b), 0),
    meanOther: shares.reduce((a, b) => a + b, 0) / Math.max(shares.length, 1),
    misfits: fits && { group: misfitsIn(fits, side, inGroup), rest: misfitsIn(fits, side, inRest) },
    trustedRows: held.trustedPlaces.length / held.fits,
    trustedBeyond: trustedOver / held.fits,
  }
}

function misfitsIn(fits: Uint8Array, side: Uint8Array, value: number): number {
  let [rows, misfits] = [0, 0]
  for (let i = 0; i < side.length; i++) {
    if (side[i] !== value) continue
    rows++
    if (!fits[i]) misfits++
  }
  return misfits / Math.max(rows, 1)
}

/** Mean variance over the directions orthogonal to `direction`. */
function varianceAcross({ scatter, count }: { scatter: Float64Array; count: number }, direction: Float64Array): number {
  const cols = direction.length
  const along = quadratic(scatter, direction) / dot(direction, direction)
  return (trace(scatter, cols) - along) / Math.max(count - 1, 1) / Math.max(cols - 1, 1)
}

function trace(scatter: Float64Array, cols: number): number {
  let sum = 0
  for (let j = 0; j < cols; j++) sum += scatter[j * cols + j] as number
  return sum
}

/** Share of the rest's scatter below which a group has no shape but that of rounding: its rows are copies of one. */
const rounding = 1e-20

/** Rows that a class needs to have a shape: what fewer show is mostly the reference that they are shrunk to. */
const fewestForShape = 30

/**
 * The class, other than its own, whose covariance fits the shape of the group best: rows that a trigger has moved keep the shape of the class
 * they were taken from. null where there is none to compare with, or the group is one row many times. Costs 7/6·r³ multiply-adds for
 * every other class.
 */
export function* shapeSource(
  rows: Rows,
  { side, separation: { group, rest } }: Pick<ClassSplit, 'side' | 'separation'>,
  others: readonly OtherClass[],
): Generator<void, ShapeSource | null, void> {
  const shaped = others.filter((other) => other.rows >= fewestForShape)
  if (shaped.length === 0) return null
  const cols = group.mean.length
  if (trace(group.scatter, cols) <= rounding * trace(rest.scatter, cols)) return null
  const ofRest = rest.scatter.map((value) => value / Math.max(rest.count, 1))
  const own = shapeLikelihood(group, shrunk(ofRest, rest.count, cols))
  const likelihoods: { classIndex: number; value: number }[] = []
  for (const other of shaped) {
    likelihoods.push({ classIndex: other.classIndex, value: shapeLikelihood(group, other.shrunk) })
    yield
  }
  likelihoods.sort((a, b) => b.value - a.value || a.classIndex - b.classIndex)
  const [best, next] = likelihoods as [(typeof likelihoods)[0], (typeof likelihoods)[0] | undefined]
  return {
    classIndex: best.classIndex,
    aboveOwn: best.value - own,
    aboveNext: next ? best.value - next.value : Number.POSITIVE_INFINITY,
    vote: voteFor(best.classIndex, rows, side, others),
  }
}

function voteFor(classIndex: number, { data, cols }: Rows, side: Uint8Array, others: readonly OtherClass[]): number {
  let [votes, members] = [0, 0]
  for (let i = 0; i < side.length; i++) {
    if (side[i] !== inGroup) continue
    const row = data.subarray(i * cols, (i + 1) * cols)
    let nearest = { classIndex: -1, distance: Number.POSITIVE_INFINITY }
    for (const other of others) {
      const distance = dot(other.mean, other.mean) - 2 * dot(row, other.mean)
      if (distance < nearest.distance) nearest = { classIndex: other.classIndex, distance }
    }
    members++
    if (nearest.classIndex === classIndex) votes++
  }
  return votes / Math.max(members, 1)
}
