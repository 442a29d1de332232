import { expect, it } from 'vitest'
import { gram, gramKernel } from '../../src/kernels/gram.js'
import { describeEachBackend } from '../support/each-backend.js'
import { centred, expectParity, parityShapes, rowsByClass, uploadRandom } from '../support/parity.js'

/** XᵀX of centred rows, padded columns zero. */
function naiveGram(rows: number[][], size: number): number[] {
  const x = centred(rows)
  const out = new Array<number>(size * size).fill(0)
  for (const row of x) {
    for (const [i, a] of row.entries()) for (const [j, b] of row.entries()) out[i * size + j] = (out[i * size + j] as number) + a * b
  }
  return out
}

describeEachBackend('Gram matrices', ({ shared }) => {
  it.each(parityShapes)('agree with the textbook sum: $name', async (shape) => {
    const context = await shared()
    using set = await uploadRandom(context, shape)
    using matrices = gram(set, 0, shape.rows.length)
    const actual = await context.backend.read(matrices)
    const expected = rowsByClass(set).flatMap((rows) => naiveGram(rows, set.paddedCols))
    expectParity(gramKernel, actual, expected)
  })

  it('of a batch of classes are those classes’ own, and exactly symmetric', async () => {
    const context = await shared()
    using set = await uploadRandom(context, { name: '', rows: [40, 50, 60, 70], features: 70 })
    using all = gram(set, 0, 4)
    using batch = gram(set, 1, 3)
    const size = set.paddedCols
    const whole = await context.backend.read(all)
    const part = await context.backend.read(batch)
    expect(part).toEqual(whole.slice(size * size, 3 * size * size))
    for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) expect(part[i * size + j]).toBe(part[j * size + i])
  })
})
