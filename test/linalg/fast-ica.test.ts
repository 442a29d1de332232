import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { type FastIcaOptions, fastIca, type IndependentComponents } from '../../src/linalg/fast-ica.js'
import { applyMap, inverseSquareRoot, type Points, whitening } from '../../src/linalg/whiten.js'
import { expectAllClose } from '../support/allclose.js'

const sources: Record<string, (rng: Rng) => number> = {
  uniform: (rng) => rng.float() - 0.5,
  laplace: (rng) => (rng.float() < 0.5 ? 1 : -1) * Math.log(1 - rng.float()),
  'two humps (sub-Gaussian)': (rng) => (rng.float() < 0.4 ? -1 : 1) + 0.4 * rng.normal(),
  'narrow with wide tails (super-Gaussian)': (rng) => (rng.float() < 0.9 ? 0.4 : 2.5) * rng.normal(),
  exponential: (rng) => -Math.log(1 - rng.float()),
}
const gaussian = (rng: Rng) => rng.normal()

/** Independent draws of each source, a column each, and the rows of them mixed by a random matrix: mean ≠ 0, spread far from 1. */
function mixed(draw: readonly ((rng: Rng) => number)[], rows: number, seed: number): { truth: Float64Array; data: Float32Array } {
  const rng = new Rng(seed)
  const k = draw.length
  const mixing = Float64Array.from({ length: k * k }, () => 30 * rng.normal())
  const truth = Float64Array.from({ length: rows * k }, (_, at) => (draw[at % k] as (rng: Rng) => number)(rng))
  const data = Float32Array.from({ length: rows * k }, (_, at) => {
    let sum = 100
    for (let j = 0; j < k; j++) sum += (mixing[(at % k) * k + j] as number) * (truth[at - (at % k) + j] as number)
    return sum
  })
  return { truth, data }
}

async function components(points: Points, options: Partial<FastIcaOptions> = {}): Promise<IndependentComponents & { y: Float32Array }> {
  const found = await fastIca(points, { rng: new Rng(1), ...options })
  const y = new Float32Array(points.data.length).fill(Number.NaN)
  await applyMap(points, found, { output: y })
  return { ...found, y }
}

/** Covariances (over n) of the `k` first columns of `y`, and their means. */
function moments(y: ArrayLike<number>, cols: number, k = cols): { covariance: Float64Array; mean: Float64Array } {
  const rows = y.length / cols
  const column = (j: number) => Float64Array.from({ length: rows }, (_, i) => y[i * cols + j] as number)
  const mean = Float64Array.from({ length: k }, (_, j) => column(j).reduce((sum, value) => sum + value, 0) / rows)
  const covariance = Float64Array.from({ length: k * k }, (_, at) => {
    const [a, b] = [Math.floor(at / k), at % k]
    const second = column(b)
    return (
      column(a).reduce((sum, value, i) => sum + (value - (mean[a] as number)) * ((second[i] as number) - (mean[b] as number)), 0) / rows
    )
  })
  return { covariance, mean }
}

const identity = (k: number) => Float64Array.from({ length: k * k }, (_, at) => (at % (k + 1) === 0 ? 1 : 0))

function expectWhite(y: Float32Array, cols: number, k = cols): void {
  const { covariance, mean } = moments(y, cols, k)
  expectAllClose(covariance, identity(k), { atol: 1e-6, rtol: 0 })
  expectAllClose(mean, new Float64Array(k), { atol: 1e-6, rtol: 0 })
}

/** |correlation| of every column of `a` with every one of `b`. */
function correlations(a: ArrayLike<number>, b: ArrayLike<number>, k: number): number[][] {
  const [of, other] = [moments(a, k), moments(b, k)]
  const rows = a.length / k
  return Array.from({ length: k }, (_, i) =>
    Array.from({ length: k }, (_, j) => {
      let sum = 0
      for (let row = 0; row < rows; row++) {
        sum += ((a[row * k + i] as number) - (of.mean[i] as number)) * ((b[row * k + j] as number) - (other.mean[j] as number))
      }
      return Math.abs(sum / rows) / Math.sqrt((of.covariance[i * k + i] as number) * (other.covariance[j * k + j] as number))
    }),
  )
}

