import type { HostMatrix } from '../core/backend.js'
import { type AddUp, addUp, addUpPieces, placeOf } from './add-up.js'
import { type Chunk, type Chunks, chunksOf, once } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

/** Rows at a time: those of 512 columns fill a quarter of a second-level cache, twice (as they are and in panels). */
const rowsPerBlock = 64
/** Directions of a class: two panels. */
const width = 16

/** Z = Xᵀ(X·V): the products with V by rows, those with X in panels of eight columns, added to float64 totals block by block. */
export const gramApplyForm: Form<void> = {
  cut(inputs) {
    const { cols } = inputs[0] as HostMatrix
    const { chunks } = chunked(inputs)
    const rows = chunks.reduce((sum, { start, end }) => sum + end - start, 0)
    const sums = addingUp(inputs)
    return { phases: [chunks.length, addUpPieces(sums)], scratch: sums.chunks.slots * sums.size, operations: 2 * width * rows * cols }
  },
  run(engine, work, phase, piece) {
    if (phase === 0) applyChunk(engine, work, piece)
    else addUp(engine, work, addingUp(work.inputs), piece)
  },
}

function applyChunk(engine: Engine, work: Work<void>, piece: number): void {
  const { inputs } = work
  const [x, means, directions] = inputs as [HostMatrix, HostMatrix, HostMatrix]
  const { data, cols } = x
  const { class_, start, end } = chunked(inputs).chunks[piece] as Chunk
  const count = Math.ceil(cols / 8)
  const [stage, mean, zeros, panels, v, y, totals, out] = engine.place(
    rowsPerBlock * cols * 4,
    cols * 4,
    cols * 4,
    rowsPerBlock * count * 32,
    width * cols * 4,
    rowsPerBlock * width * 4,
    width * count * 64,
    width * count * 32,
  ) as [number, number, number, number, number, number, number, number]
  const { wasm } = engine
  engine.put(mean, means.data.subarray(class_ * cols, (class_ + 1) * cols))
  engine.clear(zeros, cols)
  engine.put(v, directions.data.subarray(class_ * width * cols, (class_ + 1) * width * cols))
  engine.clear(totals, width * count * 16)
  for (let row = start; row < end; row += rowsPerBlock) {
    const rows = Math.min(rowsPerBlock, end - row)
    const whole = Math.ceil(rows / 4) * 4
    engine.put(stage, data.subarray(row * cols, (row + rows) * cols))
    wasm.centre(stage, rows, cols, mean)
    engine.clear(stage + rows * cols * 4, (whole - rows) * cols)
    wasm.pack(stage, whole, cols, zeros, panels, whole * 32)
    for (let k = 0; k < width; k += 8) {
      const half = y + k * rowsPerBlock * 4
      wasm.products(stage, whole, v + k * cols * 4, 8, cols, half, 8)
      for (const four of [0, 4]) wasm.panelProducts(half + four * 4, panels, whole, count, totals + (k + four) * count * 64)
    }
  }
  wasm.toSingles(totals, width * count * 8, out)
  const place = placeOf(work, addingUp(inputs), piece)
  for (let k = 0; k < width; k++) place.set(engine.view(out + k * count * 32, cols), k * cols)
}

function addingUp(inputs: readonly HostMatrix[]): AddUp {
  const { cols } = inputs[0] as HostMatrix
  return { chunks: chunked(inputs), size: width * cols }
}

function chunked([, , , tiles, firstTile]: readonly HostMatrix[]): Chunks {
  const classes = (firstTile as HostMatrix).data.length - 1
  return once((tiles as HostMatrix).data, 'gram-apply', () => chunksOf(tiles as HostMatrix, classes, { least: 512, most: 4096 }))
}
