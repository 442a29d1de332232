import type { DeviceSet } from '../core/device-set.js'
import { runTasks } from '../core/tasks.js'
import { showText } from '../core/untrusted-text.js'
import { reasonNotToGather } from '../linalg/class-covariances.js'
import { dot, type Rows } from '../linalg/moments.js'
import { inGroup } from '../linalg/separation.js'
import { type ClassToDivide, type Division, divideClassTask } from './divide-class.js'
import { type FittedRows, fittedRows } from './fitted-rows.js'
import { type OwnCoordinates, ownCoordinates } from './own-coordinates.js'
import { type IsInPart, PartSums } from './part-sums.js'
import { type SplitOdds, splitOdds } from './split-log-odds.js'
import { type SuspiciousSide, suspiciousSide } from './suspicious-side.js'
import { type TrustedDrift, trustedDrifts } from './trusted-drift.js'

/** The divisions of one class, those that lie furthest apart in rows held out first; none where nothing can be divided. */
export interface DividedClass {
  readonly divisions: readonly Division[]
  /** How far the other classes of the set say that a natural group's share of the trusted rows strays. */
  readonly drift: TrustedDrift
}

export interface ClassDivisions {
  readonly coordinates: OwnCoordinates
  /** The rows that were divided. */
  readonly fitted: FittedRows
  /** By class: those of `wanted`. */
  readonly divided: ReadonlyMap<number, DividedClass>
}

export interface DivisionOptions {
  /** Directions that mixtures are fitted in. */
  readonly directions: number
  /** Rows that a class needs to be divided. */
  readonly minRows: number
  /** Rows of a class that are divided at most: of larger ones they are drawn by the seed. */
  readonly fitRows: number
}

/** Rows that a class needs for its covariance to be part of what the others are compared with. */
export const referenceRows = 10
/** Directions that the separation is judged in: more than the mixture is fitted in, since some serve to cancel the noise of others. */
const evidenceDirections = 64

/**
 * The classes of `minRows` or more that vary, each divided in two in a few ways where it varies and the others do not, with the evidence of every
 * division. Made once an audit: detectors that look at the same divisions share them.
 */
export function classDivisions(set: DeviceSet, { directions, minRows, fitRows }: DivisionOptions): Promise<ClassDivisions> {
  return set.keep(`class divisions ${directions} ${minRows} ${fitRows}`, async () => {
    const { classes } = set.set
    const fitted = fittedRows(set, fitRows)
    const wanted = [...classes.keys()].filter((c) => (classes[c]?.rows ?? 0) >= minRows && set.varies[c])
    const coordinates = await ownCoordinates(set, { width: evidenceDirections, referenceRows, wanted, fitted })
    const judged = coordinates.width > 0 ? wanted : []
    const found = await runTasks(set.context, divideClassTask, {
      count: judged.length,
      input: (i) => toDivide(set, judged[i] as number, { coordinates, fitted, directions }),
      progress: (done) => set.context.progress(0.5 + (0.45 * done) / judged.length),
    })
    const drifts = trustedDrifts(found.map((divisions) => divisions.map(({ evidence }) => evidence)))
    const divided = found.map((divisions, i) => [judged[i] as number, { divisions, drift: drifts[i] as TrustedDrift }] as const)
    return { coordinates, fitted, divided: new Map(divided) }
  })
}

async function toDivide(
  set: DeviceSet,
  c: number,
  { coordinates, fitted, directions }: { coordinates: OwnCoordinates; fitted: FittedRows; directions: number },
): Promise<ClassToDivide> {
  const { classes, covariances, counts } = coordinates.othersOf(c)
  return {
    rows: await coordinates.rowsOf(c),
    trusted: trustedRows(set, c, coordinates),
    fits: fitsOf(set, c, fitted.positionsOf(c)),
    others: classes.map((classIndex) => ({ classIndex, mean: coordinates.meanOf(c, classIndex) })),
    covariances,
    counts,
    directions,
    seed: set.context.rng.fork(`divisions of ${set.set.classes[c]?.label}`).uint32(),
  }
}

