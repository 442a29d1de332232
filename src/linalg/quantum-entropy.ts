import { solveLower, solveLowerTransposed } from './cholesky.js'
import { symmetricEigenInTurns } from './symmetric-eigen.js'
import type { TrimmedCovariance } from './trimmed-covariance.js'

/** QUE scores as a map: a row's score is Σ over `directions` of (direction · (row − mean))². */
export interface QueMap {
  readonly mean: Float64Array
  /** Directions with a weight that is not nothing, strongest first, each `[cols]`. */
  readonly directions: readonly Float64Array[]
  /** Mean score of the rows. */
  readonly average: number
}

/** Weights below this add nothing to a score. */
const negligible = 1e-12

/**
 * Quantum entropy scores (Dong, Hopkins & Li, NeurIPS 2019; SPECTRE, §3): x̃ᵀ·M·x̃ / trace M of rows x̃ whitened by a robust covariance,
 * M = exp(α·(Σ̃ − I)/(‖Σ̃‖₂ − 1)), a matrix exponential, Σ̃ the second moment of all x̃. With eigenvalues λ₁ ≥ λ₂ … of Σ̃ those of M / trace
 * M are exp(α·(λⱼ − λ₁)/(λ₁ − 1)) over their sum: none overflows. Where λ₁ ≤ 1 nothing sticks out of the robust covariance and the formula
 * would turn over; M is then the identity, its limit for α → 0: squared robust distances.
 *
 * `robust` is of rows that are uncorrelated with mean 0 and variance 1 as a whole, so Σ̃ = L⁻¹·(I + m·mᵀ)·L⁻ᵀ needs no pass over them.
 */
export function* queMap({ mean, factor }: TrimmedCovariance, alpha: number): Generator<void, QueMap, void> {
  const k = mean.length
  const inverse = new Float64Array(k * k) // L⁻¹, a column at a time, so the transposed of it row by row
  for (let j = 0; j < k; j++) {
    inverse[j * k + j] = 1
    solveLower(factor, k, inverse.subarray(j * k, (j + 1) * k))
  }
  yield
  const moved = solveLower(factor, k, mean.slice())
  const second = new Float64Array(k * k)
  for (let i = 0; i < k; i++) {
    for (let j = i; j < k; j++) {
      let sum = (moved[i] as number) * (moved[j] as number)
      for (let t = 0; t <= i; t++) sum += (inverse[t * k + i] as number) * (inverse[t * k + j] as number)
      second[i * k + j] = sum
    }
  }
  yield
  const { values, vectors } = yield* symmetricEigenInTurns(second, k)
  const largest = values[0] as number
  const raw = values.map((value) => (largest > 1 ? Math.exp((alpha * (value - largest)) / (largest - 1)) : 1))
  const total = raw.reduce((sum, weight) => sum + weight, 0)
  const directions: Float64Array[] = []
  let average = 0
  for (let j = 0; j < k; j++) {
    const weight = (raw[j] as number) / total
    if (weight < negligible) break
    average += weight * (values[j] as number)
    const direction = solveLowerTransposed(factor, k, vectors.slice(j * k, (j + 1) * k))
    directions.push(direction.map((value) => value * Math.sqrt(weight)))
  }
  return { mean, directions, average }
}
