import type { Rng } from '../core/rng.js'
import { chiSquaredQuantile } from '../stats/chi-squared.js'
import { shuffled } from '../stats/draws.js'
import { minimaxDirection } from './minimax-direction.js'
import { dot, type Moments, momentsInTurns, quadratic, type Rows, without } from './moments.js'
import { projections } from './projections.js'

/** Which rows of a class are in the suspected group, in the other one, and in neither. */
export const inGroup = 1
export const inRest = 0
export const setAside = 2

/** For a division that is much like one whose weights are known. */
const nearSteps = 6
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
  return scaledWithRidge(covariance, count / (count + cols), cols / (count + cols))
}

/** The same of a scatter of `count` rows: (scatter + cols·I) / (count + cols) */
function shrunkScatter({ scatter, count }: Moments, cols: number, out?: Float64Array): Float64Array {
  return scaledWithRidge(scatter, 1 / (count + cols), cols / (count + cols), out)
}

function scaledWithRidge(a: Float64Array, by: number, ridge: number, out: Float64Array = new Float64Array(a.length)): Float64Array {
  const n = Math.sqrt(a.length)
  for (let at = 0; at < out.length; at++) out[at] = (a[at] as number) * by
  for (let at = 0; at < out.length; at += n + 1) out[at] = (out[at] as number) + ridge
  return out
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
  const own = [group, rest].map((moments) => shrunkScatter(moments, moments.mean.length))
  const options = near && { steps: nearSteps, weights: near }
  const { direction, weights } = minimaxDirection(apart(group, rest), [...others.shrunk, ...own], options)
  const sd = noisiest(direction, { group: quadratic(group.scatter, direction), freedom: group.count - 1 }, rest, others)
  return { direction, weights, sigmas: sd > 0 ? 1 / sd : 0, sd, group, rest }
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
  /** `[fits, trusted rows]` places of the trusted rows, one for every direction that was fitted. */
  readonly trustedPlaces: Float64Array
  readonly fits: number
}

export interface HoldingOut {
  readonly others: OtherGroups
  readonly rng: Rng
  readonly trusted?: Rows | null
}

/** Parts that the rows are divided in, each held out in turn: more where the group is small, as what is left of it has to give a direction. */
const folds = 5
const foldsOfSmall = 10
const small = 40
/** Directions that are fitted at least. */
const fewestFits = 14

/**
 * The same, cross-fitted: in turn every fold of both groups is placed along a direction that comes from the other folds, over a few divisions
 * in folds. Takes off what the direction owes to fitting: zero on average where the groups do not differ. Rows are divided along
 * `direction`, neighbours into different folds by `rng`, so their order in the set does not matter.
 */
export function* heldOut(
  rows: Rows,
  side: Uint8Array,
  { direction, weights, group, rest }: Separation,
  { others, rng, trusted }: HoldingOut,
): Generator<void, HeldOut, void> {
  const sorted = sortedAlong(rows, direction)
  const telling = others.shrunk.flatMap((_, g) => ((weights[g] as number) >= leastWeight ? [g] : []))
  const active = telling.map((g) => others.shrunk[g] as Float64Array)
  const near = {
    steps: nearSteps,
    weights: Float64Array.from([...telling, others.shrunk.length, others.shrunk.length + 1], (g) => weights[g] as number),
  }
  const n = side.length
  const smaller = Math.min(group.count, rest.count)
  const parts = Math.max(2, Math.min(smaller < small ? foldsOfSmall : folds, smaller))
  const repeats = Math.ceil(fewestFits / parts)
  const fits = repeats * parts
  const places = new Float64Array(repeats * n).fill(Number.NaN)
  const trustedRows = trusted ? trusted.data.length / trusted.cols : 0
  const trustedPlaces = new Float64Array(fits * trustedRows)
  const held = new Uint8Array(n)
  let otherVariance = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const fold = foldsOf(side, sorted, { parts, rng })
    for (let part = 0; part < parts; part++) {
      for (let i = 0; i < n; i++) held[i] = fold[i] === part ? (side[i] as number) : setAside
      const fittedGroup = without(group, yield* momentsInTurns(rows, held, inGroup))
      yield
      const fittedRest = without(rest, yield* momentsInTurns(rows, held, inRest))
      // Nobody else looks at these scatters: their room is taken.
      const own = [fittedGroup, fittedRest].map((moments) => shrunkScatter(moments, rows.cols, moments.scatter))
      const b = minimaxDirection(apart(fittedGroup, fittedRest), [...active, ...own], near).direction
      yield
      otherVariance += largestVariance(b, others) / fits
      const origin = dot(fittedRest.mean, b)
      const at = projections(rows, b)
      for (let i = 0; i < n; i++) if (held[i] !== setAside) places[repeat * n + i] = (at[i] as number) - origin
      if (trusted)
        projections(trusted, b).forEach((at, i) => {
          trustedPlaces[(repeat * parts + part) * trustedRows + i] = at - origin
        })
      yield
    }
  }
  const [ofGroup, ofRest] = [along(places, side, inGroup), along(places, side, inRest)]
  const bound = (ofGroup.variance * group.count) / chiSquaredQuantile(0.05, Math.max(group.count - 1, 1))
  const sd = Math.sqrt(Math.max(bound, ofRest.variance, otherVariance))
  return { crossFitted: sd > 0 ? (ofGroup.mean - ofRest.mean) / sd : 0, places, trustedPlaces, fits }
}

/** Count, mean and variance of the places of one side. */
function along(places: Float64Array, side: Uint8Array, value: number): { count: number; mean: number; variance: number } {
  let [count, sum, squares] = [0, 0, 0]
  const n = side.length
  for (let first = 0; first < places.length; first += n) {
    for (let i = 0; i < n; i++) {
      if (side[i] !== value) continue
      count++
      sum += places[first + i] as number
    }
  }
  const mean = sum / Math.max(count, 1)
  for (let first = 0; first < places.length; first += n) {
    for (let i = 0; i < n; i++) if (side[i] === value) squares += ((places[first + i] as number) - mean) ** 2
  }
  return { count, mean, variance: squares / Math.max(count, 1) }
}

function sortedAlong({ data, cols }: Rows, direction: Float64Array): Uint32Array {
  const at = projections({ data, cols }, direction)
  return Uint32Array.from({ length: at.length }, (_, i) => i).sort((a, b) => (at[a] as number) - (at[b] as number))
}

/** The fold of every row: of as many neighbours on a side as there are folds one goes into each, in an order that is drawn. */
function foldsOf(side: Uint8Array, sorted: Uint32Array, { parts, rng }: { parts: number; rng: Rng }): Uint8Array {
  const fold = new Uint8Array(side.length)
  const left: number[][] = [[], []]
  for (const i of sorted) {
    const own = left[side[i] as number]
    if (!own) continue
    if (own.length === 0) own.push(...shuffled(parts, rng))
    fold[i] = own.pop() as number
  }
  return fold
}
