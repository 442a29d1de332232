import type { Backend, DeviceMatrix, HostMatrix, Kernel, Shape } from '../core/backend.js'
import type { ClassedRows } from '../core/classed-rows.js'
import { dispose } from '../core/dispose.js'
import { sampleMatrix, sampleRows } from './sample.js'

/** Most clusters and dimensions that the silhouette kernel takes: a row is four vec4 and its cluster sums are one. */
export const silhouetteLimits = { clusters: 4, dims: 16 } as const

const rowsPerTile = 64

/**
 * Exact silhouette of every row within its class (Rousseeuw 1987). Inputs: points `[n, dims ≤ 16]`, cluster of each row `[n, 1]` uint32
 * (0 … 3), row tiles, class row offsets `[classes + 1, 1]`, cluster sizes `[classes, 4]`. Output `[n, 1]` in [−1, 1].
 * Tolerance: each mean distance errs by about (64 + n/64) · 2⁻²⁴ relative, and s is a difference of two of them over the larger: 1e-4
 * absolute covers classes of 100,000 rows.
 */
export const silhouetteKernel: Kernel<void> = {
  id: 'silhouette',
  wasm: 'silhouette',
  shader: 'silhouette',
  tolerance: { atol: 1e-4, rtol: 0 },
  plan([points, , tiles]: readonly Shape[]) {
    const { rows, cols } = points as Shape
    const count = (tiles as Shape).rows
    const inputs = [0, 1, 2, 3, 4].map((input) => ({ input }))
    return {
      output: { rows, cols: 1, type: 'f32' },
      scratch: [],
      passes: [{ entryPoint: 'silhouette', uniforms: [cols, count], workgroups: count, bindings: [...inputs, 'output'] }],
    }
  },
  *cpu([points, clusterOf, tiles, starts, sizes]: readonly HostMatrix[], _params, output) {
    const { data, cols } = points as HostMatrix
    const cluster = (clusterOf as HostMatrix).data
    const tile = (tiles as HostMatrix).data
    const offsets = (starts as HostMatrix).data
    const counts = (sizes as HostMatrix).data
    const sums = new Float64Array(silhouetteLimits.clusters)
    for (let t = 0; t < (tiles as HostMatrix).rows; t++) {
      const start = tile[t * 4 + 1] as number
      const end = start + (tile[t * 4 + 2] as number)
      const class_ = tile[t * 4] as number
      for (let row = start; row < end; row++) {
        sums.fill(0)
        sumDistances(data, cols, row, { start: offsets[class_] as number, end: offsets[class_ + 1] as number }, cluster, sums)
        const size = counts.subarray(class_ * silhouetteLimits.clusters, (class_ + 1) * silhouetteLimits.clusters)
        output[row] = silhouetteOf(cluster[row] as number, sums, size)
        if ((row - start) % 16 === 0) yield
      }
    }
  },
  sample() {
    const { x, tiles, starts } = sampleRows(10)
    const clusterOf = Uint32Array.from({ length: x.rows }, (_, i) => (i % 3 === 0 ? 1 : 0))
    const sizes = new Uint32Array(2 * silhouetteLimits.clusters)
    clusterOf.forEach((cluster, i) => {
      const at = (i < (starts.data[1] as number) ? 0 : silhouetteLimits.clusters) + cluster
      sizes[at] = (sizes[at] as number) + 1
    })
    const column: HostMatrix = { data: clusterOf, rows: x.rows, cols: 1, type: 'u32' }
    return { inputs: [x, column, tiles, starts, { data: sizes, rows: 2, cols: silhouetteLimits.clusters, type: 'u32' }], params: undefined }
  },
}

export interface SampledSilhouetteParams {
  readonly queries: number
}

/**
 * The same of the first `queries` rows of one class, among all of its rows: inputs as above, of one class, tiles of the queries alone. Output
 * `[queries, 1]`. Tolerance: as above, and ten times as much for classes up to a million rows.
 */
