import type { HostMatrix } from '../core/backend.js'
import { type Chunk, type Chunks, chunksOf, once } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

interface KmeansParams {
  readonly classes: number
  readonly restarts: number
  readonly clusters: number
}

/** Rows whose coordinates are summed in float32. */
const rowsPerBlock = 256
/** Restarts that are dealt with together. */
const lanes = 4

/** One Lloyd step: four restarts at a time, a lane each. Sums of chunks, in the order of the centres, are added up and divided at the end. */
export const kmeansStepForm: Form<KmeansParams> = {
  cut(inputs, { restarts, clusters }) {
    const { rows, cols } = inputs[0] as HostMatrix
    const { chunks } = chunked(inputs)
    return {
      phases: [chunks.length, 1],
      scratch: chunks.length * restarts * clusters * (cols + 2),
      operations: rows * restarts * clusters * cols,
    }
  },
  run(engine, work, phase, piece) {
    if (phase === 0) assignChunk(engine, work, piece)
    else finish(work)
  },
}

function assignChunk(engine: Engine, { inputs, params, scratch }: Work<KmeansParams>, piece: number): void {
  const [points, , , centres] = inputs as [HostMatrix, HostMatrix, HostMatrix, HostMatrix]
  const { data, cols: dims } = points
  const { restarts, clusters } = params
  const { class_, start, end } = chunked(inputs).chunks[piece] as Chunk
  const stride = dims + 2
  const groups = Math.ceil(restarts / lanes)
  const groupCentres = clusters * dims * lanes
  const groupSums = clusters * stride * lanes
  const [stage, across, masks, sums] = engine.place(
    rowsPerBlock * dims * 4,
    groups * groupCentres * 4,
    rowsPerBlock * lanes * 4,
    groupSums * 4,
  ) as [number, number, number, number]
  const totals = new Float64Array(groups * groupSums)
  // Lanes without a restart take the last one's centres; nobody reads their sums.
  const laid = engine.view(across, groups * groupCentres)
  for (let at = 0; at < laid.length; at++) {
    const lane = at % lanes
    const j = Math.floor(at / lanes) % dims
    const k = Math.floor(at / (lanes * dims)) % clusters
    const restart = Math.min(Math.floor(at / groupCentres) * lanes + lane, restarts - 1)
    laid[at] = centres.data[((class_ * restarts + restart) * clusters + k) * stride + j] as number
  }
  for (let row = start; row < end; row += rowsPerBlock) {
    const rows = Math.min(rowsPerBlock, end - row)
    engine.put(stage, data.subarray(row * dims, (row + rows) * dims))
    for (let group = 0; group < groups; group++) {
      engine.wasm.assignRows(stage, rows, dims, across + group * groupCentres * 4, clusters, masks, sums)
      const block = engine.view(sums, groupSums)
      for (let at = 0, to = group * groupSums; at < groupSums; at++, to++) totals[to] = (totals[to] as number) + (block[at] as number)
    }
  }
  for (let restart = 0, to = piece * restarts * clusters * stride; restart < restarts; restart++) {
    const from = Math.floor(restart / lanes) * groupSums + (restart % lanes)
    for (let at = 0; at < clusters * stride; at++, to++) scratch[to] = totals[from + at * lanes] as number
  }
}

function finish({ inputs, params, output, scratch }: Work<KmeansParams>): void {
  const { cols: dims } = inputs[0] as HostMatrix
  const old = (inputs[3] as HostMatrix).data
  const stride = dims + 2
  const perClass = params.restarts * params.clusters * stride
  const { first } = chunked(inputs)
  const sums = new Float64Array(perClass)
  for (let c = 0; c < params.classes; c++) {
    sums.fill(0)
    for (let piece = first[c] as number; piece < (first[c + 1] as number); piece++) {
      for (let at = 0; at < perClass; at++) sums[at] = (sums[at] as number) + (scratch[piece * perClass + at] as number)
    }
    for (let at = 0; at < perClass; at += stride) {
      const rows = sums[at + dims] as number
      for (let j = 0; j < stride; j++) {
        const sum = sums[at + j] as number
        output[c * perClass + at + j] = j >= dims ? sum : rows > 0 ? sum / rows : (old[c * perClass + at + j] as number)
      }
    }
  }
}

function chunked([, tiles, firstTile]: readonly HostMatrix[]): Chunks {
  const classes = (firstTile as HostMatrix).data.length - 1
  return once((tiles as HostMatrix).data, 'kmeans-step', () => chunksOf(tiles as HostMatrix, classes, { least: 1024, most: 4096 }))
}
