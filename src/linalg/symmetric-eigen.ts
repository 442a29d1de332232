import { atOnce } from '../core/turns.js'

/** Eigenpairs of a symmetric matrix: values in falling order, `vectors[i · n …]` the i-th eigenvector, of unit length. */
export interface Eigenpairs {
  readonly values: Float64Array
  readonly vectors: Float64Array
}

/**
 * All eigenpairs of the symmetric `a: [n, n]` (row-major, the upper triangle is read), float64: Householder reduction to tridiagonal form,
 * then the implicit QL iteration (Golub & Van Loan, Matrix Computations, 4th ed., §8.3). About 9·n³ operations: 1 ms at n = 64, 100 ms
 * at n = 256. Signs are as they come; see `withFixedSign`. Throws `RangeError` where QL does not converge (not seen on finite input).
 */
export function symmetricEigen(a: ArrayLike<number>, n: number): Eigenpairs {
  return atOnce(symmetricEigenInTurns(a, n))
}

/** Multiply-adds between two yields: about a millisecond. */
const perTurn = 2 ** 20

/** The same, yielding now and then. */
export function* symmetricEigenInTurns(a: ArrayLike<number>, n: number): Generator<void, Eigenpairs, void> {
  // `z` holds, row by row, the transposed orthogonal factor, so that every inner loop runs along a row.
  const z = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      z[i * n + j] = a[i * n + j] as number
      z[j * n + i] = a[i * n + j] as number
    }
  }
  const { diagonal, offDiagonal } = yield* tridiagonalise(z, n)
  yield* implicitQl(diagonal, offDiagonal, z, n)
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => (diagonal[j] as number) - (diagonal[i] as number) || i - j)
  const values = new Float64Array(n)
  const vectors = new Float64Array(n * n)
  order.forEach((from, to) => {
    values[to] = diagonal[from] as number
    vectors.set(z.subarray(from * n, (from + 1) * n), to * n)
  })
  return { values, vectors }
}

/** Reduces `z` to tridiagonal form by n − 2 reflections, leaving in `z` the product of them (a row per column of Q). */
function* tridiagonalise(
  z: Float64Array,
  n: number,
): Generator<void, { readonly diagonal: Float64Array; readonly offDiagonal: Float64Array }, void> {
  const diagonal = new Float64Array(n)
  const offDiagonal = new Float64Array(n)
  const reflections: { vector: Float64Array; beta: number; from: number }[] = []
  let done = 0
  for (let k = 0; k + 2 < n; k++) {
    // Reflect column k below the diagonal onto its first entry.
    const from = k + 1
    const vector = new Float64Array(n - from)
    let scale = 0
    for (let i = from; i < n; i++) scale = Math.max(scale, Math.abs(z[k * n + i] as number))
    if (scale === 0) {
      reflections.push({ vector, beta: 0, from })
      continue
    }
    let norm = 0
    for (let i = from; i < n; i++) {
      const value = (z[k * n + i] as number) / scale
      vector[i - from] = value
      norm += value * value
    }
    const head = vector[0] as number
    const alpha = head > 0 ? -Math.sqrt(norm) : Math.sqrt(norm)
    vector[0] = head - alpha
    const beta = 1 / (norm - head * alpha) // 2 / ‖vector‖²
    applyTwoSided(z, n, from, vector, beta)
    offDiagonal[k] = alpha * scale
    reflections.push({ vector, beta, from })
    done += 2 * (n - from) ** 2
    if (done > perTurn) {
      done = 0
      yield
    }
  }
  for (let i = 0; i < n; i++) diagonal[i] = z[i * n + i] as number
  if (n > 1) offDiagonal[n - 2] = z[(n - 2) * n + n - 1] as number
  // Q = H₀·H₁·…: start from the identity and apply the reflections backwards. z keeps Qᵀ, so they act on its columns.
  z.fill(0)
  for (let i = 0; i < n; i++) z[i * n + i] = 1
  for (const { vector, beta, from } of reflections.reverse()) {
    if (beta === 0) continue
    for (let row = from; row < n; row++) {
      let dot = 0
      for (let i = from; i < n; i++) dot += (z[row * n + i] as number) * (vector[i - from] as number)
      dot *= beta
      for (let i = from; i < n; i++) z[row * n + i] = (z[row * n + i] as number) - dot * (vector[i - from] as number)
    }
    done += 2 * (n - from) ** 2
    if (done > perTurn) {
      done = 0
      yield
    }
  }
  return { diagonal, offDiagonal }
}

