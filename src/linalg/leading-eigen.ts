import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import type { Eigenpairs } from './symmetric-eigen.js'

/** Multiply-adds between two yields: about a millisecond. */
const perTurn = 2 ** 20

/**
 * The `wanted` largest eigenpairs of the symmetric `a: [n, n]`, float64: Householder reduction to tridiagonal form, its eigenvalues by bisection, its
 * vectors by inverse iteration made orthogonal to those before (Golub & Van Loan, Matrix Computations, 4th ed., §8.3; Dhillon 1997 on
 * why orthogonal), and back. About 2·n³ operations, where all pairs by rotations take 9·n³: 47 ms at n = 512 in WebAssembly. Signs are as they come.
 */
export function* leadingEigen(a: Float64Array, n: number, wanted: number): Generator<void, Eigenpairs, void> {
  const count = Math.min(wanted, n)
  const engine = doubleEngine()
  return engine ? inWebAssembly(engine, a, n, count) : yield* plain(a, n, count)
}

/** By src/wasm/eigen.ts. */
function inWebAssembly(engine: DoubleEngine, a: Float64Array, n: number, wanted: number): Eigenpairs {
  const stride = n + (n & 1)
  const rows = stride === n ? a : new Float64Array(n * stride)
  if (rows !== a) for (let i = 0; i < n; i++) rows.set(a.subarray(i * n, (i + 1) * n), i * stride)
  const { loops } = engine
  const [matrix, values, vectors, room] = engine.enter(rows, wanted * 8, wanted * stride * 8, loops.topPairsRoom(n, stride)) as [
    number,
    number,
    number,
    number,
  ]
  loops.topPairs(matrix, n, stride, wanted, values, vectors, room)
  const found = new Float64Array(wanted * n)
  for (let k = 0; k < wanted; k++) found.set(engine.view(vectors + k * stride * 8, n), k * n)
  return { values: engine.take(values, wanted), vectors: found }
}

function* plain(given: Float64Array, n: number, wanted: number): Generator<void, Eigenpairs, void> {
  const { diagonal, off, reflectors, betas } = yield* reduced(given.slice(), n)
  const { values, norm } = yield* largestValues(diagonal, off, wanted)
  const vectors = new Float64Array(wanted * n)
  const inverse = new InverseIteration(diagonal, off, n, norm)
  let shift = 0
  let done = 0
  for (let k = 0; k < wanted; k++) {
    const value = values[k] as number
    // Equal values get shifts a few roundings apart: solutions for the very same shift would be the same.
    shift = k > 0 ? Math.min(value, shift - 4 * Number.EPSILON * norm) : value
    inverse.find(shift, vectors, k)
    done += 16 * k * n
    if (done > perTurn) {
      done = 0
      yield
    }
  }
  for (let k = 0; k < wanted; k++) {
    const x = vectors.subarray(k * n, (k + 1) * n)
    for (let i = n - 3; i >= 0; i--) {
      const q = reflectors.subarray(i * n, (i + 1) * n)
      addScaled(x, -(betas[i] as number) * dot(q, x), q)
    }
    yield
  }
  return { values, vectors }
}

/** Two sums, of the even and of the odd places, as two lanes give them. */
function dot(a: Float64Array, b: Float64Array, from = 0): number {
  let even = 0
  let odd = 0
  let j = from
  for (; j + 1 < a.length; j += 2) {
    even += (a[j] as number) * (b[j] as number)
    odd += (a[j + 1] as number) * (b[j + 1] as number)
  }
  if (j < a.length) even += (a[j] as number) * (b[j] as number)
  return even + odd
}

function addScaled(out: Float64Array, factor: number, x: Float64Array): void {
  for (let j = 0; j < out.length; j++) out[j] = (out[j] as number) + factor * (x[j] as number)
}

function normalise(x: Float64Array): void {
  const length = Math.sqrt(dot(x, x))
  if (!(length > 0)) return
  const factor = 1 / length
  for (let j = 0; j < x.length; j++) x[j] = factor * (x[j] as number)
}

interface Tridiagonal {
  readonly diagonal: Float64Array
  readonly off: Float64Array
  /** `[n, n]`: row k is the k-th reflection's vector. */
  readonly reflectors: Float64Array
  /** 2 over the square of each. */
  readonly betas: Float64Array
}

/** Tridiagonal form by n − 2 reflections; `a` is overwritten. */
function* reduced(a: Float64Array, n: number): Generator<void, Tridiagonal, void> {
  const reflectors = new Float64Array(n * n)
  const betas = new Float64Array(n)
  const off = new Float64Array(n)
  const w = new Float64Array(n)
  let done = 0
  for (let k = 0; k < n - 1; k++) {
    const row = a.subarray(k * n, (k + 1) * n)
    const v = reflectors.subarray(k * n, (k + 1) * n)
    const from = k + 1
    let scale = 0
    for (let i = from; i < n; i++) scale = Math.max(scale, Math.abs(row[i] as number))
    if (k === n - 2 || scale === 0) {
      off[k] = row[from] as number
      continue
    }
    let norm = 0
    for (let i = from; i < n; i++) {
      const value = (row[i] as number) / scale
      v[i] = value
      norm += value * value
    }
    const head = v[from] as number
    const alpha = head > 0 ? -Math.sqrt(norm) : Math.sqrt(norm)
    v[from] = head - alpha
    const beta = 1 / (norm - head * alpha)
    off[k] = alpha * scale
    betas[k] = beta
    const even = from & ~1
    w.fill(0)
    for (let i = from; i < n; i++) w[i] = dot(a.subarray(i * n, (i + 1) * n), v, even)
    let vw = 0
    for (let i = from; i < n; i++) {
      const product = beta * (w[i] as number)
      w[i] = product
      vw += product * (v[i] as number)
    }
    const half = (-beta * vw) / 2
    for (let j = from; j < n; j++) w[j] = (w[j] as number) + half * (v[j] as number)
    for (let i = from; i < n; i++) {
      const [c, d] = [-(v[i] as number), -(w[i] as number)]
      for (let j = from, at = i * n + from; j < n; j++, at++) a[at] = (a[at] as number) + c * (w[j] as number) + d * (v[j] as number)
    }
    done += 2 * (n - from) ** 2
    if (done > perTurn) {
      done = 0
      yield
    }
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i] as number)
  return { diagonal, off, reflectors, betas }
}

