import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import type { Context } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import { Rng } from '../../src/core/rng.js'
import { type Clustering, kmeans, searchedRows } from '../../src/linalg/kmeans.js'
import { expectAllClose } from '../support/allclose.js'
import { classedRows } from '../support/classed-rows.js'
import { backends, describeEachBackend } from '../support/each-backend.js'
import { naivePca, naiveTwoMeans } from '../support/naive-kmeans.js'

interface Points {
  readonly data: Float32Array
  readonly dims: number
  readonly labels: readonly number[]
}

/** Centres each class, as callers have to; the points then lie in class order as they are, since labels come sorted. */
function centred({ data, dims, labels }: Points): Points {
  const out = data.slice()
  for (const label of new Set(labels)) {
    const rows = labels.flatMap((own, row) => (own === label ? [row] : []))
    for (let j = 0; j < dims; j++) {
      const mean = rows.reduce((sum, row) => sum + (data[row * dims + j] as number), 0) / rows.length
      for (const row of rows) out[row * dims + j] = (data[row * dims + j] as number) - mean
    }
  }
  return { data: out, dims, labels }
}

async function cluster(context: Context, points: Points, { restarts = 10, seed = 1, scatters = [1] } = {}): Promise<Clustering> {
  const { data, dims, labels } = points
  const { classes } = toActivationSet({ activations: { data, rows: labels.length, cols: dims }, labels })
  using rows = classedRows(
    context,
    data,
    dims,
    classes.map(({ rows }) => rows),
  )
  const spread = classes.flatMap(({ label, rows }) =>
    Array.from({ length: dims }, (_, j) =>
      Math.sqrt(labels.reduce((sum, own, row) => sum + (own === label ? (data[row * dims + j] as number) ** 2 : 0), 0) / rows),
    ),
  )
  const searches = scatters.map((scatter) => ({ scatter, rngs: classes.map(({ label }) => new Rng(seed).fork(`${label} ${scatter}`)) }))
  return await kmeans({ rows, coordinates: data, spread }, { clusters: 2, restarts, searches, signal: context.signal })
}

const assigned = ({ distances }: Clustering) =>
  Array.from({ length: distances.length / 2 }, (_, i) => ((distances[i * 2 + 1] as number) < (distances[i * 2] as number) ? 1 : 0))

/** Which cluster is 0 means nothing: the one of the first row is called 0. */
const partition = (clusters: readonly number[]) => clusters.map((k) => (k === clusters[0] ? 0 : 1))

function blobs(rows: number, dims: number, seed: number, apart = 5): Points {
  const rng = new Rng(seed)
  const data = Float32Array.from({ length: rows * dims }, (_, i) => rng.normal() + (i % dims === 0 && i < (rows * dims) / 5 ? apart : 0))
  return centred({ data, dims, labels: new Array(rows).fill(0) })
}

const together = (...classes: readonly Points[]): Points => ({
  data: Float32Array.from(classes.flatMap(({ data }) => [...data])),
  dims: (classes[0] as Points).dims,
  labels: classes.flatMap(({ labels }, c) => labels.map(() => c)),
})

/** The same rows in coordinates of falling variance, as callers give them. */
function onPrincipalAxes({ data, dims, labels }: Points): Points {
  const rows = labels.map((_, row) => row)
  return centred({ data: Float32Array.from(naivePca(data, rows, { cols: dims, k: dims })), dims, labels })
}

const golden = JSON.parse(readFileSync(new URL('../fixtures/detectors/two-means.json', import.meta.url), 'utf8')) as {
  x: { rows: number; cols: number; data: number[] }
  inertia: number
  inSmallerCluster: number[]
}

const uniform = (() => {
  const rng = new Rng(12)
  return centred({ data: Float32Array.from({ length: 300 * 3 }, () => rng.float()), dims: 3, labels: new Array(300).fill(0) })
})()

