import type { HostMatrix } from '../core/backend.js'
import { rowsPerPiece } from './chunks.js'
import type { Form } from './form.js'

interface SketchParams {
  readonly width: number
}

/** Rows over their lengths, their columns added up into fewer. */
export const rowSketchForm: Form<SketchParams> = {
  cut([given]) {
    const { rows, cols } = given as HostMatrix
    return { phases: [Math.ceil(rows / rowsPerPiece(cols))], scratch: 0, operations: 4 * rows * cols }
  },
  run(engine, { inputs, params, output }, _phase, piece) {
    const [{ data, rows, cols }, targets] = inputs as [HostMatrix, HostMatrix]
    const { width } = params
    const start = piece * rowsPerPiece(cols)
    const count = Math.min(rowsPerPiece(cols), rows - start)
    const [x, to, sums, out] = engine.place(count * cols * 4, cols * 4, width * 16, count * width * 4) as [number, number, number, number]
    engine.put(x, data.subarray(start * cols, (start + count) * cols))
    new Uint32Array(engine.wasm.memory.buffer, to, cols).set(targets.data)
    engine.wasm.sketchRows(x, count, cols, to, width, sums, out)
    output.set(engine.view(out, count * width), start * width)
  },
}
