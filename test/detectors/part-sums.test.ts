import { expect, it } from 'vitest'
import { PartSums } from '../../src/detectors/part-sums.js'
import { classMeans } from '../../src/kernels/class-means.js'
import { projectedBatches } from '../../src/kernels/project.js'
import { expectAllClose } from '../support/allclose.js'
import { describeEachBackend } from '../support/each-backend.js'
import { parityCases, rowsByClass, uploadRandom } from '../support/parity.js'

describeEachBackend('sums of parts', ({ shared }) => {
  it.each(parityCases)('are those of the rows that are in them, whatever they are told by: $name', async ({ shape, blocking }) => {
    using set = await uploadRandom(await shared(), shape, blocking)
    const { starts } = set.set
    // The first class has no part, of the second one rows are told by their position, of the others by where they lie.
    const isIn = new Map(
      shape.rows.flatMap((_, c) =>
        c === 0
          ? []
          : [[c, c === 1 ? (position: number) => (position - (starts[c] as number)) % 3 === 0 : (_: number, first: number) => first > 0]],
      ),
    )
    const sums = new PartSums(set, isIn)
    const width = 2
    const cols = set.paddedCols
    const centres = await classMeans(set)
    // Along the first column, then along the last.
    const directions = new Float32Array(shape.rows.length * width * cols)
    for (let c = 0; c < shape.rows.length; c++) {
      directions[c * width * cols] = 1
      directions[(c * width + 1) * cols + shape.features - 1] = 1
    }
    for await (const batch of projectedBatches(set, { centres, directions, output: 'coordinates' })) {
      expect(sums.ofAll).toBeNull()
      await sums.add(batch)
    }
    const found = sums.ofAll
    expect([...(found?.keys() ?? [])]).toEqual([...isIn.keys()])
    for (const [c, rows] of rowsByClass(set).entries()) {
      if (c === 0) continue
      const mean = centres[c * cols] as number
      const own = rows.filter((row, i) =>
        c === 1 ? i % 3 === 0 : Math.fround(Math.fround((row[0] as number) - (set.shift[0] as number)) - mean) > 0,
      )
      const sum = Float64Array.from({ length: cols }, (_, j) =>
        j < shape.features ? own.reduce((total, row) => total + (row[j] as number) - (set.shift[j] as number), 0) : 0,
      )
      const size = own.reduce((most, row) => Math.max(most, ...row.map((value, j) => Math.abs(value - (set.shift[j] as number)))), 0)
      expectAllClose(found?.get(c) as Float64Array, sum, { atol: 1e-5 * size * own.length + 1e-12, rtol: 1e-5 })
    }
  })
})
