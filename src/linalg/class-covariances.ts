import type { ClassRange } from '../core/classed-rows.js'
import type { DeviceSet } from '../core/device-set.js'
import { DetectorError } from '../core/errors.js'
import { pause } from '../core/pause.js'
import { gram, gramFits, gramsPerPass } from '../kernels/gram.js'
import { applyWidth, gramApply } from '../kernels/gram-apply.js'
import { HostMoments, meansOfClasses } from './host-moments.js'

/** A class's within-class covariance over the live columns: `[n, n]`, symmetric, divided by rows − 1. */
export interface ClassCovariance {
  readonly classIndex: number
  readonly covariance: Float64Array
}

/**
 * Within-class covariances of the classes with at least `minRows` rows, over the columns that are alive: those whose standard deviation in
 * the whole set is at least a thousandth of the largest.
 *
 * Memory: 128 MiB for the matrices of some classes; where all of them fit they are kept, otherwise every pass asks the backend for them
 * again, a few classes at a time. Only their mean is held throughout. Where a class's products are more than a buffer of the backend, all
 * classes' are held (`reasonNotToGather`).
 */
export class ClassCovariances {
  readonly set: DeviceSet
  /** Columns of the set that are alive. */
  readonly live: Uint32Array
  /** Classes with enough rows. */
  readonly classes: readonly number[]
  /** Equal-weight mean of all classes' covariances. */
  readonly mean: Float64Array
  readonly #kept: readonly ClassCovariance[] | null

  private constructor(made: Pick<ClassCovariances, 'set' | 'live' | 'classes' | 'mean'>, kept: readonly ClassCovariance[] | null) {
    this.set = made.set
    this.live = made.live
    this.classes = made.classes
    this.mean = made.mean
    this.#kept = kept
  }

  /** One pass, at the first call of an audit. Throws `DetectorError` `overflow` where float32 does not hold the products. */
  static gather(set: DeviceSet, minRows: number): Promise<ClassCovariances> {
    return set.keep(`class covariances of ${minRows} rows or more`, () => ClassCovariances.#gathered(set, minRows))
  }

  static async #gathered(set: DeviceSet, minRows: number): Promise<ClassCovariances> {
    const { paddedCols } = set
    const classes = [...set.set.classes.keys()].filter((c) => (set.set.classes[c] as { rows: number }).rows >= minRows)
    const squares = new Float64Array(paddedCols)
    const sum = new Float64Array(paddedCols * paddedCols)
    const kept: { c: number; scatter: Float64Array }[] = []
    const perPass = classesPerPass(set)
    const all = set.set.classes.length
    const turn = turns(set.context.signal)
    for (let first = 0; first < all; first += perPass) {
      const end = Math.min(first + perPass, all)
      const matrices = await scatters(set, { first, end })
      const meanOf = await meansOfClasses(set) // which the pass for matrices may have found
      for (let c = first; c < end; c++) {
        const scatter = matrices.subarray((c - first) * sum.length, (c - first + 1) * sum.length)
        const mean = meanOf(c)
        const { rows } = set.set.classes[c] as { rows: number }
        for (let j = 0; j < paddedCols; j++) {
          const between = rows * (mean[j] as number) ** 2
          squares[j] = (squares[j] as number) + (scatter[j * paddedCols + j] as number) + between
        }
        if (rows < minRows) continue
        const weight = 1 / ((rows - 1) * classes.length)
        for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + weight * (scatter[at] as number)
        if (perPass >= all) kept.push({ c, scatter })
        await turn.after(sum.length)
      }
    }
    if (!squares.every(Number.isFinite)) {
      throw new DetectorError(
        'overflow',
        'covariances: squares of the activations add up to more than float32 holds (3.4e38); scale all of them down by one factor',
      )
    }
    const largest = squares.reduce((a, v) => Math.max(a, v), 0)
    const live = Uint32Array.from([...squares.keys()].filter((j) => largest > 0 && (squares[j] as number) >= 1e-6 * largest))
    const mean = among(sum, { live, cols: paddedCols, divisor: 1 })
    const ready: ClassCovariance[] = []
    for (const { c, scatter } of kept) {
      const divisor = (set.set.classes[c] as { rows: number }).rows - 1
      ready.push({ classIndex: c, covariance: among(scatter, { live, cols: paddedCols, divisor }) })
      await turn.after(live.length ** 2)
    }
    return new ClassCovariances({ set, live, classes, mean }, perPass >= all ? ready : null)
  }

