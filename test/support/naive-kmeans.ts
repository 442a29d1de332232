import { Rng } from '../../src/core/rng.js'
import { symmetricEigen } from '../../src/linalg/symmetric-eigen.js'

/** A local optimum of 2-means: its inertia and the rows of its smaller cluster. */
export interface Optimum {
  readonly inertia: number
  readonly smaller: number
}

/** 2-means by Lloyd's iteration from `restarts` random pairs of rows, float64, as plainly as it can be written. */
export function naiveTwoMeans(points: Float64Array, dims: number, { restarts, seed }: { restarts: number; seed: number }): Optimum[] {
  const rows = points.length / dims
  const rng = new Rng(seed)
  const optima: Optimum[] = []
  for (let restart = 0; restart < restarts; restart++) {
    const a = rng.below(rows)
    let b = rng.below(rows - 1)
    if (b >= a) b++
    let centres = [points.slice(a * dims, (a + 1) * dims), points.slice(b * dims, (b + 1) * dims)] as [Float64Array, Float64Array]
    const assigned = new Uint8Array(rows).fill(2)
    for (;;) {
      let changed = false
      for (let i = 0; i < rows; i++) {
        const nearest = distance(points, i * dims, centres[1]) < distance(points, i * dims, centres[0]) ? 1 : 0
        if (nearest !== assigned[i]) changed = true
        assigned[i] = nearest
      }
      if (!changed) break
      const sums = [new Float64Array(dims), new Float64Array(dims)] as const
      const counts = [0, 0]
      for (let i = 0; i < rows; i++) {
        const k = assigned[i] as 0 | 1
        counts[k] = (counts[k] as number) + 1
        for (let j = 0; j < dims; j++) sums[k][j] = (sums[k][j] as number) + (points[i * dims + j] as number)
      }
      centres = sums.map((sum, k) => (counts[k] ? sum.map((value) => value / (counts[k] as number)) : centres[k])) as [
        Float64Array,
        Float64Array,
      ]
    }
    let inertia = 0
    let second = 0
    for (let i = 0; i < rows; i++) {
      inertia += distance(points, i * dims, centres[assigned[i] as 0 | 1])
      second += assigned[i] as number
    }
    optima.push({ inertia, smaller: Math.min(second, rows - second) })
  }
  return optima.sort((a, b) => a.inertia - b.inertia)
}

function distance(points: Float64Array, at: number, centre: Float64Array): number {
  let sum = 0
  for (let j = 0; j < centre.length; j++) sum += ((points[at + j] as number) - (centre[j] as number)) ** 2
  return sum
}

/** Coordinates of the rows on their `k` leading principal components, float64, from the covariance summed row by row. */
export function naivePca(x: Float32Array, rows: readonly number[], { cols, k }: { cols: number; k: number }): Float64Array {
  const mean = new Float64Array(cols)
  for (const row of rows) for (let j = 0; j < cols; j++) mean[j] = (mean[j] as number) + (x[row * cols + j] as number) / rows.length
  const scatter = new Float64Array(cols * cols)
  const centred = rows.map((row) => mean.map((value, j) => (x[row * cols + j] as number) - value))
  for (const row of centred) {
    for (let i = 0; i < cols; i++) {
      for (let j = 0; j < cols; j++) scatter[i * cols + j] = (scatter[i * cols + j] as number) + (row[i] as number) * (row[j] as number)
    }
  }
  const { vectors } = symmetricEigen(scatter, cols)
  const out = new Float64Array(rows.length * k)
  centred.forEach((row, i) => {
    for (let component = 0; component < k; component++) {
      let sum = 0
      for (let j = 0; j < cols; j++) sum += (row[j] as number) * (vectors[component * cols + j] as number)
      out[i * k + component] = sum
    }
  })
  return out
}
