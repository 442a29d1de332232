import type { HostMatrix } from '../core/backend.js'
import { type Chunks, chunksOf, once } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

/** Values copied at a time: 128 KiB. */
const valuesAtOnce = 2 ** 15

/** Column means of every class: float64 sums of chunks, added up in order. */
export const classMeansForm: Form<void> = {
  cut(inputs) {
    const { rows, cols } = inputs[0] as HostMatrix
    const { chunks } = chunked(inputs)
    return { phases: [chunks.length, 1], scratch: chunks.length * cols, operations: rows * cols }
  },
  run(engine, work, phase, piece) {
    if (phase === 0) sumChunk(engine, work, piece)
    else addUp(work)
  },
}

function sumChunk(engine: Engine, { inputs, scratch }: Work<void>, piece: number): void {
  const { data, cols } = inputs[0] as HostMatrix
  const { start, end } = chunked(inputs).chunks[piece] as { start: number; end: number }
  const perBlock = Math.max(1, Math.floor(valuesAtOnce / cols))
  const [x, sums, singles] = engine.place(perBlock * cols * 4, cols * 8, cols * 4) as [number, number, number]
  engine.clear(sums, cols * 2)
  for (let row = start; row < end; row += perBlock) {
    const rows = Math.min(perBlock, end - row)
    engine.put(x, data.subarray(row * cols, (row + rows) * cols))
    engine.wasm.addColumns(x, rows, cols, sums)
  }
  engine.wasm.toSingles(sums, cols, singles)
  scratch.set(engine.view(singles, cols), piece * cols)
}

function addUp({ inputs, output, scratch }: Work<void>): void {
  const { cols } = inputs[0] as HostMatrix
  const { chunks, first } = chunked(inputs)
  const sums = new Float64Array(cols)
  for (let c = 0; c + 1 < first.length; c++) {
    sums.fill(0)
    let rows = 0
    for (let piece = first[c] as number; piece < (first[c + 1] as number); piece++) {
      const { start, end } = chunks[piece] as { start: number; end: number }
      rows += end - start
      for (let j = 0; j < cols; j++) sums[j] = (sums[j] as number) + (scratch[piece * cols + j] as number)
    }
    for (let j = 0; j < cols; j++) output[c * cols + j] = (sums[j] as number) / Math.max(rows, 1)
  }
}

function chunked([, tiles, firstTile]: readonly HostMatrix[]): Chunks {
  const classes = (firstTile as HostMatrix).data.length - 1
  return once((tiles as HostMatrix).data, 'class-means', () => chunksOf(tiles as HostMatrix, classes, { least: 1024, most: 8192 }))
}
