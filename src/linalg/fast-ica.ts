import type { Rng } from '../core/rng.js'
import { withFixedSign } from './symmetric-eigen.js'
import { type AffineMap, inverseSquareRoot, type Points, rowBlocks, whitening } from './whiten.js'

export interface FastIcaOptions {
  readonly rng: Rng
  readonly signal?: AbortSignal | undefined
  /** Converged when no component turns further in a step: max |1 − |cos|| at most this. 1e-4 by default. */
  readonly tolerance?: number
  /** 200 by default. */
  readonly maxSteps?: number
}

/** The map to the components: uncorrelated, mean 0, variance 1 (over n). Where `converged` is false it is plain whitening. */
export interface IndependentComponents extends AffineMap {
  readonly converged: boolean
  readonly steps: number
}

/**
 * FastICA (Hyvärinen & Oja, "Independent Component Analysis: Algorithms and Applications", Neural Networks 13, 2000, §6): the rotation W
 * of the whitened used columns whose components are the furthest from Gaussian, by the symmetric fixed-point iteration
 * W ← E[g(y)·zᵀ] − diag(E[g′(y)])·W, then W ← (W·Wᵀ)^(−1/2)·W, with y = W·z and the contrast G = log cosh, g = tanh.
 * Starts from a Gaussian matrix drawn from `rng`. Float64; the rows are read where they lie, and never copied.
 *
 * Components come in falling order of |E[y·g(y)] − E[g′(y)]|, which is what the iteration enlarges and 0 for a Gaussian; the sign is such
 * that a component's largest entry in whitened coordinates is positive. So another start that finds the same sources names them alike.
 *
 * Without convergence within `maxSteps`, or where the columns or W turn out singular or not finite, the map is that of `whitening`. It
 * differs from any W by a rotation alone, so distances between rows are the same. Rejects with the signal's reason.
 */
export async function fastIca(points: Points, options: FastIcaOptions): Promise<IndependentComponents> {
  const { rng, signal, tolerance = 1e-4, maxSteps = 200 } = options
  const k = points.used
  const white = await whitening(points, signal)
  const failed = (steps: number): IndependentComponents => ({ mean: white.mean, map: white.map, converged: false, steps })
  if (white.singular) return failed(0)
  let w = decorrelated(
    Float64Array.from({ length: k * k }, () => rng.normal()),
    k,
  )
  for (let steps = 1; w !== null && steps <= maxSteps; steps++) {
    const update = await fixedPoint(points, white, { w, signal })
    const next = decorrelated(update, k)
    if (next === null) return failed(steps)
    let turned = 0
    for (let i = 0; i < k; i++) turned = Math.max(turned, Math.abs(1 - Math.abs(rowDot(next, w, i, k))))
    if (turned <= tolerance) {
      const strengths = Array.from({ length: k }, (_, i) => Math.abs(rowDot(update, w as Float64Array, i, k)))
      return { mean: white.mean, map: product(canonical(next, strengths), white.map, k), converged: true, steps }
    }
    w = next
  }
  return failed(w === null ? 0 : maxSteps)
}

/** E[g(y)·zᵀ] − diag(E[g′(y)])·W, [k, k], with z = white.map · (x − mean) and y = W·z. */
async function fixedPoint(
  { data, cols, used: k }: Points,
  white: AffineMap,
  { w, signal }: { w: Float64Array; signal: AbortSignal | undefined },
): Promise<Float64Array> {
  const rows = data.length / cols
  const unmix = product(w, white.map, k)
  const sums = new Float64Array(k * k) // Σ g(y)·(x − mean)ᵀ: white.map is applied once, at the end.
  const slopes = new Float64Array(k)
  const centred = new Float64Array(k)
  for await (const { start, end } of rowBlocks(rows, signal)) {
    for (let row = start; row < end; row++) {
      for (let j = 0; j < k; j++) centred[j] = (data[row * cols + j] as number) - (white.mean[j] as number)
      for (let i = 0; i < k; i++) {
        let y = 0
        for (let j = 0; j < k; j++) y += (unmix[i * k + j] as number) * (centred[j] as number)
        const g = Math.tanh(y)
        slopes[i] = (slopes[i] as number) + 1 - g * g
        for (let j = 0; j < k; j++) sums[i * k + j] = (sums[i * k + j] as number) + g * (centred[j] as number)
      }
    }
  }
  return w.map((weight, at) => {
    const i = Math.floor(at / k)
    let sum = 0
    for (let j = 0; j < k; j++) sum += (sums[i * k + j] as number) * (white.map[(at % k) * k + j] as number)
    return (sum - (slopes[i] as number) * weight) / rows
  })
}

/** (W·Wᵀ)^(−1/2)·W, the orthogonal matrix nearest to W; null where W is singular or not finite. */
function decorrelated(w: Float64Array, k: number): Float64Array | null {
  if (!w.every(Number.isFinite)) return null
  const overlaps = w.map((_, at) => {
    let sum = 0
    for (let j = 0; j < k; j++) sum += (w[Math.floor(at / k) * k + j] as number) * (w[(at % k) * k + j] as number)
    return sum
  })
  const { root, singular } = inverseSquareRoot(overlaps, k)
  return singular ? null : product(root, w, k)
}

/** W's rows by falling strength, each with its sign fixed. */
function canonical(w: Float64Array, strengths: readonly number[]): Float64Array {
  const k = strengths.length
  const order = [...strengths.keys()].sort((a, b) => (strengths[b] as number) - (strengths[a] as number) || a - b)
  const out = new Float64Array(k * k)
  order.forEach((from, to) => {
    out.set(withFixedSign(w.slice(from * k, (from + 1) * k)), to * k)
  })
  return out
}

function rowDot(a: Float64Array, b: Float64Array, row: number, k: number): number {
  let sum = 0
  for (let j = row * k; j < (row + 1) * k; j++) sum += (a[j] as number) * (b[j] as number)
  return sum
}

function product(a: Float64Array, b: Float64Array, k: number): Float64Array {
  return a.map((_, at) => {
    let sum = 0
    for (let j = 0; j < k; j++) sum += (a[at - (at % k) + j] as number) * (b[j * k + (at % k)] as number)
    return sum
  })
}
