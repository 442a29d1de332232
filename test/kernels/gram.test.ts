import { expect, it } from 'vitest'
import { gram, gramKernel } from '../../src/kernels/gram.js'
import { describeEachBackend } from '../support/each-backend.js'
import { centred, expectParity, parityCases, rowsByClass, uploadRandom } from '../support/parity.js'

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
  it.each(parityCases)('agree with the textbook sum: $name', async ({ shape, blocking }) => {
    using set = await uploadRandom(await shared(), shape, blocking)
    const actual = await gram(set, { first: 0, end: shape.rows.length })
    const expected = rowsByClass(set).flatMap((rows) => naiveGram(rows, set.paddedCols))
    expectParity(gramKernel, actual, expected)
  })

  it('of a batch of classes are those classes’ own, and exactly symmetric', async () => {
    using set = await uploadRandom(await shared(), { name: '', rows: [40, 50, 60, 70], features: 70 })
    const size = set.paddedCols
    const whole = await gram(set, { first: 0, end: 4 })
    const part = await gram(set, { first: 1, end: 3 })
    expect(part).toEqual(whole.slice(size * size, 3 * size * size))
    for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) expect(part[i * size + j]).toBe(part[j * size + i])
  })
})
