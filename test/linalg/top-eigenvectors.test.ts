import { afterAll, beforeAll, expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import type { Context } from '../../src/core/backend.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { dispose } from '../../src/core/dispose.js'
import { Rng } from '../../src/core/rng.js'
import { classMeans } from '../../src/kernels/class-means.js'
import { project } from '../../src/kernels/project.js'
import { symmetricEigen } from '../../src/linalg/symmetric-eigen.js'
import { type ClassDirections, leadingCoordinates, leadingScores, topEigenvectors } from '../../src/linalg/top-eigenvectors.js'
import { expectAllClose } from '../support/allclose.js'
import { describeEachBackend } from '../support/each-backend.js'

interface Data {
  readonly activations: { readonly data: Float32Array; readonly rows: number; readonly cols: number }
  readonly labels: readonly number[]
}

/** Rows of several classes, each with its own mean and falling standard deviations in random directions. */
function blobs(sizes: readonly number[], cols: number, { seed = 1, rank = cols, offset = 0, dead = 0 } = {}): Data {
  const rng = new Rng(seed)
  const labels = sizes.flatMap((rows, label) => new Array<number>(rows).fill(label))
  for (let i = labels.length - 1; i > 0; i--) {
    const j = rng.below(i + 1)
    ;[labels[i], labels[j]] = [labels[j] as number, labels[i] as number]
  }
  const directions = sizes.map(() => Float64Array.from({ length: rank * cols }, () => rng.normal() / Math.sqrt(cols)))
  const data = new Float32Array(labels.length * cols)
  labels.forEach((label, row) => {
    for (let k = 0; k < rank; k++) {
      const weight = 4 * 0.75 ** k * rng.normal()
      for (let j = dead; j < cols; j++)
        data[row * cols + j] = (data[row * cols + j] as number) + weight * ((directions[label] as Float64Array)[k * cols + j] as number)
    }
    for (let j = dead; j < cols; j++) data[row * cols + j] = (data[row * cols + j] as number) + 3 * label + offset
  })
  return { activations: { data, rows: labels.length, cols }, labels }
}

/** All eigenpairs of a class's centred XᵀX, float64, from the definition. */
function exact({ activations: { data, cols }, labels }: Data, label: number) {
  const rows = labels.flatMap((own, row) => (own === label ? [row] : []))
  const mean = Float64Array.from(
    { length: cols },
    (_, j) => rows.reduce((sum, row) => sum + (data[row * cols + j] as number), 0) / rows.length,
  )
  const scatter = new Float64Array(cols * cols)
  for (const row of rows) {
    const centred = mean.map((value, j) => (data[row * cols + j] as number) - value)
    for (let i = 0; i < cols; i++)
      for (let j = i; j < cols; j++)
        scatter[i * cols + j] = (scatter[i * cols + j] as number) + (centred[i] as number) * (centred[j] as number)
  }
  return symmetricEigen(scatter, cols)
}

/** Values to 1e-4, and every vector within the exact space of the values that no gap parts from its own. */
async function expectExact(set: DeviceSet, data: Data, found: ClassDirections) {
  const { cols } = data.activations
  const all = found.directions
  for (let c = 0; c < set.set.classes.length; c++) {
    const { values, vectors } = exact(data, set.set.classes[c]?.label as number)
    const rank = found.ranks[c] as number
    const top = values[0] as number
    const expectedRank = Math.min(found.k, values.filter((value) => value > 1e-6 * top && value > 1e-9).length)
    expect(rank, `rank of class ${c}`).toBe(expectedRank)
    const own = found.values.slice(c * found.k, (c + 1) * found.k)
    expectAllClose(own.subarray(0, rank), values.slice(0, rank), { atol: 3e-6 * top, rtol: 1e-4 })
    expect([...own.subarray(rank)]).toEqual(new Array(found.k - rank).fill(0))
    const gapAfter = (k: number) => k < 0 || k + 1 >= cols || (values[k] as number) - (values[k + 1] as number) > 0.01 * top
    for (let k = 0; k < found.k; k++) {
      const v = all.subarray((c * found.k + k) * set.paddedCols, (c * found.k + k + 1) * set.paddedCols)
      expect(
        [...v.subarray(cols)].every((value) => Math.abs(value) < 1e-5),
        'padding',
      ).toBe(true)
      if (k >= rank) {
        expect(v.every((value) => value === 0)).toBe(true)
        continue
      }
      expect(Math.hypot(...v)).toBeCloseTo(1, 5)
      const largest = Math.max(...v.map(Math.abs))
      expect(v.find((value) => Math.abs(value) >= largest * (1 - 1e-4))).toBeGreaterThan(0)
      let low = k
      let high = k
      while (!gapAfter(low - 1)) low--
      while (!gapAfter(high)) high++
      let inside = 0
      for (let i = low; i <= high; i++) {
        let dot = 0
        for (let j = 0; j < cols; j++) dot += (v[j] as number) * (vectors[i * cols + j] as number)
        inside += dot * dot
      }
      expect(Math.sqrt(inside), `class ${c}, direction ${k}`).toBeGreaterThan(1 - 1e-5)
    }
  }
}

describeEachBackend('top eigenvectors', (backend) => {
  // One context for all but the abort: compiling shaders is what takes time.
  let context: Context
  beforeAll(async () => {
    context = await backend.open({ seed: 3 })
  })
  afterAll(() => context[dispose]())

  it.each([
    ['several classes of different sizes', blobs([90, 30, 200], 20), 10],
    ['more features than a dense solver takes', blobs([60, 90], 70), 10],
    ['a mean far larger than the spread', blobs([100, 50], 12, { offset: 1e4 }), 4],
    ['dead columns', blobs([80, 60], 17, { dead: 6 }), 10],
    ['a low rank', blobs([80, 60], 24, { rank: 3 }), 10],
    ['fewer rows than features', blobs([8, 5], 40), 10],
    ['one feature', blobs([30, 20], 1), 10],
    ['one direction', blobs([70, 40], 9), 1],
    ['more directions than are solved for anyway', blobs([100], 30), 14],
  ])('agree with a float64 covariance matrix, by Gram, Krylov and filter: %s', async (_, data, k) => {
    for (const method of ['gram', 'krylov', 'filter', 'auto'] as const) {
      using set = await DeviceSet.upload(context, toActivationSet(data))
      const found = await topEigenvectors(set, k, method)
      expect(found.k).toBe(Math.min(k, data.activations.cols))
      await expectExact(set, data, found)
    }
  })

  it.each(['gram', 'krylov', 'filter'] as const)('a constant class, a single row and two equal rows have rank 0 (%s)', async (method) => {
    const data = { data: Float32Array.of(0.1, 7, 0.1, 7, 0.1, 7, 0.3, 1, 5, 5, 5, 5, 1, 2, 3, 5), rows: 8, cols: 2 }
    using set = await DeviceSet.upload(context, toActivationSet({ activations: data, labels: [0, 0, 0, 1, 2, 2, 3, 3] }))
    const found = await topEigenvectors(set, 2, method)
    expect(found.ranks).toEqual([0, 0, 0, 1])
    expectAllClose(found.values, [0, 0, 0, 0, 0, 0, 6.5, 0], { atol: 1e-5, rtol: 1e-5 })
  })

  it('are kept with the set: one solution serves who wants 1 and who wants 10', async () => {
    using set = await DeviceSet.upload(context, toActivationSet(blobs([40, 30], 16)))
    const ten = await topEigenvectors(set, 10)
    const one = await topEigenvectors(set, 1)
    expect(await topEigenvectors(set, 10)).toBe(ten)
    expect([one.values[0], one.values[1]]).toEqual([ten.values[0], ten.values[10]])
  })

  it('give the coordinates and the scores that a projection along them gives, fewer of them too', async () => {
    using set = await DeviceSet.upload(context, toActivationSet(blobs([40, 30, 5], 24)))
    for (const k of [10, 3, 12, 20]) {
      const { directions, coordinates } = await leadingCoordinates(set, k)
      expect(directions).toBe((await topEigenvectors(set, k)).directions)
      const along = { centres: await classMeans(set), directions }
      const expected = await project(set, { ...along, output: 'coordinates' })
      expectAllClose(coordinates, expected, { atol: 1e-6, rtol: 1e-6 })
      expectAllClose(await leadingScores(set, k), await project(set, { ...along, output: 'scores' }), { atol: 1e-6, rtol: 1e-5 })
    }
  })

  it('leave no buffer behind', async () => {
    for (const method of ['gram', 'krylov', 'filter'] as const) {
      {
        using set = await DeviceSet.upload(context, toActivationSet(blobs([40, 30], 16)))
        await topEigenvectors(set, 5, method)
      }
      expect(context.backend.liveBytes).toBe(0)
    }
  })

  it('say what is wrong where squares leave the range of float32, and do not call it constant', async () => {
    const data = blobs([30], 6)
    const huge = { data: data.activations.data.map((value) => value * 1e20), rows: 30, cols: 6 }
    for (const method of ['gram', 'krylov', 'filter'] as const) {
      using set = await DeviceSet.upload(context, toActivationSet({ activations: huge, labels: data.labels }))
      await expect(topEigenvectors(set, 2, method)).rejects.toMatchObject({ name: 'DetectorError', code: 'overflow' })
    }
  })

  it.each(['gram', 'krylov', 'filter'] as const)('stop with the signal’s reason (%s)', async (method) => {
    const aborter = new AbortController()
    using context = await backend.open({ signal: aborter.signal })
    {
      using set = await DeviceSet.upload(context, toActivationSet(blobs([60, 90], 70)))
      const work = topEigenvectors(set, 10, method)
      aborter.abort('enough')
      await expect(work).rejects.toBe('enough')
    }
    expect(context.backend.liveBytes).toBe(0)
  })
})