/** A ← H·A·H on the trailing square from `from`, H = I − beta·v·vᵀ, A symmetric: A − v·wᵀ − w·vᵀ. */
function applyTwoSided(z: Float64Array, n: number, from: number, v: Float64Array, beta: number): void {
  const w = new Float64Array(n - from)
  let vw = 0
  for (let i = from; i < n; i++) {
    let sum = 0
    for (let j = from; j < n; j++) sum += (z[i * n + j] as number) * (v[j - from] as number)
    w[i - from] = beta * sum
    vw += beta * sum * (v[i - from] as number)
  }
  const half = (beta * vw) / 2
  for (let i = 0; i < w.length; i++) w[i] = (w[i] as number) - half * (v[i] as number)
  for (let i = from; i < n; i++) {
    const vi = v[i - from] as number
    const wi = w[i - from] as number
    for (let j = from; j < n; j++) z[i * n + j] = (z[i * n + j] as number) - vi * (w[j - from] as number) - wi * (v[j - from] as number)
  }
}

/** Diagonalises the tridiagonal matrix by QL with implicit (Wilkinson) shifts, rotating the rows of `z` along. */
function* implicitQl(d: Float64Array, e: Float64Array, z: Float64Array, n: number): Generator<void, void, void> {
  let done = 0
  const at = (values: Float64Array, i: number) => values[i] as number
  // Small against the whole matrix, not against its neighbours: in a null space all neighbours are rounding.
  let negligible = 0
  for (let i = 0; i < n; i++) negligible = Math.max(negligible, Number.EPSILON * (Math.abs(at(d, i)) + Math.abs(at(e, i))))
  for (let low = 0; low < n; low++) {
    for (let iteration = 0; ; iteration++) {
      let m = low
      while (m < n - 1 && Math.abs(at(e, m)) > negligible) m++
      if (m === low) break
      if (iteration === 60) throw new RangeError('symmetricEigen: the QL iteration did not converge; is the input finite?')
      const p = (at(d, low + 1) - at(d, low)) / (2 * at(e, low))
      const r0 = Math.hypot(p, 1)
      let g = at(d, m) - at(d, low) + at(e, low) / (p + (p >= 0 ? r0 : -r0))
      let s = 1
      let c = 1
      let shift = 0
      let split = false
      done += 4 * n * (m - low)
      if (done > perTurn) {
        done = 0
        yield
      }
      for (let i = m - 1; i >= low; i--) {
        const f = s * at(e, i)
        const b = c * at(e, i)
        const r = Math.hypot(f, g)
        e[i + 1] = r
        if (r === 0) {
          d[i + 1] = at(d, i + 1) - shift
          e[m] = 0
          split = true
          break
        }
        s = f / r
        c = g / r
        const q = at(d, i + 1) - shift
        const t = (at(d, i) - q) * s + 2 * c * b
        shift = s * t
        d[i + 1] = q + shift
        g = c * t - b
        rotateRows(z, n, i, c, s)
      }
      if (split) continue
      d[low] = at(d, low) - shift
      e[low] = g
      e[m] = 0
    }
  }
}

function rotateRows(z: Float64Array, n: number, i: number, c: number, s: number): void {
  const lower = i * n
  const upper = lower + n
  for (let k = 0; k < n; k++) {
    const f = z[upper + k] as number
    const g = z[lower + k] as number
    z[upper + k] = s * g + c * f
    z[lower + k] = c * g - s * f
  }
}

/**
 * The vector with its sign chosen so that the entry of largest magnitude is positive (entries within 1e-4 of it count as equal; the
 * lowest index decides): all backends then give the same one.
 */
export function withFixedSign<V extends Float64Array | Float32Array>(vector: V): V {
  return isTurned(vector) ? (vector.map((value) => -value) as V) : vector
}

/** The same, copied `to` where it belongs. */
export function copyWithFixedSign(vector: Float64Array | Float32Array, to: Float32Array): void {
  if (isTurned(vector)) for (let j = 0; j < to.length; j++) to[j] = -(vector[j] as number)
  else to.set(vector)
}

function isTurned(vector: Float64Array | Float32Array): boolean {
  let largest = 0
  for (let j = 0; j < vector.length; j++) {
    const size = Math.abs(vector[j] as number)
    if (size > largest) largest = size
  }
  const least = largest * (1 - 1e-4)
  let decisive = 0
  while (decisive < vector.length && Math.abs(vector[decisive] as number) < least) decisive++
  return (vector[decisive] ?? 0) < 0
}
