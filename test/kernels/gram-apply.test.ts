import { it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { applyWidth, gramApply, gramApplyKernel } from '../../src/kernels/gram-apply.js'
import { describeEachBackend } from '../support/each-backend.js'
import { centred, expectParity, parityCases, rowsByClass, uploadRandom } from '../support/parity.js'

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
  it.each(parityCases)('agrees with Xᵀ(X·v) as the textbook has it: $name', async ({ shape, blocking }) => {
    using set = await uploadRandom(await shared(), shape, blocking)
    const size = set.paddedCols
    const classes = shape.rows.length
    const rng = new Rng(5)
    const groups = [0, 1].map(() => Float32Array.from({ length: classes * applyWidth * size }, () => rng.normal()))
    const results = await gramApply(set, groups)
    results.forEach((actual, group) => {
      const expected = rowsByClass(set).flatMap((rows, c) => {
        const x = centred(rows)
        return Array.from({ length: applyWidth }, (_, k) => {
          const at = (c * applyWidth + k) * size
          return naiveApply(x, (groups[group] as Float32Array).subarray(at, at + size))
        }).flat()
      })
      expectParity(gramApplyKernel, actual, expected)
    })
  })
})
