import * as z from 'zod/mini'
import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding } from '../core/result.js'
import { inTurns } from '../core/turns.js'
import { showText } from '../core/untrusted-text.js'
import { canGatherCovariances } from '../linalg/class-covariances.js'
import { type ClassSplit, fewestRows, splitClass } from '../linalg/class-split.js'
import { dot } from '../linalg/moments.js'
import { otherGroups, projections } from '../linalg/separation.js'
import { gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import { type OwnCoordinates, ownCoordinates } from './own-coordinates.js'
import { suspiciousSide } from './suspicious-side.js'

export interface WhitenedMixtureOptions {
  readonly directions: number
  readonly separation: number
  readonly minRows: number
}

const options: z.ZodMiniType<WhitenedMixtureOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(2), z.lte(64)), 30),
  separation: z._default(z.number().check(z.gt(0)), 6),
  minRows: z._default(z.int().check(z.gte(2 * fewestRows)), 30),
})

const id = 'whitened-mixture'
/** Rows that a class needs for its covariance to be part of what the others are compared with. */
const referenceRows = 10
/** Directions that the separation is judged in: more than the mixture is fitted in, since some serve to cancel the noise of others. */
const evidenceDirections = 64
/** A few d×d matrices in float64 are held at a time: 128 MiB each at this size. */
const mostColumns = 4096

/**
 * What varies in one class and in no other, split in two. Per class c:
 *
 * 1. Directions: the leading solutions of S_c·v = λ·S·v, S_c being the class's covariance and S the mean of the other classes' (a ridge of
 *    1e-3 added). Natural variation is mostly shared by classes; what a trigger adds to one class is not. It is the whitening that SPECTRE
 *    (Hayase et al., ICML 2021) takes from a class's own robust covariance, with the other classes in its place.
 * 2. Candidates for two groups: mixtures of two normal distributions with one covariance (the two-component model of SCAn, Tang et al.,
 *    USENIX Security 2021) in the first `directions` of them, from many starts, the smaller side peeled off three times; and very small groups.
 * 3. Separation: the distance of the two means along the direction b that is best for the noisiest group of the whole set, in that group's
 *    standard deviations; cross-fitted. The candidate that has most of it is the class's statistic.
 * 4. A row's score is its distance from the clean side's mean along b in those standard deviations, so scores of classes compare. The
 *    suspicious side is the smaller one, but see `suspiciousSide` for cuts near half and for trusted rows.
 *
 * Flagged are the rows beyond the middle between the groups, in classes whose statistic is at least `separation` (6: three standard
 * deviations on both sides). Natural groups can lie that far apart: the statistic is not calibrated, and no class is accused.
 *
 * Options: `directions` 2 … 64, `separation` > 0, `minRows` ≥ 10. Needs two classes of ten rows. Of trusted rows and logits it takes what
 * there is. Cost: two passes (more where the covariances of all classes take more than 128 MiB), then on the host the work that
 * `ownCoordinates` counts and about 2,000·n·directions multiply-adds for the mixtures.
 */
export const whitenedMixture: Detector<WhitenedMixtureOptions> = {
  id,
  title: 'Whitened mixture',
  citation:
    'After Hayase et al.: SPECTRE, ICML 2021 (whitening), and Tang et al.: Demon in the Variant, USENIX Security 2021 (tied mixture)',
  needs: ['activations', 'labels'],
  options,
  async detect(context, set, { directions, separation, minRows }) {
    const skipReason = (c: number, rank: number) => reasonToSkip(set, c, { id, minRows, least: 2 * fewestRows, rank })
    const wanted = [...set.set.classes.keys()].filter((c) => skipReason(c, set.varies[c] as number) === null)
    const refusal = wanted.length > 0 ? reasonToRefuse(set) : null
    if (refusal) return { status: 'skipped', id, reason: refusal }
    const coordinates = wanted.length > 0 ? await ownCoordinates(set, { width: evidenceDirections, referenceRows, wanted }) : null
    const scores = new Float32Array(set.rows)
    const classes: ClassFinding[] = []
    for (const c of set.set.classes.keys()) {
      const reason = skipReason(c, set.varies[c] ? (coordinates?.width ?? 0) : 0)
      if (reason !== null || !coordinates) classes.push({ status: 'skipped', reason: reason ?? '' })
      else classes.push(await judge(set, c, { coordinates, directions, threshold: separation, scores }))
      context.progress(0.5 + (0.5 * (c + 1)) / set.set.classes.length)
    }
    const result = gatherResult(id, set, scores, classes)
    return result.status === 'ran' ? { ...result, unit: 'standard deviations' } : result
  },
}

