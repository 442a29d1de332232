import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import { atOnce } from '../core/turns.js'
import { innerProduct } from './inner-product.js'

/** Multiply-adds between two yields: about a millisecond. */
const perTurn = 2 ** 20

/** Larger matrices are factored in turns. */
const largestAtOnce = 512

/**
 * The lower triangular L with A = L·Lᵀ of a symmetric positive definite `a: [n, n]` (row-major, the lower triangle is read), float64,
 * n³/6 multiply-adds; yields now and then. Throws `RangeError` where A is not positive definite.
 */
export function* cholesky(a: Float64Array, n: number): Generator<void, Float64Array, void> {
  const engine = n <= largestAtOnce ? doubleEngine() : null
  if (engine) return factorIn(engine, a, n)
  const l = new Float64Array(n * n)
  let done = 0
  for (let i = 0; i < n; i++) {
    const row = i * n
    let j = 0
    // Four columns at a time: their sums do not wait for each other.
    for (; j + 3 < i; j += 4) fourColumns(a, l, { n, row, j })
    for (; j <= i; j++) {
      let sum = a[row + j] as number
      for (let k = 0; k < j; k++) sum -= (l[row + k] as number) * (l[j * n + k] as number)
      if (i !== j) l[row + j] = sum / (l[j * n + j] as number)
      else if (sum > 0) l[row + i] = Math.sqrt(sum)
      else throw notDefinite()
    }
    done += (i * i) / 2
    if (done > perTurn) {
      done = 0
      yield
    }
  }
  return l
}

/** What is thrown where a matrix cannot be factored. */
export const notDefinite = () => new RangeError('cholesky: the matrix is not positive definite')

/** By src/wasm/triangular.ts. */
function factorIn(engine: DoubleEngine, a: Float64Array, n: number): Float64Array {
  const [at, room] = engine.enter(n * n * 8, n * 32 + 8) as [number, number]
  engine.view(at, n * n).set(a)
  if (!engine.loops.factor(at, n, room)) throw notDefinite()
  engine.loops.clearUpper(at, n)
  return engine.take(at, n * n)
}

/** Columns j … j + 3 of a row left of its diagonal. */
function fourColumns(a: Float64Array, l: Float64Array, { n, row, j }: { n: number; row: number; j: number }): void {
  const q0 = j * n
  const q1 = q0 + n
  const q2 = q1 + n
  const q3 = q2 + n
  let s0 = a[row + j] as number
  let s1 = a[row + j + 1] as number
  let s2 = a[row + j + 2] as number
  let s3 = a[row + j + 3] as number
  for (let k = 0; k < j; k++) {
    const value = l[row + k] as number
    s0 -= value * (l[q0 + k] as number)
    s1 -= value * (l[q1 + k] as number)
    s2 -= value * (l[q2 + k] as number)
    s3 -= value * (l[q3 + k] as number)
  }
  const v0 = s0 / (l[q0 + j] as number)
  const v1 = (s1 - v0 * (l[q1 + j] as number)) / (l[q1 + j + 1] as number)
  const v2 = (s2 - v0 * (l[q2 + j] as number) - v1 * (l[q2 + j + 1] as number)) / (l[q2 + j + 2] as number)
  const v3 = (s3 - v0 * (l[q3 + j] as number) - v1 * (l[q3 + j + 1] as number) - v2 * (l[q3 + j + 2] as number)) / (l[q3 + j + 3] as number)
  l[row + j] = v0
  l[row + j + 1] = v1
  l[row + j + 2] = v2
  l[row + j + 3] = v3
}

/** The same at once, for small n. */
export function choleskyOf(a: Float64Array, n: number): Float64Array {
  return atOnce(cholesky(a, n))
}

/** Solves L·y = x in place. */
export function solveLower(l: Float64Array, n: number, x: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) {
    x[i] = ((x[i] as number) - innerProduct(l, i * n, x, 0, i)) / (l[i * n + i] as number)
  }
  return x
}

/** Solves Lᵀ·y = x in place. */
export function solveLowerTransposed(l: Float64Array, n: number, x: Float64Array): Float64Array {
  for (let i = n - 1; i >= 0; i--) {
    const value = (x[i] as number) / (l[i * n + i] as number)
    x[i] = value
    for (let k = 0, p = i * n; k < i; k++, p++) x[k] = (x[k] as number) - value * (l[p] as number)
  }
  return x
}
