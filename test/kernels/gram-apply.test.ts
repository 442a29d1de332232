import { it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { applyWidth, gramApply, gramApplyKernel } from '../../src/kernels/gram-apply.js'
import { describeEachBackend } from '../support/each-backend.js'
import { centred, expectParity, parityShapes, rowsByClass, uploadRandom } from '../support/parity.js'

/** Xᵀ(X·v) of centred rows. */
function naiveApply(x: number[][], v: ArrayLike<number>): number[] {
  const out = new Array<number>(v.length).fill(0)
  for (const row of x) {
    const y = row.reduce((sum, value, j) => sum + value * (v[j] as number), 0)
    row.forEach((value, j) => {
      out[j] = (out[j] as number) + y * value
    })
  }
  return out
}

describeEachBackend('gram-apply', ({ shared }) => {
  it.each(parityShapes)('agrees with Xᵀ(X·v) as the textbook has it: $name', async (shape) => {
    const context = await shared()
    using set = await uploadRandom(context, shape)
    const size = set.paddedCols
    const classes = shape.rows.length
    const rng = new Rng(5)
    const directions = Float32Array.from({ length: classes * applyWidth * size }, () => rng.normal())
    using uploaded = context.backend.upload({ data: directions, rows: classes * applyWidth, cols: size, type: 'f32' })
    using result = gramApply(set, uploaded)
    const actual = await context.backend.read(result)
    const expected = rowsByClass(set).flatMap((rows, c) => {
      const x = centred(rows)
      return Array.from({ length: applyWidth }, (_, k) => {
        const at = (c * applyWidth + k) * size
        return naiveApply(x, directions.subarray(at, at + size))
      }).flat()
    })
    expectParity(gramApplyKernel, actual, expected)
  })
})
