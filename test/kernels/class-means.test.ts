import { expect, it } from 'vitest'
import { classMeans, classMeansKernel } from '../../src/kernels/class-means.js'
import { describeEachBackend } from '../support/each-backend.js'
import { columnMeans, expectParity, parityCases, rowsByClass, uploadRandom } from '../support/parity.js'

describeEachBackend('class means', ({ shared }) => {
  it.each(parityCases)('agree with the textbook mean: $name', async ({ shape, blocking }) => {
    using set = await uploadRandom(await shared(), shape, blocking)
    const means = await classMeans(set)
    const expected = rowsByClass(set).flatMap((rows) => {
      const mean = columnMeans(rows).map((value, j) => value - (set.shift[j] as number))
      return [...mean, ...new Array<number>(set.paddedCols - mean.length).fill(0)]
    })
    // Means may cancel to almost nothing, so the scale is that of the values.
    expectParity(
      { ...classMeansKernel, tolerance: { atol: 1e-5, rtol: 0 } },
      means.map((value) => value + 1),
      expected.map((value) => value + 1),
    )
  })

  it('are computed once', async () => {
    const context = await shared()
    using set = await uploadRandom(context, { name: '', rows: [20, 30], features: 4 })
    expect(await classMeans(set)).toBe(await classMeans(set))
  })
})
