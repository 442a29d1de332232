import type { HostMatrix } from '../core/backend.js'
import { once } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

export const mostClusters = 4
/** A class is cut into so many blocks at most, each of so many rows at least: each keeps sums for itself and all rows after it. */
const mostBlocks = 128
const fewestRows = 512
/** Columns that all rows of a block meet before the next: those of ten dimensions stay in the first-level cache. */
export const colsAtOnce = 512

/** Rows of one cluster of a class, at places `start` … `end` − 1 of the class's layout, a multiple of four: the last ones may be empty. */
export interface Stretch {
  readonly cluster: number
  readonly start: number
  readonly end: number
  readonly rows: number
}

/** A class's rows by cluster. Four places one after the other are of one cluster. */
export interface Layout {
  /** The class's first row, and how many it has. */
  readonly first: number
  readonly rows: number
  readonly stretches: readonly Stretch[]
  /** Row at each place, −1 where it is empty. */
  readonly rowAt: Int32Array
}

/** Places of a class that are dealt with in one piece, and where their sums lie in the scratch: `[clusters, places from start on]`. */
interface Block {
  readonly class_: number
  readonly start: number
  readonly end: number
  readonly sumsAt: number
}

interface Blocks {
  readonly layouts: readonly Layout[]
  readonly blocks: readonly Block[]
  readonly clusters: number
  readonly scratch: number
  readonly pairs: number
}

/**
 * Exact silhouettes. A distance serves both its ends: a block of rows looks at itself and at the rows after it, which halves the work. Rows
 * go by cluster, so that a sum runs over a stretch of one cluster.
 */
export const silhouetteForm: Form<void> = {
  cut(inputs) {
    const { blocks, layouts, scratch, pairs } = blocked(inputs)
    return { phases: [blocks.length, layouts.length], scratch, operations: pairs * (inputs[0] as HostMatrix).cols }
  },
  run(engine, work, phase, piece) {
    if (phase === 0) sumBlock(engine, work, piece)
    else finishClass(engine, work, piece)
  },
}

function sumBlock(engine: Engine, { inputs, scratch }: Work<void>, piece: number): void {
  const { data, cols: dims } = inputs[0] as HostMatrix
  const { layouts, blocks, clusters } = blocked(inputs)
  const { class_, start, end, sumsAt } = blocks[piece] as Block
  const { rowAt, stretches, first, rows: count } = layouts[class_] as Layout
  const places = rowAt.length - start
  const [rows, rowsAt, points, sums, rowMasks, lastMasks] = engine.place(
    count * dims * 4,
    places * 4,
    places * dims * 4,
    clusters * places * 4,
    4 * 4 * 4 * 4, // for one to four rows
    4 * 4 * 4,
  ) as [number, number, number, number, number, number]
  const { f32, wasm } = engine
  engine.put(rows, data.subarray(first * dims, (first + count) * dims))
  engine.putIntegers(rowsAt, rowAt.subarray(start))
  wasm.byColumns(rows, dims, rowsAt, first, places, points, places)
  const { rowMask, lastMask } = placeMasks(f32.buffer, [rowMasks, lastMasks])
  engine.clear(sums, clusters * places)
  for (const columns of stretches) {
    const filledEnd = columns.start + columns.rows
    for (let from = Math.max(start, columns.start), to: number; from < columns.end; from = to) {
      to = Math.min(from + colsAtOnce, columns.end, from < end ? end : Number.POSITIVE_INFINITY)
      for (const rows of stretches) {
        const rowEnd = Math.min(end, rows.end)
        for (let row = Math.max(start, rows.start); row < rowEnd; row += 4) {
          wasm.distanceSums(
            points + (row - start) * 4,
            points + (from - start) * 4,
            to - from,
            dims,
            places,
            rowMask(rows.start + rows.rows - row),
            lastMask(filledEnd, to),
            sums + (columns.cluster * places + row - start) * 4,
            from < end ? 0 : sums + (rows.cluster * places + from - start) * 4,
          )
        }
      }
    }
  }
  scratch.set(engine.view(sums, clusters * places), sumsAt)
}

/** Masks that take out places without a row, at two places in the memory: 256 and 64 bytes. */
export function placeMasks(memory: ArrayBufferLike, [rowMasks, lastMasks]: readonly [number, number]) {
  const masks = new Int32Array(memory)
  for (let rows = 1; rows <= 4; rows++) {
    for (let i = 0; i < 4; i++) {
      masks[lastMasks / 4 + (rows - 1) * 4 + i] = i < rows ? -1 : 0
      masks.fill(i < rows ? -1 : 0, rowMasks / 4 + ((rows - 1) * 4 + i) * 4, rowMasks / 4 + ((rows - 1) * 4 + i + 1) * 4)
    }
  }
  return {
    /** For four places of which so many have a row; 0 where all do. */
    rowMask: (filled: number) => (filled < 4 ? rowMasks + (filled - 1) * 64 : 0),
    /** For the last four of the places before `end`, of which those from `filledEnd` on are empty. */
    lastMask: (filledEnd: number, end: number) => (end > filledEnd ? lastMasks + (4 - (end - filledEnd) - 1) * 16 : 0),
  }
}

