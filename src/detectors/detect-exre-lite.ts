import type { DeviceSet } from '../core/device-set.js'
import { pause } from '../core/pause.js'
import type { ClassFinding } from '../core/result.js'
import { inTurns } from '../core/turns.js'
import { showText } from '../core/untrusted-text.js'
import { solveLower, solveLowerTransposed } from '../linalg/cholesky.js'
import { ClassCovariances } from '../linalg/class-covariances.js'
import { fewestRows } from '../linalg/class-split.js'
import { meansOfClasses } from '../linalg/host-moments.js'
import { factorReference } from '../linalg/leave-one-out-eigen.js'
import { dot } from '../linalg/moments.js'
import { binomialCdf } from '../stats/binomial.js'
import { reasonNotToDivide, referenceRows, suspectedParts } from './class-divisions.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import type { IsInPart } from './part-sums.js'
import { eachPlacedRow } from './placed-rows.js'

export interface ExreLiteOptions {
  readonly directions: number
  readonly minRows: number
  readonly fitRows: number
}

const id = 'exre-lite'
/** A part is poison, as in the paper, where as many of its rows go to one other class as to their own. */
const threshold = 0.5
/** Other classes that a head may send rows to: those whose means lie nearest to the part's. */
const mostSources = 16
/** Of the mean variance, added to the pooled covariance. */
const ridge = 1e-3

/** What `exreLite` does: loaded when it first runs. */
export const detectExreLite: Detector<ExreLiteOptions>['detect'] = async (context, set, { directions, minRows, fitRows }) => {
  const { classes } = set.set
  const skipReason = (c: number, rank: number) => reasonToSkip(set, c, { id, minRows, least: 2 * fewestRows, rank })
  const wanted = [...classes.keys()].filter((c) => skipReason(c, set.varies[c] as number) === null)
  const refusal = wanted.length > 0 ? reasonNotToDivide(set) : null
  if (refusal) return { status: 'skipped', id, reason: refusal }
  const found = wanted.length > 0 ? await suspectedParts(set, { directions, minRows, fitRows }) : null
  const parts = new Map<number, Part | null>()
  for (const c of found?.suspected.keys() ?? []) {
    const isIn = found?.parts.get(c)
    const along = found?.fitted.positionsOf(c) ? (await found.along(c))[0] : undefined
    parts.set(c, isIn ? partOf(set, c, { isIn, along }) : null)
  }
  const scores = new Float32Array(set.rows)
  const judge = parts.size > 0 ? await heads(set, parts, { sums: found?.sums ?? null, scores }) : null
  const findings = await findingsOf(set, async (c): Promise<ClassFinding> => {
    if (!judge || !parts.has(c)) return { status: 'skipped', reason: skipReason(c, 0) ?? '' }
    context.progress(0.95 + (0.05 * (c + 1)) / classes.length)
    return judge(c)
  })
  const result = gatherResult(id, set, scores, findings)
  const sampled = found?.fitted.says('parts of')
  return result.status === 'ran' && sampled ? { ...result, sampled } : result
}

/** Rows of a class that are suspected. */
interface Part {
  /** 1 in the part, class order. */
  readonly isIn: Uint8Array
  readonly rows: number
}

/** `along: [rows]`: where the rows of the class lie along the direction of its division, where only some of them were divided. */
function partOf(
  { set: { classes, starts } }: DeviceSet,
  c: number,
  { isIn, along }: { readonly isIn: IsInPart; readonly along: Float64Array | undefined },
): Part {
  const start = starts[c] as number
  const marks = new Uint8Array((classes[c] as { rows: number }).rows)
  let rows = 0
  for (let i = 0; i < marks.length; i++) {
    if (!isIn(start + i, along?.[i] ?? 0)) continue
    marks[i] = 1
    rows++
  }
  return { isIn: marks, rows }
}

/** A class, and the cosine of the angle between the way to its mean and the way to a part's, both from the mean of the rest of the part's class. */
interface Towards {
  readonly classIndex: number
  readonly cosine: number
}

/** Where a head sends the rows of a class, the suspected part left out of what it learns. */
interface Head {
  /** Classes that rows can be sent to, beside their own. */
  readonly sources: readonly number[]
  /** The other class that the part lies towards, seen from the rest of its own, where one stands out. */
  readonly towards: Towards | null
  /** Along the first of the class's directions and an offset: the part against the rest. Along the others: each source against the rest. */
  readonly offsets: Float64Array
}

interface Fitting {
  /** Of each part, `[paddedCols]` less the set's shift, where they are known. */
  readonly sums: ReadonlyMap<number, Float64Array> | null
  /** `[n]`, class order. */
  readonly scores: Float32Array
}

