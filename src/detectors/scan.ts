import * as z from 'zod/mini'
import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding } from '../core/result.js'
import { inTurns } from '../core/turns.js'
import { classMeans } from '../kernels/class-means.js'
import { project } from '../kernels/project.js'
import { ClassCovariances, reasonNotToGather } from '../linalg/class-covariances.js'
import { factorReference, leaveOneOutDirections, type Reference } from '../linalg/leave-one-out-eigen.js'
import { inGroup, inRest } from '../linalg/separation.js'
import { type TwoGroups, twoGroups } from '../linalg/two-groups.js'
import { robustDeviations } from '../stats/robust-deviations.js'
import { gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import { missingFrom, suspiciousSide } from './suspicious-side.js'

export interface ScanOptions {
  readonly directions: number
  readonly minRows: number
}

const options: z.ZodMiniType<ScanOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(1), z.lte(64)), 30),
  minRows: z._default(z.int().check(z.gte(4)), 20),
})

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

/**
 * SCAn (Tang, Wang, Tang & Zhang, "Demon in the Variant", USENIX Security 2021, §4). A row is its class's identity and a variation whose
 * covariance S all classes share. Per class: the likelihood ratio J of two identities against one, S being given; J/n of all classes is
 * then held against their median, and e² robust standard deviations (1.4826·MAD) above it is contamination.
 *
 * S is the within-class covariance of the trusted rows, where there are three a column of them, which for classes of one size is what the
 * paper's EM converges to; otherwise the mean of the other classes' own. With S given, J/n = p·(1 − p)·δᵀ·S⁻¹·δ for a share p and a
 * distance δ of the means, so the most likely split is that of 2-means in rows whitened by S, here in the `directions` along which the
 * class varies most compared with S. With fewer than three classes the statistic is J/n itself, without a threshold; where the MAD is 0 see
 * `robustDeviations`.
 *
 * A row's score is how far it lies from the clean side's mean towards the other one, in standard deviations of S; which side is the
 * suspicious one, `suspiciousSide` says. Flagged is that side, in classes from e² on. It accuses no class.
 *
 * Options: `directions` 1 … 64, `minRows` ≥ 4. Cost: one pass for the covariances, 11·d³ a class for the directions (less beyond d = 768),
 * one pass for coordinates, about 40 runs of 2-means a class on the host.
 */
export const scan: Detector<ScanOptions> = {
  id,
  title: 'SCAn',
  citation:
    'Tang, Wang, Tang, Zhang: Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor Contamination Detection. USENIX Security 2021, §4',
  needs: ['activations', 'labels'],
  options,
  async detect(context, set, { directions, minRows }) {
    const skipReason = (c: number, rank: number) => reasonToSkip(set, c, { id, minRows, least: 4, rank })
    const wanted = [...set.set.classes.keys()].filter((c) => skipReason(c, set.varies[c] as number) === null)
    const refusal = wanted.length > 0 ? reasonNotToGather(set) : null
    if (refusal) return { status: 'skipped', id, reason: refusal }
    const whitened = wanted.length > 0 ? await whitenedCoordinates(set, wanted, directions) : null
    const splits = new Map<number, TwoGroups | null>()
    for (const c of whitened && whitened.width > 0 ? wanted : []) {
      const { coordinates, width } = whitened as WhitenedCoordinates
      const own = coordinates.subarray((set.set.starts[c] as number) * width, (set.set.starts[c + 1] as number) * width)
      splits.set(c, await inTurns(twoGroups(own, width), context.signal))
      context.progress(0.5 + (0.5 * splits.size) / wanted.length)
    }
    const judged = [...splits.keys()]
    const ratios = judged.map((c) => splits.get(c)?.gain ?? 0)
    const { deviations, spread } = robustDeviations(ratios)
    const scores = new Float32Array(set.rows)
    const classes: ClassFinding[] = []
    for (const c of set.set.classes.keys()) {
      const at = judged.indexOf(c)
      if (at < 0) {
        const reason = skipReason(c, set.varies[c] ? (whitened?.width ?? 0) : 0)
        classes.push({ status: 'skipped', reason: reason ?? '' })
        continue
      }
      const comparison =
        judged.length < fewestClasses
          ? { statistic: ratios[at] as number, threshold: null, says: `with ${judged.length} classes there is nothing to hold it against` }
          : { statistic: deviations[at] as number, threshold, says: inWords(deviations[at] as number, spread) }
      classes.push(await judge(set, c, { whitened: whitened as WhitenedCoordinates, split: splits.get(c) ?? null, comparison, scores }))
    }
    return gatherResult(id, set, scores, classes)
  },
}

