import type { HostMatrix } from '../core/backend.js'
import { eigenCost } from '../core/eigen-cost.js'
import { type AddUp, addUp, addUpPieces, placeOf } from './add-up.js'
import { type Chunk, type Chunks, chunksOf, once } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'
import { chunkProducts, gramChunks } from './gram.js'
import { type EigenpairsParams, solveMatrix, tolerance, writePair } from './gram-eigenpairs.js'
import { leadingPairs, pairsRoom } from './leading-pairs.js'

/** Of the symmetric inner products so many rows at a time are computed up to the diagonal. */
const rowsOfProducts = 8

interface Plan {
  readonly chunks: Chunks
  /** Which of the scratch's matrices each class has; −1 for those that are solved by their rows' inner products. */
  readonly matrixOf: readonly number[]
  readonly matrices: number
  readonly operations: number
}

/**
 * The leading eigenpairs of every class's centred XᵀX, by its Gram matrix or by its rows' inner products (the dual), whose eigenvectors u
 * give Xᵀ·u. Inputs: x, means, tiles, first tiles, start block `[width, cols]`. Phases: Gram matrices of chunks; adding up those of
 * classes of several; then a class a piece.
 */
export const classEigenpairsForm: Form<EigenpairsParams> = {
  cut(inputs) {
    const { chunks, matrixOf, matrices, operations } = planned(inputs)
    const sums = addingUp(inputs)
    return {
      phases: [chunks.chunks.length, addUpPieces(sums), matrixOf.length],
      scratch: (matrices + chunks.slots) * sums.size,
      operations,
    }
  },
  run(engine, work, phase, piece) {
    const { inputs, scratch } = work
    const { chunks, matrixOf, matrices } = planned(inputs)
    const sums = addingUp(inputs)
    if (phase === 2) {
      if (chunks.first[piece] !== chunks.first[piece + 1])
        ((matrixOf[piece] as number) < 0 ? solveByRows : solveByColumns)(engine, work, piece)
      return
    }
    const inScratch = { ...work, output: scratch, scratch: scratch.subarray(matrices * sums.size) }
    if (phase === 1) addUp(engine, inScratch, sums, piece)
    else {
      const chunk = chunks.chunks[piece] as Chunk
      if ((matrixOf[chunk.class_] as number) >= 0) chunkProducts(engine, inputs, chunk, placeOf(inScratch, sums, piece))
    }
  },
}

/** Eigenpairs of the Gram matrix in the scratch. */
function solveByColumns(engine: Engine, { inputs, params, output, scratch }: Work<EigenpairsParams>, c: number): void {
  const { cols } = inputs[0] as HostMatrix
  const at = (planned(inputs).matrixOf[c] as number) * cols * cols
  solveMatrix(engine, scratch.subarray(at, at + cols * cols), inputs[4] as HostMatrix, { c, params, output })
}

/** Eigenpairs of the rows' inner products, turned into those of the columns': v = Xᵀ·u / ‖Xᵀ·u‖. */
function solveByRows(engine: Engine, { inputs, params, output }: Work<EigenpairsParams>, c: number): void {
  const [x, means, , , startBlock] = inputs as [HostMatrix, HostMatrix, HostMatrix, HostMatrix, HostMatrix]
  const { data, cols } = x
  const { chunks } = planned(inputs)
  const { start, end } = chunks.chunks[chunks.first[c] as number] as Chunk
  const n = end - start
  const padded = Math.ceil(n / 4) * 4
  const count8 = Math.ceil(cols / 8)
  const width = Math.ceil(params.k / 8) * 8
  const [stage, mean, zeros, panels, single, matrix, u, back, room] = engine.place(
    padded * cols * 4,
    cols * 4,
    cols * 4,
    padded * count8 * 32,
    padded * padded * 4,
    padded * padded * 8,
    padded * width * 4,
    width * count8 * 64,
    pairsRoom(engine, n, padded, startBlock.rows),
  ) as [number, number, number, number, number, number, number, number, number]
  const { wasm } = engine
  engine.put(mean, means.data.subarray(c * cols, (c + 1) * cols))
  engine.clear(zeros, cols)
  engine.put(stage, data.subarray(start * cols, end * cols))
  wasm.centre(stage, n, cols, mean)
  engine.clear(stage + n * cols * 4, (padded - n) * cols)
  for (let row = 0; row < padded; row += rowsOfProducts) {
    const rows = Math.min(rowsOfProducts, padded - row)
    wasm.products(stage + row * cols * 4, rows, stage, row + rows, cols, single + row * padded * 4, padded)
  }
  wasm.widenLower(single, n, padded, matrix)
  const shape = {
    matrix,
    n,
    stride: padded,
    wanted: params.k,
    start: startBlock.data,
    startStride: startBlock.cols,
    width: startBlock.rows,
    tolerance,
  }
  const { values, vectors, count } = leadingPairs(engine, shape, room)
  engine.clear(u, padded * width)
  const across = engine.view(u, padded * width)
  for (let i = 0; i < count; i++) {
    const vector = engine.doubles(vectors + i * padded * 8, n)
    const to = Math.floor(i / 8) * padded * 8 + (i % 8)
    for (let row = 0; row < n; row++) across[to + row * 8] = vector[row] as number
  }
  wasm.pack(stage, padded, cols, zeros, panels, padded * 32)
  engine.clear(back, width * count8 * 16)
  for (let k = 0; k < width; k += 4) {
    wasm.panelProducts(u + Math.floor(k / 8) * padded * 32 + (k % 8) * 4, panels, padded, count8, back + k * count8 * 64)
  }
  for (let i = 0; i < count; i++) {
    wasm.normalise(back + i * count8 * 64, count8 * 8)
    writePair(output, { c, i, params }, engine.doubles(back + i * count8 * 64, cols), engine.doubles(values, count))
  }
}

function addingUp(inputs: readonly HostMatrix[]): AddUp {
  const { cols } = inputs[0] as HostMatrix
  const { chunks, matrixOf } = planned(inputs)
  return { chunks, size: cols * cols, placeOfClass: matrixOf }
}

/** Which way each class goes, by counted cost; a class of several chunks is too large for the dual. */
function planned([x, , tiles, firstTile, start]: readonly HostMatrix[]): Plan {
  return once((tiles as HostMatrix).data, `class-eigenpairs ${(x as HostMatrix).cols} ${(start as HostMatrix).rows}`, () => {
    const { cols } = x as HostMatrix
    const { rows: width } = start as HostMatrix
    const classes = (firstTile as HostMatrix).data.length - 1
    const chunks = chunksOf(tiles as HostMatrix, classes, gramChunks(cols))
    let matrices = 0
    let operations = 0
    const matrixOf = Array.from({ length: classes }, (_, c) => {
      const [first, end] = [chunks.first[c] as number, chunks.first[c + 1] as number]
      let rows = 0
      for (let piece = first; piece < end; piece++) rows += (chunks.chunks[piece] as Chunk).end - (chunks.chunks[piece] as Chunk).start
      const cost = eigenCost(rows, cols, width)
      const dual = end - first <= 1 && rows < cols && cost.dual < cost.gram
      operations += dual ? cost.dual : cost.gram
      return dual || rows === 0 ? -1 : matrices++
    })
    return { chunks, matrixOf, matrices, operations }
  })
}
