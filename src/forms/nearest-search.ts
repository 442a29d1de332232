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
  /** What the references were packed into. */
  readonly scratch: Float32Array
}

/** How many neighbours a row is to get, and half of how far away they may be, less half the row's own square. */
interface Wanted {
  kOf(row: number): number
  limitOf(row: number): number
  /** The first `count` are numbers of the references, rising: good until it returns. */
  visit(row: number, numbers: Int32Array, count: number): void
}

/** References that are packed in one piece: panels of eight. */
const referencesPerPiece = 512
/** Rows whose products are made before they are looked at, if those take no more than 1 MiB: four times six. */
const mostRowsAtOnce = 24
const productsAtOnce = 2 ** 18
/** Every piece copies all references: few pieces where there are rows for them. */
const rowsPerPiece = (rows: number) => Math.min(528, Math.max(120, Math.ceil(rows / 16 / mostRowsAtOnce) * mostRowsAtOnce))

/** References, and room for more that are nobody's neighbours: whole panels, two of them at a time. */
const paddedCount = ({ rows }: HostMatrix) => Math.ceil(rows / 16) * 16
/** float32 numbers in the scratch before the panels: half the squares of all references, float64. */
const squaresSize = (references: HostMatrix) => 2 * paddedCount(references)

/** First the references are put in panels, then they are searched. */
export function cutSearch({ rows, references }: Pick<NearestSearch, 'rows' | 'references'>): Cut {
  return {
    phases: [Math.ceil(references.rows / referencesPerPiece), Math.ceil(rows.rows / rowsPerPiece(rows.rows))],
    scratch: squaresSize(references) + paddedCount(references) * references.cols,
    operations: rows.rows * references.rows * (rows.cols + 4),
  }
}

/** Puts the references of a piece in panels, with half their squares. */
export function packReferences(engine: Engine, references: HostMatrix, scratch: Float32Array, piece: number): void {
  const { data, cols } = references
  const start = piece * referencesPerPiece
  const given = Math.min(start + referencesPerPiece, references.rows) - start
  const count = Math.min(start + referencesPerPiece, paddedCount(references)) - start
  const [stage, panels, halves] = engine.place(count * cols * 4, count * cols * 4, count * 8) as [number, number, number]
  engine.put(stage, data.subarray(start * cols, (start + given) * cols))
  engine.clear(stage + given * cols * 4, (count - given) * cols)
  engine.wasm.packEights(stage, count, cols, panels)
  engine.wasm.halfSquares(panels, count / 8, cols, halves)
  scratch.set(engine.view(halves, 2 * count), 2 * start)
  scratch.set(engine.view(panels, count * cols), squaresSize(references) + start * cols)
}

/** Finds the references nearest to the rows of a piece, from what was packed. */
export function searchNearest(
  engine: Engine,
  { rows, own, references, most, scratch }: NearestSearch,
  piece: number,
  { kOf, limitOf, visit }: Wanted,
): void {
  const { cols } = rows
  const count = references.rows
  const padded = paddedCount(references)
  const rowsAtOnce = Math.max(6, Math.min(mostRowsAtOnce, Math.floor(productsAtOnce / padded / 6) * 6))
  const [stage, sixes, panels, halves, exactHalves, products, indices, zone, exact, wide] = engine.place(
    rowsAtOnce * cols * 4,
    rowsAtOnce * cols * 4,
    padded * cols * 4,
    padded * 4,
    padded * 8,
    rowsAtOnce * padded * 4,
    most * 4,
    padded * 4,
    padded * 8,
    cols * 8,
  ) as [number, number, number, number, number, number, number, number, number, number]
  const { wasm } = engine
  const squaresEnd = squaresSize(references)
  engine.put(exactHalves, scratch.subarray(0, squaresEnd))
  engine.put(panels, scratch.subarray(squaresEnd, squaresEnd + padded * cols))
  const squares = engine.doubles(exactHalves, count)
  const largest = Math.sqrt(2 * squares.reduce((most, square) => Math.max(most, square), 0))
  engine.view(halves, padded).set(squares)
  engine.view(halves, padded).fill(Number.POSITIVE_INFINITY, count)
  const found = new Int32Array(wasm.memory.buffer, indices, most)
  const perPiece = rowsPerPiece(rows.rows)
  const end = Math.min((piece + 1) * perPiece, rows.rows)
  for (let row = piece * perPiece; row < end; row += rowsAtOnce) {
    const here = Math.min(rowsAtOnce, end - row)
    const groups = Math.ceil(here / 6)
    engine.put(stage, rows.data.subarray(row * cols, (row + here) * cols))
    wasm.packSixes(stage, 6 * groups, cols, sixes)
    wasm.sixProducts(sixes, groups, panels, padded / 8, cols, products, padded)
    for (let i = 0; i < here; i++) {
      const k = Math.min(kOf(row + i), most, count)
      const [at, distances] = [stage + i * cols * 4, products + i * padded * 4]
      const [reference, limit] = [own.data[row + i] as number, limitOf(row + i)]
      const length =
        k === 0
          ? 0
          : wasm.nearest(at, panels, cols, padded, distances, halves, exactHalves, reference, limit, largest, k, indices, zone, exact, wide)
      visit(row + i, found, length)
    }
  }
}
