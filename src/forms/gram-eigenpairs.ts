import type { HostMatrix } from '../core/backend.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'
import { leadingPairs, pairsRoom } from './leading-pairs.js'

export interface EigenpairsParams {
  /** Pairs wanted of each class. */
  readonly k: number
}

/** Of the largest eigenvalue; what float32 products leave is as large. */
export const tolerance = 1e-7

/** The leading eigenpairs of matrices `[classes · n, n]`, a class a piece. The second input is a start block `[width, n]`. */
export const gramEigenpairsForm: Form<EigenpairsParams> = {
  cut([matrices]) {
    const { rows, cols } = matrices as HostMatrix
    return { phases: [rows / cols], scratch: 0, operations: 2 * rows * cols * cols }
  },
  run(engine, { inputs, params, output }, _phase, c) {
    const [matrices, start] = inputs as [HostMatrix, HostMatrix]
    const { data, cols } = matrices
    solveMatrix(engine, data.subarray(c * cols * cols, (c + 1) * cols * cols), start, { c, params, output })
  },
}

/** Where a class's pairs go. */
interface Place extends Pick<Work<EigenpairsParams>, 'params' | 'output'> {
  readonly c: number
}

/** The leading eigenpairs of one symmetric matrix, float32, to the class's place in the output. */
export function solveMatrix(engine: Engine, values: ArrayLike<number>, start: HostMatrix, { c, params, output }: Place): void {
  const { cols } = start
  const [single, matrix, room] = engine.place(cols * cols * 4, cols * cols * 8, pairsRoom(engine, cols, cols, start.rows)) as [
    number,
    number,
    number,
  ]
  engine.put(single, values)
  engine.wasm.widen(single, cols, cols, cols, matrix)
  const shape = {
    matrix,
    n: cols,
    stride: cols,
    wanted: params.k,
    start: start.data,
    startStride: cols,
    width: start.rows,
    tolerance,
  }
  const found = leadingPairs(engine, shape, room)
  for (let i = 0; i < found.count; i++)
    writePair(output, { c, i, params }, engine.doubles(found.vectors + i * cols * 8, cols), engine.doubles(found.values, found.count))
}

/** A row of the output is a vector and its eigenvalue. */
export function writePair(
  output: Float32Array,
  { c, i, params }: { readonly c: number; readonly i: number; readonly params: EigenpairsParams },
  vector: Float64Array,
  values: Float64Array,
): void {
  const at = (c * params.k + i) * (vector.length + 1)
  output.set(vector, at)
  output[at + vector.length] = values[i] as number
}
