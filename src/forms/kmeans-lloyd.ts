import type { HostMatrix } from '../core/backend.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

interface LloydParams {
  readonly classes: number
  readonly restarts: number
  readonly clusters: number
  readonly steps: number
}

/** Rows whose coordinates are summed in float32. */
const rowsPerBlock = 256
/** Restarts that are dealt with together. */
const lanes = 4

/**
 * Lloyd steps, a class and four restarts a piece, a lane each: until no centre of theirs moves, or `steps` of them. Float64 sums of blocks.
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
  const { data, cols: dims } = points
  const { restarts, clusters, steps } = params
  const { start, end } = rowsOf(inputs, c)
  const stride = dims + 2
  const [stage, across, masks, sums] = engine.place(
    (end - start) * dims * 4,
    clusters * dims * lanes * 4,
    rowsPerBlock * lanes * 4,
    clusters * stride * lanes * 4,
  ) as [number, number, number, number]
  engine.put(stage, data.subarray(start * dims, end * dims))
  // Lanes without a restart take the last one's centres; nobody reads what becomes of them.
  const old = new Float32Array(clusters * stride * lanes)
  const fresh = new Float32Array(old.length)
  for (let lane = 0; lane < lanes; lane++) {
    const from = placeOf(params, stride, c, Math.min(group * lanes + lane, restarts - 1))
    for (let at = 0; at < clusters * stride; at++) old[at * lanes + lane] = centres.data[from + at] as number
  }
  const totals = new Float64Array(old.length)
  for (let step = 0, moved = true; moved && step < steps; step++) {
    const laid = engine.view(across, clusters * dims * lanes)
    for (let k = 0; k < clusters; k++) {
      laid.set(old.subarray(k * stride * lanes, (k * stride + dims) * lanes), k * dims * lanes)
    }
    totals.fill(0)
    for (let row = 0; row < end - start; row += rowsPerBlock) {
      const rows = Math.min(rowsPerBlock, end - start - row)
      engine.wasm.assignRows(stage + row * dims * 4, rows, dims, across, clusters, masks, sums)
      const block = engine.view(sums, totals.length)
      for (let at = 0; at < totals.length; at++) totals[at] = (totals[at] as number) + (block[at] as number)
    }
    moved = false
    for (let at = 0; at < totals.length; at++) {
      const lane = at % lanes
      const j = Math.floor(at / lanes) % stride
      const rows = totals[at + (dims - j) * lanes] as number
      const total = totals[at] as number
      fresh[at] = j >= dims ? total : rows > 0 ? total / rows : (old[at] as number)
      if (j < dims && fresh[at] !== old[at] && group * lanes + lane < restarts) moved = true
    }
    old.set(fresh)
  }
  for (let lane = 0; lane < lanes && group * lanes + lane < restarts; lane++) {
    const to = placeOf(params, stride, c, group * lanes + lane)
    for (let at = 0; at < clusters * stride; at++) output[to + at] = old[at * lanes + lane] as number
  }
}

const placeOf = ({ restarts, clusters }: LloydParams, stride: number, c: number, restart: number) =>
  (c * restarts + restart) * clusters * stride

/** The rows of a class, which its tiles cover. */
function rowsOf([, tiles, firstTile]: readonly HostMatrix[], c: number): { start: number; end: number } {
  const { data } = tiles as HostMatrix
  const [first, last] = [(firstTile as HostMatrix).data[c] as number, ((firstTile as HostMatrix).data[c + 1] as number) - 1]
  if (last < first) return { start: 0, end: 0 }
  return { start: data[first * 4 + 1] as number, end: (data[last * 4 + 1] as number) + (data[last * 4 + 2] as number) }
}