export const sampledSilhouetteKernel: Kernel<SampledSilhouetteParams> = {
  id: 'silhouette-sample',
  wasm: 'silhouette-sample',
  shader: 'silhouette',
  tolerance: { atol: 1e-3, rtol: 0 },
  plan: (inputs, { queries }) => ({ ...silhouetteKernel.plan(inputs, undefined), output: { rows: queries, cols: 1, type: 'f32' } }),
  cpu: (inputs, _params, output) => silhouetteKernel.cpu(inputs, undefined, output),
  sample() {
    const [rows, queries] = [150, 70]
    const cluster = Uint32Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? 1 : 0))
    const tables = sampleTables(cluster, queries)
    return { inputs: [sampleMatrix(rows, 10), ...tables], params: { queries } }
  },
}

/** What the kernel takes beside the points: clusters, tiles of the queries, offsets and sizes. */
function sampleTables(cluster: Uint32Array, queries: number): HostMatrix[] {
  const tiles: number[] = []
  for (let row = 0; row < queries; row += rowsPerTile) tiles.push(0, row, Math.min(rowsPerTile, queries - row), 0)
  const sizes = new Uint32Array(silhouetteLimits.clusters)
  for (const k of cluster) sizes[k] = (sizes[k] as number) + 1
  return [
    { data: cluster, rows: cluster.length, cols: 1, type: 'u32' },
    { data: Uint32Array.from(tiles), rows: tiles.length / 4, cols: 4, type: 'u32' },
    { data: Uint32Array.of(0, cluster.length), rows: 2, cols: 1, type: 'u32' },
    { data: sizes, rows: 1, cols: silhouetteLimits.clusters, type: 'u32' },
  ]
}

function sumDistances(
  data: ArrayLike<number>,
  cols: number,
  row: number,
  others: { start: number; end: number },
  cluster: ArrayLike<number>,
  sums: Float64Array,
): void {
  const own = row * cols
  for (let other = others.start, at = others.start * cols; other < others.end; other++) {
    let squared = 0
    for (let j = 0; j < cols; j++, at++) {
      const difference = (data[own + j] as number) - (data[at] as number)
      squared += difference * difference
    }
    const k = cluster[other] as number
    sums[k] = (sums[k] as number) + Math.sqrt(squared)
  }
}

function silhouetteOf(own: number, sums: ArrayLike<number>, sizes: ArrayLike<number>): number {
  const size = sizes[own] as number
  if (size <= 1) return 0
  const a = (sums[own] as number) / (size - 1)
  let b = Number.POSITIVE_INFINITY
  for (let k = 0; k < sizes.length; k++) {
    const others = sizes[k] as number
    if (k !== own && others > 0) b = Math.min(b, (sums[k] as number) / others)
  }
  const larger = Math.max(a, b)
  return Number.isFinite(b) && larger > 0 ? (b - a) / larger : 0
}

/** Silhouettes `[n, 1]` of rows within their classes, clustered as `clusterOf: [n]` says. The caller disposes the result. */
export function silhouette(points: ClassedRows, clusterOf: Uint32Array): DeviceMatrix {
  const { backend, starts } = points
  const classes = starts.length - 1
  const sizes = new Uint32Array(classes * silhouetteLimits.clusters)
  for (let c = 0; c < classes; c++) {
    for (let i = starts[c] as number; i < (starts[c + 1] as number); i++) {
      const at = c * silhouetteLimits.clusters + (clusterOf[i] as number)
      sizes[at] = (sizes[at] as number) + 1
    }
  }
  using clusterColumn = backend.upload({ data: clusterOf, rows: clusterOf.length, cols: 1, type: 'u32' })
  using offsets = backend.upload({ data: starts, rows: starts.length, cols: 1, type: 'u32' })
  using sizeTable = backend.upload({ data: sizes, rows: classes, cols: silhouetteLimits.clusters, type: 'u32' })
  return backend.run(silhouetteKernel, [points.x, clusterColumn, points.rowTiles(rowsPerTile).tiles, offsets, sizeTable], undefined)
}

/**
 * Silhouettes `[queries, 1]` of the first `queries` rows of one class, `points: [n, dims]`, among all of them, clustered as `clusterOf: [n]`
 * says: queries · n distances. The caller disposes the result.
 */
export function sampledSilhouette(backend: Backend, points: DeviceMatrix, clusterOf: Uint32Array, queries: number): DeviceMatrix {
  const tables = sampleTables(clusterOf, queries).map((table) => backend.upload(table))
  try {
    return backend.run(sampledSilhouetteKernel, [points, ...tables], { queries })
  } finally {
    for (const table of tables) table[dispose]()
  }
}