/** 1 for every row of the class, or those at `positions`, that the model predicts to be of it, class order; null where the set has no predictions. */
function fitsOf({ set }: DeviceSet, c: number, positions: Uint32Array | null): Uint8Array | null {
  const { predictions, order, starts } = set
  if (!predictions) return null
  if (positions) return Uint8Array.from(positions, (at) => (predictions[order[at] as number] === c ? 1 : 0))
  return Uint8Array.from(order.subarray(starts[c], starts[c + 1]), (row) => (predictions[row] === c ? 1 : 0))
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

/** Why classes cannot be divided, or null where they can: their covariances cannot be gathered, or there is nothing to compare them with. */
export function reasonNotToDivide(set: DeviceSet): string | null {
  const notGathered = reasonNotToGather(set)
  if (notGathered) return notGathered
  const judged = set.set.classes.filter(({ rows }, c) => rows >= referenceRows && set.varies[c])
  if (judged.length >= 2) return null
  return `class ${showText(judged[0]?.label)} has no other class to be compared with: needs at least two classes of ${referenceRows} rows that differ`
}

/** What of a class is most likely to be planted. */
export interface Suspected extends SuspiciousSide {
  readonly division: Division
  readonly odds: SplitOdds
  /** Other divisions whose groups trusted rows say to be planted as well: rows taken from many classes make several groups. */
  readonly further: readonly Division[]
}

/** log10 of a likelihood ratio from which trusted rows decide on the side. */
const telling = 0.5
/** Log odds from which a division is likely to be planted, and below which it is not likely at all. */
const likely = 1.2
const unlikely = -2

/**
 * The suspicious side of the division that is most likely to be planted: the one with the highest log odds of those that other evidence than
 * the gap agrees with, of all where it agrees with none that is likely, and where none is likely at all the one that lies furthest apart (a
 * class may have a natural group beside a planted one). null where there is none.
 */
async function suspectedPart(
  set: DeviceSet,
  classIndex: number,
  { divisions, drift, fitted }: DividedClass & { readonly fitted: FittedRows },
): Promise<Suspected | null> {
  const weighed = divisions.map((division) => ({ division, odds: splitOdds(division.evidence, division.source, drift) }))
  const byOdds = [...weighed].sort((a, b) => b.odds.logOdds - a.odds.logOdds)
  const [[furthest], [likeliest]] = [weighed, byOdds]
  if (!furthest || !likeliest) return null
  const agreed = byOdds.find(({ odds }) => odds.logOdds >= likely && (odds.agrees.trusted || odds.agrees.source))
  const { division, odds } = agreed ?? (likeliest.odds.logOdds >= unlikely ? likeliest : furthest)
  const missingFrom = odds.trusted !== null && odds.trusted >= telling ? (odds.isRest ? 'rest' : 'group') : null
  const isPlanted = ({ odds }: (typeof weighed)[0]) => odds.logOdds >= likely && odds.agrees.trusted && !odds.isRest
  const further = isPlanted({ division, odds }) ? byOdds.filter((one) => one.division !== division && isPlanted(one)) : []
  return {
    division,
    odds,
    further: further.map((one) => one.division),
    ...(await suspiciousSide(set, { classIndex, side: division.side, fitted, missingFrom })),
  }
}

/** What of each class is suspected, and where all its rows lie. */
export interface SuspectedParts extends ClassDivisions {
  /** By class that was divided; null where there is none. */
  readonly suspected: ReadonlyMap<number, Suspected | null>
  /** All rows of a class, drawn or not, along the direction of its suspected division, then of each further one: `[rows]` each. */
  along(c: number): Promise<readonly Float64Array[]>
  /** By class that something of is suspected: which rows, by where they lie along the direction of the suspected division. */
  readonly parts: ReadonlyMap<number, IsInPart>
  /** Sums of the suspected rows of each class, `[paddedCols]` less the set's shift, where a pass that was needed anyhow has found them; else null. */
  readonly sums: ReadonlyMap<number, Float64Array> | null
}

/** Divides the classes and says what of each is suspected; one more pass where rows were drawn. Made once an audit. */
export function suspectedParts(set: DeviceSet, options: DivisionOptions): Promise<SuspectedParts> {
  const { directions, minRows, fitRows } = options
  return set.keep(`suspected parts ${directions} ${minRows} ${fitRows}`, async () => {
    const found = await classDivisions(set, options)
    const suspected = new Map<number, Suspected | null>()
    for (const [c, own] of found.divided) suspected.set(c, await suspectedPart(set, c, { ...own, fitted: found.fitted }))
    const wanted = [...suspected].flatMap(([c, one]) =>
      one ? [[c, [one.division, ...one.further].map(({ direction }) => direction)] as const] : [],
    )
    const parts = new Map([...suspected].flatMap(([c, one]) => (one ? [[c, isInPart(set, c, { ...one, fitted: found.fitted })]] : [])))
    const sums = set.isReadAgain ? new PartSums(set, parts) : null
    const along = await found.coordinates.along(new Map(wanted), sums ? (batch) => sums.add(batch) : undefined)
    return { ...found, suspected, parts, along, sums: sums?.ofAll ?? null }
  })
}

/** Which rows of a class are suspected. Where some were drawn for the division, the cut halfway between the means goes for all. */
function isInPart(
  { set: { starts } }: DeviceSet,
  c: number,
  { division, isGroup, fitted }: Suspected & { readonly fitted: FittedRows },
): IsInPart {
  const { side, direction, groupMean, restMean } = division
  const halfway = (dot(groupMean, direction) + dot(restMean, direction)) / 2
  if (fitted.positionsOf(c)) return (_, along) => along > halfway === isGroup
  const start = starts[c] as number
  return (position) => (side[position - start] === inGroup) === isGroup
}
