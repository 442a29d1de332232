import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { sampledSilhouette, sampledSilhouetteKernel, silhouette, silhouetteKernel } from '../../src/kernels/silhouette.js'
import { classedRows } from '../support/classed-rows.js'
import { describeEachBackend } from '../support/each-backend.js'
import { expectParity } from '../support/parity.js'

interface Golden {
  readonly cases: readonly { name: string; x: { rows: number; cols: number; data: number[] }; labels: number[]; samples: number[] }[]
}
const golden = JSON.parse(readFileSync(new URL('../fixtures/detectors/silhouette.json', import.meta.url), 'utf8')) as Golden

/** Rousseeuw's definition, word by word. */
function naiveSilhouette(points: number[][], cluster: number[]): number[] {
  const distance = (a: number[], b: number[]) => Math.hypot(...a.map((value, j) => value - (b[j] as number)))
  return points.map((point, i) => {
    const mean = (k: number) => {
      const others = points.filter((_, o) => o !== i && cluster[o] === k)
      return others.reduce((sum, other) => sum + distance(point, other), 0) / others.length
    }
    const own = cluster[i] as number
    const a = mean(own)
    const b = Math.min(...[...new Set(cluster)].filter((k) => k !== own).map(mean))
    return Number.isNaN(a) || !Number.isFinite(b) || Math.max(a, b) === 0 ? 0 : (b - a) / Math.max(a, b)
  })
}

describeEachBackend('silhouettes', ({ shared }) => {
  it.each(golden.cases)('agree with scikit-learn: $name', async ({ x, labels, samples }) => {
    const context = await shared()
    using points = classedRows(context, Float32Array.from(x.data), x.cols, [x.rows])
    using result = silhouette(points, Uint32Array.from(labels))
    expectParity(silhouetteKernel, await context.backend.read(result), samples)
  })

  it.each([
    { name: 'classes of many sizes', rows: [1, 2, 63, 64, 65, 150], dims: 10, clusters: 2 },
    { name: 'four clusters on sixteen dimensions', rows: [130, 40], dims: 16, clusters: 4 },
    { name: 'one dimension, three clusters', rows: [50], dims: 1, clusters: 3 },
  ])('agree with the definition: $name', async ({ rows, dims, clusters }) => {
    const context = await shared()
    const rng = new Rng(9)
    const n = rows.reduce((sum, count) => sum + count, 0)
    const data = Float32Array.from({ length: n * dims }, () => rng.normal())
    const cluster = Uint32Array.from({ length: n }, () => rng.below(clusters))
    using points = classedRows(context, data, dims, rows)
    using result = silhouette(points, cluster)
    const expected = rows.flatMap((count, c) => {
      const start = points.starts[c] as number
      const own = Array.from({ length: count }, (_, i) => Array.from(data.subarray((start + i) * dims, (start + i + 1) * dims)))
      return naiveSilhouette(own, Array.from(cluster.subarray(start, start + count)))
    })
    expectParity(silhouetteKernel, await context.backend.read(result), expected)
  })

  it('are 0 where all rows coincide', async () => {
    const context = await shared()
    using points = classedRows(context, new Float32Array(12).fill(3), 2, [6])
    using result = silhouette(points, Uint32Array.of(0, 0, 1, 1, 1, 0))
    expect([...(await context.backend.read(result))]).toEqual([0, 0, 0, 0, 0, 0])
  })

  it.each([
    { name: 'two clusters', rows: 9000, queries: 130, dims: 10, clusters: 2 },
    { name: 'four clusters on sixteen dimensions', rows: 300, queries: 67, dims: 16, clusters: 4 },
    { name: 'one query', rows: 21, queries: 1, dims: 3, clusters: 3 },
    { name: 'every row', rows: 65, queries: 65, dims: 2, clusters: 2 },
  ])('of the first rows of a class are what they are of all: $name', async ({ rows, queries, dims, clusters }) => {
    const { backend } = await shared()
    const rng = new Rng(12)
    const cluster = Uint32Array.from({ length: rows }, () => rng.below(clusters))
    const data = Float32Array.from({ length: rows * dims }, (_, at) => 2 * (cluster[Math.floor(at / dims)] as number) + rng.normal())
    const sizes = new Uint32Array(4)
    for (const k of cluster) sizes[k] = (sizes[k] as number) + 1
    const table = (values: Uint32Array, cols: number) => ({ data: values, rows: values.length / cols, cols, type: 'u32' as const })
    const points = { data, rows, cols: dims, type: 'f32' as const }
    const expected = new Float32Array(rows)
    const inputs = [points, table(cluster, 1), table(Uint32Array.of(0, 0, rows, 0), 4), table(Uint32Array.of(0, rows), 1), table(sizes, 4)]
    for (const _ of silhouetteKernel.cpu(inputs, undefined, expected));
    using x = backend.upload(points)
    using result = sampledSilhouette(backend, x, cluster, queries)
    expectParity(silhouetteKernel, await backend.read(result), [...expected.subarray(0, queries)])
    expect(sampledSilhouetteKernel.tolerance.atol).toBeGreaterThanOrEqual(silhouetteKernel.tolerance.atol)
  })
})