/** Why a set cannot be judged at all, or null where it can. */
function reasonToRefuse(set: DeviceSet): string | null {
  const { classes } = set.set
  const cols = set.paddedCols
  if (cols > mostColumns) {
    return `the activations have ${set.set.activations.cols} features; with more than ${mostColumns} the covariances would take too much memory`
  }
  const judged = classes.filter(({ rows }, c) => rows >= referenceRows && set.varies[c])
  if (judged.length < 2) {
    return `class ${showText(judged[0]?.label)} has no other class to be compared with: needs at least two classes of ${referenceRows} rows that differ`
  }
  if (!canGatherCovariances(set)) {
    const { name } = set.context.backend
    return `a class is too large for a buffer of the backend (${name}), and ${classes.length} classes of ${cols} features too many; pass --backend cpu`
  }
  return null
}

interface Judging {
  readonly coordinates: OwnCoordinates
  readonly directions: number
  readonly threshold: number
  /** `[n]`, class order: the class's scores are written here. */
  readonly scores: Float32Array
}

async function judge(set: DeviceSet, c: number, { coordinates, directions, threshold, scores }: Judging): Promise<ClassFinding> {
  const { signal, rng } = set.context
  const { label, rows: count } = set.set.classes[c] as { label: unknown; rows: number }
  const start = set.set.starts[c] as number
  const rows = await coordinates.rowsOf(c)
  const { covariances, counts } = coordinates.othersOf(c)
  const others = otherGroups(covariances, counts, coordinates.width)
  const split = await inTurns(splitClass(rows, { others, directions, rng: rng.fork(`${id} ${label}`) }), signal)
  if (!split) {
    return {
      status: 'ran',
      statistic: 0,
      threshold,
      pValue: null,
      says: `finds no second group of ${fewestRows} rows or more`,
      flagged: new Uint32Array(0),
      accusation: null,
    }
  }
  const { side, separation, crossFitted } = split
  const { direction, sd } = separation
  const along = projections(rows, direction)
  const { isGroup, because } = await suspiciousSide(set, { classIndex: c, side, trusted: trustedSides(set, c, coordinates, split) })
  const clean = isGroup ? separation.rest : separation.group
  const origin = dot(clean.mean, direction)
  const sign = isGroup ? 1 : -1
  along.forEach((at, i) => {
    scores[start + i] = (sign * (at - origin)) / sd
  })
  const cut = 0.5 / sd
  const beyond = positionsByScore(set, c, scores).filter((i) => (scores[i] as number) > cut)
  const apart = crossFitted >= threshold
  const says =
    `the two groups that lie furthest apart (${beyond.length} of ${count} rows; suspicious because ${because}) are ${crossFitted.toFixed(1)} standard ` +
    `deviations of the noisiest group of the set apart, in rows held out; ${apart ? 'flagged' : 'flags rows'} from ${threshold}. It accuses no class yet`
  return {
    status: 'ran',
    statistic: crossFitted,
    threshold,
    pValue: null,
    says,
    flagged: apart ? rowsAt(set, beyond) : new Uint32Array(0),
    accusation: null,
  }
}

/** How many of the class's trusted rows lie on the group's side of the cut. */
function trustedSides(
  set: DeviceSet,
  c: number,
  coordinates: OwnCoordinates,
  { separation }: ClassSplit,
): { rows: number; inGroup: number } | null {
  const { trusted } = set.set
  if (!trusted) return null
  const { direction, group, rest } = separation
  const halfway = (dot(group.mean, direction) + dot(rest.mean, direction)) / 2
  const { data, cols } = trusted.activations
  let rows = 0
  let inside = 0
  trusted.classOf.forEach((own, i) => {
    if (own !== c) return
    rows++
    if (dot(coordinates.place(c, data.subarray(i * cols, (i + 1) * cols)), direction) > halfway) inside++
  })
  return { rows, inGroup: inside }
}