describeEachBackend('k-means', (backend) => {
  // One context for all but the abort: compiling shaders is what takes time.
  let context: Context
  beforeAll(async () => {
    context = await backend.open({ seed: 3 })
  })
  afterAll(() => context[dispose]())

  it('finds the optimum that scikit-learn found in 1,700 starts', async () => {
    const { rows, cols, data } = golden.x
    const found = await cluster(context, centred({ data: Float32Array.from(data), dims: cols, labels: new Array(rows).fill(0) }))
    expect(found.inertia[0]).toBeCloseTo(golden.inertia, 3)
    expect(partition(assigned(found))).toEqual(partition(golden.inSmallerCluster))
  })

  it.each([
    ['blobs far apart', blobs(200, 2, 1)],
    ['blobs that touch', blobs(250, 4, 2, 2.5)],
    ['one blob', blobs(200, 3, 3, 0)],
    ['a uniform cloud', uniform],
    ['one dimension', blobs(120, 1, 4)],
    ['sixteen dimensions', blobs(150, 16, 5, 3)],
  ])('is no worse than the best of fifty plain restarts: %s', async (_, points) => {
    const found = await cluster(context, points)
    const [best] = naiveTwoMeans(Float64Array.from(points.data), points.dims, { restarts: 50, seed: 1 })
    expect(found.inertia[0]).toBeLessThanOrEqual((best?.inertia as number) * (1 + 1e-6))
  })

  it.each([
    [0.01, 12],
    [0.003, 25],
    [0.05, 6],
  ])('finds a share of %f that lies %f standard deviations off in no coordinate of its own', async (share, apart) => {
    const dims = 8
    const rows = 2000
    const rng = new Rng(19)
    const way = Array.from({ length: dims }, () => rng.normal())
    const length = Math.hypot(...way)
    const planted = Math.round(share * rows)
    const data = Float32Array.from({ length: rows * dims }, (_, at) => {
      const [i, j] = [Math.floor(at / dims), at % dims]
      return rng.normal() + (i < planted ? (apart * (way[j] as number)) / length : 0)
    })
    const points = onPrincipalAxes({ data, dims, labels: new Array(rows).fill(0) })
    const groups = partition(assigned(await cluster(context, points)))
    expect(groups.map((k, i) => (k === 0) === i < planted).filter((right) => !right).length).toBeLessThanOrEqual(planted / 10)
  })

  it('gives distances to its centres, and the inertia that they add up to', async () => {
    const points = together(blobs(100, 3, 6), blobs(60, 3, 7))
    const found = await cluster(context, points)
    const sums = [0, 0]
    points.labels.forEach((c, i) => {
      for (let k = 0; k < 2; k++) {
        let sum = 0
        for (let j = 0; j < 3; j++) sum += ((points.data[i * 3 + j] as number) - (found.centres[(c * 2 + k) * 3 + j] as number)) ** 2
        expect(found.distances[i * 2 + k]).toBeCloseTo(Math.sqrt(sum), 4)
      }
      sums[c] = (sums[c] as number) + Math.min(found.distances[i * 2] as number, found.distances[i * 2 + 1] as number) ** 2
    })
    expectAllClose(found.inertia, sums, { atol: 1e-3, rtol: 1e-5 })
  })

  it('gives the same bytes for the same seed', async () => {
    const points = together(blobs(90, 3, 8, 1), uniform)
    const runs = []
    for (let run = 0; run < 2; run++) {
      runs.push(await cluster(context, points, { seed: 5 }))
    }
    expect(runs[1]).toEqual(runs[0])
  })

  it('gives each of several classes what it gives that class alone, whatever their sizes', async () => {
    const classes = [blobs(70, 3, 9), blobs(129, 3, 10, 3), blobs(20, 3, 11)]
    const all = await cluster(context, together(...classes))
    let at = 0
    for (const [c, points] of classes.entries()) {
      const alone = await cluster(context, { ...points, labels: points.labels.map(() => c) })
      expect(all.inertia[c]).toBeCloseTo(alone.inertia[0] as number, 3)
      const rows = points.labels.length
      expect(partition(assigned(all).slice(at, at + rows))).toEqual(partition(assigned(alone)))
      at += rows
    }
  })

  it('has an answer for classes of one row, of two rows and of equal rows', async () => {
    const found = await cluster(context, {
      data: Float32Array.of(0, 0, -1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      dims: 2,
      labels: [0, 1, 1, 2, 2, 3, 3, 3],
    })
    expect([...found.inertia]).toEqual([0, 0, 0, 0])
    expect(found.distances.every(Number.isFinite)).toBe(true)
    expect(found.centres.every(Number.isFinite)).toBe(true)
    expect(partition(assigned(found).slice(1, 3))).toEqual([0, 1])
  })

  it.each([1, 2, 40])('works with %i restarts', async (restarts) => {
    const points = blobs(100, 2, 12)
    const [best] = naiveTwoMeans(Float64Array.from(points.data), 2, { restarts: 50, seed: 1 })
    const found = await cluster(context, points, { restarts })
    expect(found.inertia[0]).toBeLessThanOrEqual((best?.inertia as number) * (1 + 1e-6))
  })

  it('keeps the best of several searches, and of equally good ones the first', async () => {
    const points = together(blobs(120, 5, 17, 1.5), blobs(90, 5, 18, 0))
    const each = [await cluster(context, points, { restarts: 2 }), await cluster(context, points, { restarts: 2, scatters: [6] })]
    const both = await cluster(context, points, { restarts: 2, scatters: [1, 6] })
    both.inertia.forEach((inertia, c) => {
      expect(inertia).toBeLessThanOrEqual(Math.min(...each.map((one) => one.inertia[c] as number)) * (1 + 1e-6))
    })
    expect(await cluster(context, points, { scatters: [1, 1] })).toEqual(await cluster(context, points))
  })

  it('searches large classes in drawn rows, and improves what it finds on all rows: beside a small class, which stays as it is alone', async () => {
    const large = onPrincipalAxes(blobs(searchedRows + 5000, 2, 20, 3.5))
    const small = blobs(80, 2, 21, 2)
    const both = await cluster(context, together(large, small))
    const alone = await cluster(context, { ...small, labels: small.labels.map(() => 1) })
    expect(partition(assigned(both).slice(large.labels.length))).toEqual(partition(assigned(alone)))
    const [best] = naiveTwoMeans(Float64Array.from(large.data), 2, { restarts: 3, seed: 1 })
    expect(both.inertia[0]).toBeLessThanOrEqual((best?.inertia as number) * (1 + 1e-6))
    const sides = assigned(both).slice(0, large.labels.length)
    for (const k of [0, 1]) {
      const rows = sides.flatMap((side, row) => (side === k ? [row] : []))
      for (let j = 0; j < 2; j++) {
        const mean = rows.reduce((sum, row) => sum + (large.data[row * 2 + j] as number), 0) / rows.length
        expect(both.centres[k * 2 + j]).toBeCloseTo(mean, 4)
      }
    }
  })

  it('leaves no buffer behind, also when it is aborted', async () => {
    const aborter = new AbortController()
    using context = await backend.open({ signal: aborter.signal })
    await cluster(context, blobs(80, 2, 13))
    expect(context.backend.liveBytes).toBe(0)
    const work = cluster(context, uniform)
    setImmediate(() => aborter.abort('enough'))
    await expect(work).rejects.toBe('enough')
    expect(context.backend.liveBytes).toBe(0)
  })
})

it('splits alike on every backend', async () => {
  const points = together(blobs(100, 4, 14), blobs(140, 4, 15, 2.5), { ...blobs(90, 4, 16, 1) })
  const runs = []
  for (const backend of backends) {
    using context = await backend.open()
    runs.push(await cluster(context, points))
  }
  for (const run of runs) {
    expectAllClose(run.inertia, (runs[0] as Clustering).inertia, { atol: 0, rtol: 1e-5 })
    let at = 0
    for (const rows of [100, 140, 90]) {
      expect(partition(assigned(run).slice(at, at + rows))).toEqual(partition(assigned(runs[0] as Clustering).slice(at, at + rows)))
      at += rows
    }
  }
})
