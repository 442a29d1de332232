import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding } from '../core/result.js'
import { runTasks } from '../core/tasks.js'
import { inTurns } from '../core/turns.js'
import { classMeans } from '../kernels/class-means.js'
import { ClassCovariances, reasonNotToGather } from '../linalg/class-covariances.js'
import { factorReference, type Reference } from '../linalg/leave-one-out-eigen.js'
import { ownDirections } from '../linalg/own-directions.js'
import { inGroup, inRest } from '../linalg/separation.js'
import { type TwoGroups, twoGroupsTask } from '../linalg/two-groups.js'
import { robustDeviations } from '../stats/robust-deviations.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import { type FittedRows, fittedRows } from './fitted-rows.js'
import { combinedDirection, projectedRows } from './placed-rows.js'
import { missingFrom, suspiciousSide } from './suspicious-side.js'

export interface ScanOptions {
  readonly directions: number
  readonly minRows: number
  readonly fitRows: number
}

const id = 'scan'
/** The paper's: a class is contaminated from e² robust standard deviations on. */
const threshold = Math.exp(2)
/** Fewer classes have no spread that a class could be held against. */
const fewestClasses = 3
/** Rows that a class needs for its covariance to be part of the pooled one. */
const referenceRows = 10
/** Of the mean variance: a direction in which no class varies does not become infinitely telling. */
const ridge = 1e-3
/** Trusted rows a column, beyond one a class, from which their covariance is taken for the clean one. */
const trustedRowsPerColumn = 3
/** What makes leaving one class out of the reference leave nothing out. */
const endlesslyMany = 1e12
/** Of the largest eigenvalue, where they are iterated for: 2-means asks what its directions span, not where in them each one lies. */
const tolerance = 0.1

/** What `scan` does: loaded when it first runs. */
export const detectScan: Detector<ScanOptions>['detect'] = async (context, set, { directions, minRows, fitRows }) => {
  const skipReason = (c: number, rank: number) => reasonToSkip(set, c, { id, minRows, least: 4, rank })
  const wanted = [...set.set.classes.keys()].filter((c) => skipReason(c, set.varies[c] as number) === null)
  const refusal = wanted.length > 0 ? reasonNotToGather(set) : null
  if (refusal) return { status: 'skipped', id, reason: refusal }
  const fitted = fittedRows(set, fitRows)
  const whitened = wanted.length > 0 ? await whitenedCoordinates(set, { wanted, most: directions, fitted }) : null
  const judged = whitened && whitened.width > 0 ? wanted : []
  const found = await runTasks(context, twoGroupsTask, {
    count: judged.length,
    input: async (i) => {
      const { coordinatesOf, width } = whitened as WhitenedCoordinates
      return { points: Float32Array.from(await coordinatesOf(judged[i] as number)), dims: width }
    },
    progress: (done) => context.progress(0.5 + (0.5 * done) / judged.length),
  })
  const splits = new Map(judged.map((c, i) => [c, found[i] ?? null]))
  const along = whitened && (await alongSplits(set, whitened, { splits, fitted }))
  const ratios = judged.map((c) => splits.get(c)?.gain ?? 0)
  const { deviations, spread } = robustDeviations(ratios)
  const scores = new Float32Array(set.rows)
  const classes = await findingsOf(set, async (c): Promise<ClassFinding> => {
    const at = judged.indexOf(c)
    if (at < 0) {
      const reason = skipReason(c, set.varies[c] ? (whitened?.width ?? 0) : 0)
      return { status: 'skipped', reason: reason ?? '' }
    }
    const comparison =
      judged.length < fewestClasses
        ? { statistic: ratios[at] as number, threshold: null, says: `with ${judged.length} classes there is nothing to hold it against` }
        : { statistic: deviations[at] as number, threshold, says: inWords(deviations[at] as number, spread) }
    return await judge(set, c, {
      whitened: whitened as WhitenedCoordinates,
      split: splits.get(c) ?? null,
      along: (await along?.(c)) ?? null,
      comparison,
      fitted,
      scores,
    })
  })
  const result = gatherResult(id, set, scores, classes)
  const sampled = fitted.says('groups of')
  return result.status === 'ran' && sampled ? { ...result, sampled } : result
}

interface WhitenedCoordinates {
  /** Rows of a class that are fitted on about its mean, in directions in which S is the identity: `[rows, width]`. */
  coordinatesOf(c: number): Promise<Float64Array>
  readonly width: number
  /** `[classes · width, paddedCols]` */
  readonly directions: Float32Array
  /** `[classes, paddedCols]` */
  readonly means: Float32Array
  readonly isTrusted: boolean
}

