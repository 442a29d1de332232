import type { HostMatrix } from '../core/backend.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

interface NearestParams {
  readonly k: number
}

const rowsPerPiece = 256
/** Rows and references whose products are made before they are looked at. */
const rowsAtOnce = 32
const referencesAtOnce = 256
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
  const count = references.rows
  const padded = Math.ceil(count / referencesAtOnce) * referencesAtOnce
  const kept = Math.min(params.k + spare, count)
  const [stage, others, halves, dots, distances, indices, exact] = engine.place(
    rowsAtOnce * cols * 4,
    padded * cols * 4,
    padded * 4,
    rowsAtOnce * referencesAtOnce * 4,
    rowsAtOnce * kept * 4,
    rowsAtOnce * kept * 4,
    kept * 8,
  ) as [number, number, number, number, number, number, number]
  const { wasm } = engine
  engine.put(others, references.data)
  engine.clear(others + count * cols * 4, (padded - count) * cols)
  const half = engine.view(halves, padded).fill(Number.POSITIVE_INFINITY, count)
  for (let r = 0, at = 0; r < count; r++) {
    let square = 0
    for (let j = 0; j < cols; j++, at++) square += (references.data[at] as number) ** 2
    half[r] = square / 2
  }
  const found = new Int32Array(engine.wasm.memory.buffer, indices, rowsAtOnce * kept)
  const end = Math.min((piece + 1) * rowsPerPiece, rows.rows)
  const filled = new Int32Array(rowsAtOnce)
  for (let row = piece * rowsPerPiece; row < end; row += rowsAtOnce) {
    const here = Math.min(rowsAtOnce, end - row)
    engine.put(stage, rows.data.subarray(row * cols, (row + here) * cols))
    filled.fill(0)
    for (let first = 0; first < padded; first += referencesAtOnce) {
      wasm.products(stage, Math.ceil(here / 4) * 4, others + first * cols * 4, referencesAtOnce, cols, dots, referencesAtOnce)
      for (let i = 0; i < here; i++) {
        const list = i * kept * 4
        filled[i] = wasm.offerAll(
          dots + i * referencesAtOnce * 4,
          halves + first * 4,
          referencesAtOnce,
          first,
          own.data[row + i] as number,
          kept,
          distances + list,
          indices + list,
          filled[i] as number,
        )
      }
    }
    for (let i = 0; i < here; i++) {
      const length = filled[i] as number
      wasm.rerank(stage + i * cols * 4, others, cols, length, indices + i * kept * 4, exact)
      for (let at = 0; at < params.k; at++) output[(row + i) * params.k + at] = at < length ? (found[i * kept + at] as number) : -1
    }
  }
}
