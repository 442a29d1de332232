import type { HostMatrix } from '../core/backend.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

interface NearestParams {
  readonly k: number
}

const rowsPerPiece = 256
/** Products that are made before they are looked at: 256 KiB, of so many rows at most. */
const productsAtOnce = 2 ** 16
const mostRowsAtOnce = 32
/** Values of references that all these rows are multiplied with before the next: 16 KiB, which stay near. */
const valuesAtOnce = 2 ** 12
/** Candidates beyond k, among which float64 finds the nearest: float32 takes references for nearer that are as near but for rounding. */
const spare = 8

/**
 * Numbers of the k references nearest to each row, nearest first, −1 where there are fewer. Inputs: rows `[n, cols]`, the number of each
 * one's own reference `[n, 1]` uint32 (count: none), references `[count, cols]`. Output `[n, k]`.
 */
export const nearestRowsForm: Form<NearestParams> = {
  cut(inputs) {
    const [rows, , references] = inputs as [HostMatrix, HostMatrix, HostMatrix]
    return { phases: [Math.ceil(rows.rows / rowsPerPiece)], scratch: 0, operations: rows.rows * references.rows * (rows.cols + 4) }
  },
  run: findNearest,
}

function findNearest(engine: Engine, { inputs, params, output }: Work<NearestParams>, _phase: number, piece: number): void {
  const [rows, own, references] = inputs as [HostMatrix, HostMatrix, HostMatrix]
  const { cols } = rows
  const { k } = params
  const count = references.rows
  const padded = Math.ceil(count / 16) * 16
  const rowsAtOnce = Math.max(4, Math.min(mostRowsAtOnce, Math.floor(productsAtOnce / padded / 4) * 4))
  const kept = Math.min(k + spare, count)
  const referencesAtOnce = Math.max(4, Math.floor(valuesAtOnce / cols / 4) * 4)
  // A threshold for somewhat more is found in fewer steps.
  const room = kept + Math.ceil(kept / 8)
  const [stage, others, halves, exactHalves, products, indices, exact, wide] = engine.place(
    rowsAtOnce * cols * 4,
    padded * cols * 4,
    padded * 4,
    padded * 8,
    rowsAtOnce * padded * 4,
    room * 4,
    room * 8,
    cols * 8,
  ) as [number, number, number, number, number, number, number, number]
  const { wasm } = engine
  engine.put(others, references.data)
  engine.clear(others + count * cols * 4, (padded - count) * cols)
  wasm.halfSquares(others, padded, cols, exactHalves)
  engine.view(halves, padded).set(engine.doubles(exactHalves, padded))
  engine.view(halves, padded).fill(Number.POSITIVE_INFINITY, count)
  const found = new Int32Array(wasm.memory.buffer, indices, room)
  const end = Math.min((piece + 1) * rowsPerPiece, rows.rows)
  for (let row = piece * rowsPerPiece; row < end; row += rowsAtOnce) {
    const here = Math.min(rowsAtOnce, end - row)
    engine.put(stage, rows.data.subarray(row * cols, (row + here) * cols))
    const some = Math.ceil(here / 4) * 4
    for (let first = 0; first < padded; first += referencesAtOnce) {
      const width = Math.min(referencesAtOnce, padded - first)
      wasm.products(stage, some, others + first * cols * 4, width, cols, products + first * 4, padded)
    }
    for (let i = 0; i < here; i++) {
      const length = wasm.nearest(products + i * padded * 4, halves, padded, own.data[row + i] as number, kept, room, indices)
      wasm.rerank(stage + i * cols * 4, others, cols, length, indices, exactHalves, exact, wide)
      for (let at = 0; at < k; at++) output[(row + i) * k + at] = at < length ? (found[at] as number) : -1
    }
  }
}
