import { atOnce } from '../core/turns.js'
import { choleskyOf } from './cholesky.js'
import { innerProduct } from './inner-product.js'
import type { Moments } from './moments.js'
import { placesAlong } from './projections.js'
import { solvedRows } from './triangular.js'

/**
 * How well a covariance fits the shape of a group's scatter, whatever its size: the normal log likelihood a row, about the group's own mean,
 * with the best scale: −½·(ln det Σ + n·ln(tr(Σ⁻¹·T)/n)), T = scatter/rows, up to a constant of n. Both are `[n, n]`. A covariance that is asked of
 * again, and has not changed, is not inverted again.
 */
export function shapeLikelihood({ scatter, count }: Pick<Moments, 'scatter' | 'count'>, covariance: Float64Array): number {
  const n = Math.sqrt(covariance.length)
  const { inverse, logDeterminant } = inverted.get(covariance) ?? invert(covariance, n)
  const trace = innerProduct(inverse, 0, scatter, 0, n * n)
  return -0.5 * (logDeterminant + n * Math.log(trace / (Math.max(count, 1) * n)))
}

interface Inverted {
  readonly inverse: Float64Array
  readonly logDeterminant: number
}

const inverted = new WeakMap<Float64Array, Inverted>()

/** Σ⁻¹ = K·Kᵀ, K's row j being L⁻¹ of the j-th unit vector. */
function invert(covariance: Float64Array, n: number): Inverted {
  const factor = choleskyOf(covariance, n)
  let logDeterminant = 0
  for (let j = 0; j < n; j++) logDeterminant += 2 * Math.log(factor[j * n + j] as number)
  const units = new Float64Array(n * n)
  for (let j = 0; j < n; j++) units[j * (n + 1)] = 1
  const solved = new Float64Array(n * n)
  const mean = new Float64Array(n)
  atOnce(solvedRows({ data: units, cols: n }, { mean, factor }, { data: solved, stride: n }))
  const inverse = atOnce(placesAlong({ data: solved, cols: n }, { mean, directions: solved, stride: n }))
  const made = { inverse, logDeterminant }
  inverted.set(covariance, made)
  return made
}