/** The worst correlation where each column of `a` is paired with the column of `b` most like it, no column twice. */
function worstMatch(a: ArrayLike<number>, b: ArrayLike<number>, k: number): number {
  const table = correlations(a, b, k)
  const partners = table.map((row) => row.indexOf(Math.max(...row)))
  return new Set(partners).size < k ? 0 : Math.min(...table.map((row) => Math.max(...row)))
}

test.each([
  ['all five kinds', Object.values(sources)],
  ['uniform and Laplace', [sources.uniform, sources.laplace]],
  ['three two-humped', new Array(3).fill(sources['two humps (sub-Gaussian)'])],
  ['four super-Gaussian', new Array(4).fill(sources['narrow with wide tails (super-Gaussian)'])],
  ['one Gaussian beside others', [gaussian, sources.uniform, sources.laplace]],
  ['sixteen', [...Object.values(sources), ...Object.values(sources), ...Object.values(sources), gaussian]],
] as [string, ((rng: Rng) => number)[]][])('finds planted independent sources, |correlation| ≥ 0.99: %s', async (_, draw) => {
  const k = draw.length
  const { truth, data } = mixed(draw, k > 5 ? 30_000 : 10_000, 5)
  const { y, converged, steps } = await components({ data, cols: k, used: k })
  expect(converged, `${steps} steps`).toBe(true)
  expect(worstMatch(y, truth, k)).toBeGreaterThanOrEqual(0.99)
  expectWhite(y, k)
})

test('the same seed gives the same bits; another seed the same components, named in the same order and sign', async () => {
  const draw = Object.values(sources)
  const k = draw.length
  const points = { data: mixed(draw, 10_000, 8).data, cols: k, used: k }
  const first = await components(points)
  expect((await components(points)).y).toEqual(first.y)
  const other = await components(points, { rng: new Rng(99) })
  expect(other.map).not.toEqual(first.map)
  expectAllClose(other.y, first.y, { atol: 0.05, rtol: 0 })
})

test('rows in another order give the same map', async () => {
  const { data } = mixed([sources.uniform, sources.laplace, gaussian] as never, 5000, 3)
  const backwards = new Float32Array(data.length)
  for (let i = 0; i < 5000; i++) backwards.set(data.subarray(i * 3, (i + 1) * 3), (4999 - i) * 3)
  const { map } = await components({ data, cols: 3, used: 3 })
  const reversed = await components({ data: backwards, cols: 3, used: 3 })
  expectAllClose(reversed.map, map, { atol: 1e-9, rtol: 1e-9 })
})

test('Gaussian sources, where there is nothing to find, come out white whether it converges or not', async () => {
  for (let seed = 0; seed < 6; seed++) {
    const { data } = mixed(new Array(6).fill(gaussian), 2000, seed)
    expectWhite((await components({ data, cols: 6, used: 6 }, { rng: new Rng(seed) })).y, 6)
  }
})

test('without convergence the map is that of whitening, and says so', async () => {
  const { data } = mixed([sources.uniform, sources.laplace, gaussian] as never, 500, 2)
  const points = { data, cols: 3, used: 3 }
  const found = await components(points, { maxSteps: 2, tolerance: 0 })
  const { map, mean } = await whitening(points)
  expect(found).toMatchObject({ converged: false, steps: 2, map, mean })
  expectWhite(found.y, 3)
})

test('the map only turns the whitened rows: distances between them stay', async () => {
  const { data } = mixed(Object.values(sources), 300, 4)
  const points = { data, cols: 5, used: 5 }
  const white = new Float32Array(data.length)
  await applyMap(points, await whitening(points), { output: white })
  const { y, converged } = await components(points)
  expect(converged).toBe(true)
  const squared = (of: Float32Array) =>
    Float64Array.from({ length: 299 }, (_, i) => {
      let sum = 0
      for (let j = 0; j < 5; j++) sum += ((of[i * 5 + j] as number) - (of[(i + 1) * 5 + j] as number)) ** 2
      return sum
    })
  expectAllClose(squared(y), squared(white), { atol: 1e-5, rtol: 1e-5 })
})