/** Halvings after which nothing but rounding is left of the interval that all eigenvalues lie in. */
const halvings = 55
const leastNormal = 2 ** -1022

/**
 * The largest eigenvalues of a symmetric tridiagonal matrix of diagonal d and off-diagonal e, falling, and a bound of all absolute values: by counting those below the
 * middle of an interval (Golub & Van Loan, §8.4.1).
 */
function* largestValues(d: Float64Array, e: Float64Array, wanted: number): Generator<void, { values: Float64Array; norm: number }, void> {
  const n = d.length
  const squares = new Float64Array(n)
  let [norm, largest, before] = [0, 1, 0]
  for (let i = 0; i < n; i++) {
    const next = i + 1 < n ? Math.abs(e[i] as number) : 0
    norm = Math.max(norm, Math.abs(d[i] as number) + before + next)
    largest = Math.max(largest, next * next)
    squares[i] = before * before
    before = next
  }
  const least = leastNormal * largest
  /** Eigenvalues less than x: as many as pivots of elimination on T − x are negative, none of which is zero. */
  const below = (x: number) => {
    let count = 0
    let q = 1
    for (let i = 0; i < n; i++) {
      q = (d[i] as number) - x - (squares[i] as number) / q
      if (Math.abs(q) < least) q = -least
      if (q < 0) count++
    }
    return count
  }
  const values = new Float64Array(wanted)
  for (let k = 0; k < wanted; k++) {
    let [low, high] = [-norm, norm]
    for (let step = 0; step < halvings; step++) {
      const middle = 0.5 * (low + high)
      if (below(middle) >= n - k) high = middle
      else low = middle
    }
    values[k] = 0.5 * (low + high)
    yield
  }
  return { values, norm }
}

/** Unit vectors x with (T − shift)·x ≈ 0, each orthogonal to those found before. */
class InverseIteration {
  readonly #d: Float64Array
  readonly #e: Float64Array
  readonly #n: number
  readonly #least: number
  readonly #main: Float64Array
  readonly #upper: Float64Array
  readonly #second: Float64Array
  readonly #right: Float64Array

  constructor(d: Float64Array, e: Float64Array, n: number, norm: number) {
    this.#d = d
    this.#e = e
    this.#n = n
    this.#least = Math.max(Number.EPSILON * norm, 1e-150)
    this.#main = new Float64Array(n)
    this.#upper = new Float64Array(n)
    this.#second = new Float64Array(n)
    this.#right = new Float64Array(n)
  }

  /** Writes the vector as row `found` of `vectors`. */
  find(shift: number, vectors: Float64Array, found: number): void {
    const n = this.#n
    const x = vectors.subarray(found * n, (found + 1) * n)
    let seed = 12345 + found
    for (let j = 0; j < n; j++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      x[j] = (seed >>> 8) / 16777216 - 0.5
    }
    for (let turn = 0; turn < 4; turn++) {
      for (let round = 0; round < 2; round++) {
        for (let k = 0; k < found; k++) {
          const other = vectors.subarray(k * n, (k + 1) * n)
          addScaled(x, -dot(other, x), other)
        }
        normalise(x)
      }
      if (turn < 3) this.#solve(shift, x)
    }
  }

  /** x ← (T − shift)⁻¹·x by elimination with row exchanges; small pivots are taken for the least that is. */
  #solve(shift: number, x: Float64Array): void {
    const n = this.#n
    const [d, e, least] = [this.#d, this.#e, this.#least]
    const [main, upper, second, right] = [this.#main, this.#upper, this.#second, this.#right]
    let pivot = (d[0] as number) - shift
    let above = n > 1 ? (e[0] as number) : 0
    let value = x[0] as number
    for (let i = 0; i < n; i++) {
      let [next, nextAbove, nextValue, beyond] = [0, 0, 0, 0]
      if (i + 1 < n) {
        const below = e[i] as number
        next = (d[i + 1] as number) - shift
        nextAbove = i + 2 < n ? (e[i + 1] as number) : 0
        nextValue = x[i + 1] as number
        if (Math.abs(below) > Math.abs(pivot)) {
          const factor = pivot / below
          pivot = below
          const old = above
          above = next
          next = old - factor * next
          beyond = nextAbove
          nextAbove = -factor * beyond
          const oldValue = value
          value = nextValue
          nextValue = oldValue - factor * value
        } else {
          if (Math.abs(pivot) < least) pivot = least
          const factor = below / pivot
          next -= factor * above
          nextValue -= factor * value
        }
      } else if (Math.abs(pivot) < least) pivot = least
      main[i] = pivot
      upper[i] = above
      second[i] = beyond
      right[i] = value
      pivot = next
      above = nextAbove
      value = nextValue
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = right[i] as number
      if (i + 1 < n) sum -= (upper[i] as number) * (x[i + 1] as number)
      if (i + 2 < n) sum -= (second[i] as number) * (x[i + 2] as number)
      x[i] = sum / (main[i] as number)
    }
  }
}
