import type { Binding, HostMatrix, Kernel, Pass, Shape } from '../core/backend.js'
import { applyWidth } from './gram-apply.js'
import { sampleMatrix } from './sample.js'

/** A row of U for one Ritz pair, then its value θ. */
export const ritzPairCols = applyWidth + 1

const planOf = (pass: Omit<Pass, 'uniforms'>, { rows, cols }: Omit<Shape, 'type'>, uniforms: readonly number[]) =>
  ({ output: { rows, cols, type: 'f32' }, scratch: [], passes: [{ ...pass, uniforms }] }) as const
const [first, second, third] = [{ input: 0 }, { input: 1 }, { input: 2 }] as const satisfies Binding[]

/**
 * VᵀZ of every class. Inputs: V `[at least classes · 16, d]` (the first so many rows count), Z `[classes · 16, d]`. Output
 * `[classes · 16, 16]`. Tolerance: sums of d products, 1e-5 of the largest one.
 */
export const ritzProductsKernel: Kernel<void> = {
  id: 'ritz-products',
  shader: 'ritz',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([, applied]: readonly Shape[]) {
    const { rows, cols } = applied as Shape
    const classes = rows / applyWidth
    const bindings = [first, second, null, 'output'] as const
    return planOf({ entryPoint: 'products', workgroups: classes, bindings }, { rows, cols: applyWidth }, [cols, classes])
  },
  *cpu([vectors, applied]: readonly HostMatrix[], _params, output) {
    const { rows, cols } = applied as HostMatrix
    for (let row = 0; row < rows; row++) {
      const classFirst = row - (row % applyWidth)
      for (let j = 0; j < applyWidth; j++) {
        output[row * applyWidth + j] = dot(
          (vectors as HostMatrix).data,
          row * cols,
          (applied as HostMatrix).data,
          (classFirst + j) * cols,
          cols,
        )
      }
      if (row % applyWidth === 0) yield
    }
  },
  sample: () => ({ inputs: [sampleMatrix(2 * applyWidth, 68), sampleMatrix(2 * applyWidth, 68)], params: undefined }),
}

/**
 * How far Ritz pairs are from eigenpairs: ‖Σⱼ Uₖⱼ·(Zⱼ − θₖ·Vⱼ)‖. Inputs: V, Z, pairs `[classes · 16, 17]` (a row of U, then θ). Output
 * `[classes · 16, 1]`. Tolerance: differences of numbers that are about equal when it matters, so it is as good as Z is; 1e-5 of the largest.
 */
export const ritzResidualsKernel: Kernel<void> = {
  id: 'ritz-residuals',
  shader: 'ritz',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([, applied]: readonly Shape[]) {
    const { rows, cols } = applied as Shape
    const bindings = [first, second, third, 'output'] as const
    return planOf({ entryPoint: 'residuals', workgroups: rows, bindings }, { rows, cols: 1 }, [cols, rows / applyWidth])
  },
  *cpu([vectors, applied, pairs]: readonly HostMatrix[], _params, output) {
    const { rows, cols } = applied as HostMatrix
    const v = (vectors as HostMatrix).data
    const z = (applied as HostMatrix).data
    for (let row = 0; row < rows; row++) {
      const own = (pairs as HostMatrix).data.subarray(row * ritzPairCols, (row + 1) * ritzPairCols)
      const classFirst = row - (row % applyWidth)
      let squares = 0
      for (let col = 0; col < cols; col++) {
        let difference = 0
        for (let j = 0; j < applyWidth; j++) {
          const at = (classFirst + j) * cols + col
          difference += (own[j] as number) * ((z[at] as number) - (own[applyWidth] as number) * (v[at] as number))
        }
        squares += difference * difference
      }
      output[row] = Math.sqrt(squares)
      if (row % applyWidth === 0) yield
    }
  },
  sample: () => ({
    inputs: [sampleMatrix(2 * applyWidth, 36), sampleMatrix(2 * applyWidth, 36), sampleMatrix(2 * applyWidth, ritzPairCols)],
    params: undefined,
  }),
}

/** Ritz vectors Σⱼ Uₖⱼ·Vⱼ. Inputs: V, pairs `[classes · 16, 17]`. Output `[classes · 16, d]`. Tolerance: sums of sixteen products. */
export const ritzVectorsKernel: Kernel<void> = {
  id: 'ritz-vectors',
  shader: 'ritz',
  tolerance: { atol: 1e-6, rtol: 1e-5 },
  plan([vectors, pairs]: readonly Shape[]) {
    const { rows } = pairs as Shape
    const { cols } = vectors as Shape
    const bindings = [first, null, second, null, 'output'] as const
    const workgroups = Math.ceil((rows * cols) / (4 * 64))
    return planOf({ entryPoint: 'ritzVectors', workgroups, bindings }, { rows, cols }, [cols, rows / applyWidth])
  },
  *cpu([vectors, pairs]: readonly HostMatrix[], _params, output) {
    const { cols, data } = vectors as HostMatrix
    for (let row = 0; row < (pairs as HostMatrix).rows; row++) {
      const own = (pairs as HostMatrix).data.subarray(row * ritzPairCols, (row + 1) * ritzPairCols)
      const classFirst = row - (row % applyWidth)
      for (let col = 0; col < cols; col++) {
        let sum = 0
        for (let j = 0; j < applyWidth; j++) sum += (own[j] as number) * (data[(classFirst + j) * cols + col] as number)
        output[row * cols + col] = sum
      }
      if (row % applyWidth === 0) yield
    }
  },
  sample: () => ({ inputs: [sampleMatrix(2 * applyWidth, 36), sampleMatrix(2 * applyWidth, ritzPairCols)], params: undefined }),
}

function dot(a: ArrayLike<number>, aFrom: number, b: ArrayLike<number>, bFrom: number, length: number): number {
  let sum = 0
  for (let j = 0; j < length; j++) sum += (a[aFrom + j] as number) * (b[bFrom + j] as number)
  return sum
}
