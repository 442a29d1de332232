import { expect, it } from 'vitest'
import type { Context, HostMatrix } from '../../src/core/backend.js'
import { Rng } from '../../src/core/rng.js'
import { filterStepKernel } from '../../src/kernels/filter-step.js'
import { applyWidth } from '../../src/kernels/gram-apply.js'
import { describeEachBackend } from '../support/each-backend.js'
import { expectParity } from '../support/parity.js'

const weights = [0.8, 0.3, 0.5, 0]

function matrix(rows: number, cols: number, valueAt: (row: number, col: number) => number): HostMatrix {
  const data = Float32Array.from({ length: rows * cols }, (_, i) => valueAt(Math.floor(i / cols), i % cols))
  return { data, rows, cols, type: 'f32' }
}

async function step({ backend }: Context, inputs: readonly HostMatrix[]): Promise<Float32Array> {
  const held = inputs.map((input) => backend.upload(input))
  using result = backend.run(filterStepKernel, held, undefined)
  const values = await backend.read(result)
  for (const input of held) input[Symbol.dispose]()
  return values
}

function twin(inputs: readonly HostMatrix[]): Float32Array {
  const { output } = filterStepKernel.plan(inputs, undefined)
  const values = new Float32Array(output.rows * output.cols)
  for (const work = filterStepKernel.cpu(inputs, undefined, values); !work.next().done; );
  return values
}

/** Inner products of the rows of one class, `[16, 16]`. */
function products(values: Float32Array, c: number, cols: number): number[][] {
  const row = (k: number) => values.subarray((c * applyWidth + k) * cols, (c * applyWidth + k + 1) * cols)
  return Array.from({ length: applyWidth }, (_, i) =>
    Array.from({ length: applyWidth }, (_, j) => row(i).reduce((sum, value, at) => sum + value * (row(j)[at] as number), 0)),
  )
}

describeEachBackend('a filter step', ({ shared }) => {
  it.each([
    { classes: 1, cols: 64 },
    { classes: 3, cols: 100 },
    { classes: 2, cols: 516 },
  ])('agrees with its twin, and its vectors are orthonormal: $classes classes, $cols columns', async ({ classes, cols }) => {
    const rng = new Rng(cols)
    const random = (rows: number) => matrix(rows, cols, () => rng.normal())
    const inputs = [
      random(classes * applyWidth),
      random(2 * classes * applyWidth),
      matrix(classes, 4, (c, i) => (1 + c) * (weights[i] as number)),
    ]
    const actual = await step(await shared(), inputs)
    expectParity(filterStepKernel, actual, twin(inputs))
    for (let c = 0; c < classes; c++) {
      for (const [i, row] of products(actual, c, cols).entries()) {
        for (const [j, value] of row.entries()) expect(Math.abs(value - (i === j ? 1 : 0)), `class ${c}, ${i} and ${j}`).toBeLessThan(1e-5)
      }
    }
  })

  it('gives as many vectors as the space has dimensions, and zeros for the others', async () => {
    const rng = new Rng(3)
    const cols = 8
    const given = matrix(applyWidth, cols, (_, col) => (col < 5 ? rng.normal() : 0))
    const actual = await step(await shared(), [given, matrix(2 * applyWidth, cols, () => 0), matrix(1, 4, (_, i) => (i === 0 ? 1 : 0))])
    const norms = products(actual, 0, cols).map((row, i) => row[i] as number)
    expect(norms.filter((norm) => Math.abs(norm - 1) < 1e-5)).toHaveLength(5)
    expect(norms.filter((norm) => norm === 0)).toHaveLength(applyWidth - 5)
  })

  it('keeps vectors apart that are nearly the same', async () => {
    const rng = new Rng(4)
    const cols = 64
    const common = Float64Array.from({ length: cols }, () => rng.normal())
    const given = matrix(applyWidth, cols, (_, col) => (common[col] as number) + 1e-4 * rng.normal())
    const actual = await step(await shared(), [given, matrix(2 * applyWidth, cols, () => 0), matrix(1, 4, (_, i) => (i === 0 ? 1 : 0))])
    for (const [i, row] of products(actual, 0, cols).entries()) {
      for (const [j, value] of row.entries()) expect(Math.abs(value - (i === j ? 1 : 0)), `${i} and ${j}`).toBeLessThan(1e-4)
    }
  })
})
