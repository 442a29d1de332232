import type { HostMatrix } from '../core/backend.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

interface LloydParams {
  readonly classes: number
  readonly restarts: number
  readonly clusters: number
  readonly steps: number
}

/** Rows whose sums are float32. */
const rowsPerBlock = 240
/** Restarts that are dealt with together. */
const lanes = 12

/**
 * Lloyd steps, a class and twelve restarts a piece, a lane each: until no centre of theirs moves, or `steps` of them. Float64 sums of blocks. A row is
 * nearer to one of two centres as its product with the way between them says; squared distances are added up as Σ|x|² − 2·c·Σx + n·|c|².
 */
export const kmeansLloydForm: Form<LloydParams> = {
  cut(inputs, { classes, restarts, clusters, steps }) {
    const { rows, cols } = inputs[0] as HostMatrix
    return { phases: [classes * groupsOf(restarts)], scratch: 0, operations: rows * restarts * clusters * cols * steps }
  },
  run(engine, work, _phase, piece) {
    const groups = groupsOf(work.params.restarts)
    runGroup(engine, work, Math.floor(piece / groups), piece % groups)
  },
}

const groupsOf = (restarts: number) => Math.ceil(restarts / lanes)

function runGroup(engine: Engine, { inputs, params, output }: Work<LloydParams>, c: number, group: number): void {
  const [points, , , centres] = inputs as [HostMatrix, HostMatrix, HostMatrix, HostMatrix]
  const { cols: dims } = points
  const { restarts, clusters, steps } = params
  const { start, end } = rowsOf(inputs, c)
  const stride = dims + 2
  const rows = Math.ceil((end - start) / 3) * 3
  const width = Math.ceil(stride / 3) * 3
  const size = (clusters - 1) * width * lanes
  const [stage, across, most, nearest, sums, given, whole] = engine.place(
    rows * width * 4,
    size * 4,
    rowsPerBlock * lanes * 4,
    rowsPerBlock * lanes * 4,
    size * 8,
    rowsPerBlock * dims * 4,
    width * 8,
  ) as [number, number, number, number, number, number, number]
  engine.clear(whole, width * 2)
  for (let row = start; row < end; row += rowsPerBlock) {
    const count = Math.min(rowsPerBlock, end - row)
    engine.put(given, points.data.subarray(row * dims, (row + count) * dims))
    engine.wasm.lengthen(given, count, dims, stage + (row - start) * width * 4, width, whole)
  }
  engine.clear(stage + (end - start) * width * 4, (rows - (end - start)) * width)
  const wholeSums = engine.doubles(whole, width)
  const own = Math.min(lanes, restarts - group * lanes)
  const first = placeOf(params, stride, c, group * lanes)
  /** Of every restart: its centres, rows and squared distances, as the kernel gives them. */
  const now = centres.data.slice(first, first + own * clusters * stride) as Float32Array
  /** Of one restart: sums of one cluster, and what the others leave of the whole to the first. */
  const [ofCluster, left] = [new Float64Array(width), new Float64Array(width)]
  for (let step = 0, moved = true; moved && step < steps; step++) {
    const directions = engine.view(across, size)
    layDirections(directions, now, { dims, width, clusters })
    const totals = engine.doubles(sums, size)
    totals.fill(0)
    for (let row = 0; row < rows; row += rowsPerBlock) {
      const at = stage + row * width * 4
      engine.wasm.assignRows(at, Math.min(rowsPerBlock, rows - row), width, across, clusters, most, nearest, sums)
    }
    moved = false
    for (let lane = 0; lane < own; lane++) {
      const at = lane * clusters * stride
      left.set(wholeSums)
      for (let k = 1; k < clusters; k++) {
        for (let j = 0, from = (k - 1) * width * lanes + lane; j < width; j++, from += lanes) {
          const total = totals[from] as number
          ofCluster[j] = total
          left[j] = (left[j] as number) - total
        }
        if (moveCentre(now, at + k * stride, ofCluster, dims)) moved = true
      }
      if (moveCentre(now, at, left, dims)) moved = true
    }
  }
  output.set(now, first)
}

const placeOf = ({ restarts, clusters }: LloydParams, stride: number, c: number, restart: number) =>
  (c * restarts + restart) * clusters * stride

/** Lanes without a restart keep zeros; nobody reads what becomes of them. */
function layDirections(
  directions: Float32Array,
  centres: Float32Array,
  { dims, width, clusters }: { dims: number; width: number; clusters: number },
): void {
  const stride = dims + 2
  directions.fill(0)
  for (let lane = 0; lane * clusters * stride < centres.length; lane++) {
    const origin = lane * clusters * stride
    for (let k = 1; k < clusters; k++) {
      let larger = 0
      for (let j = 0; j < dims; j++) {
        const [before, there] = [centres[origin + j] as number, centres[origin + k * stride + j] as number]
        directions[((k - 1) * width + j) * lanes + lane] = there - before
        larger += (before - there) * (before + there)
      }
      directions[(k * width - 1) * lanes + lane] = larger / 2
    }
  }
}

/** Moves the centre at that place to the mean of its rows, of which the sums of columns are given, and notes their number and squared distances to where it was. */
function moveCentre(centres: Float32Array, at: number, sums: Float64Array, dims: number): boolean {
  const rows = sums[sums.length - 1] as number
  let inertia = sums[dims] as number
  let moved = false
  for (let j = 0; j < dims; j++) {
    const [before, sum] = [centres[at + j] as number, sums[j] as number]
    inertia += before * (rows * before - 2 * sum)
    if (rows > 0) centres[at + j] = sum / rows
    if (centres[at + j] !== before) moved = true
  }
  centres[at + dims] = rows
  centres[at + dims + 1] = Math.max(0, inertia)
  return moved
}

/** The rows of a class, which its tiles cover. */
function rowsOf([, tiles, firstTile]: readonly HostMatrix[], c: number): { start: number; end: number } {
  const { data } = tiles as HostMatrix
  const [first, last] = [(firstTile as HostMatrix).data[c] as number, ((firstTile as HostMatrix).data[c + 1] as number) - 1]
  if (last < first) return { start: 0, end: 0 }
  return { start: data[first * 4 + 1] as number, end: (data[last * 4 + 1] as number) + (data[last * 4 + 2] as number) }
}
