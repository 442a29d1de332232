import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import type { Task } from '../core/lane.js'
import { atOnce } from '../core/turns.js'
import { innerProduct } from './inner-product.js'

/** Rows of `cols` numbers each, row-major. */
export interface Rows {
  readonly data: Float64Array
  readonly cols: number
}

/** Count, mean and centred scatter Σ(x − mean)·(x − mean)ᵀ (`[cols, cols]`, symmetric) of some rows. */
export interface Moments {
  readonly count: number
  readonly mean: Float64Array
  readonly scatter: Float64Array
}

/** Moments of the rows with `side[i] === value`, 0 … 255. */
export function moments(rows: Rows, side: Uint8Array, value: number): Moments {
  return atOnce(momentsInTurns(rows, side, value))
}

/** Multiply-adds between two yields: some milliseconds, as sums go in and out at each. */
const perTurn = 2 ** 25

/** The same, yielding now and then. */
export function* momentsInTurns({ data, cols }: Rows, side: Uint8Array, value: number): Generator<void, Moments, void> {
  const { addScatter, sumMarked } = doubleEngine() ? inWebAssembly : plain
  const n = side.length
  const rowsPerTurn = Math.ceil(perTurn / (cols * cols))
  const mean = new Float64Array(cols)
  let count = 0
  for (let first = 0; first < n; first += rowsPerTurn) {
    count += sumMarked(blockOf(first), { side: side.subarray(first, first + rowsPerTurn), value }, mean)
    if (first + rowsPerTurn < n) yield
  }
  for (let j = 0; j < cols; j++) mean[j] = (mean[j] as number) / Math.max(count, 1)
  const stride = Math.ceil(cols / 4) * 4
  const totals = n <= rowsPerTurn ? emptySums(stride * stride) : new Float64Array(stride * stride)
  for (let first = 0; first < n; first += rowsPerTurn) {
    addScatter(blockOf(first), { side: side.subarray(first, first + rowsPerTurn), value, mean }, totals)
    if (first + rowsPerTurn < n) yield
  }
  const scatter = new Float64Array(cols * cols)
  for (let i = 0; i < cols; i++) {
    for (let j = 0; j <= i; j++) {
      const total = totals[i * stride + j] as number
      scatter[i * cols + j] = total
      scatter[j * cols + i] = total
    }
  }
  return { count, mean, scatter }

  function blockOf(first: number): Rows {
    return { data: data.subarray(first * cols, Math.min(first + rowsPerTurn, n) * cols), cols }
  }
}

/** Those of all rows. */
export const momentsTask: Task<Rows, Moments> = {
  name: 'moments',
  run: (rows) => momentsInTurns(rows, new Uint8Array(rows.data.length / rows.cols), 0),
}

let sums = new Float64Array(0)

/** Zeros that are good until the next call: for sums that are done with before anyone else gets a turn. */
function emptySums(length: number): Float64Array {
  if (sums.length !== length) sums = new Float64Array(length)
  return sums.fill(0)
}

/** Which rows count. */
interface Marks {
  readonly side: Uint8Array
  readonly value: number
}

const plain = {
  /** sums `[cols]` += the rows that count; gives how many they are. */
  sumMarked({ data, cols }: Rows, { side, value }: Marks, sums: Float64Array): number {
    let count = 0
    for (let i = 0; i < side.length; i++) {
      if (side[i] !== value) continue
      count++
      for (let j = 0, at = i * cols; j < cols; j++, at++) sums[j] = (sums[j] as number) + (data[at] as number)
    }
    return count
  },

  /**
   * totals `[stride, stride]` += Σ (row − mean)·(row − mean)ᵀ over the rows that count, lower triangle; stride: cols up to a multiple of four.
   * Of 32 rows at a time each product is added up by itself, in their order, and then to the total.
   */
  addScatter({ data, cols }: Rows, { side, value, mean }: Marks & { mean: Float64Array }, totals: Float64Array): void {
    const stride = Math.sqrt(totals.length)
    const block = new Float64Array(rowsAtOnce * stride)
    let filled = 0
    for (let i = 0; i < side.length; i++) {
      if (side[i] !== value) continue
      for (let j = 0, at = i * cols; j < cols; j++, at++) block[filled * stride + j] = (data[at] as number) - (mean[j] as number)
      if (++filled < rowsAtOnce) continue
      addBlock(block, filled, totals)
      filled = 0
    }
    if (filled > 0) addBlock(block, filled, totals)
  },
}

