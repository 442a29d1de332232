import { expect, it } from 'vitest'
import type { Context, HostMatrix, Kernel } from '../../src/core/backend.js'
import { Rng } from '../../src/core/rng.js'
import { applyWidth } from '../../src/kernels/gram-apply.js'
import { ritzPairCols, ritzProductsKernel, ritzResidualsKernel, ritzVectorsKernel } from '../../src/kernels/ritz.js'
import { describeEachBackend } from '../support/each-backend.js'
import { expectParity } from '../support/parity.js'

async function run({ backend }: Context, kernel: Kernel<void>, inputs: readonly HostMatrix[]): Promise<Float32Array> {
  const held = inputs.map((input) => backend.upload(input))
  using result = backend.run(kernel, held, undefined)
  const values = await backend.read(result)
  for (const input of held) input[Symbol.dispose]()
  return values
}

describeEachBackend('Rayleigh–Ritz', ({ shared }) => {
  it.each([
    { classes: 1, cols: 4 },
    { classes: 2, cols: 68 },
    { classes: 3, cols: 260 },
  ])('agrees with the textbook sums: $classes classes, $cols columns', async ({ classes, cols }) => {
    const context = await shared()
    const rng = new Rng(cols)
    const rows = classes * applyWidth
    const random = (width: number): HostMatrix => ({
      data: Float32Array.from({ length: rows * width }, () => rng.normal()),
      rows,
      cols: width,
      type: 'f32',
    })
    const [v, z, pairs] = [random(cols), random(cols), random(ritzPairCols)]
    const at = (m: HostMatrix, row: number, col: number) => m.data[row * m.cols + col] as number
    const each = <T>(count: number, of: (i: number) => T) => Array.from({ length: count }, (_, i) => of(i))
    const sum = (count: number, of: (i: number) => number) => each(count, of).reduce((total, value) => total + value, 0)
    const first = (row: number) => row - (row % applyWidth)

    const products = each(rows, (row) => each(applyWidth, (j) => sum(cols, (col) => at(v, row, col) * at(z, first(row) + j, col)))).flat()
    expectParity(ritzProductsKernel, await run(context, ritzProductsKernel, [v, z]), products)

    const rotated = (m: HostMatrix, row: number, col: number) => sum(applyWidth, (j) => at(pairs, row, j) * at(m, first(row) + j, col))
    const vectors = each(rows, (row) => each(cols, (col) => rotated(v, row, col))).flat()
    expectParity(ritzVectorsKernel, await run(context, ritzVectorsKernel, [v, pairs]), vectors)

    const residuals = each(rows, (row) =>
      Math.sqrt(sum(cols, (col) => (rotated(z, row, col) - at(pairs, row, applyWidth) * rotated(v, row, col)) ** 2)),
    )
    expectParity(ritzResidualsKernel, await run(context, ritzResidualsKernel, [v, z, pairs]), residuals)
  })

  it('leaves no residual where the vectors are eigenvectors', async () => {
    const cols = 32
    const unit = (scale: (k: number) => number): HostMatrix => ({
      data: Float32Array.from({ length: applyWidth * cols }, (_, i) => (i % cols === Math.floor(i / cols) ? scale(i % cols) : 0)),
      rows: applyWidth,
      cols,
      type: 'f32',
    })
    const pairs: HostMatrix = { ...unit(() => 1), data: new Float32Array(applyWidth * ritzPairCols), cols: ritzPairCols }
    for (let k = 0; k < applyWidth; k++) {
      pairs.data[k * ritzPairCols + k] = 1
      pairs.data[k * ritzPairCols + applyWidth] = 10 - k
    }
    const residuals = await run(await shared(), ritzResidualsKernel, [unit(() => 1), unit((k) => 10 - k), pairs])
    expect([...residuals]).toEqual(new Array(applyWidth).fill(0))
  })
})
