import { pause } from '../core/pause.js'
import { symmetricEigen } from './symmetric-eigen.js'

/** Rows of few columns: `data: [n, cols]`. The `used` first columns are looked at, the others (beyond a class's rank) are not. */
export interface Points {
  readonly data: Float32Array
  readonly cols: number
  readonly used: number
}

/** y = map · (x − mean) over the used columns: `mean: [used]`, `map: [used, used]`, an output a row. */
export interface AffineMap {
  readonly mean: Float64Array
  readonly map: Float64Array
}

/**
 * The map that makes the used columns uncorrelated with mean 0 and variance 1 (sums over n, not n − 1): R^(−1/2) · D^(−1/2), D being the
 * variances and R the correlations. On principal coordinates R is the identity but for rounding, so a column stays the component it was,
 * where a second eigenvector basis would mix components of like variance. Float64.
 *
 * `singular`: a column does not vary, or is a combination of others; those directions are mapped to 0. Rejects with the signal's reason.
 */
export async function whitening(points: Points, signal?: AbortSignal): Promise<AffineMap & { readonly singular: boolean }> {
  const { data, cols, used } = points
  const rows = data.length / cols
  // Summed as differences from the first row, so that a column of one value has exactly that mean and no variance.
  const mean = Float64Array.from(data.subarray(0, used))
  const beyondFirst = new Float64Array(used)
  for await (const { start, end } of rowBlocks(rows, signal)) {
    for (let row = start; row < end; row++) {
      for (let j = 0; j < used; j++) beyondFirst[j] = (beyondFirst[j] as number) + (data[row * cols + j] as number) - (data[j] as number)
    }
  }
  for (let j = 0; j < used; j++) mean[j] = (mean[j] as number) + (beyondFirst[j] as number) / rows
  const covariance = new Float64Array(used * used)
  const centred = new Float64Array(used)
  for await (const { start, end } of rowBlocks(rows, signal)) {
    for (let row = start; row < end; row++) {
      for (let j = 0; j < used; j++) centred[j] = (data[row * cols + j] as number) - (mean[j] as number)
      for (let i = 0; i < used; i++) {
        const share = (centred[i] as number) / rows
        for (let j = i; j < used; j++) covariance[i * used + j] = (covariance[i * used + j] as number) + share * (centred[j] as number)
      }
    }
  }
  const scale = Float64Array.from({ length: used }, (_, j) => {
    const variance = covariance[j * used + j] as number
    return variance > 0 ? 1 / Math.sqrt(variance) : 0
  })
  const correlation = covariance.map((value, at) => value * (scale[Math.floor(at / used)] as number) * (scale[at % used] as number))
  const { root, singular } = inverseSquareRoot(correlation, used)
  return { mean, map: root.map((value, at) => value * (scale[at % used] as number)), singular }
}

/** Writes the mapped rows to `output: [n, cols]`, zeros in the unused columns. `output` may be the points themselves: 1e6 rows need no copy. */
export async function applyMap(
  { data, cols, used }: Points,
  { mean, map }: AffineMap,
  { output, signal }: { output: Float32Array; signal?: AbortSignal | undefined },
): Promise<void> {
  const centred = new Float64Array(used)
  for await (const { start, end } of rowBlocks(data.length / cols, signal)) {
    for (let row = start; row < end; row++) {
      for (let j = 0; j < used; j++) centred[j] = (data[row * cols + j] as number) - (mean[j] as number)
      for (let i = 0; i < cols; i++) {
        let sum = 0
        if (i < used) for (let j = 0; j < used; j++) sum += (map[i * used + j] as number) * (centred[j] as number)
        output[row * cols + i] = sum
      }
    }
  }
}

/** A^(−1/2) of a symmetric positive semi-definite `a: [n, n]`; eigenvalues below 1e-12 of the largest count as 0, and so do their inverses. */
export function inverseSquareRoot(a: Float64Array, n: number): { readonly root: Float64Array; readonly singular: boolean } {
  const { values, vectors } = symmetricEigen(a, n)
  const root = new Float64Array(n * n)
  let singular = false
  values.forEach((value, k) => {
    if (!(value > 1e-12 * (values[0] as number))) {
      singular = true
      return
    }
    const vector = vectors.subarray(k * n, (k + 1) * n)
    for (let at = 0; at < n * n; at++) {
      root[at] = (root[at] as number) + ((vector[Math.floor(at / n)] as number) * (vector[at % n] as number)) / Math.sqrt(value)
    }
  })
  return { root, singular }
}

/** About 20 ms of work at 16 columns: after each block other work gets a turn and an abort is seen. */
const rowsPerBlock = 2 ** 14

export async function* rowBlocks(rows: number, signal?: AbortSignal): AsyncGenerator<{ readonly start: number; readonly end: number }> {
  for (let start = 0; start < rows; start += rowsPerBlock) {
    yield { start, end: Math.min(start + rowsPerBlock, rows) }
    await pause()
    signal?.throwIfAborted()
  }
}
