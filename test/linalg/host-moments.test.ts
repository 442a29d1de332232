import { expect, it } from 'vitest'
import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import type { Context } from '../../src/core/backend.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { Rng } from '../../src/core/rng.js'
import { HostMoments } from '../../src/linalg/host-moments.js'
import { expectAllClose } from '../support/allclose.js'
import { backends, describeEachBackend } from '../support/each-backend.js'

const [n, cols, padded, width] = [60, 6, 8, 3]
const labels = Array.from({ length: n }, (_, row) => (row * 7) % 3)

function normalSet(offset: number): ActivationSetInput {
  const rng = new Rng(offset)
  return { activations: { data: Float32Array.from({ length: n * cols }, () => offset + rng.normal()), rows: n, cols }, labels }
}

/** `[width, padded]`, zero in the padding. */
const directions = Float32Array.from({ length: width * padded }, (_, at) => (at % padded < cols ? ((at * 5) % 11) - 4 : 0))

/** Mean, scatter and coordinates of a class in two passes over its rows, as they are. */
function naive(data: ArrayLike<number>, c: number) {
  const rows = labels.flatMap((label, row) =>
    label === c ? [Array.from({ length: padded }, (_, j) => (j < cols ? (data[row * cols + j] as number) : 0))] : [],
  )
  const mean = Array.from({ length: padded }, (_, j) => rows.reduce((sum, row) => sum + (row[j] as number), 0) / rows.length)
  const centred = rows.map((row) => row.map((value, j) => value - (mean[j] as number)))
  const scatter = Array.from({ length: padded * padded }, (_, at) =>
    centred.reduce((sum, row) => sum + (row[Math.floor(at / padded)] as number) * (row[at % padded] as number), 0),
  )
  const coordinates = centred.flatMap((row) =>
    Array.from({ length: width }, (_, k) => row.reduce((sum, value, j) => sum + value * (directions[k * padded + j] as number), 0)),
  )
  return { mean, scatter, coordinates }
}

async function momentsOf(set: DeviceSet) {
  const host = (await HostMoments.of(set)) as HostMoments
  return {
    means: set.set.classes.map((_, c) => host.meanOf(c)),
    scatters: await host.scatters(set.allClasses),
    second: await host.scatters({ first: 1, end: 2 }),
    coordinates: await Promise.all(set.set.classes.map((_, c) => host.coordinates(c, directions))),
  }
}

async function upload(context: Context, input: ActivationSetInput) {
  return await DeviceSet.upload(context, toActivationSet(input))
}

describeEachBackend('moments on the host', (backend) => {
  it.each([0, 1000, 1e6])('are those of two passes in float64, about the shift, at an offset of %d', async (offset) => {
    const input = normalSet(offset)
    using set = await upload(await backend.shared(), input)
    const found = await momentsOf(set)
    for (let c = 0; c < 3; c++) {
      const expected = naive((input.activations as { data: Float32Array }).data, c)
      const shifted = expected.mean.map((mean, j) => mean - (set.shift[j] as number))
      expectAllClose(found.means[c] as Float64Array, shifted, { atol: 1e-15 * (10 + offset) * n, rtol: 0 })
      const scatter = found.scatters.subarray(c * padded * padded, (c + 1) * padded * padded)
      expectAllClose(scatter, expected.scatter, { atol: 1e-11, rtol: 1e-9 })
      expectAllClose(found.coordinates[c] as Float64Array, expected.coordinates, { atol: 1e-13 * (100 + offset), rtol: 1e-12 })
    }
    expect(found.second).toEqual(found.scatters.slice(padded * padded, 2 * padded * padded))
  })

  it('read float16 as the numbers that it stands for', async () => {
    // 1, 2, −2 and 0.5 in class 0: mean 0.375; 65504 and 6e−8, the ends of the type, in class 1.
    const data = Uint16Array.of(0x3c00, 0x4000, 0x7bff, 0xc000, 0x3800, 0x0001)
    using set = await upload(await backend.shared(), { activations: { data, rows: 6, cols: 1 }, labels: [0, 0, 1, 0, 0, 1] })
    const host = (await HostMoments.of(set)) as HostMoments
    const scatters = await host.scatters(set.allClasses)
    expect((host.meanOf(0)[0] as number) + (set.shift[0] as number)).toBeCloseTo(0.375, 10)
    expect(scatters[0]).toBeCloseTo(9.25 - 4 * 0.375 ** 2, 8)
    expect(scatters[16]).toBeCloseTo((65504 - 2 ** -24) ** 2 / 2, 4)
  })

  it('are made once, and not where rows are read again or are too many operations', async () => {
    const context = await backend.shared()
    using held = await upload(context, normalSet(0))
    expect(await HostMoments.of(held)).toBe(await HostMoments.of(held))
    using again = await upload({ ...context, memory: n * padded * 4 - 1 }, normalSet(0))
    expect(await HostMoments.of(again)).toBeNull()
    const wide = 2 ** 15
    const data = Float32Array.from({ length: 16 * wide }, (_, at) => at % 5)
    using large = await upload(context, { activations: { data, rows: 16, cols: wide }, labels: labels.slice(0, 16) })
    expect(await HostMoments.of(large)).toBeNull()
  })
})

it('are the same to the last bit on every backend', async () => {
  const found = []
  for (const backend of backends) {
    using context = await backend.open()
    using set = await upload(context, normalSet(1000))
    found.push(await momentsOf(set))
  }
  for (const other of found) expect(other).toEqual(found[0])
})
