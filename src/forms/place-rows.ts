import type { HostMatrix } from '../core/backend.js'
import { type PlaceRowsParams, placeRows } from '../core/place-rows.js'
import { rowsPerPiece } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

/** Copies rows to their places. Where they need no padding they are copied whole, and shifted in WebAssembly, in half the time; no others are. */
export const placeRowsForm: Form<PlaceRowsParams> = {
  cut([given]) {
    const { rows, cols } = given as HostMatrix
    return { phases: [Math.ceil(rows / rowsPerPiece(cols))], scratch: 0, operations: rows * cols }
  },
  run(engine, work, _phase, piece) {
    const [given, , shift] = work.inputs as [HostMatrix, HostMatrix, HostMatrix]
    const { rows, cols } = given
    const start = piece * rowsPerPiece(cols)
    const end = Math.min(start + rowsPerPiece(cols), rows)
    if (cols === shift.cols) placeWhole(engine, work, { start, end })
    else placeRows(work.inputs, work.params, work.output, { start, end })
  },
}

function placeWhole(
  engine: Engine,
  { inputs, params, output }: Work<PlaceRowsParams>,
  { start, end }: { readonly start: number; readonly end: number },
): void {
  const [{ data, cols }, places, shift] = inputs as [HostMatrix, HostMatrix, HostMatrix]
  const count = end - start
  const [held, subtracted] = engine.place(count * cols * 4, cols * 4) as [number, number]
  engine.put(subtracted, shift.data)
  const wanted = places.data.subarray(start, end).filter((place) => place < params.rows)
  if (wanted.length === count) engine.put(held, data.subarray(start * cols, end * cols))
  else {
    for (let row = start, at = held; row < end; row++) {
      if ((places.data[row] as number) >= params.rows) continue
      engine.put(at, data.subarray(row * cols, (row + 1) * cols))
      at += cols * 4
    }
  }
  engine.wasm.centre(held, wanted.length, cols, subtracted)
  for (const [i, place] of wanted.entries()) output.set(engine.view(held + i * cols * 4, cols), place * cols)
}
