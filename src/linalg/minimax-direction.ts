import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import { choleskyOf, notDefinite, solveLower, solveLowerTransposed } from './cholesky.js'
import { dot, quadratic } from './moments.js'

export interface MinimaxOptions {
  /** 20 unless told. */
  readonly steps?: number
  readonly weights?: Float64Array
}

export interface MinimaxDirection {
  /** Scaled so that direction · apart = 1; zeros where `apart` is zero. */
  readonly direction: Float64Array
  /** The weight of every covariance in the mix that the direction comes from. */
  readonly weights: Float64Array
}

/**
 * The direction b that separates two means best in the standard deviations of the noisiest of several groups: it minimises
 * max over g of bᵀ·S_g·b subject to b·apart = 1, up to a convergence error of multiplicative weights. For weights w on the groups the best
 * direction of Σ w·S is (Σ w·S)⁻¹·apart; groups that are noisy along it gain weight, w ← w·v/max v (by the root of that ratio it takes twice
 * the steps; from its power of 1.5 on the weights swing between two groups; the saddle point is Boyd &
 * Vandenberghe's minimax linear discriminant, Convex Optimization §7). The best of all steps is kept.
 * A start from `weights` of a like problem needs fewer steps.
 *
 * `covariances`: symmetric positive definite `[n, n]`. A step costs groups · n² + n³/6 multiply-adds.
 */
export function minimaxDirection(
  apart: Float64Array,
  covariances: readonly Float64Array[],
  options: MinimaxOptions = {},
): MinimaxDirection {
  const { steps = 20, weights: given } = options
  const even = 1 / covariances.length
  // Some weight for all: one that is 0 stays 0.
  const weights = Float64Array.from(covariances, (_, g) => (given ? 0.9 * (given[g] as number) + 0.1 * even : even))
  return (doubleEngine() ? inWebAssembly : plain)(apart, covariances, { steps, weights })
}

function plain(
  apart: Float64Array,
  covariances: readonly Float64Array[],
  { steps, weights: start }: Required<MinimaxOptions>,
): MinimaxDirection {
  const n = apart.length
  let weights = start
  let best: MinimaxDirection = { direction: new Float64Array(n), weights }
  let least = Number.POSITIVE_INFINITY
  const mixed = new Float64Array(n * n)
  for (let step = 0; step < steps; step++) {
    mixed.fill(0)
    for (const [g, covariance] of covariances.entries()) addScaled(mixed, covariance, weights[g] as number, n)
    const factor = choleskyOf(mixed, n)
    const b = solveLowerTransposed(factor, n, solveLower(factor, n, apart.slice()))
    const scale = dot(b, apart)
    if (!(scale > 0)) break
    for (let j = 0; j < n; j++) b[j] = (b[j] as number) / scale
    const variances = Float64Array.from(covariances, (covariance) => quadratic(covariance, b))
    const largest = variances.reduce((a, v) => Math.max(a, v), 0)
    if (largest < least) {
      least = largest
      best = { direction: b, weights }
    }
    const raised = weights.map((weight, g) => (weight * (variances[g] as number)) / largest)
    const total = raised.reduce((a, w) => a + w, 0)
    weights = raised.map((weight) => weight / total)
  }
  return best
}

/** By src/wasm/minimax.ts. */
function inWebAssembly(
  apart: Float64Array,
  covariances: readonly Float64Array[],
  { steps, weights: start }: Required<MinimaxOptions>,
): MinimaxDirection {
  const engine = doubleEngine() as DoubleEngine
  const n = apart.length
  const groups = covariances.length
  const room = engine.loops.minimaxRoom(n, groups) * 8
  const places = engine.enter(...covariances, apart, start, groups * 4, n * 8, start, room)
  const [at, weights, table, direction, best, free] = places.slice(groups) as [number, number, number, number, number, number]
  engine.words(table, groups).set(places.slice(0, groups))
  engine.view(direction, n).fill(0)
  if (!engine.loops.minimax(at, n, table, groups, steps, weights, direction, best, free)) throw notDefinite()
  return { direction: engine.take(direction, n), weights: engine.take(best, groups) }
}

/** sum += weight · a, lower triangle; weights too small to matter are left out. */
function addScaled(sum: Float64Array, a: Float64Array, weight: number, n: number): void {
  if (weight < 1e-5) return
  for (let i = 0; i < n; i++) {
    for (let at = i * n, end = at + i; at <= end; at++) sum[at] = (sum[at] as number) + weight * (a[at] as number)
  }
}