test('unused columns are not looked at and become 0, also where the output is the points themselves', async () => {
  const { data } = mixed([sources.uniform, sources.laplace] as never, 2000, 6)
  const wide = Float32Array.from({ length: 2000 * 4 }, (_, at) => (at % 4 < 2 ? (data[Math.floor(at / 4) * 2 + (at % 4)] as number) : 7e30))
  const narrow = await components({ data, cols: 2, used: 2 })
  const points = { data: wide, cols: 4, used: 2 }
  await applyMap(points, await fastIca(points, { rng: new Rng(1) }), { output: wide })
  expectAllClose(
    wide,
    Float32Array.from({ length: wide.length }, (_, at) => (at % 4 < 2 ? (narrow.y[Math.floor(at / 4) * 2 + (at % 4)] as number) : 0)),
    { atol: 0, rtol: 0 },
  )
  expectWhite(wide, 4, 2)
})

test('one component is the column itself, at variance 1, its sign kept', async () => {
  const { y, converged, steps } = await components({ data: Float32Array.of(1, 2, 3, 6), cols: 1, used: 1 })
  expect({ converged, steps }).toEqual({ converged: true, steps: 1 })
  expectAllClose(
    y,
    [-2, -1, 0, 3].map((value) => value / Math.sqrt(3.5)),
    { atol: 1e-6, rtol: 1e-6 },
  )
})

test('no used column gives zeros; constant and linearly dependent columns give finite numbers and no convergence', async () => {
  expect((await components({ data: Float32Array.of(1, 2, 3, 4), cols: 2, used: 0 })).y).toEqual(new Float32Array(4))
  const constant = await components({ data: new Float32Array(60).fill(0.1), cols: 3, used: 3 })
  expect(constant.converged).toBe(false)
  expect(constant.y).toEqual(new Float32Array(60))
  const rng = new Rng(2)
  const data = Float32Array.from(Array.from({ length: 200 }, () => Math.fround(rng.normal())).flatMap((value) => [value, -2 * value]))
  const dependent = await components({ data, cols: 2, used: 2 })
  expect(dependent.converged).toBe(false)
  expect(dependent.y.every(Number.isFinite)).toBe(true)
})

test('fewer rows than are needed to tell sources apart still come out white', async () => {
  const rng = new Rng(12)
  const data = Float32Array.from({ length: 8 * 7 }, () => rng.normal())
  expectWhite((await components({ data, cols: 7, used: 7 })).y, 7)
})

test.each([1e-18, 1e18])('columns of very different and extreme spread are handled: %s', async (scale) => {
  const { data } = mixed([sources.uniform, sources.laplace, sources.exponential] as never, 4000, 9)
  const uneven = data.map((value, at) => (value - 100) * scale * 10 ** (-2 * (at % 3)))
  const { y, converged } = await components({ data: uneven, cols: 3, used: 3 })
  expect(converged).toBe(true)
  expectWhite(y, 3)
})

test('leaves its input as it was, and stops at an abort with the signal’s reason', async () => {
  const { data } = mixed(new Array(10).fill(gaussian), 200_000, 1)
  const copy = data.slice()
  const controller = new AbortController()
  const reason = new Error('enough')
  const work = fastIca({ data, cols: 10, used: 10 }, { rng: new Rng(1), signal: controller.signal, tolerance: 0 })
  let aborted = 0
  setTimeout(() => {
    aborted = performance.now()
    controller.abort(reason)
  }, 50)
  await expect(work).rejects.toBe(reason)
  expect(performance.now() - aborted).toBeLessThan(500) // about 10 ms on an idle machine
  expect(data).toEqual(copy)
})

test('the inverse square root of a matrix worked by hand, and of a singular one', () => {
  const half = (1 / 3 + 1) / 2 // eigenvalues 9 and 1 along (1, 1) and (1, −1)
  const { root, singular } = inverseSquareRoot(Float64Array.of(5, 4, 4, 5), 2)
  expectAllClose(root, [half, half - 1, half - 1, half], { atol: 1e-14, rtol: 0 })
  expect(singular).toBe(false)
  const flat = inverseSquareRoot(Float64Array.of(1, 1, 1, 1), 2)
  expectAllClose(flat.root, new Array(4).fill(1 / Math.sqrt(8)), { atol: 1e-14, rtol: 0 })
  expect(flat.singular).toBe(true)
})
