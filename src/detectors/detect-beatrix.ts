import type { RowBlock } from '../core/activation-rows.js'
import type { ActivationSet } from '../core/activation-set.js'
import { stretchInClassOrder } from '../core/class-order.js'
import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding } from '../core/result.js'
import { partForThread, reusedFloats } from '../core/shared-floats.js'
import { runTasks } from '../core/tasks.js'
import { type BandLimits, bandLimits, type GramBands, gramBandsTask, gramDeviationsTask } from '../linalg/gram-bands.js'
import { gatherRows } from '../linalg/row-sample.js'
import { drawSome } from '../stats/draws.js'
import { robustDeviations } from '../stats/robust-deviations.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'

export interface BeatrixOptions {
  readonly minRows: number
}

const id = 'beatrix'
/** The paper's: from e² robust standard deviations on. */
const threshold = Math.exp(2)
/** Fewer classes have no spread that a class could be held against. */
const fewestClasses = 3
/** Trusted rows that a class needs for bands of its own from them. */
const fewestTrusted = 20
/** Rows of a class that its bands are taken from where trusted ones are too few; fewer where all classes' are more than 2²⁵ values. */
const bandRows = 500
const bandValues = 2 ** 25
/** Values of a stretch of one class's rows that a thread takes. */
const valuesPerStretch = 2 ** 18

/** What `beatrix` does: loaded when it first runs. */
export const detectBeatrix: Detector<BeatrixOptions>['detect'] = async (context, set, { minRows }) => {
  const { classes, activations } = set.set
  const { cols } = activations
  const reasons = classes.map((_, c) => reasonToSkip(set, c, { id, minRows, least: 5, rank: set.varies[c] as number }))
  const wanted = [...classes.keys()].filter((c) => reasons[c] === null)
  const trusted = trustedOf(set)
  const bands = await bandsOf(set, wanted, trusted)
  const limits = new Map([...bands].map(([c, own]) => [c, bandLimits(own)]))
  const scoreOf = new Float32Array(activations.rows)
  const sums = new Float64Array(classes.length)
  const judge = async ({ values, rowOf, stretches }: Gathered) => {
    const judged = stretches.filter(({ c }) => limits.has(c))
    const deviations = await runTasks(context, gramDeviationsTask, {
      count: judged.length,
      input: async (i) => {
        const { c, first, end } = judged[i] as Stretch
        return { rows: partForThread(values, first * cols, end * cols), ...(limits.get(c) as BandLimits) }
      },
      progress: () => context.signal?.throwIfAborted(),
    })
    for (const [i, { c, first, end }] of judged.entries()) {
      const own = deviations[i] as Float64Array
      for (let at = first; at < end; at++) {
        const [beyond, within] = [own[2 * (at - first)] as number, own[2 * (at - first) + 1] as number]
        sums[c] = (sums[c] as number) + beyond
        scoreOf[rowOf[at] as number] = beyond > 0 ? beyond : -1 / (1 + within)
      }
    }
  }
  // Rows are judged while the next ones are read.
  let [room, judged] = [reusedFloats(), reusedFloats()]
  let judging: Promise<void> = Promise.resolve()
  for await (const block of set.reads()) {
    const rows = gathered(block, set.set, room(block.data.length))
    ;[room, judged] = [judged, room]
    await judging
    judging = judge(rows)
    judging.catch(() => undefined) // shows where it is waited for
    context.progress(0.4 + (0.6 * (block.start + block.rows)) / activations.rows)
  }
  await judging
  const means = wanted.map((c) => (sums[c] as number) / (classes[c] as { rows: number }).rows)
  const { deviations } = robustDeviations(means)
  const scores = set.toClassOrder(scoreOf)
  const findings = await findingsOf(set, (c): ClassFinding => {
    const reason = reasons[c]
    if (reason) return { status: 'skipped', reason }
    const at = wanted.indexOf(c)
    const deviation = { mean: means[at] as number, among: wanted.length < fewestClasses ? null : (deviations[at] as number) }
    return findingOf(set, c, { scores, deviation, isTrusted: trusted.has(c) })
  })
  return gatherResult(id, set, scores, findings)
}

/** Rows of one class that lie one after the other in a block that was put in class order. */
interface Stretch {
  readonly c: number
  readonly first: number
  readonly end: number
}

interface Gathered {
  /** `[rows, cols]` class by class. */
  readonly values: Float32Array
  /** Which of the set's each row is. */
  readonly rowOf: Uint32Array
  /** Some milliseconds' work each. */
  readonly stretches: readonly Stretch[]
}

