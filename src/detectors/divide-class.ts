import type { Task } from '../core/lane.js'
import { Rng } from '../core/rng.js'
import { splitClass } from '../linalg/class-split.js'
import { typicalDistance } from '../linalg/distinct-rows.js'
import type { Rows } from '../linalg/moments.js'
import { otherGroups } from '../linalg/separation.js'
import { type OtherClass, type ShapeSource, type SplitEvidence, shapeSource, splitEvidence } from './split-evidence.js'

/** A division of a class in two, along the direction that separates its parts best for the noisiest group of the set. */
export interface Division {
  /** `inGroup` or `inRest` for every row of the class, in class order. */
  readonly side: Uint8Array
  /** In the class's own coordinates, scaled so that the means lie 1 apart. */
  readonly direction: Float64Array
  /** The largest standard deviation of any group along it. */
  readonly sd: number
  readonly groupMean: Float64Array
  readonly restMean: Float64Array
  readonly evidence: SplitEvidence
  readonly source: ShapeSource | null
}

/** One class in its own coordinates, and what it is compared with: plain values, so that any thread can divide it. */
export interface ClassToDivide {
  /** `[n, width]` about the class's mean, in directions in which the mean covariance of the others is the identity. */
  readonly rows: Rows
  /** Rows of the class that are known to be clean; null where there are none. */
  readonly trusted: Rows | null
  /** 1 for every row that the model predicts to be of the class; null where predictions are not known. */
  readonly fits: Uint8Array | null
  /** Other classes and their means, in these coordinates. */
  readonly others: readonly { readonly classIndex: number; readonly mean: Float64Array }[]
  /** Covariances of the reference, which is no class, and of `others`, and the rows that each comes from. */
  readonly covariances: readonly Float64Array[]
  readonly counts: readonly number[]
  /** Directions that mixtures are fitted in. */
  readonly directions: number
  /** Of the draws: which rows are held out together. */
  readonly seed: number
}

/** Parts less than this many standard deviations apart are one group: nothing to look for a source of. */
const apart = 2

/** Divides a class in two in a few ways, those that lie furthest apart in rows held out first, with the evidence of each; none where nothing can be divided. */
export function* divideClass({
  rows,
  trusted,
  fits,
  others,
  covariances,
  counts,
  directions,
  seed,
}: ClassToDivide): Generator<void, Division[], void> {
  const groups = otherGroups(covariances, counts, rows.cols)
  const compared = others.map(
    (other, i): OtherClass => ({
      ...other,
      rows: counts[i + 1] as number,
      covariance: covariances[i + 1] as Float64Array,
      shrunk: groups.shrunk[i + 1] as Float64Array,
    }),
  )
  const beside = { others: compared, fits, typical: typicalDistance(rows) }
  const divisions: Division[] = []
  for (const split of yield* splitClass(rows, { others: groups, directions, rng: new Rng(seed), trusted })) {
    const { direction, sd, group, rest } = split.separation
    divisions.push({
      side: split.side,
      direction,
      sd,
      groupMean: group.mean,
      restMean: rest.mean,
      evidence: yield* splitEvidence(rows, split, beside),
      source: split.held.crossFitted >= apart ? yield* shapeSource(rows, split, compared) : null,
    })
  }
  return divisions
}

export const divideClassTask: Task<ClassToDivide, Division[]> = { name: 'divide class', run: divideClass }
