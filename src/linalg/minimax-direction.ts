import { choleskyOf, solveLower, solveLowerTransposed } from './cholesky.js'
import { dot, quadratic } from './moments.js'

/**
 * The direction b that separates two means best in the standard deviations of the noisiest of several groups: it minimises
 * max over g of bᵀ·S_g·b subject to b·apart = 1, up to a convergence error of multiplicative weights. For weights w on the groups the best
 * direction of Σ w·S is (Σ w·S)⁻¹·apart; groups that are noisy along it gain weight, w ← w·√(v/max v) (the saddle point is Boyd &
 * Vandenberghe's minimax linear discriminant, Convex Optimization §7). The best of all steps is kept.
 *
 * `covariances`: symmetric positive definite `[n, n]`. A step costs groups · n² + n³/6 multiply-adds.
 */
export function minimaxDirection(apart: Float64Array, covariances: readonly Float64Array[], steps = 40): Float64Array {
  const n = apart.length
  let weights = new Float64Array(covariances.length).fill(1 / covariances.length)
  let best: Float64Array = new Float64Array(n)
  let least = Number.POSITIVE_INFINITY
  const mixed = new Float64Array(n * n)
  for (let step = 0; step < steps; step++) {
    mixed.fill(0)
    covariances.forEach((covariance, g) => {
      const weight = weights[g] as number
      if (weight < 1e-6) return
      for (let i = 0; i < n; i++) {
        for (let at = i * n, end = at + i; at <= end; at++) mixed[at] = (mixed[at] as number) + weight * (covariance[at] as number)
      }
    })
    const factor = choleskyOf(mixed, n)
    const b = solveLowerTransposed(factor, n, solveLower(factor, n, apart.slice()))
    const scale = dot(b, apart)
    if (!(scale > 0)) return best
    for (let j = 0; j < n; j++) b[j] = (b[j] as number) / scale
    const variances = Float64Array.from(covariances, (covariance) => quadratic(covariance, b))
    const largest = variances.reduce((a, v) => Math.max(a, v), 0)
    if (largest < least) {
      least = largest
      best = b
    }
    const raised = weights.map((weight, g) => weight * Math.sqrt((variances[g] as number) / largest))
    const total = raised.reduce((a, w) => a + w, 0)
    weights = raised.map((weight) => weight / total)
  }
  return best
}