  /** Every class's covariance, in class order. */
  async *each(): AsyncGenerator<ClassCovariance, void, undefined> {
    if (this.#kept) return yield* this.#kept
    const { set, live, classes } = this
    const cols = set.paddedCols
    const wanted = new Set(classes)
    const perPass = classesPerPass(set)
    const all = set.set.classes.length
    for (let first = 0; first < all; first += perPass) {
      const end = Math.min(first + perPass, all)
      const matrices = await scatters(set, { first, end })
      for (let c = first; c < end; c++) {
        if (!wanted.has(c)) continue
        const scatter = matrices.subarray((c - first) * cols * cols, (c - first + 1) * cols * cols)
        yield { classIndex: c, covariance: among(scatter, { live, cols, divisor: (set.set.classes[c] as { rows: number }).rows - 1 }) }
      }
    }
  }
}

/** Values dealt with between two pauses: a few milliseconds. */
const valuesPerTurn = 2 ** 21

/** Lets other work in, and an abort, once enough values were dealt with since it last did. */
function turns(signal: AbortSignal | undefined): { after(values: number): Promise<void> } {
  let done = 0
  return {
    async after(values) {
      done += values
      if (done < valuesPerTurn) return
      done = 0
      await pause()
      signal?.throwIfAborted()
    },
  }
}

/** Host memory for the matrices of all classes, where a pass gives them all. */
const hostBytesAtOnce = 512 * 2 ** 20

function classesPerPass(set: DeviceSet): number {
  return gramFits(set) ? gramsPerPass(set) : set.set.classes.length
}

/** A few d×d matrices in float64 are held at a time: 128 MiB each at this size. */
const mostColumns = 4096

/**
 * Why `ClassCovariances` cannot be had, or null where they can: too many columns, or a class too large for one buffer, so that all classes'
 * would have to be held at once, and too many of them for that.
 */
export function reasonNotToGather(set: DeviceSet): string | null {
  const { classes, activations } = set.set
  if (set.paddedCols > mostColumns) {
    return `the activations have ${activations.cols} features; with more than ${mostColumns} the covariances would take too much memory`
  }
  if (gramFits(set) || classes.length * set.paddedCols ** 2 * 8 <= hostBytesAtOnce) return null
  const { name } = set.context.backend
  return `a class is too large for a buffer of the backend (${name}), and ${classes.length} classes of ${activations.cols} features too many; pass --backend cpu`
}

/** Centred XᵀX of a range of classes, `[classes of the range · d, d]`. */
async function scatters(set: DeviceSet, range: ClassRange): Promise<Float64Array> {
  const host = await HostMoments.of(set)
  if (host) return host.scatters(range)
  if (gramFits(set)) return gram(set, range)
  // Xᵀ(X·V) for unit vectors V needs no buffer of d × d: sixteen columns of all classes' products at a time, four times the work.
  const { paddedCols: cols } = set
  const classes = set.set.classes.length
  const all = new Float64Array(classes * cols * cols)
  for (let first = 0; first < cols; first += applyWidth) {
    const width = Math.min(applyWidth, cols - first)
    const units = new Float32Array(classes * applyWidth * cols)
    for (let c = 0; c < classes; c++) for (let k = 0; k < width; k++) units[(c * applyWidth + k) * cols + first + k] = 1
    const [columns] = (await gramApply(set, [units])) as [Float64Array]
    for (let c = 0; c < classes; c++) {
      const from = c * applyWidth * cols
      all.set(columns.subarray(from, from + width * cols), (c * cols + first) * cols)
    }
  }
  return all.subarray(range.first * cols * cols, range.end * cols * cols)
}

function among(a: Float64Array, { live, cols, divisor }: { live: Uint32Array; cols: number; divisor: number }): Float64Array {
  const n = live.length
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const [row, col] = [live[i] as number, live[j] as number]
      // Columns that were taken one by one are symmetric but for rounding.
      out[i * n + j] = ((a[row * cols + col] as number) + (a[col * cols + row] as number)) / (2 * divisor)
    }
  }
  return out
}