function finishClass(engine: Engine, { inputs, output, scratch }: Work<void>, class_: number): void {
  const { layouts, blocks, clusters } = blocked(inputs)
  const layout = layouts[class_] as Layout
  const { rowAt } = layout
  const sizes = (inputs[4] as HostMatrix).data.subarray(class_ * mostClusters, (class_ + 1) * mostClusters)
  const [part, totals] = engine.place(rowAt.length * 4, clusters * rowAt.length * 8) as [number, number]
  engine.clear(totals, clusters * rowAt.length * 2)
  for (const { start, sumsAt } of blocks.filter((block) => block.class_ === class_)) {
    const places = rowAt.length - start
    for (let k = 0; k < clusters; k++) {
      engine.put(part, scratch.subarray(sumsAt + k * places, sumsAt + (k + 1) * places))
      engine.wasm.addColumns(part, 1, places, totals + (k * rowAt.length + start) * 8)
    }
  }
  silhouettesOf(layout, engine.doubles(totals, clusters * rowAt.length), sizes, output)
}

/** Silhouettes from the sums of distances to each cluster, `[clusters, places]`. */
export function silhouettesOf({ rowAt, stretches }: Layout, totals: Float64Array, sizes: ArrayLike<number>, output: Float32Array): void {
  const clusters = totals.length / rowAt.length
  for (const { cluster, start, rows } of stretches) {
    const own = sizes[cluster] as number
    for (let place = start; place < start + rows; place++) {
      let b = Number.POSITIVE_INFINITY
      for (let k = 0; k < clusters; k++) {
        const others = sizes[k] as number
        if (k !== cluster && others > 0) b = Math.min(b, (totals[k * rowAt.length + place] as number) / others)
      }
      const a = (totals[cluster * rowAt.length + place] as number) / (own - 1)
      const larger = Math.max(a, b)
      output[rowAt[place] as number] = own > 1 && Number.isFinite(b) && larger > 0 ? (b - a) / larger : 0
    }
  }
}

function blocked([, clusterOf, , starts]: readonly HostMatrix[]): Blocks {
  const { data: cluster } = clusterOf as HostMatrix
  return once(cluster, 'silhouette', () => {
    let clusters = 1
    for (let i = 0; i < cluster.length; i++) clusters = Math.max(clusters, (cluster[i] as number) + 1)
    const layouts: Layout[] = []
    const blocks: Block[] = []
    let scratch = 0
    let pairs = 0
    const offsets = (starts as HostMatrix).data
    for (let c = 0; c + 1 < offsets.length; c++) {
      const layout = layOut(cluster, offsets[c] as number, offsets[c + 1] as number, clusters)
      layouts.push(layout)
      const places = layout.rowAt.length
      const size = Math.max(fewestRows, Math.ceil(places / mostBlocks / 4) * 4)
      for (let start = 0; start < places; start += size) {
        const end = Math.min(start + size, places)
        blocks.push({ class_: c, start, end, sumsAt: scratch })
        scratch += clusters * (places - start)
        pairs += (end - start) * (places - start)
      }
    }
    return { layouts, blocks, clusters, scratch, pairs }
  })
}

/** Rows `start` … `end − 1` by cluster. */
export function layOut(cluster: ArrayLike<number>, start: number, end: number, clusters: number): Layout {
  const sizes = new Uint32Array(clusters)
  for (let row = start; row < end; row++) sizes[cluster[row] as number] = (sizes[cluster[row] as number] as number) + 1
  const stretches: Stretch[] = []
  const next = new Uint32Array(clusters)
  let places = 0
  for (const [k, rows] of sizes.entries()) {
    next[k] = places
    if (rows === 0) continue
    const from = places
    places += Math.ceil(rows / 4) * 4
    stretches.push({ cluster: k, start: from, end: places, rows })
  }
  const rowAt = new Int32Array(places).fill(-1)
  for (let row = start; row < end; row++) {
    const k = cluster[row] as number
    rowAt[next[k] as number] = row
    next[k] = (next[k] as number) + 1
  }
  return { first: start, rows: end - start, stretches, rowAt }
}