/** Fits a head for every class; what it gives judges a class, and writes its scores. */
async function heads(set: DeviceSet, parts: ReadonlyMap<number, Part | null>, { sums: known, scores }: Fitting) {
  const { signal } = set.context
  const { paddedCols: cols, set: activationSet } = set
  const covariances = await ClassCovariances.gather(set, referenceRows)
  const { live } = covariances
  const size = live.length
  const classes = covariances.classes.length
  const { factor } = await inTurns(factorReference(covariances.mean, { size, classes, ridge }), signal)
  const inverse = (vector: Float64Array) => solveLowerTransposed(factor, size, solveLower(factor, size, vector.slice()))
  const sums = known ?? (await sumsOf(set, parts))
  const meanOf = await meansOfClasses(set)
  const means = activationSet.classes.map((_, c) => {
    const mean = meanOf(c)
    return Float64Array.from(live, (column) => mean[column] as number)
  })
  const solved = covariances.classes.map((j) => ({ j, mean: means[j] as Float64Array, solved: inverse(means[j] as Float64Array) }))
  const width = 1 + Math.min(mostSources, solved.length - 1)
  const directions = new Float32Array(activationSet.classes.length * width * cols)
  const fitted = new Map<number, Head>()
  for (const [c, part] of parts) {
    if (!part) continue
    const { rows } = activationSet.classes[c] as { rows: number }
    const left = rows - part.rows
    const ofPart = Float64Array.from(live, (column) => ((sums.get(c) as Float64Array)[column] as number) / part.rows)
    const own = means[c] as Float64Array
    const rest = own.map((mean, i) => (rows * mean - part.rows * (ofPart[i] as number)) / left)
    const between = ofPart.map((value, i) => value - (rest[i] as number))
    // Of this class's covariance between · betweenᵀ is left out, and so of the mean of all: (S − a·δ·δᵀ)⁻¹ = S⁻¹ + b·S⁻¹δ·δᵀS⁻¹.
    const share = (part.rows * left) / (rows * (rows - 1) * classes)
    const along = inverse(between)
    const factorAlong = share / Math.max(1 - share * dot(between, along), 1e-9)
    const without = (vector: Float64Array, inverted: Float64Array) => {
      const scale = factorAlong * dot(vector, along)
      return inverted.map((value, i) => value + scale * (along[i] as number))
    }
    const [restSolved, partSolved] = [without(rest, inverse(rest)), without(ofPart, inverse(ofPart))]
    const partAlong = dot(ofPart, along)
    const sources = solved
      .filter(({ j }) => j !== c)
      .map((source) => {
        const meanAlong = dot(source.mean, along)
        const distance =
          dot(source.mean, source.solved) - 2 * dot(ofPart, source.solved) + factorAlong * meanAlong * (meanAlong - 2 * partAlong)
        return { ...source, distance }
      })
      .sort((a, b) => a.distance - b.distance || a.j - b.j)
      .slice(0, width - 1)
      .map((source) => ({ ...source, solved: without(source.mean, source.solved) }))
    const towards = pointedAt(
      between,
      rest,
      solved.filter(({ j }) => j !== c),
    )
    const offsets = new Float64Array(width)
    for (const [k, { mean, solved }] of [{ mean: ofPart, solved: partSolved }, ...sources].entries()) {
      const direction = solved.map((value, i) => Math.fround(value - (restSolved[i] as number)))
      live.forEach((column, i) => {
        directions[(c * width + k) * cols + column] = direction[i] as number
      })
      // Rows are placed about the class's mean.
      offsets[k] = direction.reduce(
        (sum, value, i) => sum + value * ((own[i] as number) - ((mean[i] as number) + (rest[i] as number)) / 2),
        0,
      )
    }
    fitted.set(c, { sources: sources.map(({ j }) => j), towards, offsets })
    await pause()
    signal?.throwIfAborted()
  }
  const sent = new Map<number, Reclassified>()
  for (const [c, part] of parts) {
    const head = fitted.get(c)
    const start = activationSet.starts[c] as number
    const own = scores.subarray(start, activationSet.starts[c + 1])
    if (part && head && size > 0) sent.set(c, new Reclassified(part, head, own))
  }
  if (sent.size > 0) await eachPlacedRow(set, directions, { width, visit: (c, i, values) => sent.get(c)?.add(i, values, width) })
  return (c: number): ClassFinding => {
    const found = sent.get(c)
    if (!found) {
      const says = `finds no second group of ${fewestRows} rows or more. It accuses no class`
      return { status: 'ran', statistic: 0, threshold, pValue: null, says, flagged: new Uint32Array(0), accusation: null }
    }
    return findingOf(set, c, found, scores)
  }
}

