import type { Rng } from '../core/rng.js'
import { chiSquaredQuantile } from '../stats/chi-squared.js'
import { medianInPlace } from '../stats/median.js'
import { innerProduct } from './inner-product.js'
import { type MinimaxDirection, type MinimaxOptions, minimaxDirection } from './minimax-direction.js'
import { dot, type Moments, momentsInTurns, quadratic, type Rows, without } from './moments.js'

/** Which rows of a class are in the suspected group, in the other one, and in neither. */
export const inGroup = 1
export const inRest = 0
export const setAside = 2

/** For a division that is much like one whose weights are known. */
const nearSteps = 12
/** Other groups that count for less than this in the direction of the whole are not looked at for the directions of its halves. */
const leastWeight = 1e-3

/** Covariances `[n, n]` of the other groups of a set in one class's basis: as they are, and shrunk towards the reference. */
export interface OtherGroups {
  readonly covariances: readonly Float64Array[]
  readonly shrunk: readonly Float64Array[]
}

/** Other groups' covariances, each of `counts[i]` rows, with `cols` rows' worth of the reference (the identity in this basis) added. */
export function otherGroups(covariances: readonly Float64Array[], counts: readonly number[], cols: number): OtherGroups {
  return { covariances, shrunk: covariances.map((covariance, i) => shrunk(covariance, counts[i] as number, cols)) }
}

/** (n·S + cols·I) / (n + cols) */
export function shrunk(covariance: Float64Array, count: number, cols: number): Float64Array {
  return covariance.map((value, at) => (count * value + (at % (cols + 1) === 0 ? cols : 0)) / (count + cols))
}

/** Two groups along the direction that is best for the noisiest group of the set. */
export interface Separation {
  /** Scaled so that the means lie 1 apart: b·(group − rest) = 1. */
  readonly direction: Float64Array
  /** What each group counted for in choosing it. */
  readonly weights: Float64Array
  /** Distance of the means in `sd`. */
  readonly sigmas: number
  /** The largest standard deviation along `direction` of any group, the suspected group's at its 95 % upper bound. */
  readonly sd: number
  readonly group: Moments
  readonly rest: Moments
}

/** Minimax separation of a group from the rest of its class; see `minimaxDirection`. `near`: the weights of a like division. */
export function separation(group: Moments, rest: Moments, others: OtherGroups, near?: Float64Array): Separation {
  const { direction, weights } = directionOf(group, rest, others, near && { steps: nearSteps, weights: near })
  const sd = noisiest(direction, { group: quadratic(group.scatter, direction), freedom: group.count - 1 }, rest, others)
  return { direction, weights, sigmas: sd > 0 ? 1 / sd : 0, sd, group, rest }
}

function directionOf(group: Moments, rest: Moments, others: OtherGroups, options?: MinimaxOptions): MinimaxDirection {
  const cols = group.mean.length
  const own = [group, rest].map(({ scatter, count }) =>
    shrunk(
      scatter.map((value) => value / Math.max(count, 1)),
      count,
      cols,
    ),
  )
  return minimaxDirection(apart(group, rest), [...others.shrunk, ...own], options)
}

const apart = (group: Moments, rest: Moments) => group.mean.map((value, j) => value - (rest.mean[j] as number))

const largestVariance = (b: Float64Array, { covariances }: OtherGroups) => covariances.reduce((v, s) => Math.max(v, quadratic(s, b)), 0)

function noisiest(b: Float64Array, own: { group: number; freedom: number }, rest: Moments, others: OtherGroups): number {
  const ofGroup = own.group / chiSquaredQuantile(0.05, Math.max(own.freedom, 1))
  return Math.sqrt(Math.max(ofGroup, quadratic(rest.scatter, b) / Math.max(rest.count, 1), largestVariance(b, others)))
}

/** Rows of a class, and rows that are known to be clean, where a division that was fitted without them puts them. */
export interface HeldOut {
  /** Distance of the two sides' means in standard deviations of the noisiest group of the set. */
  readonly crossFitted: number
  /** `[repeats, n]` places of the class's rows: 0 is the mean of the rest, 1 that of the group; NaN for rows set aside. */
  readonly places: Float64Array
  /** `[2 · repeats, m]` places of the `trusted` rows. */
  readonly trustedPlaces: Float64Array
}

