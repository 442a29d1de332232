import type { Backend, HostMatrix, Kernel, Shape } from '../core/backend.js'
import { sampleMatrix } from '../kernels/sample.js'
import { symmetricEigenInTurns } from './symmetric-eigen.js'

export interface EigenpairsParams {
  /** Pairs wanted of each class. */
  readonly k: number
}

/**
 * The k leading eigenpairs of symmetric matrices. Inputs: matrices `[classes · n, n]`, a start block `[width, n]`. Output `[classes · k, n + 1]`: a
 * unit vector (of either sign) and its eigenvalue a row. For backends that compute on the CPU.
 * Tolerance: as for the eigenpairs of classes.
 */
export const gramEigenpairsKernel: Kernel<EigenpairsParams> = {
  id: 'gram-eigenpairs',
  wasm: 'gram-eigenpairs',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([matrices]: readonly Shape[], { k }) {
    const { rows, cols } = matrices as Shape
    return { output: { rows: (rows / cols) * k, cols: cols + 1, type: 'f32' }, scratch: [], passes: [] }
  },
  *cpu([matrices]: readonly HostMatrix[], { k }, output) {
    const { data, rows, cols } = matrices as HostMatrix
    for (let c = 0; c < rows / cols; c++) {
      const { values, vectors } = yield* symmetricEigenInTurns(data.subarray(c * cols * cols, (c + 1) * cols * cols), cols)
      for (let i = 0; i < Math.min(k, cols); i++) {
        output.set(vectors.subarray(i * cols, (i + 1) * cols), (c * k + i) * (cols + 1))
        output[(c * k + i + 1) * (cols + 1) - 1] = values[i] as number
      }
    }
  },
  sample() {
    const n = 36
    const factors = sampleMatrix(2 * n, n).data
    const data = new Float32Array(2 * n * n)
    for (let row = 0; row < 2 * n; row++) {
      const first = row - (row % n)
      for (let j = 0; j < n; j++) {
        for (let at = 0; at < n; at++)
          data[row * n + j] = (data[row * n + j] as number) + (factors[row * n + at] as number) * (factors[(first + j) * n + at] as number)
      }
    }
    return { inputs: [{ data, rows: 2 * n, cols: n, type: 'f32' }, sampleMatrix(16, n)], params: { k: 4 } }
  },
}

/** The kernel's output for matrices `[classes · n, n]`, of which all threads take some. */
export async function gramEigenpairs(
  backend: Backend,
  matrices: Float64Array,
  { k, start, cols }: { readonly k: number; readonly start: Float32Array; readonly cols: number },
): Promise<Float32Array> {
  using given = backend.upload({ data: new Float32Array(matrices), rows: matrices.length / cols, cols, type: 'f32' })
  using startBlock = backend.upload({ data: start, rows: start.length / cols, cols, type: 'f32' })
  using pairs = backend.run(gramEigenpairsKernel, [given, startBlock], { k })
  return await backend.read(pairs)
}
