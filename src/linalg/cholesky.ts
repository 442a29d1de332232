import { atOnce } from '../core/turns.js'

/** Multiply-adds between two yields: about a millisecond. */
const perTurn = 2 ** 20

/**
 * The lower triangular L with A = L·Lᵀ of a symmetric positive definite `a: [n, n]` (row-major, the lower triangle is read), float64,
 * n³/6 multiply-adds; yields now and then. Throws `RangeError` where A is not positive definite.
 */
export function* cholesky(a: ArrayLike<number>, n: number): Generator<void, Float64Array, void> {
  const l = new Float64Array(n * n)
  let done = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j] as number
      for (let k = 0, p = i * n, q = j * n; k < j; k++, p++, q++) sum -= (l[p] as number) * (l[q] as number)
      if (i !== j) l[i * n + j] = sum / (l[j * n + j] as number)
      else if (sum > 0) l[i * n + i] = Math.sqrt(sum)
      else throw new RangeError('cholesky: the matrix is not positive definite')
    }
    done += (i * i) / 2
    if (done > perTurn) {
      done = 0
      yield
    }
  }
  return l
}

/** The same at once, for small n. */
export function choleskyOf(a: ArrayLike<number>, n: number): Float64Array {
  return atOnce(cholesky(a, n))
}

/** Solves L·y = x in place. */
export function solveLower(l: Float64Array, n: number, x: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) {
    let sum = x[i] as number
    for (let k = 0, p = i * n; k < i; k++, p++) sum -= (l[p] as number) * (x[k] as number)
    x[i] = sum / (l[i * n + i] as number)
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
