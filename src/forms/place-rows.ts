import type { HostMatrix } from '../core/backend.js'
import { type PlaceRowsParams, placeRows } from '../core/place-rows.js'
import { rowsPerPiece } from './chunks.js'
import type { Form } from './form.js'

/** Copies rows to their places. Memory limits it, and the first touch of a page: no module is needed for that, only threads. */
export const placeRowsForm: Form<PlaceRowsParams> = {
  cut([given]) {
    const { rows, cols } = given as HostMatrix
    return { phases: [Math.ceil(rows / rowsPerPiece(cols))], scratch: 0, operations: rows * cols }
  },
  run(_engine, { inputs, params, output }, _phase, piece) {
    const { rows, cols } = inputs[0] as HostMatrix
    const start = piece * rowsPerPiece(cols)
    placeRows(inputs, params, output, { start, end: Math.min(start + rowsPerPiece(cols), rows) })
  },
}
