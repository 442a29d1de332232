import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { gramEigenpairs } from '../../src/linalg/gram-eigenpairs.js'
import { symmetricEigen } from '../../src/linalg/symmetric-eigen.js'
import { describeEachBackend } from '../support/each-backend.js'
import { randomCovariance } from '../support/random-covariance.js'

describeEachBackend('eigenpairs of matrices', ({ name, shared }) => {
  if (name === 'webgpu') return it.skip('a GPU leaves them to the host', () => undefined)
  // Smaller than a block iteration is worth, and larger; of each two matrices.
  it.each([8, 36, 200])('are those of each matrix: %i columns', async (n) => {
    const { backend } = await shared()
    const rng = new Rng(n)
    const matrices = new Float64Array(2 * n * n)
    for (const at of [0, 1]) matrices.set(randomCovariance(n, rng), at * n * n)
    const k = 5
    const start = Float32Array.from({ length: 16 * n }, () => rng.normal())
    const pairs = await gramEigenpairs(backend, matrices, { k, start, cols: n })
    expect(pairs.length).toBe(2 * k * (n + 1))
    for (const at of [0, 1]) {
      const a = matrices.subarray(at * n * n, (at + 1) * n * n)
      const exact = symmetricEigen(a, n)
      const largest = exact.values[0] as number
      for (let i = 0; i < k; i++) {
        const row = pairs.subarray((at * k + i) * (n + 1), (at * k + i + 1) * (n + 1))
        const [vector, value] = [row.subarray(0, n), row[n] as number]
        expect(Math.abs(value - (exact.values[i] as number))).toBeLessThan(2e-6 * largest)
        expect(vector.reduce((sum, v) => sum + v * v, 0)).toBeCloseTo(1, 5)
        let square = 0
        for (let j = 0; j < n; j++) {
          let image = 0
          for (let l = 0; l < n; l++) image += (a[j * n + l] as number) * (vector[l] as number)
          square += (image - value * (vector[j] as number)) ** 2
        }
        expect(Math.sqrt(square)).toBeLessThan(2e-5 * largest)
      }
    }
  })
})
