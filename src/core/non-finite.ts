import type { HostMatrix, Kernel, Shape } from './backend.js'

/** Values that are looked at together. */
export const valuesPerFlag = 4096

/**
 * Whether values are finite. Input: `[n, d]`. Output `[flags, 1]`, one for every 4,096 values in order: 1 where one of them is not finite, else 0.
 * By the bits of the exponent: a device may take it for granted that there are no infinities.
 * Tolerance: none.
 */
export const nonFiniteKernel: Kernel<void> = {
  id: 'non-finite',
  wasm: 'non-finite',
  shader: 'non-finite',
  tolerance: { atol: 0, rtol: 0 },
  plan([x]: readonly Shape[]) {
    const { rows, cols } = x as Shape
    const flags = flagsOf(x as Shape)
    return {
      output: { rows: flags, cols: 1, type: 'f32' },
      scratch: [],
      passes: [{ entryPoint: 'flag', uniforms: [rows * cols], workgroups: flags, bindings: [{ input: 0 }, 'output'] }],
    }
  },
  *cpu([x], _params, output) {
    const { data } = x as HostMatrix
    for (let flag = 0; flag < output.length; flag++) {
      const own = data.subarray(flag * valuesPerFlag, (flag + 1) * valuesPerFlag)
      output[flag] = own.every(Number.isFinite) ? 0 : 1
      if (flag % 16 === 15) yield
    }
  },
  sample() {
    const [rows, cols] = [61, 203]
    const data = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(i) * 3e38)
    data[rows * cols - 1] = Number.NEGATIVE_INFINITY
    data[5000] = Number.NaN
    return { inputs: [{ data, rows, cols, type: 'f32' }], params: undefined }
  },
}

export const flagsOf = ({ rows, cols }: Shape) => Math.ceil((rows * cols) / valuesPerFlag)
