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

/** Moments of the rows with `side[i] === value`. */
export function moments(rows: Rows, side: ArrayLike<number>, value: number): Moments {
  return atOnce(momentsInTurns(rows, side, value))
}

/** Multiply-adds between two yields: about a millisecond. */
const perTurn = 2 ** 20

/** The same, yielding now and then. */
export function* momentsInTurns({ data, cols }: Rows, side: ArrayLike<number>, value: number): Generator<void, Moments, void> {
  const rowsPerTurn = Math.ceil((2 * perTurn) / (cols * cols))
  const mean = new Float64Array(cols)
  let count = 0
  for (let i = 0; i < side.length; i++) {
    if (side[i] !== value) continue
    count++
    for (let j = 0, at = i * cols; j < cols; j++, at++) mean[j] = (mean[j] as number) + (data[at] as number)
  }
  for (let j = 0; j < cols; j++) mean[j] = (mean[j] as number) / Math.max(count, 1)
  const scatter = new Float64Array(cols * cols)
  const centred = new Float64Array(rowsAtOnce * cols)
  let filled = 0
  for (let i = 0; i < side.length; i++) {
    if ((i + 1) % rowsPerTurn === 0) yield
    if (side[i] !== value) continue
    for (let j = 0, at = i * cols, to = filled * cols; j < cols; j++, at++, to++) centred[to] = (data[at] as number) - (mean[j] as number)
    if (++filled < rowsAtOnce) continue
    addOuterProducts(centred, cols, scatter)
    filled = 0
  }
  if (filled > 0) addOuterProducts(centred.fill(0, filled * cols), cols, scatter)
  mirror(scatter, cols)
  return { count, mean, scatter }
}

/** Eight products for each load and store of a sum. Left-over places hold zeros. */
const rowsAtOnce = 8

/** scatter += Σ rowᵀ·row over eight rows, lower triangle. */
function addOuterProducts(rows: Float64Array, cols: number, scatter: Float64Array): void {
  const [r1, r2, r3, r4, r5, r6, r7] = [cols, 2 * cols, 3 * cols, 4 * cols, 5 * cols, 6 * cols, 7 * cols]
  for (let j = 0; j < cols; j++) {
    const a0 = rows[j] as number
    const a1 = rows[r1 + j] as number
    const a2 = rows[r2 + j] as number
    const a3 = rows[r3 + j] as number
    const a4 = rows[r4 + j] as number
    const a5 = rows[r5 + j] as number
    const a6 = rows[r6 + j] as number
    const a7 = rows[r7 + j] as number
    for (let k = 0, at = j * cols; k <= j; k++, at++) {
      scatter[at] =
        (scatter[at] as number) +
        (a0 * (rows[k] as number) + a1 * (rows[r1 + k] as number) + (a2 * (rows[r2 + k] as number) + a3 * (rows[r3 + k] as number))) +
        (a4 * (rows[r4 + k] as number) + a5 * (rows[r5 + k] as number) + (a6 * (rows[r6 + k] as number) + a7 * (rows[r7 + k] as number)))
    }
  }
}

/** The moments of what is left of `all` without `part`. */
export function without(all: Moments, part: Moments): Moments {
  const count = all.count - part.count
  const mean = all.mean.map((value, j) => (all.count * value - part.count * (part.mean[j] as number)) / Math.max(count, 1))
  const weight = count > 0 ? (part.count * count) / all.count : 0
  const cols = mean.length
  const apart = mean.map((value, j) => value - (part.mean[j] as number))
  const scatter = all.scatter.map(
    (value, at) => value - (part.scatter[at] as number) - weight * (apart[Math.floor(at / cols)] as number) * (apart[at % cols] as number),
  )
  return { count, mean, scatter }
}

function mirror(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[j * n + i] = a[i * n + j] as number
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
