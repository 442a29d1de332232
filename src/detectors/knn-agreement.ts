import * as z from 'zod/mini'
import type { DeviceSet } from '../core/device-set.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'
import type { ClassFinding } from '../core/result.js'
import type { Rng } from '../core/rng.js'
import { showText } from '../core/untrusted-text.js'
import { nearestFinder } from '../linalg/nearest-finder.js'
import type { ReferenceRows } from '../linalg/nearest-rows.js'
import { gatherRows } from '../linalg/row-sample.js'
import { drawSome } from '../stats/draws.js'
import { gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'

export interface KnnAgreementOptions {
  readonly k: number
  readonly minRows: number
}

const options: z.ZodMiniType<KnnAgreementOptions> = z.strictObject({
  k: z._default(z.int().check(z.gte(1), z.lte(1000)), 50),
  minRows: z._default(z.int().check(z.gte(2)), 20),
})

const id = 'knn-agreement'
/** Multiply-adds that all distances may cost, as long as a class keeps its fewest references and a row its fewest columns. */
const operations = 3e9
const fewestReferences = 4
/** Columns that are kept while references are cut, and that are kept whatever it costs. */
const enoughColumns = 64
const fewestColumns = 16

/**
 * kNN label agreement (Peri et al., "Deep k-NN Defense Against Clean-Label Data Poisoning Attacks", ECCV Workshops 2020): rows scaled to
 * length 1, the share of a row's k nearest neighbours that carry another label. Flagged, as in the paper, is a row whose label is not the
 * most frequent one among them; the statistic is the share of such rows. No class is accused.
 *
 * Not as in the paper: k is lowered for a class to half of its references, so that its rows can be among their own; and where n²·d
 * multiply-adds are more than 3e9 (1e9 take half a second on one core) neighbours are looked for among references drawn by the seed, 2·k
 * of each class, which keeps small classes visible. Beyond 3e9 for these, first references become fewer, then columns, which are added up
 * with random signs into 64 or more (feature hashing, Weinberger et al. 2009: squared distances stay right on average, ±√(2/columns)), then
 * both, down to 4 references a class and 16 columns: what 1,000 classes of 100 rows need is 6e9. All on the host, from the rows as they
 * were given, so that backends give the same scores.
 *
 * Options: `k` 1 … 1000, `minRows` ≥ 2. Needs two classes. Two passes over the rows.
 */
export const knnAgreement: Detector<KnnAgreementOptions> = {
  id,
  title: 'kNN label agreement',
  citation: 'Peri et al.: Deep k-NN Defense Against Clean-Label Data Poisoning Attacks. ECCV Workshops 2020',
  needs: ['activations', 'labels'],
  options,
  async detect(context, set, { k: most, minRows }) {
    const { classes, classOf, activations } = set.set
    const reasons = classes.map((_, c) => reasonToSkip(set, c, { id, minRows, rank: set.varies[c] as number }))
    if (classes.length < 2) {
      const [info] = classes
      const reason = reasons[0] ?? `class ${showText(info?.label)} has no other class that its rows could lie among`
      return { status: 'skipped', id, reason }
    }
    const { references, perClass, sketch } = await drawReferences(set, most, context.rng.fork(id))
    context.progress(0.1)
    const k = perClass.map((count) => Math.max(1, Math.min(most, Math.floor(count / 2))))
    const largest = Math.max(...k)
    using finder = nearestFinder(context, references, largest)
    const others = new Float32Array(activations.rows)
    const outvoted = new Uint8Array(activations.rows)
    const votes = new Uint32Array(classes.length)
    const classOfReference = references.rowOf.map((row) => classOf[row] as number)
    for await (const { start, rows, data } of readRows(activations, {
      rowsPerBlock: rowsPerRead(activations.cols),
      signal: context.signal,
    })) {
      const visit = (i: number, neighbours: Uint32Array) => {
        const own = classOf[start + i] as number
        const near = neighbours.subarray(0, k[own])
        let winner = 0
        for (const r of near) {
          const c = classOfReference[r] as number
          votes[c] = (votes[c] as number) + 1
          winner = Math.max(winner, votes[c] as number)
        }
        others[start + i] = near.length === 0 ? 0 : 1 - (votes[own] as number) / near.length
        outvoted[start + i] = (votes[own] as number) < winner ? 1 : 0
        for (const r of near) votes[classOfReference[r] as number] = 0
      }
      await finder.find({ data: sketch(data), firstRow: start }, visit)
      context.progress(0.1 + (0.9 * (start + rows)) / activations.rows)
    }
    const scores = Float32Array.from(set.set.order, (row) => others[row] as number)
    const findings = classes.map((info, c): ClassFinding => {
      const reason = reasons[c]
      if (reason) return { status: 'skipped', reason }
      const against = positionsByScore(set, c, scores).filter((i) => outvoted[set.set.order[i] as number])
      const says =
        `${against.length} of ${info.rows} rows have more neighbours of another label than of their own among the ${k[c]} nearest of ` +
        `${references.count} reference rows. It accuses no class`
      const statistic = against.length / info.rows
      return { status: 'ran', statistic, threshold: null, pValue: null, says, flagged: rowsAt(set, against), accusation: null }
    })
    return gatherResult(id, set, scores, findings)
  },
}

interface Drawn {
  readonly references: ReferenceRows
  /** References of each class. */
  readonly perClass: readonly number[]
  /** Rows as they were given, `[n, cols]`, as they are compared: scaled to length 1, in as many columns as the references have. */
  readonly sketch: (rows: Float32Array) => Float32Array
}

async function drawReferences(set: DeviceSet, k: number, rng: Rng): Promise<Drawn> {
  const { classes, order, starts, activations } = set.set
  const { rows, cols } = activations
  const affordable = Math.floor(operations / (rows * classes.length * Math.min(cols, enoughColumns)))
  const quota = rows * rows * cols <= operations ? rows : Math.max(fewestReferences, Math.min(2 * k, affordable))
  const ofClasses = classes.map(({ label }, c) => drawSome(order.subarray(starts[c], starts[c + 1]), quota, rng.fork(String(label))))
  const count = ofClasses.reduce((sum, { length }) => sum + length, 0)
  const rowOf = new Uint32Array(count)
  let at = 0
  for (const own of ofClasses) {
    rowOf.set(own, at)
    at += own.length
  }
  const width = Math.min(cols, Math.max(fewestColumns, Math.floor(operations / (rows * count))))
  const sketch = sketcher(cols, width, rng.fork('columns'))
  const data = sketch(await gatherRows(activations, rowOf, set.context.signal))
  return { references: { data, count, cols: width, rowOf }, perClass: ofClasses.map(({ length }) => length), sketch }
}

/** Scales rows of `cols` values to length 1 (rows of zeros stay) and, where `width` is less, adds each column to one of `width`, or takes it off. */
function sketcher(cols: number, width: number, rng: Rng): (rows: Float32Array) => Float32Array {
  const to = Uint32Array.from({ length: cols }, (_, j) => (width < cols ? rng.below(width) : j))
  const sign = Float64Array.from({ length: cols }, () => (width < cols && rng.float() < 0.5 ? -1 : 1))
  return (rows) => {
    const n = rows.length / cols
    const out = new Float32Array(n * width)
    const sums = new Float64Array(width)
    for (let i = 0; i < n; i++) {
      let largest = 0
      for (let j = 0, at = i * cols; j < cols; j++, at++) largest = Math.max(largest, Math.abs(rows[at] as number))
      if (largest === 0) continue
      sums.fill(0)
      let squares = 0
      for (let j = 0, at = i * cols; j < cols; j++, at++) {
        const value = (rows[at] as number) / largest // squares of large values would overflow
        squares += value * value
        sums[to[j] as number] = (sums[to[j] as number] as number) + (sign[j] as number) * value
      }
      const scale = 1 / Math.sqrt(squares)
      for (let j = 0; j < width; j++) out[i * width + j] = scale * (sums[j] as number)
    }
    return out
  }
}
