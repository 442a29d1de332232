import { doubleEngine } from '../core/double-engine.js'
import type { Rng } from '../core/rng.js'
import { mixtureStarts } from './mixture-starts.js'
import { type Moments, momentsInTurns, ofSide, type Rows, without } from './moments.js'
import { placesAlong, projections } from './projections.js'
import { type HeldOut, heldOut, inGroup, inRest, type OtherGroups, type Separation, separation, setAside } from './separation.js'
import { smallGroups } from './small-groups.js'
import { symmetricEigen } from './symmetric-eigen.js'
import { TiedMixtureFit } from './tied-mixture.js'
import { halvesOf, unlikeSides } from './unlike-trusted.js'

const peels = 3
const shortSteps = 6
const longSteps = 60
const keptStarts = 3
const smallCandidates = 2
const refits = 3
/** Rows that a group has at least. */
export const fewestRows = 5
/** Rows that a peeled class has at least. */
const fewestLeft = 30

/** A division of a class's rows in two, and what rows that did not take part in it say of it. */
export interface ClassSplit {
  /** `inGroup` or `inRest` for every row, cut halfway between the means along the direction. */
  readonly side: Uint8Array
  readonly separation: Separation
  readonly held: HeldOut
}

export interface SplitOptions {
  readonly others: OtherGroups
  /** Directions that the mixture is fitted in, of those that `rows` have. */
  readonly directions: number
  readonly rng: Rng
  /** Rows of the class that are known to be clean, in the same coordinates. */
  readonly trusted?: Rows | null
}

/**
 * Divides one class's `rows: [n, r]` (coordinates in which the other classes' mean covariance is the identity, their own variance falling)
 * in two, in a few ways: by two-component mixtures with a common covariance, the smaller side peeled off three times, alone and together, and by
 * very small groups; each refined by cutting halfway and fitting again; and, where rows are trusted, by what makes the class differ from one half of them,
 * of which the other half then tells. Those that lie furthest apart in rows held out come first; none where nothing
 * can be divided.
 */
export function* splitClass(rows: Rows, { others, directions, rng, trusted }: SplitOptions): Generator<void, ClassSplit[], void> {
  const n = rows.data.length / rows.cols
  doubleEngine()?.keep(rows.data)
  for (const covariance of others.shrunk) doubleEngine()?.keep(covariance)
  const sides: Uint8Array[] = []
  let left = new Uint8Array(n).fill(inRest)
  for (let peel = 0; peel < peels; peel++) {
    const side = yield* mixtureSide(rows, left, directions)
    if (!side) break
    sides.push(side)
    left = side.map((value) => (value === inRest ? inRest : setAside))
    if (left.reduce((count, value) => count + (value === inRest ? 1 : 0), 0) < fewestLeft) break
  }
  const whole = yield* momentsInTurns(rows, new Uint8Array(n), 0)
  const divisions: Division[] = []
  for (const side of [...sides, ...unions(sides)]) {
    const group = yield* momentsInTurns(rows, side, inGroup)
    const fitted = separation(group, yield* momentsInTurns(rows, side, inRest), others)
    divisions.push(yield* refine(rows, { side, fitted }, { whole, others }))
  }
  const small: Division[] = []
  for (const side of yield* smallGroups(rows, 3 * smallCandidates)) {
    yield
    // The far end of a class grows when it is cut halfway; a group of its own stays.
    small.push(yield* refineSide(rows, side, { whole, others }))
  }
  small.sort((a, b) => b.fitted.sigmas - a.fitted.sigmas)
  const splits: ClassSplit[] = []
  function* hold({ side, fitted }: Division, known: Rows | null) {
    if (splits.some((other) => other.side.every((value, i) => value === side[i]))) return
    const held = yield* heldOut(rows, side, fitted, { others, rng, trusted: known })
    if (Number.isFinite(held.crossFitted)) splits.push({ side, separation: fitted, held })
  }
  for (const division of [...divisions, ...small.slice(0, smallCandidates)]) {
    yield
    yield* hold(division, trusted ?? null)
  }
  const halves = trusted && halvesOf(trusted, rng)
  if (halves) {
    const unlike: Division[] = []
    for (const side of unlikeSides(rows, halves[0])) {
      yield
      unlike.push(yield* refineSide(rows, side, { whole, others }))
    }
    // The first start is the largest: rows taken from many classes may be half of this one, and no tight group.
    const tightest = unlike.reduce((best, one) => (one.fitted.sigmas > best.fitted.sigmas ? one : best))
    for (const division of new Set([unlike[0] as Division, tightest])) yield* hold(division, halves[1])
  }
  return splits.sort((a, b) => b.held.crossFitted - a.held.crossFitted)
}

