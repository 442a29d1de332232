import type { HostMatrix, Kernel, Pass, Shape } from '../core/backend.js'
import { sampleMatrix, sampleRows } from './sample.js'

/**
 * k-means on few dimensions, all classes and all restarts at once. A centre is a row of `dims + 2` numbers: its coordinates, the rows
 * that the last step gave it, and the sum of their squared distances to the centre they were given to.
 */
export interface KmeansParams {
  readonly classes: number
  readonly restarts: number
  readonly clusters: number
}

function uniforms(points: Shape, tiles: Shape, { classes, restarts, clusters }: KmeansParams): number[] {
  return [points.cols, tiles.rows, classes, restarts, clusters]
}

const centreRows = ({ classes, restarts, clusters }: KmeansParams) => classes * restarts * clusters

/**
 * One Lloyd step. Inputs: points `[n, dims]`, tiles of at most 64 rows, first tiles, centres. Output: the new centres, their row counts
 * and the inertia of the step's assignment to the *old* centres. Ties go to the lower centre; an empty centre stays.
 * Tolerance: means of n rows in float32, 1e-5 of the largest number. (Rows within rounding of a tie may go either way.)
 */
export const kmeansStepKernel: Kernel<KmeansParams> = {
  id: 'kmeans-step',
  shader: 'kmeans',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([points, tiles]: readonly Shape[], params) {
    const count = (tiles as Shape).rows
    const stride = (points as Shape).cols + 2
    const perClass = params.restarts * params.clusters * stride
    const words = uniforms(points as Shape, tiles as Shape, params)
    return {
      output: { rows: centreRows(params), cols: stride, type: 'f32' },
      scratch: [{ rows: count, cols: perClass, type: 'f32' }],
      passes: [
        {
          entryPoint: 'assignTiles',
          uniforms: words,
          workgroups: count,
          bindings: [{ input: 0 }, { input: 1 }, null, { input: 3 }, { scratch: 0 }],
        },
        {
          entryPoint: 'finish',
          uniforms: words,
          workgroups: Math.ceil((params.classes * perClass) / 64),
          bindings: [null, null, { input: 2 }, { input: 3 }, { scratch: 0 }, 'output'],
        },
      ],
    }
  },
  *cpu([points, tiles, firstTile, centres]: readonly HostMatrix[], params, output) {
    const { restarts, clusters } = params
    const dims = (points as HostMatrix).cols
    const stride = dims + 2
    const perClass = restarts * clusters * stride
    const tile = (tiles as HostMatrix).data
    const first = (firstTile as HostMatrix).data
    const old = (centres as HostMatrix).data
    const sums = new Float64Array(perClass)
    for (let c = 0; c < params.classes; c++) {
      sums.fill(0)
      const classCentres = old.subarray(c * perClass, (c + 1) * perClass)
      for (let t = first[c] as number; t < (first[c + 1] as number); t++) {
        const start = tile[t * 4 + 1] as number
        for (let row = start; row < start + (tile[t * 4 + 2] as number); row++) {
          for (let restart = 0; restart < restarts; restart++) {
            assignRow((points as HostMatrix).data, row * dims, dims, classCentres, { first: restart * clusters, count: clusters }, sums)
          }
        }
        if (t % 16 === 0) yield
      }
      for (let at = 0; at < perClass; at += stride) {
        const rows = sums[at + dims] as number
        for (let j = 0; j < stride; j++) {
          const sum = sums[at + j] as number
          output[c * perClass + at + j] = j >= dims ? sum : rows > 0 ? sum / rows : (classCentres[at + j] as number)
        }
      }
    }
  },
  sample() {
    const { x, tiles, firstTile } = sampleRows(10)
    const params = { classes: 2, restarts: 3, clusters: 2 }
    return { inputs: [x, tiles, firstTile, sampleMatrix(centreRows(params), 12)], params }
  },
}

export interface LloydParams extends KmeansParams {
  readonly steps: number
}

/**
 * `steps` Lloyd steps at once, fewer for centres that stay where they are: inputs and output are those of a step. For backends that compute
 * on the CPU, where a class's rows stay in a core's cache from one step to the next; a GPU runs the steps one by one.
 */
