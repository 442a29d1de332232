import { choleskyOf, solveLower } from './cholesky.js'
import type { Moments } from './moments.js'

/**
 * How well a covariance fits the shape of a group's scatter, whatever its size: the normal log likelihood a row, about the group's own mean,
 * with the best scale: −½·(ln det Σ + n·ln(tr(Σ⁻¹·T)/n)), T = scatter/rows, up to a constant of n. Both are `[n, n]`.
 */
export function shapeLikelihood({ scatter, count }: Pick<Moments, 'scatter' | 'count'>, covariance: Float64Array): number {
  const n = Math.sqrt(covariance.length)
  const factor = choleskyOf(covariance, n)
  let logDeterminant = 0
  for (let j = 0; j < n; j++) logDeterminant += 2 * Math.log(factor[j * n + j] as number)
  const half = scatter.slice()
  for (let j = 0; j < n; j++) solveLower(factor, n, half.subarray(j * n, (j + 1) * n))
  let trace = 0
  const column = new Float64Array(n)
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) column[i] = half[i * n + j] as number
    trace += solveLower(factor, n, column)[j] as number
  }
  return -0.5 * (logDeterminant + n * Math.log(trace / (Math.max(count, 1) * n)))
}