/** What was peeled off first and second together, and with the third: rows taken from many classes are a group of several parts. */
function unions(peeled: readonly Uint8Array[]): Uint8Array[] {
  return peeled.slice(1).map((_, at) => {
    const parts = peeled.slice(0, at + 2)
    return Uint8Array.from({ length: parts[0]?.length ?? 0 }, (_, i) => (parts.some((side) => side[i] === inGroup) ? inGroup : inRest))
  })
}

/** The smaller component of the likeliest mixture of the rows that are left; null where none has two groups of enough rows. */
function* mixtureSide(rows: Rows, left: Uint8Array, directions: number): Generator<void, Uint8Array | null, void> {
  const kept = yield* widest(rows, left, directions)
  const fit = new TiedMixtureFit(kept, new Uint8Array(kept.data.length / kept.cols), 0)
  yield
  const short = []
  for (const start of yield* mixtureStarts(kept)) {
    const found = yield* fit.run(start, shortSteps)
    if (found) short.push(found)
  }
  short.sort((a, b) => b.objective - a.objective)
  const long = []
  for (const { logOdds } of short.slice(0, keptStarts)) {
    const found = yield* fit.run(
      logOdds.map((odds) => 1 / (1 + Math.exp(-odds))),
      longSteps,
    )
    if (found) long.push(found)
  }
  long.sort((a, b) => b.objective - a.objective)
  for (const { logOdds } of long) {
    const first = logOdds.reduce((count, odds) => count + (odds > 0 ? 1 : 0), 0)
    const smaller = Math.min(first, logOdds.length - first)
    if (smaller < fewestRows) continue
    const positive = first === smaller
    const side = new Uint8Array(left.length).fill(setAside)
    let at = 0
    left.forEach((value, i) => {
      if (value === inRest) side[i] = (logOdds[at++] as number) > 0 === positive ? inGroup : inRest
    })
    return side
  }
  return null
}

/** The rows that are left, centred, on the `directions` along which they vary most compared with the other classes. */
function* widest(rows: Rows, left: Uint8Array, directions: number): Generator<void, Rows, void> {
  const { cols } = rows
  const { count, mean, scatter } = yield* momentsInTurns(rows, left, inRest)
  yield
  const { vectors } = symmetricEigen(scatter, cols)
  yield
  const width = Math.min(directions, cols, Math.max(2, Math.floor(count / 5)))
  const kept = ofSide(rows, { side: left, value: inRest, count })
  const along = { mean, directions: vectors.slice(0, width * cols), stride: cols }
  return { data: yield* placesAlong(kept, along), cols: width }
}

/** A division of the rows, and the direction that was fitted to it. */
interface Division {
  readonly side: Uint8Array
  readonly fitted: Separation
}

/** The division that `refine` makes of a side with no rows set aside. */
function* refineSide(
  rows: Rows,
  side: Uint8Array,
  { whole, others }: { whole: Moments; others: OtherGroups },
): Generator<void, Division, void> {
  const group = yield* momentsInTurns(rows, side, inGroup)
  return yield* refine(rows, { side, fitted: separation(group, without(whole, group), others) }, { whole, others })
}

/** Cuts halfway between the means and fits the direction again, up to three times: rows that were set aside come to a side. */
function* refine(
  rows: Rows,
  division: Division,
  { whole, others }: { whole: Moments; others: OtherGroups },
): Generator<void, Division, void> {
  let current = division
  for (let i = 0; i < refits; i++) {
    yield
    const side = cutHalfway(rows, current.fitted)
    const group = yield* momentsInTurns(rows, side, inGroup)
    if (group.count < fewestRows || group.count > whole.count - fewestRows) break
    if (side.every((value, at) => value === current.side[at])) break
    current = { side, fitted: separation(group, without(whole, group), others, current.fitted.weights) }
  }
  return current
}

function cutHalfway(rows: Rows, { direction, group, rest }: Separation): Uint8Array {
  const halfway = group.mean.reduce((sum, value, j) => sum + ((value + (rest.mean[j] as number)) / 2) * (direction[j] as number), 0)
  const places = projections(rows, direction)
  const side = new Uint8Array(places.length)
  for (let i = 0; i < side.length; i++) side[i] = (places[i] as number) > halfway ? inGroup : inRest
  return side
}