export const kmeansLloydKernel: Kernel<LloydParams> = {
  id: 'kmeans-lloyd',
  wasm: 'kmeans-lloyd',
  tolerance: kmeansStepKernel.tolerance,
  plan(inputs: readonly Shape[], params) {
    return { output: kmeansStepKernel.plan(inputs, params).output, scratch: [], passes: [] }
  },
  *cpu([points, tiles, firstTile, centres]: readonly HostMatrix[], params, output) {
    const now = { ...(centres as HostMatrix), data: (centres as HostMatrix).data.slice() }
    for (let step = 0; step < params.steps; step++) {
      yield* kmeansStepKernel.cpu([points as HostMatrix, tiles as HostMatrix, firstTile as HostMatrix, now], params, output)
      now.data.set(output)
    }
  },
  sample() {
    const { inputs, params } = kmeansStepKernel.sample()
    return { inputs, params: { ...params, steps: 2 } }
  },
}

/** Adds one row to the sums of the centre nearest to it. */
function assignRow(
  points: ArrayLike<number>,
  at: number,
  dims: number,
  centres: ArrayLike<number>,
  range: { first: number; count: number },
  sums: Float64Array,
): void {
  const stride = dims + 2
  let best = range.first
  let bestDistance = Number.POSITIVE_INFINITY
  for (let k = range.first; k < range.first + range.count; k++) {
    const distance = squaredDistance(points, at, centres, k * stride, dims)
    if (distance < bestDistance) {
      best = k
      bestDistance = distance
    }
  }
  const to = best * stride
  for (let j = 0; j < dims; j++) sums[to + j] = (sums[to + j] as number) + (points[at + j] as number)
  sums[to + dims] = (sums[to + dims] as number) + 1
  sums[to + dims + 1] = (sums[to + dims + 1] as number) + bestDistance
}

function squaredDistance(points: ArrayLike<number>, at: number, centres: ArrayLike<number>, centreAt: number, dims: number): number {
  let sum = 0
  for (let j = 0; j < dims; j++) {
    const difference = (points[at + j] as number) - (centres[centreAt + j] as number)
    sum += difference * difference
  }
  return sum
}

/**
 * Distance of every row to each of its class's centres (one restart). Inputs: points `[n, dims]`, tiles of at most 64 rows, centres
 * `[classes · clusters, dims + 2]`. Output `[n, clusters]`. Tolerance: a sum of at most 16 squares.
 */
export const kmeansDistancesKernel: Kernel<KmeansParams> = {
  id: 'kmeans-distances',
  shader: 'kmeans',
  tolerance: { atol: 1e-6, rtol: 1e-5 },
  plan([points, tiles]: readonly Shape[], params) {
    const pass: Pass = {
      entryPoint: 'distances',
      uniforms: uniforms(points as Shape, tiles as Shape, params),
      workgroups: (tiles as Shape).rows,
      bindings: [{ input: 0 }, { input: 1 }, null, { input: 2 }, null, 'output'],
    }
    return { output: { rows: (points as Shape).rows, cols: params.clusters, type: 'f32' }, scratch: [], passes: [pass] }
  },
  *cpu([points, tiles, centres]: readonly HostMatrix[], { clusters }, output) {
    const { data, cols: dims } = points as HostMatrix
    const tile = (tiles as HostMatrix).data
    for (let t = 0; t < (tiles as HostMatrix).rows; t++) {
      const start = tile[t * 4 + 1] as number
      const class_ = tile[t * 4] as number
      for (let row = start; row < start + (tile[t * 4 + 2] as number); row++) {
        for (let k = 0; k < clusters; k++) {
          const centreAt = (class_ * clusters + k) * (dims + 2)
          output[row * clusters + k] = Math.sqrt(squaredDistance(data, row * dims, (centres as HostMatrix).data, centreAt, dims))
        }
      }
      if (t % 16 === 0) yield
    }
  },
  sample() {
    const { x, tiles } = sampleRows(10)
    return { inputs: [x, tiles, sampleMatrix(4, 12)], params: { classes: 2, restarts: 1, clusters: 2 } }
  },
}
