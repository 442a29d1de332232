import * as z from 'zod/mini'
import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding } from '../core/result.js'
import { inTurns } from '../core/turns.js'
import { gramBytesPerClass } from '../kernels/gram.js'
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
/** Directions that the separation is judged in: more than the mixture needs, since noise can be cancelled by directions of its own. */
const evidenceDirections = 64
/** A few d×d matrices in float64 are held at a time: 128 MiB each at this size. */
const mostColumns = 4096

/** DOCS */
export const whitenedMixture: Detector<WhitenedMixtureOptions> = {
  id,
  title: 'Whitened mixture',
  citation:
    'Generalised eigenvectors against the other classes (as in Hayase et al.: SPECTRE. ICML 2021) and a tied-covariance mixture (as in Tang et al.: SCAn. USENIX Security 2021)',
  needs: ['activations', 'labels'],
  options,
  async detect(context, set, { directions, separation, minRows }) {
    const reasons = set.set.classes.map((_, c) =>
      reasonToSkip(set, c, { id, minRows, least: 2 * fewestRows, rank: set.varies[c] as number }),
    )
    const wanted = [...reasons.keys()].filter((c) => reasons[c] === null)
    const refusal = reasonToRefuse(set, wanted)
    if (refusal) return { status: 'skipped', id, reason: refusal }
    const coordinates =
      wanted.length > 0 ? await ownCoordinates(set, { width: Math.max(directions, evidenceDirections), referenceRows, wanted }) : null
    const scores = new Float32Array(set.rows)
    const classes: ClassFinding[] = []
    for (const [c, reason] of reasons.entries()) {
      classes.push(
        reason || !coordinates
          ? { status: 'skipped', reason: reason ?? '' }
          : await judge(set, c, { coordinates, directions, threshold: separation, scores }),
      )
      context.progress(0.5 + (0.5 * (c + 1)) / reasons.length)
    }
    return gatherResult(id, set, scores, classes)
  },
}

/** Why a set cannot be judged at all, or null where it can. */
function reasonToRefuse(set: DeviceSet, wanted: readonly number[]): string | null {
  const { classes } = set.set
  const cols = set.paddedCols
  if (cols > mostColumns) {
    return `the activations have ${set.set.activations.cols} features; with more than ${mostColumns} the covariances would take too much memory`
  }
  const judged = classes.filter(({ rows }, c) => rows >= referenceRows && set.varies[c])
  if (wanted.length > 0 && judged.length < 2) {
    return `class ${String(judged[0]?.label ?? '')} has no other class to be compared with: needs at least two classes of ${referenceRows} rows that differ`
  }
  const largest = Math.min(
    set.rowsPerBlock,
    classes.reduce((most, { rows }) => Math.max(most, rows), 0),
  )
  const bytes = gramBytesPerClass(largest, cols)
  const { maxBindingBytes, name } = set.context.backend
  if (bytes > maxBindingBytes) {
    return `a class of ${largest} rows of ${cols} features needs a buffer of ${bytes} bytes for its products, the backend (${name}) has ${maxBindingBytes}; pass --backend cpu`
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
  const rows = coordinates.rowsOf(c)
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