/** The sum of each suspected part, `[paddedCols]` less the set's shift. */
async function sumsOf(set: DeviceSet, parts: ReadonlyMap<number, Part | null>): Promise<ReadonlyMap<number, Float64Array>> {
  const { activations, classOf, order, starts } = set.set
  const isSuspected = new Uint8Array(set.rows)
  for (const [c, part] of parts) {
    const start = starts[c] as number
    part?.isIn.forEach((value, i) => {
      if (value) isSuspected[order[start + i] as number] = 1
    })
  }
  const sums = new Map([...parts.keys()].map((c) => [c, new Float64Array(set.paddedCols)]))
  const { cols } = activations
  for await (const { start, rows, data } of set.reads()) {
    for (let i = 0; i < rows; i++) {
      if (!isSuspected[start + i]) continue
      const sum = sums.get(classOf[start + i] as number) as Float64Array
      for (let j = 0, at = i * cols; j < cols; j++, at++) sum[j] = (sum[j] as number) + ((data[at] as number) - (set.shift[j] as number))
    }
  }
  return sums
}

/** Where a head sends the rows of a class. */
class Reclassified {
  readonly part: Part
  readonly head: Head
  /** Rows of the part, and of the rest, that go to each source. */
  readonly sent: Uint32Array
  readonly restSent: Uint32Array
  /** Rows of the part that go nowhere. */
  kept = 0
  /** `[rows of the class]`: written here. */
  readonly #scores: Float32Array

  constructor(part: Part, head: Head, scores: Float32Array) {
    this.part = part
    this.head = head
    this.sent = new Uint32Array(head.sources.length)
    this.restSent = new Uint32Array(head.sources.length)
    this.#scores = scores
  }

  /** The i-th and later rows of the class, `[rows, width]` about its mean along its directions. */
  add(i: number, values: ArrayLike<number>, width: number): void {
    const { offsets } = this.head
    const count = this.sent.length
    for (let at = 0, row = i; at < values.length; at += width, row++) {
      this.#scores[row] = (values[at] as number) + (offsets[0] as number)
      let [best, odds] = [0, Number.NEGATIVE_INFINITY]
      for (let k = 0; k < count; k++) {
        const own = (values[at + k + 1] as number) + (offsets[k + 1] as number)
        if (own <= odds) continue
        best = k
        odds = own
      }
      const isIn = this.part.isIn[row] === 1
      if (odds > 0) {
        const to = isIn ? this.sent : this.restSent
        to[best] = (to[best] as number) + 1
      } else if (isIn) this.kept++
    }
  }
}

/** `scores: [n]`, class order. */
function findingOf(set: DeviceSet, c: number, { part, head, sent, restSent, kept }: Reclassified, scores: Float32Array): ClassFinding {
  const { sources, towards } = head
  const start = set.set.starts[c] as number
  const n = part.isIn.length
  const most = (counts: Uint32Array) => counts.reduce((best, count, k) => (count > (counts[best] as number) ? k : best), 0)
  const to = most(sent)
  const gone = sent[to] ?? 0
  const statistic = gone / Math.max(gone + kept, 1)
  const rate = ((restSent[to] ?? 0) + 1) / (n - part.rows + 2)
  const pValue = gone === 0 ? 1 : Math.max(0, 1 - binomialCdf(gone - 1, part.rows, rate))
  const nameOf = (k: number) => showText(set.set.classes[sources[k] as number]?.label, 60)
  const elsewhere = gone > 0 ? `${gone} to class ${nameOf(to)} and ${kept} to their own` : 'all to their own class'
  const hint = towards
    ? `; they lie towards class ${showText(set.set.classes[towards.classIndex]?.label, 60)} (cosine ${towards.cosine.toFixed(2)})`
    : ''
  const isPoison = statistic >= threshold && pValue <= 0.01
  const isIn = positionsByScore(set, c, scores).filter((i) => part.isIn[i - start])
  return {
    status: 'ran',
    statistic,
    threshold,
    pValue,
    says: `of ${part.rows} suspected rows of ${n} a linear head refitted without them sends ${elsewhere}${hint}. It accuses no class`,
    flagged: isPoison ? rowsAt(set, isIn) : new Uint32Array(0),
    accusation: null,
    sourceClass: towards?.classIndex ?? null,
  }
}

/** Triggers lean towards some class by chance: below this cosine a part was not moved from there, as far as means tell. */
const leastCosine = 0.3
/** Another class that it lies nearly as much towards makes neither sure. */
const nearlyAsMuch = 0.9

/** The class that `between`, from the rest's mean to the part's, points at, where one stands out: a trigger may have left rows on the way from there. */
function pointedAt(
  between: Float64Array,
  rest: Float64Array,
  others: readonly { readonly j: number; readonly mean: Float64Array }[],
): Towards | null {
  const [first, next] = others
    .map(({ j, mean }): Towards => {
      const way = mean.map((value, i) => value - (rest[i] as number))
      return { classIndex: j, cosine: dot(between, way) / Math.max(Math.sqrt(dot(between, between) * dot(way, way)), Number.MIN_VALUE) }
    })
    .sort((a, b) => b.cosine - a.cosine || a.classIndex - b.classIndex)
  if (!first || first.cosine < leastCosine) return null
  return next && next.cosine > nearlyAsMuch * first.cosine ? null : first
}