interface WhitenedCoordinates {
  /** `[n, width]`, class order: rows about their class's mean, in directions in which S is the identity. */
  readonly coordinates: Float32Array
  readonly width: number
  /** `[classes · width, paddedCols]` */
  readonly directions: Float32Array
  /** `[classes, paddedCols]` */
  readonly means: Float32Array
  readonly isTrusted: boolean
}

async function whitenedCoordinates(set: DeviceSet, wanted: readonly number[], most: number): Promise<WhitenedCoordinates> {
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
    const isWanted = new Set(wanted)
    let done = 0
    for await (const { classIndex: c, covariance } of covariances.each()) {
      if (!isWanted.has(c)) continue
      const wantedPairs = { wanted: width, rng: rng.fork(`${id} start`), tolerance }
      const own = await inTurns(leaveOneOutDirections(covariance, reference, wantedPairs), signal)
      own.vectors.forEach((vector, k) => {
        live.forEach((column, j) => {
          directions[(c * width + k) * cols + column] = vector[j] as number
        })
      })
      progress(0.2 + (0.2 * ++done) / wanted.length)
    }
  }
  const coordinates = width > 0 ? await project(set, { centres: means, directions, output: 'coordinates' }) : new Float32Array(0)
  progress(0.5)
  return { coordinates, width, directions, means, isTrusted: trusted !== null }
}

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
  readonly comparison: { readonly statistic: number; readonly threshold: number | null; readonly says: string }
  /** `[n]`, class order: the class's scores are written here. */
  readonly scores: Float32Array
}

async function judge(set: DeviceSet, c: number, { whitened, split, comparison, scores }: Judging): Promise<ClassFinding> {
  const { rows: count } = set.set.classes[c] as { rows: number }
  const none = new Uint32Array(0)
  const base = { status: 'ran', statistic: comparison.statistic, threshold: comparison.threshold, pValue: null, accusation: null } as const
  if (!split) return { ...base, says: `cannot be split in two; ${comparison.says}`, flagged: none }
  const { width, coordinates, isTrusted } = whitened
  const [first, second] = split.means
  const apart = Math.sqrt(first.reduce((sum, value, j) => sum + ((second[j] as number) - value) ** 2, 0))
  const towards = first.map((value, j) => (apart > 0 ? ((second[j] as number) - value) / apart : 0))
  const along = (row: ArrayLike<number>) => towards.reduce((sum, value, j) => sum + value * (row[j] as number), 0)
  const halfway = (along(first) + along(second)) / 2
  const side = split.side.map((value) => (value === 1 ? inGroup : inRest))
  const trusted = trustedSides(set, c, whitened, (row) => along(row) > halfway)
  const share = side.reduce((sum, value) => sum + (value === inGroup ? 1 : 0), 0) / count
  const missing = trusted && missingFrom({ ...trusted, share })
  const { isGroup, because } = await suspiciousSide(set, { classIndex: c, side, missingFrom: missing })
  const origin = along(isGroup ? first : second)
  const start = set.set.starts[c] as number
  for (let i = 0; i < count; i++) {
    const at = along(coordinates.subarray((start + i) * width, (start + i + 1) * width))
    scores[start + i] = (isGroup ? 1 : -1) * (at - origin)
  }
  const suspicious = positionsByScore(set, c, scores).filter((i) => (split.side[i - start] === 1) === isGroup)
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
