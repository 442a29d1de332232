import type { Task } from '../core/lane.js'
import { exchange } from './hartigan.js'

/** Two groups of a class's rows. */
export interface TwoGroups {
  /** 1 for every row of the second group, 0 for the first. */
  readonly side: Uint8Array
  /** `[dims]` means of both. */
  readonly means: readonly [Float64Array, Float64Array]
  /** What the split takes off the rows' sum of squares, over their number: share · (1 − share) · squared distance of the means. */
  readonly gain: number
}

export interface GroupedPoints {
  /** `[n, dims]` */
  readonly points: Float32Array
  readonly dims: number
}

/** Directions that starts are cut along, and where, in standard deviations. */
const startDirections = 8
const cuts = [0, 1.5, -1.5, 2.5, -2.5]

/**
 * The split in two that takes most off the sum of squares of `points: [n, dims]`, centred, of falling variance: 2-means by Hartigan's
 * exchange, from cuts across each of the leading columns. Nothing is drawn at random. null where nothing can be split. Yields now and then.
 */
export function* twoGroups({ points, dims }: GroupedPoints): Generator<void, TwoGroups | null, void> {
  const n = points.length / dims
  const partition = { points, dims, clusters: 2 }
  let best: { readonly centres: Float64Array; readonly inertia: number } | null = null
  for (let j = 0; j < Math.min(startDirections, dims); j++) {
    let squares = 0
    for (let i = 0; i < n; i++) squares += (points[i * dims + j] as number) ** 2
    for (const cut of cuts) {
      const border = cut * Math.sqrt(squares / n)
      const side = new Uint8Array(n)
      for (let i = 0; i < n; i++) if ((points[i * dims + j] as number) > border) side[i] = 1
      const start = meansOf(points, dims, side)
      if (!start) continue
      const found = yield* exchange(partition, [...start.means[0], ...start.means[1]])
      if (best === null || found.inertia < best.inertia * (1 - 1e-9)) best = found
      yield
    }
  }
  if (!best) return null
  const { centres } = best
  const side = Uint8Array.from({ length: n }, (_, i) => {
    let nearer = 0
    for (let j = 0; j < dims; j++) {
      const value = points[i * dims + j] as number
      nearer += (value - (centres[j] as number)) ** 2 - (value - (centres[dims + j] as number)) ** 2
    }
    return nearer > 0 ? 1 : 0
  })
  return meansOf(points, dims, side)
}

export const twoGroupsTask: Task<GroupedPoints, TwoGroups | null> = { name: 'two groups', run: twoGroups }

function meansOf(points: Float32Array, dims: number, side: Uint8Array): TwoGroups | null {
  const means: readonly [Float64Array, Float64Array] = [new Float64Array(dims), new Float64Array(dims)]
  const second = side.reduce((count, value) => count + value, 0)
  const counts = [side.length - second, second] as const
  if (counts[0] === 0 || counts[1] === 0) return null
  side.forEach((value, i) => {
    const mean = means[value as 0 | 1]
    for (let j = 0; j < dims; j++) mean[j] = (mean[j] as number) + (points[i * dims + j] as number) / (counts[value as 0 | 1] as number)
  })
  let apart = 0
  for (let j = 0; j < dims; j++) apart += ((means[0][j] as number) - (means[1][j] as number)) ** 2
  return { side, means, gain: ((counts[0] * counts[1]) / side.length ** 2) * apart }
}