interface Whitening {
  readonly wanted: readonly number[]
  readonly most: number
  readonly fitted: FittedRows
}

async function whitenedCoordinates(set: DeviceSet, { wanted, most, fitted }: Whitening): Promise<WhitenedCoordinates> {
  const { signal, rng, progress } = set.context
  const covariances = await ClassCovariances.gather(set, Math.min(referenceRows, ...wanted.map((c) => set.set.classes[c]?.rows ?? 0)))
  progress(0.2)
  const { live } = covariances
  const size = live.length
  const cols = set.paddedCols
  const width = Math.min(most, size)
  const means = await classMeans(set)
  const directions = new Float32Array(set.set.classes.length * width * cols)
  const trusted = width > 0 ? trustedCovariance(set, live) : null
  if (width > 0) {
    const others = covariances.classes.length
    const classes = trusted || others < 2 ? endlesslyMany : others
    const reference: Reference = await inTurns(factorReference(trusted ?? covariances.mean, { size, classes, ridge }), signal)
    const found = await ownDirections(covariances, {
      reference,
      wanted,
      width,
      start: () => rng.fork(`${id} start`),
      tolerance,
      progress: (done) => progress(0.2 + (0.2 * done) / wanted.length),
    })
    for (const [c, own] of found) {
      own.forEach((vector, k) => {
        live.forEach((column, j) => {
          directions[(c * width + k) * cols + column] = vector[j] as number
        })
      })
    }
  }
  const placed = width > 0 ? await projectedRows(set, directions, { width, fitted }) : null
  progress(0.5)
  const none = async () => new Float64Array(0)
  return { coordinatesOf: placed ? placed.coordinatesOf : none, width, directions, means, isTrusted: trusted !== null }
}

/** The unit vector from the first group's mean to the second's, and how far apart they are. */
function between({ means: [first, second] }: TwoGroups): { readonly apart: number; readonly towards: Float64Array } {
  const apart = Math.sqrt(first.reduce((sum, value, j) => sum + ((second[j] as number) - value) ** 2, 0))
  return { apart, towards: first.map((value, j) => (apart > 0 ? ((second[j] as number) - value) / apart : 0)) }
}

/** All rows of a class along the line between its groups, in one pass more where rows were drawn. */
async function alongSplits(
  set: DeviceSet,
  { coordinatesOf, width, directions }: WhitenedCoordinates,
  { splits, fitted }: { readonly splits: ReadonlyMap<number, TwoGroups | null>; readonly fitted: FittedRows },
): Promise<(c: number) => Promise<Float64Array | null>> {
  const cols = set.paddedCols
  const whole = new Float32Array(set.set.classes.length * cols)
  let isDrawn = false
  for (const [c, split] of splits) {
    if (!split || !fitted.positionsOf(c)) continue
    isDrawn = true
    whole.set(combinedDirection(directions, between(split).towards, { c, width, cols }), c * cols)
  }
  const all = isDrawn ? await projectedRows(set, whole, { width: 1 }) : null
  return async (c) => {
    const split = splits.get(c)
    if (!split) return null
    if (all && fitted.positionsOf(c)) return await all.coordinatesOf(c)
    const coordinates = await coordinatesOf(c)
    const { towards } = between(split)
    return Float64Array.from({ length: coordinates.length / width }, (_, i) =>
      alongRow(coordinates.subarray(i * width, (i + 1) * width), towards),
    )
  }
}

const alongRow = (row: ArrayLike<number>, towards: Float64Array) => towards.reduce((sum, value, j) => sum + value * (row[j] as number), 0)

/** The within-class covariance of the trusted rows over live columns, or null where they are too few. */
function trustedCovariance(set: DeviceSet, live: Uint32Array): Float64Array | null {
  const { trusted } = set.set
  if (!trusted) return null
  const { data, cols } = trusted.activations
  const size = live.length
  const byClass = new Map<number, number[]>()
  trusted.classOf.forEach((c, i) => {
    if (c >= 0) byClass.set(c, [...(byClass.get(c) ?? []), i])
  })
  const groups = [...byClass.values()]
  const freedom = groups.reduce((sum, rows) => sum + rows.length - 1, 0)
  if (freedom < trustedRowsPerColumn * size) return null
  const covariance = new Float64Array(size * size)
  const centred = new Float64Array(size)
  for (const rows of groups) {
    const mean = Float64Array.from(live, (column) => rows.reduce((sum, i) => sum + (data[i * cols + column] as number), 0) / rows.length)
    for (const i of rows) {
      for (let j = 0; j < size; j++) centred[j] = (data[i * cols + (live[j] as number)] as number) - (mean[j] as number)
      for (let j = 0, at = 0; j < size; j++) {
        const share = (centred[j] as number) / freedom
        for (let k = 0; k < size; k++, at++) covariance[at] = (covariance[at] as number) + share * (centred[k] as number)
      }
    }
  }
  return covariance
}

