import type { HostMatrix } from '../core/backend.js'
import type { Engine } from './engine.js'
import type { Cut } from './form.js'

export interface NearestSearch {
  /** `[n, cols]`, cols a multiple of four. */
  readonly rows: HostMatrix
  /** `[n, 1]`: each one's own reference, which is left out; where it has none, as many as there are. */
  readonly own: HostMatrix
  /** `[count, cols]` */
  readonly references: HostMatrix
  /** The most neighbours that any row has. */
  readonly most: number
}

/** How many neighbours a row is to get, and half of how far away they may be, less half the row's own square. */
interface Wanted {
  kOf(row: number): number
  limitOf(row: number): number
  /** Numbers of the references, rising: good until it returns. */
  visit(row: number, numbers: Int32Array): void
}

/** Every piece makes copies of all references: few pieces where there are rows for them. */
const rowsPerPiece = (rows: number) => Math.min(512, Math.max(128, Math.ceil(rows / 16 / 32) * 32))
/** Products that are made before they are looked at: 256 KiB, of so many rows at most. */
const productsAtOnce = 2 ** 16
const mostRowsAtOnce = 36
/** Values of references that all these rows are multiplied with before the next: 16 KiB, which stay near. */
const valuesAtOnce = 2 ** 12

export function cutSearch({ rows, references }: Pick<NearestSearch, 'rows' | 'references'>): Cut {
  return { phases: [Math.ceil(rows.rows / rowsPerPiece(rows.rows))], scratch: 0, operations: rows.rows * references.rows * (rows.cols + 4) }
}

/** Finds the nearest references to the rows of a piece. */
export function searchNearest(engine: Engine, search: NearestSearch, piece: number, { kOf, limitOf, visit }: Wanted): void {
  const { rows, own, references, most } = search
  const { cols } = rows
  const count = references.rows
  const padded = Math.ceil(count / 16) * 16
  const rowsAtOnce = Math.max(4, Math.min(mostRowsAtOnce, Math.floor(productsAtOnce / padded / 4) * 4))
  const referencesAtOnce = Math.max(4, Math.floor(valuesAtOnce / cols / 4) * 4)
  const [stage, others, halves, exactHalves, products, indices, zone, exact, wide] = engine.place(
    rowsAtOnce * cols * 4,
    padded * cols * 4,
    padded * 4,
    padded * 8,
    rowsAtOnce * padded * 4,
    most * 4,
    padded * 4,
    padded * 8,
    cols * 8,
  ) as [number, number, number, number, number, number, number, number, number]
  const { wasm } = engine
  engine.put(others, references.data)
  engine.clear(others + count * cols * 4, (padded - count) * cols)
  wasm.halfSquares(others, padded, cols, exactHalves)
  const squares = engine.doubles(exactHalves, count)
  const largest = Math.sqrt(2 * squares.reduce((most, square) => Math.max(most, square), 0))
  engine.view(halves, padded).set(engine.doubles(exactHalves, padded))
  engine.view(halves, padded).fill(Number.POSITIVE_INFINITY, count)
  const found = new Int32Array(wasm.memory.buffer, indices, most)
  const perPiece = rowsPerPiece(rows.rows)
  const end = Math.min((piece + 1) * perPiece, rows.rows)
  for (let row = piece * perPiece; row < end; row += rowsAtOnce) {
    const here = Math.min(rowsAtOnce, end - row)
    engine.put(stage, rows.data.subarray(row * cols, (row + here) * cols))
    const some = Math.ceil(here / 4) * 4
    for (let first = 0; first < padded; first += referencesAtOnce) {
      const width = Math.min(referencesAtOnce, padded - first)
      wasm.products(stage, some, others + first * cols * 4, width, cols, products + first * 4, padded)
    }
    for (let i = 0; i < here; i++) {
      const k = Math.min(kOf(row + i), most, count)
      // A threshold for somewhat more is found in fewer steps.
      const room = k + (k >> 2) + 8
      const [at, distances] = [stage + i * cols * 4, products + i * padded * 4]
      const [reference, limit] = [own.data[row + i] as number, limitOf(row + i)]
      const length =
        k === 0
          ? 0
          : wasm.nearest(
              at,
              others,
              cols,
              padded,
              distances,
              halves,
              exactHalves,
              reference,
              limit,
              largest,
              k,
              room,
              indices,
              zone,
              exact,
              wide,
            )
      visit(row + i, found.subarray(0, length))
    }
  }
}
