import type { HostMatrix } from '../core/backend.js'
import { type AddUp, addUp, addUpPieces, placeOf } from './add-up.js'
import { type Chunk, type Chunks, chunksOf, once } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form } from './form.js'

/** Rows summed in float32 before they are added to float64 totals. Panels of so many rows of 512 columns fit a second-level cache. */
const rowsPerBlock = 192
/** Rows that are copied at a time: those of 512 columns are in panels before they leave a first-level cache. */
const rowsPacked = 16

/** Rows of a Gram matrix that are one piece: a billion multiply-adds, some fifty milliseconds; at least 2,048, and as many as there are columns. */
export const gramChunks = (cols: number) => ({
  least: Math.max(2048, cols),
  most: Math.min(8192, Math.max(2048, cols, Math.floor(2 ** 31 / (cols * cols)))),
})

/**
 * Centred Gram matrices. Rows are centred as they are packed into panels of eight columns; each block's products are added to float64
 * totals. A class of several chunks has a matrix for each, added up in order.
 */
export const gramForm: Form<void> = {
  cut(inputs) {
    const { cols } = inputs[0] as HostMatrix
    const { chunks } = chunked(inputs)
    const rows = chunks.reduce((sum, { start, end }) => sum + end - start, 0)
    const sums = addingUp(inputs)
    return { phases: [chunks.length, addUpPieces(sums)], scratch: sums.chunks.slots * sums.size, operations: (rows * cols * cols) / 2 }
  },
  run(engine, work, phase, piece) {
    const sums = addingUp(work.inputs)
    if (phase === 1) addUp(engine, work, sums, piece)
    else chunkProducts(engine, work.inputs, sums.chunks.chunks[piece] as Chunk, placeOf(work, sums, piece))
  },
}

/** The Gram matrix of a chunk's rows about their class's mean, to `place`: `[cols, cols]`. Inputs begin with x and means. */
export function chunkProducts(engine: Engine, inputs: readonly HostMatrix[], { class_, start, end }: Chunk, place: Float32Array): void {
  const [x, means] = inputs as [HostMatrix, HostMatrix]
  const { data, cols } = x
  const count = Math.ceil(cols / 8)
  const padded = count * 8
  const [stage, mean, panels, six, totals, out] = engine.place(
    rowsPacked * cols * 4,
    cols * 4,
    rowsPerBlock * padded * 4,
    rowsPerBlock * 24,
    Math.ceil(padded / 6) * 6 * padded * 8,
    cols * cols * 4,
  ) as [number, number, number, number, number, number]
  const { wasm } = engine
  engine.put(mean, means.data.subarray(class_ * cols, (class_ + 1) * cols))
  engine.clear(totals, padded * padded * 2)
  for (let row = start; row < end; row += rowsPerBlock) {
    const rows = Math.min(rowsPerBlock, end - row)
    for (let first = 0; first < rows; first += rowsPacked) {
      const some = Math.min(rowsPacked, rows - first)
      engine.put(stage, data.subarray((row + first) * cols, (row + first + some) * cols))
      wasm.pack(stage, some, cols, mean, panels + first * 32, rows * 32)
    }
    for (let column = 0; column < padded; column += 6) wasm.gramSix(panels, rows, column, count, six, totals + column * padded * 8)
  }
  wasm.symmetric(totals, padded, cols, out)
  place.set(engine.view(out, cols * cols))
}

function addingUp(inputs: readonly HostMatrix[]): AddUp {
  const { cols } = inputs[0] as HostMatrix
  return { chunks: chunked(inputs), size: cols * cols }
}

function chunked([x, , tiles, firstTile]: readonly HostMatrix[]): Chunks {
  const { cols } = x as HostMatrix
  const classes = (firstTile as HostMatrix).data.length - 1
  return once((tiles as HostMatrix).data, 'gram', () => chunksOf(tiles as HostMatrix, classes, gramChunks(cols)))
}