interface Judging {
  readonly whitened: WhitenedCoordinates
  readonly split: TwoGroups | null
  /** All rows of the class along the line between its groups. */
  readonly along: Float64Array | null
  readonly fitted: FittedRows
  readonly comparison: { readonly statistic: number; readonly threshold: number | null; readonly says: string }
  /** `[n]`, class order: the class's scores are written here. */
  readonly scores: Float32Array
}

async function judge(
  set: DeviceSet,
  c: number,
  { whitened, split, along: all, fitted, comparison, scores }: Judging,
): Promise<ClassFinding> {
  const { rows: count } = set.set.classes[c] as { rows: number }
  const none = new Uint32Array(0)
  const base = { status: 'ran', statistic: comparison.statistic, threshold: comparison.threshold, pValue: null, accusation: null } as const
  if (!split || !all) return { ...base, says: `cannot be split in two; ${comparison.says}`, flagged: none }
  const { isTrusted } = whitened
  const [first, second] = split.means
  const { apart, towards } = between(split)
  const along = (row: ArrayLike<number>) => alongRow(row, towards)
  const halfway = (along(first) + along(second)) / 2
  const side = split.side.map((value) => (value === 1 ? inGroup : inRest))
  const trusted = trustedSides(set, c, whitened, (row) => along(row) > halfway)
  const share = side.reduce((sum, value) => sum + (value === inGroup ? 1 : 0), 0) / side.length
  const missing = trusted && missingFrom({ ...trusted, share })
  const { isGroup, because } = await suspiciousSide(set, { classIndex: c, side, fitted, missingFrom: missing })
  const origin = along(isGroup ? first : second)
  const start = set.set.starts[c] as number
  for (let i = 0; i < count; i++) {
    scores[start + i] = (isGroup ? 1 : -1) * ((all[i] as number) - origin)
  }
  const isSecond = fitted.positionsOf(c) ? (i: number) => (all[i] as number) > halfway : (i: number) => split.side[i] === 1
  const suspicious = positionsByScore(set, c, scores).filter((i) => isSecond(i - start) === isGroup)
  const says =
    `two groups (${suspicious.length} of ${count} rows; suspicious because ${because}) ${apart.toFixed(1)} standard deviations of the ` +
    `${isTrusted ? 'trusted rows' : 'other classes'} apart: J/n is ${split.gain.toFixed(2)}; ${comparison.says}. It accuses no class`
  const flags = comparison.threshold !== null && comparison.statistic >= comparison.threshold
  return { ...base, says, flagged: flags ? rowsAt(set, suspicious) : none }
}

function inWords(deviation: number, spread: 'median' | 'mean' | 'none'): string {
  const unit = { median: 'robust standard deviations', mean: 'mean absolute deviations · 1.25 (the MAD is 0)', none: 'of anything' }[spread]
  return `${deviation.toFixed(1)} ${unit} above the classes' median, contaminated from ${threshold.toFixed(2)}`
}

/** How many of the class's trusted rows lie on the group's side. */
function trustedSides(
  set: DeviceSet,
  c: number,
  { width, directions, means }: WhitenedCoordinates,
  isInGroup: (row: Float64Array) => boolean,
): { rows: number; inGroup: number } | null {
  const { trusted } = set.set
  if (!trusted) return null
  const { data, cols } = trusted.activations
  const padded = set.paddedCols
  let rows = 0
  let inside = 0
  trusted.classOf.forEach((own, i) => {
    if (own !== c) return
    rows++
    const placed = Float64Array.from({ length: width }, (_, k) => {
      let sum = 0
      for (let j = 0; j < cols; j++) {
        const centred = (data[i * cols + j] as number) - (set.shift[j] as number) - (means[c * padded + j] as number)
        sum += centred * (directions[(c * width + k) * padded + j] as number)
      }
      return sum
    })
    if (isInGroup(placed)) inside++
  })
  return { rows, inGroup: inside }
}
