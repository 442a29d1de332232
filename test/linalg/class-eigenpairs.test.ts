import { expect, it } from 'vitest'
import { topEigenvectors } from '../../src/linalg/top-eigenvectors.js'
import { describeEachBackend } from '../support/each-backend.js'
import { parityShapes, uploadRandom } from '../support/parity.js'

describeEachBackend('eigenpairs by a kernel', ({ name, shared }) => {
  if (name === 'webgpu') return it.skip('a GPU leaves the eigensolver to the host', () => undefined)
  const shapes = [
    ...parityShapes,
    { name: 'more columns than the dense solver takes', rows: [400, 90, 250], features: 200 },
    { name: 'more columns than rows, and more rows than the dense solver takes', rows: [180, 12], features: 240 },
  ]
  it.each(shapes)('are those of the Gram matrix: $name', async (shape) => {
    using set = await uploadRandom(await shared(), shape)
    const expected = await topEigenvectors(set, 10, 'gram')
    const actual = await topEigenvectors(set, 10, 'kernel')
    expect(actual.ranks).toEqual(expected.ranks)
    const size = set.paddedCols
    for (let c = 0; c < shape.rows.length; c++) {
      const largest = expected.values[c * expected.k] as number
      for (let i = 0; i < expected.k; i++) {
        const at = c * expected.k + i
        const value = expected.values[at] as number
        expect(Math.abs((actual.values[at] as number) - value)).toBeLessThanOrEqual(2e-6 * largest)
        const gap = Math.min(
          i > 0 ? (expected.values[at - 1] as number) - value : Number.POSITIVE_INFINITY,
          value - (i + 1 < expected.k ? (expected.values[at + 1] as number) : 0),
        )
        if (value === 0 || gap < 1e-2 * largest) continue
        let dot = 0
        for (let j = 0; j < size; j++) dot += (expected.directions[at * size + j] as number) * (actual.directions[at * size + j] as number)
        expect(Math.abs(dot)).toBeGreaterThan(1 - 1e-6)
      }
    }
  })
})
