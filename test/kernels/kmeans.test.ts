import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { type KmeansParams, kmeansDistancesKernel, kmeansLloydKernel, kmeansStepKernel } from '../../src/kernels/kmeans.js'
import { classedRows } from '../support/classed-rows.js'
import { describeEachBackend } from '../support/each-backend.js'
import { expectParity } from '../support/parity.js'

const squared = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, j) => sum + (value - (b[j] as number)) ** 2, 0)

/** One Lloyd step of one class and one restart, from its definition. */
function naiveStep(points: number[][], centres: number[][]): number[][] {
  const sums = centres.map((centre) => ({ sum: centre.map(() => 0), rows: 0, inertia: 0 }))
  for (const point of points) {
    const distances = centres.map((centre) => squared(point, centre))
    const own = distances.indexOf(Math.min(...distances))
    const entry = sums[own] as (typeof sums)[number]
    entry.sum = entry.sum.map((value, j) => value + (point[j] as number))
    entry.rows++
    entry.inertia += distances[own] as number
  }
  return sums.map(({ sum, rows, inertia }, k) => [
    ...(rows > 0 ? sum.map((value) => value / rows) : (centres[k] as number[])),
    rows,
    inertia,
  ])
}

const shapes = [
  { name: 'two clusters, ten restarts', rows: [1, 2, 63, 64, 65, 200], dims: 10, restarts: 10, clusters: 2 },
  { name: 'more restarts than a round holds', rows: [90, 30], dims: 3, restarts: 19, clusters: 2 },
  { name: 'four clusters on sixteen dimensions', rows: [130], dims: 16, restarts: 3, clusters: 4 },
  { name: 'one dimension', rows: [70], dims: 1, restarts: 2, clusters: 2 },
]

describeEachBackend('k-means kernels', ({ name: backendName, shared }) => {
  it.skipIf(backendName === 'webgpu').each(shapes)('several steps at once are single steps one after the other: $name', async (shape) => {
    const { rows, dims, restarts, clusters } = shape
    const context = await shared()
    const { backend } = context
    const rng = new Rng(12)
    const params: KmeansParams = { classes: rows.length, restarts, clusters }
    const data = Float32Array.from({ length: rows.reduce((sum, count) => sum + count, 0) * dims }, () => rng.normal())
    using points = classedRows(context, data, dims, rows)
    const { tiles, firstTile } = points.rowTiles(64)
    const centres = Float32Array.from({ length: rows.length * restarts * clusters * (dims + 2) }, () => rng.normal())
    const upload = (values: Float32Array) => backend.upload({ data: values, rows: values.length / (dims + 2), cols: dims + 2, type: 'f32' })
    let expected = centres
    for (let step = 0; step < 5; step++) {
      using before = upload(expected)
      using after = backend.run(kmeansStepKernel, [points.x, tiles, firstTile, before], params)
      expected = (await backend.read(after)) as Float32Array<ArrayBuffer>
    }
    using start = upload(centres)
    using end = backend.run(kmeansLloydKernel, [points.x, tiles, firstTile, start], { ...params, steps: 5 })
    expectParity(kmeansLloydKernel, await backend.read(end), expected)
  })

  it.each(shapes)('step and measure as the definitions say: $name', async ({ rows, dims, restarts, clusters }) => {
    const context = await shared()
    const { backend } = context
    const rng = new Rng(11)
    const n = rows.reduce((sum, count) => sum + count, 0)
    const params: KmeansParams = { classes: rows.length, restarts, clusters }
    const data = Float32Array.from({ length: n * dims }, () => rng.normal())
    using points = classedRows(context, data, dims, rows)
    const { x, starts } = points
    const picks = Uint32Array.from({ length: rows.length * restarts * clusters }, (_, i) => {
      const c = Math.floor(i / (restarts * clusters))
      return (starts[c] as number) + rng.below(rows[c] as number)
    })
    const { tiles, firstTile } = points.rowTiles(64)
    const row = (i: number) => Array.from(data.subarray(i * dims, (i + 1) * dims))
    const first = Float32Array.from(Array.from(picks).flatMap((pick) => [...row(pick), 0, 0]))
    using seeds = backend.upload({ data: first, rows: picks.length, cols: dims + 2, type: 'f32' })
    using next = backend.run(kmeansStepKernel, [x, tiles, firstTile, seeds], params)
    const expected = rows.flatMap((count, c) => {
      const own = Array.from({ length: count }, (_, i) => row((starts[c] as number) + i))
      return Array.from({ length: restarts }, (_, restart) => {
        const first = (c * restarts + restart) * clusters
        return naiveStep(
          own,
          Array.from({ length: clusters }, (_, k) => row(picks[first + k] as number)),
        ).flat()
      }).flat()
    })
    expectParity(kmeansStepKernel, await backend.read(next), expected)

    const centres = Float32Array.from({ length: rows.length * clusters * (dims + 2) }, () => rng.normal())
    using centreTable = backend.upload({ data: centres, rows: rows.length * clusters, cols: dims + 2, type: 'f32' })
    using distances = backend.run(kmeansDistancesKernel, [x, tiles, centreTable], { ...params, restarts: 1 })
    const expectedDistances = Array.from({ length: n * clusters }, (_, i) => {
      const c = starts.findIndex((start, c) => start <= i / clusters && (starts[c + 1] as number) > i / clusters)
      const at = (c * clusters + (i % clusters)) * (dims + 2)
      return Math.sqrt(squared(row(Math.floor(i / clusters)), centres.subarray(at, at + dims)))
    })
    expectParity(kmeansDistancesKernel, await backend.read(distances), expectedDistances)
  })

  it('leave a centre without rows where it was, and give ties to the lower one', async () => {
    const context = await shared()
    const { backend } = context
    using points = classedRows(context, Float32Array.of(-1, 1), 1, [2])
    const { tiles, firstTile } = points.rowTiles(64)
    // Restart 0: both centres at 0, so both rows tie. Restart 1: the second centre is far away.
    using centres = backend.upload({ data: Float32Array.of(0, 0, 0, 0, 0, 0, 0.5, 0, 0, 50, 0, 0), rows: 4, cols: 3, type: 'f32' })
    using next = backend.run(kmeansStepKernel, [points.x, tiles, firstTile, centres], { classes: 1, restarts: 2, clusters: 2 })
    expect([...(await backend.read(next))]).toEqual([0, 2, 2, 0, 0, 0, 0, 2, 2.5, 50, 0, 0])
  })
})
