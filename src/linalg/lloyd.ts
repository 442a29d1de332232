import type { DeviceMatrix } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import type { ResidentSet } from '../core/resident-set.js'
import type { Rng } from '../core/rng.js'
import { type KmeansParams, kmeansDistancesKernel, kmeansSeedKernel, kmeansStepKernel } from '../kernels/kmeans.js'

const rowsPerTile = 64
/** Steps between two looks at the centres. */
const stepsPerRead = 8

export interface KmeansOptions {
  readonly clusters: number
  readonly restarts: number
  readonly maxIterations: number
  readonly rng: Rng
}

export interface Clustering {
  /** Distance of every row (class order) to each centre of its class: `[n, clusters]`. */
  readonly distances: Float32Array
  /** Centres `[classes · clusters, dims]`. */
  readonly centres: Float32Array
  /** Sum of squared distances to the nearest centre, one a class. */
  readonly inertia: Float64Array
}

/**
 * k-means (Lloyd 1982) of every class's rows, the best of `restarts` starts by inertia. `points: [n, dims ≤ 16]` are principal
 * coordinates in class order, centred per class, with falling variance; `spread: [classes · dims]` their standard deviations.
 * Start 0 splits by the sign of the first coordinate, start 1 by the second (centres at ±1 standard deviation); the others take rows
 * drawn without replacement by the seeded generator, the same on every backend. Inertias within 1e-6 of the best count as equal and
 * the lowest start wins.
 */
export async function kmeans(set: ResidentSet, points: DeviceMatrix, spread: ArrayLike<number>, options: KmeansOptions): Promise<Clustering> {
  const { backend } = set.context
  const classes = set.set.classes.length
  const { clusters, restarts } = options
  const params: KmeansParams = { classes, restarts, clusters }
  const { tiles, firstTile } = set.rowTiles(rowsPerTile)
  const stride = points.cols + 2
  let host = await firstCentres(set, points, spread, options)
  let centres = backend.upload({ data: host, rows: host.length / stride, cols: stride, type: 'f32' })
  try {
    for (let step = 0; step < options.maxIterations; step += stepsPerRead) {
      for (let i = 1; i < stepsPerRead; i++) centres = replace(centres, backend.run(kmeansStepKernel, [points, tiles, firstTile, centres], params))
      using last = backend.run(kmeansStepKernel, [points, tiles, firstTile, centres], params)
      const before = await backend.read(centres)
      host = await backend.read(last)
      if (sameCoordinates(before, host, stride)) break
      centres = replace(centres, backend.run(kmeansStepKernel, [points, tiles, firstTile, last], params))
    }
  } finally {
    centres[dispose]()
  }
  const best = bestRestarts(host, params, stride)
  using chosen = backend.upload({ data: best.centres, rows: classes * clusters, cols: stride, type: 'f32' })
  using distances = backend.run(kmeansDistancesKernel, [points, tiles, chosen], { classes, restarts: 1, clusters })
  const coordinates = new Float32Array(classes * clusters * points.cols)
  for (let k = 0; k < classes * clusters; k++) coordinates.set(best.centres.subarray(k * stride, k * stride + points.cols), k * points.cols)
  return { distances: await backend.read(distances), centres: coordinates, inertia: best.inertia }
}

function replace(old: DeviceMatrix, next: DeviceMatrix): DeviceMatrix {
  old[dispose]()
  return next
}

async function firstCentres(set: ResidentSet, points: DeviceMatrix, spread: ArrayLike<number>, options: KmeansOptions): Promise<Float32Array> {
  const { backend } = set.context
  const { starts, classes } = set.set
  const { clusters, restarts } = options
  const stride = points.cols + 2
  const picks = new Uint32Array(classes.length * restarts * clusters)
  for (let c = 0, at = 0; c < classes.length; c++) {
    const first = starts[c] as number
    const rows = (starts[c + 1] as number) - first
    // A stream per class, so that a class's clusters do not depend on which other classes are in the set before it.
    const rng = options.rng.fork(String((classes[c] as { label: unknown }).label))
    for (let restart = 0; restart < restarts; restart++) {
      for (const pick of drawDistinct(rng, rows, clusters)) picks[at++] = first + pick
    }
  }
  using pickTable = backend.upload({ data: picks, rows: picks.length, cols: 1, type: 'u32' })
  using seeded = backend.run(kmeansSeedKernel, [points, pickTable], { classes: classes.length, restarts, clusters })
  const centres = await backend.read(seeded)
  if (clusters !== 2) return centres
  for (let c = 0; c < classes.length; c++) {
    for (let restart = 0; restart < Math.min(2, restarts, points.cols); restart++) {
      const at = (c * restarts + restart) * 2 * stride
      centres.fill(0, at, at + 2 * stride)
      centres[at + restart] = spread[c * points.cols + restart] as number
      centres[at + stride + restart] = -(spread[c * points.cols + restart] as number)
    }
  }
  return centres
}

/** `count` different numbers below `bound` (repeats only where bound < count), by Floyd's sampling. */
function drawDistinct(rng: Rng, bound: number, count: number): number[] {
  const drawn: number[] = []
  for (let i = Math.max(0, bound - count); drawn.length < count; i++) {
    const candidate = rng.below(Math.min(i + 1, bound))
    drawn.push(drawn.includes(candidate) && i < bound ? i : candidate)
  }
  return drawn
}

function sameCoordinates(a: Float32Array, b: Float32Array, stride: number): boolean {
  for (let i = 0; i < a.length; i++) if (i % stride < stride - 2 && a[i] !== b[i]) return false
  return true
}

function bestRestarts(centres: Float32Array, { classes, restarts, clusters }: KmeansParams, stride: number): { centres: Float32Array; inertia: Float64Array } {
  const size = clusters * stride
  const chosen = new Float32Array(classes * size)
  const inertia = new Float64Array(classes).fill(Number.POSITIVE_INFINITY)
  for (let c = 0; c < classes; c++) {
    for (let restart = 0; restart < restarts; restart++) {
      const at = (c * restarts + restart) * size
      let sum = 0
      for (let k = 0; k < clusters; k++) sum += centres[at + k * stride + stride - 1] as number
      if (sum < (inertia[c] as number) * (1 - 1e-6)) {
        inertia[c] = sum
        chosen.set(centres.subarray(at, at + size), c * size)
      }
    }
  }
  return { centres: chosen, inertia }
}
