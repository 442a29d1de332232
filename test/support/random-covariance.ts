import type { Rng } from '../../src/core/rng.js'

/** A random symmetric positive definite `[n, n]`: the covariance of 2·n + 2 normal rows whose columns have different scales. */
export function randomCovariance(n: number, rng: Rng): Float64Array {
  const rows = 2 * n + 2
  const scales = Float64Array.from({ length: n }, () => 0.3 + 2 * rng.float())
  const x = Float64Array.from({ length: rows * n }, (_, at) => (scales[at % n] as number) * rng.normal())
  return Float64Array.from({ length: n * n }, (_, at) => {
    let sum = 0
    for (let i = 0; i < rows; i++) sum += (x[i * n + Math.floor(at / n)] as number) * (x[i * n + (at % n)] as number)
    return sum / rows
  })
}
