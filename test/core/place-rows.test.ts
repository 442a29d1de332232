import { expect, it } from 'vitest'
import { nonFiniteKernel, valuesPerFlag } from '../../src/core/non-finite.js'
import { nowhere, placeRowsKernel } from '../../src/core/place-rows.js'
import { Rng } from '../../src/core/rng.js'
import { describeEachBackend } from '../support/each-backend.js'

const firstDifference = (a: Float32Array, b: Float32Array) => a.findIndex((value, i) => value !== b[i])

describeEachBackend('rows in their places', (backend) => {
  it.each([
    { rows: 1, cols: 1, places: 1 },
    { rows: 7, cols: 5, places: 9 },
    { rows: 300, cols: 12, places: 300 },
    { rows: 4100, cols: 259, places: 5000 }, // enough for threads
    { rows: 4100, cols: 260, places: 5000 }, // without padding
  ])(
    '$rows rows of $cols columns in $places places: less the shift, padded with zeros, the other rows as they were',
    async ({ rows, cols, places: count }) => {
      const { backend: own } = await backend.shared()
      const rng = new Rng(rows)
      const paddedCols = Math.ceil(cols / 4) * 4
      const data = Float32Array.from({ length: rows * cols }, () => 100 * rng.normal())
      const shift = Float32Array.from({ length: paddedCols }, (_, j) => (j < cols ? rng.normal() : 0))
      // A stride that is prime to the number of places meets every place once.
      const placeOf = Uint32Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? nowhere : (i * 7919) % count))
      const before = Float32Array.from({ length: count * paddedCols }, () => rng.normal())
      const expected = before.slice()
      for (let i = 0; i < rows; i++) {
        if (placeOf[i] === nowhere) continue
        for (let j = 0; j < paddedCols; j++) {
          expected[(placeOf[i] as number) * paddedCols + j] = j < cols ? (data[i * cols + j] as number) - (shift[j] as number) : 0
        }
      }
      using into = own.empty({ rows: count, cols: paddedCols, type: 'f32' })
      using all = own.upload({ data: before, rows: count, cols: paddedCols, type: 'f32' })
      using everywhere = own.upload({ data: Uint32Array.from({ length: count }, (_, i) => i), rows: count, cols: 1, type: 'u32' })
      using nothing = own.upload({ data: new Float32Array(paddedCols), rows: 1, cols: paddedCols, type: 'f32' })
      using given = own.upload({ data, rows, cols, type: 'f32' })
      using places = own.upload({ data: placeOf, rows, cols: 1, type: 'u32' })
      using shifted = own.upload({ data: shift, rows: 1, cols: paddedCols, type: 'f32' })
      expect(own.run(placeRowsKernel, [all, everywhere, nothing], { rows: count }, into)).toBe(into)
      expect(firstDifference(await own.read(into), before)).toBe(-1)
      own.run(placeRowsKernel, [given, places, shifted], { rows: count }, into)
      expect(firstDifference(await own.read(into), expected)).toBe(-1)
    },
  )
})

describeEachBackend('values that are not finite', (backend) => {
  const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const fine = [3.4028234663852886e38, -3.4028234663852886e38, 1.401298464324817e-45, -0, 0]

  it.each([
    { rows: 1, cols: 1, at: [0] },
    { rows: 3, cols: 5, at: [0, 14] },
    { rows: 64, cols: 64, at: [0, 4095] },
    { rows: 17, cols: 241, at: [1, 4095, 4096] }, // one value more than a flag has
    { rows: 1100, cols: 1000, at: [5, 4096, 500_001, 1_099_999] }, // enough for threads
  ])('$rows × $cols: each of them flags its 4,096 values, none of the others does', async ({ rows, cols, at }) => {
    const { backend: own } = await backend.shared()
    const clean = Float32Array.from({ length: rows * cols }, (_, i) => fine[i % fine.length] as number)
    const flagsOf = async (data: Float32Array) => {
      using given = own.upload({ data, rows, cols, type: 'f32' })
      using flags = own.run(nonFiniteKernel, [given], undefined)
      return [...(await own.read(flags))].flatMap((flag, i) => (flag === 0 ? [] : [[i, flag]]))
    }
    expect(await flagsOf(clean)).toEqual([])
    for (const [turn, index] of at.entries()) {
      const data = clean.slice()
      data[index] = bad[turn % bad.length] as number
      expect(await flagsOf(data)).toEqual([[Math.floor(index / valuesPerFlag), 1]])
    }
  })
})
