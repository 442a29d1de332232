import type { HostMatrix } from '../core/backend.js'
import { once } from './chunks.js'
import type { Form, Work } from './form.js'
import { colsAtOnce, type Layout, layOut, mostClusters, placeMasks, silhouettesOf } from './silhouette.js'

interface SampleParams {
  readonly queries: number
}

/** Columns that a piece looks at. */
const colsPerPiece = 8192

interface Cut {
  readonly queries: Layout
  readonly all: Layout
  readonly clusters: number
  readonly pieces: number
}

/** Silhouettes of the first `queries` rows of one class among all of its rows: a piece sums the distances to some of the rows. */
export const silhouetteSampleForm: Form<SampleParams> = {
  cut(inputs, { queries }) {
    const cut = cutOf(inputs, queries)
    const { rows, cols } = inputs[0] as HostMatrix
    return { phases: [cut.pieces, 1], scratch: cut.pieces * cut.clusters * cut.queries.rowAt.length, operations: queries * rows * cols }
  },
  run(engine, work, phase, piece) {
    const { inputs, params, scratch, output } = work as Work<SampleParams>
    const { queries, all, clusters, pieces } = cutOf(inputs, params.queries)
    const rows = queries.rowAt.length
    const size = clusters * rows
    if (phase === 1) {
      const totals = new Float64Array(size)
      for (let at = 0; at < pieces * size; at++) totals[at % size] = (totals[at % size] as number) + (scratch[at] as number)
      silhouettesOf(queries, totals, (inputs[4] as HostMatrix).data.subarray(0, mostClusters), output)
      return
    }
    const { data, cols: dims } = inputs[0] as HostMatrix
    const start = piece * colsPerPiece
    const end = Math.min(start + colsPerPiece, all.rowAt.length)
    const stride = rows + end - start
    const [points, sums, ...masks] = engine.place(stride * dims * 4, size * 4, 4 * 4 * 4 * 4, 4 * 4 * 4) as [number, number, number, number]
    const { f32, wasm } = engine
    for (let place = 0; place < stride; place++) {
      const row = (place < rows ? queries.rowAt[place] : all.rowAt[start + place - rows]) as number
      for (let j = 0; j < dims; j++) f32[points / 4 + j * stride + place] = row < 0 ? 0 : (data[row * dims + j] as number)
    }
    const { rowMask, lastMask } = placeMasks(f32.buffer, masks as [number, number])
    engine.clear(sums, size)
    for (const columns of all.stretches) {
      const filledEnd = columns.start + columns.rows
      const last = Math.min(end, columns.end)
      for (let from = Math.max(start, columns.start), to: number; from < last; from = to) {
        to = Math.min(from + colsAtOnce, last)
        for (const own of queries.stretches) {
          for (let row = own.start; row < own.end; row += 4) {
            wasm.distanceSums(
              points + row * 4,
              points + (rows + from - start) * 4,
              to - from,
              dims,
              stride,
              rowMask(own.start + own.rows - row),
              lastMask(filledEnd, to),
              sums + (columns.cluster * rows + row) * 4,
              0,
            )
          }
        }
      }
    }
    scratch.set(engine.view(sums, size), piece * size)
  },
}

function cutOf([, clusterOf]: readonly HostMatrix[], count: number): Cut {
  const { data: cluster } = clusterOf as HostMatrix
  return once(cluster, `silhouette of ${count}`, () => {
    let clusters = 1
    for (let i = 0; i < cluster.length; i++) clusters = Math.max(clusters, (cluster[i] as number) + 1)
    const [queries, all] = [layOut(cluster, 0, count, clusters), layOut(cluster, 0, cluster.length, clusters)]
    return { queries, all, clusters, pieces: Math.ceil(all.rowAt.length / colsPerPiece) }
  })
}