const rowsAtOnce = 32

/** Four products at a time: their sums do not wait for each other. */
function addBlock(block: Float64Array, count: number, totals: Float64Array): void {
  const stride = Math.sqrt(totals.length)
  for (let j = 0; j < stride; j++) {
    for (let k = 0; k <= j; k += 4) {
      let s0 = 0
      let s1 = 0
      let s2 = 0
      let s3 = 0
      for (let row = 0, at = 0; row < count; row++, at += stride) {
        const value = block[at + j] as number
        s0 += value * (block[at + k] as number)
        s1 += value * (block[at + k + 1] as number)
        s2 += value * (block[at + k + 2] as number)
        s3 += value * (block[at + k + 3] as number)
      }
      const to = j * stride + k
      totals[to] = (totals[to] as number) + s0
      totals[to + 1] = (totals[to + 1] as number) + s1
      totals[to + 2] = (totals[to + 2] as number) + s2
      totals[to + 3] = (totals[to + 3] as number) + s3
    }
  }
}

/** The same by src/wasm/scatter.ts. */
const inWebAssembly: typeof plain = {
  sumMarked({ data, cols }, { side, value }, sums) {
    const engine = doubleEngine() as DoubleEngine
    const [rows, marks, to] = engine.enter(data, side, sums) as [number, number, number]
    const count = engine.loops.sumMarked(rows, side.length, cols, marks, value, to)
    sums.set(engine.view(to, cols))
    return count
  },
  addScatter({ data, cols }, { side, value, mean }, totals) {
    const engine = doubleEngine() as DoubleEngine
    const stride = Math.sqrt(totals.length)
    const [rows, marks, middle, room, to] = engine.enter(data, side, mean, rowsAtOnce * stride * 8, totals) as [
      number,
      number,
      number,
      number,
      number,
    ]
    engine.loops.addScatter(rows, side.length, cols, marks, value, middle, room, stride, to)
    totals.set(engine.view(to, totals.length))
  },
}

/** The `count` rows with `side[i] === value`, one after the other. */
export function ofSide({ data, cols }: Rows, { side, value, count }: { side: Uint8Array; value: number; count: number }): Rows {
  if (count === side.length) return { data, cols }
  const kept = new Float64Array(count * cols)
  let to = 0
  for (let i = 0; i < side.length; i++) {
    if (side[i] !== value) continue
    kept.set(data.subarray(i * cols, (i + 1) * cols), to * cols)
    to++
  }
  return { data: kept, cols }
}

/** The moments of what is left of `all` without `part`. */
export function without(all: Moments, part: Moments): Moments {
  const count = all.count - part.count
  const mean = all.mean.map((value, j) => (all.count * value - part.count * (part.mean[j] as number)) / Math.max(count, 1))
  const weight = count > 0 ? (part.count * count) / all.count : 0
  const cols = mean.length
  const apart = mean.map((value, j) => value - (part.mean[j] as number))
  const scatter = new Float64Array(cols * cols)
  for (let i = 0, at = 0; i < cols; i++) {
    const own = weight * (apart[i] as number)
    for (let j = 0; j < cols; j++, at++)
      scatter[at] = (all.scatter[at] as number) - (part.scatter[at] as number) - own * (apart[j] as number)
  }
  return { count, mean, scatter }
}

/** bᵀ·A·b of a symmetric A. */
export function quadratic(a: Float64Array, b: Float64Array): number {
  const n = b.length
  let sum = 0
  for (let i = 0; i < n; i++) {
    const own = b[i] as number
    sum += own * (2 * innerProduct(a, i * n, b, 0, i) + (a[i * n + i] as number) * own)
  }
  return sum
}

export function dot(a: Float64Array, b: Float64Array): number {
  return innerProduct(a, 0, b, 0, a.length)
}