/**
 * The same, cross-fitted: the direction comes from one half of both groups, means, standard deviations and places along it from the other
 * half; both ways round, over `repeats` divisions (the separation is their median). Takes off what the direction owes to fitting: zero on
 * average where the groups do not differ. Rows are divided along `direction`, neighbours into different halves by `rng`, so their order in
 * the set does not matter.
 */
export function* heldOut(
  rows: Rows,
  side: Uint8Array,
  { direction, weights, group, rest }: Separation,
  options: { others: OtherGroups; rng: Rng; repeats: number; trusted?: Rows | null },
): Generator<void, HeldOut, void> {
  const { others, rng, repeats, trusted } = options
  const sorted = sortedAlong(rows, direction)
  const active = others.shrunk.flatMap((_, g) => ((weights[g] as number) >= leastWeight ? [g] : []))
  const telling = { covariances: others.covariances, shrunk: active.map((g) => others.shrunk[g] as Float64Array) }
  const near = {
    steps: nearSteps,
    weights: Float64Array.from([...active, others.shrunk.length, others.shrunk.length + 1], (g) => weights[g] as number),
  }
  const n = side.length
  const found = new Float64Array(repeats)
  const places = new Float64Array(repeats * n).fill(Number.NaN)
  const trustedRows = trusted ? trusted.data.length / trusted.cols : 0
  const trustedPlaces = new Float64Array(2 * repeats * trustedRows)
  for (let repeat = 0; repeat < repeats; repeat++) {
    const half = dividedInTwo(side, sorted, rng)
    const firstGroup = yield* momentsInTurns(rows, half, inGroup)
    yield
    const firstRest = yield* momentsInTurns(rows, half, inRest)
    yield
    const halves = [
      { group: firstGroup, rest: firstRest },
      { group: without(group, firstGroup), rest: without(rest, firstRest) },
    ] as const
    let distance = 0
    let groupSquares = 0
    let restSquares = 0
    let otherVariance = 0
    for (const [which, [fitted, held]] of ([halves, [halves[1], halves[0]]] as const).entries()) {
      const b = directionOf(fitted.group, fitted.rest, telling, near).direction
      distance += dot(apart(held.group, held.rest), b) / 2
      groupSquares += quadratic(held.group.scatter, b)
      restSquares += quadratic(held.rest.scatter, b)
      otherVariance += largestVariance(b, others) / 2
      const origin = dot(fitted.rest.mean, b)
      projections(rows, b).forEach((at, i) => {
        // Rows of the first half are marked; those that were fitted are not placed.
        const isFitted = (half[i] !== setAside) === (which === 0)
        if (side[i] !== setAside && !isFitted) places[repeat * n + i] = at - origin
      })
      if (trusted)
        projections(trusted, b).forEach((at, i) => {
          trustedPlaces[(2 * repeat + which) * trustedRows + i] = at - origin
        })
      yield
    }
    const ofGroup = groupSquares / chiSquaredQuantile(0.05, Math.max(group.count - 2, 1))
    const sd = Math.sqrt(Math.max(ofGroup, restSquares / Math.max(rest.count, 1), otherVariance))
    found[repeat] = sd > 0 ? distance / sd : 0
  }
  return { crossFitted: medianInPlace(found), places, trustedPlaces }
}

function sortedAlong({ data, cols }: Rows, direction: Float64Array): Uint32Array {
  const at = projections({ data, cols }, direction)
  return Uint32Array.from({ length: at.length }, (_, i) => i).sort((a, b) => (at[a] as number) - (at[b] as number))
}

/** row · direction for every row. */
export function projections({ data, cols }: Rows, direction: Float64Array): Float64Array {
  return Float64Array.from({ length: data.length / cols }, (_, i) => innerProduct(data, i * cols, direction, 0, cols))
}

/** The rows of one half of each side, the others set aside: of two neighbours on a side one goes here and one there. */
function dividedInTwo(side: Uint8Array, sorted: Uint32Array, rng: Rng): Uint8Array {
  const half = new Uint8Array(side.length).fill(setAside)
  const owed = [-1, -1]
  for (const i of sorted) {
    const own = side[i] as number
    if (own === setAside) continue
    if (owed[own] !== -1) {
      if (owed[own] === 1) half[i] = own
      owed[own] = -1
    } else {
      const first = rng.float() < 0.5
      if (first) half[i] = own
      owed[own] = first ? 0 : 1
    }
  }
  return half
}
