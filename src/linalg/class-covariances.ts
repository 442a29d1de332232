import type { DeviceSet } from '../core/device-set.js'
import { DetectorError } from '../core/errors.js'
import { classMeans } from '../kernels/class-means.js'
import { gram } from '../kernels/gram.js'

/** A class's within-class covariance over the live columns: `[n, n]`, symmetric, divided by rows − 1. */
export interface ClassCovariance {
  readonly classIndex: number
  readonly covariance: Float64Array
}

/**
 * Within-class covariances of the classes with at least `minRows` rows, over the columns that are alive: those whose standard deviation in
 * the whole set is at least a thousandth of the largest.
 *
 * Memory: `hostBytes` for the matrices of some classes; where all of them fit they are kept, otherwise every pass asks the backend for them
 * again, a few classes at a time. Only their mean is held throughout.
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

  /** One pass. Throws `DetectorError` `overflow` where float32 does not hold the products. */
  static async gather(set: DeviceSet, minRows: number): Promise<ClassCovariances> {
    const { paddedCols } = set
    const means = await classMeans(set)
    const classes = [...set.set.classes.keys()].filter((c) => (set.set.classes[c] as { rows: number }).rows >= minRows)
    const squares = new Float64Array(paddedCols)
    const sum = new Float64Array(paddedCols * paddedCols)
    const kept: { c: number; scatter: Float64Array }[] = []
    const perPass = classesPerPass(set)
    const all = set.set.classes.length
    for (let first = 0; first < all; first += perPass) {
      const end = Math.min(first + perPass, all)
      const matrices = await gram(set, { first, end })
      for (let c = first; c < end; c++) {
        const scatter = matrices.subarray((c - first) * sum.length, (c - first + 1) * sum.length)
        const { rows } = set.set.classes[c] as { rows: number }
        for (let j = 0; j < paddedCols; j++) {
          const between = rows * (means[c * paddedCols + j] as number) ** 2
          squares[j] = (squares[j] as number) + (scatter[j * paddedCols + j] as number) + between
        }
        if (rows < minRows) continue
        const weight = 1 / ((rows - 1) * classes.length)
        for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + weight * (scatter[at] as number)
        if (perPass >= all) kept.push({ c, scatter })
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
    const ready = kept.map(({ c, scatter }) => ({
      classIndex: c,
      covariance: among(scatter, { live, cols: paddedCols, divisor: (set.set.classes[c] as { rows: number }).rows - 1 }),
    }))
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
      const matrices = await gram(set, { first, end })
      for (let c = first; c < end; c++) {
        if (!wanted.has(c)) continue
        const scatter = matrices.subarray((c - first) * cols * cols, (c - first + 1) * cols * cols)
        yield { classIndex: c, covariance: among(scatter, { live, cols, divisor: (set.set.classes[c] as { rows: number }).rows - 1 }) }
      }
    }
  }
}

/** Host memory for the matrices of one pass; more of it only where a pass costs reading the rows again. */
const hostBytes = 128 * 2 ** 20

function classesPerPass({ context, isReadAgain, paddedCols }: DeviceSet): number {
  const bytes = isReadAgain ? Math.max(hostBytes, context.memory / 4) : hostBytes
  return Math.max(1, Math.floor(bytes / (paddedCols * paddedCols * 8)))
}

function among(a: Float64Array, { live, cols, divisor }: { live: Uint32Array; cols: number; divisor: number }): Float64Array {
  const n = live.length
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) out[i * n + j] = (a[(live[i] as number) * cols + (live[j] as number)] as number) / divisor
  }
  return out
}
