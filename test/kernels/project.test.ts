import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { classMeans } from '../../src/kernels/class-means.js'
import { project, projectKernel } from '../../src/kernels/project.js'
import { describeEachBackend } from '../support/each-backend.js'
import { centred, expectParity, parityCases, rowsByClass, uploadRandom } from '../support/parity.js'

describeEachBackend('projection', ({ shared }) => {
  for (const width of [1, 10, 16, 17, 40]) {
    it.each(parityCases)(`on ${width} directions agrees with the textbook dot product: $name`, async ({ shape, blocking }) => {
      using set = await uploadRandom(await shared(), shape, blocking)
      const size = set.paddedCols
      const classes = shape.rows.length
      const rng = new Rng(width)
      const directions = Float32Array.from({ length: classes * width * size }, () => rng.normal() / Math.sqrt(size))
      const centres = await classMeans(set)
      const coordinates = await project(set, { centres, directions, output: 'coordinates' })
      const scores = await project(set, { centres, directions, output: 'scores' })
      const expected = rowsByClass(set).flatMap((rows, c) =>
        centred(rows).map((row) =>
          Array.from({ length: width }, (_, k) =>
            row.reduce((sum, value, j) => sum + value * (directions[(c * width + k) * size + j] as number), 0),
          ),
        ),
      )
      expectParity(projectKernel, coordinates, expected.flat())
      const squares = expected.map((row) => row.reduce((sum, value) => sum + value * value, 0))
      expectParity(projectKernel, scores, squares)
    })
  }

  it.each(parityCases)('of some rows gives what they have among all: $name', async ({ shape, blocking }) => {
    using set = await uploadRandom(await shared(), shape, blocking)
    const rng = new Rng(3)
    const directions = Float32Array.from({ length: shape.rows.length * 3 * set.paddedCols }, () => rng.normal())
    const projection = { centres: await classMeans(set), directions, output: 'coordinates' } as const
    const all = await project(set, projection)
    const positions = Uint32Array.from({ length: set.rows }, (_, at) => at).filter(() => rng.float() < 0.3)
    const expected = [...positions].flatMap((at) => [...all.subarray(3 * at, 3 * at + 3)])
    expectParity(projectKernel, await project(set, projection, { positions }), expected)
  })

  it('subtracts the centre it is given: minus the shift gives the rows as they were', async () => {
    using set = await uploadRandom(await shared(), { name: '', rows: [5], features: 4, offset: 100 })
    const unshift = set.shift.map((value) => -value)
    const actual = await project(set, { centres: unshift, directions: Float32Array.of(0, 0, 1, 0), output: 'coordinates' })
    const third = (rowsByClass(set)[0] as number[][]).map((row) => row[2] as number)
    third.forEach((value, i) => {
      expect(actual[i]).toBeCloseTo(value, 3)
    })
  })
})