/** Puts a block's rows class by class into `values`. */
function gathered({ start, rows, data }: RowBlock, { classOf, classes }: ActivationSet, values: Float32Array): Gathered {
  const cols = data.length / rows
  const { starts } = stretchInClassOrder({ classOf }, { start, end: start + rows }, new Uint32Array(classes.length))
  const next = starts.slice()
  const rowOf = new Uint32Array(rows)
  for (let i = 0; i < rows; i++) {
    const c = classOf[start + i] as number
    const to = next[c] as number
    next[c] = to + 1
    rowOf[to] = start + i
    values.set(data.subarray(i * cols, (i + 1) * cols), to * cols)
  }
  const most = Math.max(1, Math.floor(valuesPerStretch / cols))
  const stretches: Stretch[] = []
  for (let c = 0; c < classes.length; c++) {
    const end = starts[c + 1] as number
    for (let first = starts[c] as number; first < end; first += most) stretches.push({ c, first, end: Math.min(first + most, end) })
  }
  return { values, rowOf, stretches }
}

/** Values of a class's trusted rows, `[rows, cols]`, where there are enough of them. */
function trustedOf({ set }: DeviceSet): Map<number, Float32Array> {
  const rowsOf = new Map<number, number[]>()
  set.trusted?.classOf.forEach((c, row) => {
    const rows = rowsOf.get(c) ?? []
    rows.push(row)
    rowsOf.set(c, rows)
  })
  const { data, cols } = set.trusted?.activations ?? { data: new Float32Array(0), cols: 0 }
  const values = new Map<number, Float32Array>()
  for (const [c, rows] of rowsOf) {
    if (rows.length < fewestTrusted) continue
    const own = new Float32Array(rows.length * cols)
    rows.forEach((row, i) => {
      own.set(data.subarray(row * cols, (row + 1) * cols), i * cols)
    })
    values.set(c, own)
  }
  return values
}

/** Bands of the classes that are wanted. */
async function bandsOf(
  set: DeviceSet,
  wanted: readonly number[],
  trusted: ReadonlyMap<number, Float32Array>,
): Promise<Map<number, GramBands>> {
  const { set: data, context } = set
  const { cols } = data.activations
  const perClass = Math.max(fewestTrusted, Math.min(bandRows, Math.floor(bandValues / (cols * Math.max(wanted.length, 1)))))
  const rng = context.rng.fork(id)
  const drawn = new Map<number, { readonly first: number; readonly rows: Uint32Array }>()
  let count = 0
  for (const c of wanted) {
    if (trusted.has(c)) continue
    const stream = rng.fork(String(data.classes[c]?.label))
    const rows = drawSome(data.order.subarray(data.starts[c], data.starts[c + 1]), perClass, stream)
    drawn.set(c, { first: count, rows })
    count += rows.length
  }
  const own = new Uint32Array(count)
  for (const { first, rows } of drawn.values()) own.set(rows, first)
  const gathered = count > 0 ? await gatherRows(set.reads(), own, cols) : new Float32Array(0)
  context.progress(0.1)
  const bands = await runTasks(context, gramBandsTask, {
    count: wanted.length,
    input: async (i) => {
      const c = wanted[i] as number
      const { first, rows } = drawn.get(c) ?? { first: 0, rows: own.subarray(0, 0) }
      return { rows: trusted.get(c) ?? gathered.slice(first * cols, (first + rows.length) * cols), cols }
    },
    progress: (done) => context.progress(0.1 + (0.3 * done) / wanted.length),
  })
  return new Map(wanted.map((c, i) => [c, bands[i] as GramBands]))
}

interface Judged {
  /** `[n]`, class order. */
  readonly scores: Float32Array
  /** Mean deviation of the class's rows, and how it stands among the classes', where there are enough of them. */
  readonly deviation: { readonly mean: number; readonly among: number | null }
  readonly isTrusted: boolean
}

function findingOf(set: DeviceSet, c: number, { scores, deviation, isTrusted }: Judged): ClassFinding {
  const { starts, classes } = set.set
  const start = starts[c] as number
  const own = scores.subarray(start, starts[c + 1])
  const outside = own.reduce((count, score) => count + (score > 0 ? 1 : 0), 0)
  const { deviations } = robustDeviations(own.map((score) => Math.max(score, 0)))
  const flags = deviation.among !== null && deviation.among >= threshold
  const far = flags ? positionsByScore(set, c, scores).filter((i) => (deviations[i - start] as number) >= threshold) : new Uint32Array(0)
  const compared =
    deviation.among === null
      ? `with fewer than ${fewestClasses} classes there is nothing to hold it against`
      : `${deviation.among.toFixed(1)} robust standard deviations above the classes' median, an attack from ${threshold.toFixed(2)}`
  return {
    status: 'ran',
    statistic: deviation.among ?? deviation.mean,
    threshold: deviation.among === null ? null : threshold,
    pValue: null,
    says:
      `${outside} of ${classes[c]?.rows} rows have Gram features outside the bands of ${isTrusted ? 'trusted rows' : 'the class itself'}, ` +
      `by ${deviation.mean.toPrecision(3)} on average: ${compared}. It accuses no class`,
    flagged: rowsAt(set, far),
    accusation: null,
  }
}
