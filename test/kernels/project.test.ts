import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { classMeans } from '../../src/kernels/class-means.js'
import { project, projectKernel } from '../../src/kernels/project.js'
import { describeEachBackend } from '../support/each-backend.js'
import { centred, expectParity, parityShapes, rowsByClass, uploadRandom } from '../support/parity.js'

describeEachBackend('projection', ({ shared }) => {
  for (const width of [1, 10, 16, 17, 40]) {
    it.each(parityShapes)(`on ${width} directions agrees with the textbook dot product: $name`, async (shape) => {
      const context = await shared()
      using set = await uploadRandom(context, shape)
      const size = set.paddedCols
      const classes = shape.rows.length
      const rng = new Rng(width)
      const directions = Float32Array.from({ length: classes * width * size }, () => rng.normal() / Math.sqrt(size))
      using uploaded = context.backend.upload({ data: directions, rows: classes * width, cols: size, type: 'f32' })
      using coordinates = project(set, classMeans(set), uploaded, { output: 'coordinates' })
      using scores = project(set, classMeans(set), uploaded, { output: 'scores' })
      const expected = rowsByClass(set).flatMap((rows, c) =>
        centred(rows).map((row) =>
          Array.from({ length: width }, (_, k) =>
            row.reduce((sum, value, j) => sum + value * (directions[(c * width + k) * size + j] as number), 0),
          ),
        ),
      )
      expectParity(projectKernel, await context.backend.read(coordinates), expected.flat())
      const squares = expected.map((row) => row.reduce((sum, value) => sum + value * value, 0))
      expectParity(projectKernel, await context.backend.read(scores), squares)
    })
  }

  it('subtracts the centre it is given: minus the shift gives the rows as they were', async () => {
    const context = await shared()
    using set = await uploadRandom(context, { name: '', rows: [5], features: 4, offset: 100 })
    using unshift = context.backend.upload({ data: set.shift.map((value) => -value), rows: 1, cols: 4, type: 'f32' })
    using axis = context.backend.upload({ data: Float32Array.of(0, 0, 1, 0), rows: 1, cols: 4, type: 'f32' })
    using result = project(set, unshift, axis, { output: 'coordinates' })
    const third = (rowsByClass(set)[0] as number[][]).map((row) => row[2] as number)
    const actual = await context.backend.read(result)
    third.forEach((value, i) => {
      expect(actual[i]).toBeCloseTo(value, 3)
    })
  })
})
