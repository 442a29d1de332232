import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import type { Task } from '../core/lane.js'

/** Rows of one class with `dims` coordinates each, and the cluster of every row. */
export interface Partition {
  readonly points: Float32Array
  readonly dims: number
  readonly clusters: number
}

export interface ExchangeOptimum {
  /** `[clusters, dims]` */
  readonly centres: Float64Array
  readonly inertia: number
}

const maxSweeps = 100
/** Rows between two yields: about a millisecond of work. */
const rowsPerTurn = 2 ** 14

/**
 * Improves a k-means solution by moving single rows (Hartigan 1975; Telgarsky & Vattani, AISTATS 2010): a row goes to another cluster where
 * that lowers the sum of squares counting that both centres move with it. Every optimum of this is one of Lloyd's, not the other way
 * round, so it leaves Lloyd's shallow optima. Rows move in order of what their move gains, so the result does not hang on the order of the
 * rows. `centres: [clusters, dims]` is where it starts. Float64; a handful of sweeps of n · clusters · dims operations. Yields now and then.
 */
export function* exchange({ points, dims, clusters }: Partition, centres: ArrayLike<number>): Generator<void, ExchangeOptimum, void> {
  const rows = points.length / dims
  const at = Float64Array.from(centres)
  const assigned = new Uint8Array(rows)
  for (let i = 0; i < rows; i++) assigned[i] = nearest(points, i * dims, at, dims)
  const sizes = new Float64Array(clusters)
  at.fill(0)
  for (let i = 0; i < rows; i++) {
    const k = assigned[i] as number
    sizes[k] = (sizes[k] as number) + 1
    for (let j = 0; j < dims; j++) at[k * dims + j] = (at[k * dims + j] as number) + (points[i * dims + j] as number)
  }
  for (let k = 0; k < clusters; k++) {
    const size = sizes[k] as number
    for (let j = 0; j < dims; j++) at[k * dims + j] = size > 0 ? (at[k * dims + j] as number) / size : (centres[k * dims + j] as number)
  }
  doubleEngine()?.keep(points)
  const gains = new Float64Array(rows)
  for (let sweep = 0; sweep < maxSweeps; sweep++) {
    const movers: number[] = []
    for (let first = 0; first < rows; first += rowsPerTurn) {
      const end = Math.min(first + rowsPerTurn, rows)
      const block = { points: points.subarray(first * dims, end * dims), from: assigned.subarray(first, end), at, dims, sizes }
      ;(doubleEngine() ? gainsInWebAssembly : plainGains)(block, gains.subarray(first, end))
      if (end < rows) yield
    }
    for (let i = 0; i < rows; i++) if ((gains[i] as number) > 0) movers.push(i)
    if (movers.length === 0) break
    movers.sort((a, b) => (gains[b] as number) - (gains[a] as number) || a - b)
    for (const [turn, i] of movers.entries()) {
      if ((turn + 1) % rowsPerTurn === 0) yield
      const from = assigned[i] as number
      const { to, gain } = bestMove(points, i * dims, { from, at, dims, sizes })
      if (gain <= 0) continue
      assigned[i] = to
      const before = sizes[from] as number
      const after = sizes[to] as number
      for (let j = 0; j < dims; j++) {
        const value = points[i * dims + j] as number
        at[from * dims + j] = (at[from * dims + j] as number) - (value - (at[from * dims + j] as number)) / (before - 1)
        at[to * dims + j] = (at[to * dims + j] as number) + (value - (at[to * dims + j] as number)) / (after + 1)
      }
      sizes[from] = before - 1
      sizes[to] = after + 1
    }
  }
  let inertia = 0
  for (let i = 0; i < rows; i++) inertia += squaredDistance(points, i * dims, at, (assigned[i] as number) * dims, dims)
  return { centres: at, inertia }
}

/** The same from several starts, as a task. */
export const exchangeTask: Task<{ readonly partition: Partition; readonly starts: readonly ArrayLike<number>[] }, ExchangeOptimum[]> = {
  name: 'exchange',
  *run({ partition, starts }) {
    const found: ExchangeOptimum[] = []
    for (const start of starts) found.push(yield* exchange(partition, start))
    return found
  },
}

interface Block {
  readonly points: Float32Array
  /** Each row's cluster. */
  readonly from: Uint8Array
  readonly at: Float64Array
  readonly dims: number
  readonly sizes: Float64Array
}

/** What each row's best move takes off the sum of squares. */
function plainGains({ points, from, at, dims, sizes }: Block, gains: Float64Array): void {
  for (let i = 0; i < gains.length; i++) gains[i] = bestMove(points, i * dims, { from: from[i] as number, at, dims, sizes }).gain
}

/** By src/wasm/exchange.ts. */
function gainsInWebAssembly({ points, from, at, dims, sizes }: Block, gains: Float64Array): void {
  const engine = doubleEngine() as DoubleEngine
  const [own, centres, rows, clusters, to] = engine.enter(points, at, sizes, from, gains.byteLength) as [
    number,
    number,
    number,
    number,
    number,
  ]
  engine.loops.exchangeGains(own, gains.length, dims, centres, sizes.length, rows, clusters, to)
  gains.set(engine.view(to, gains.length))
}

interface Move {
  readonly from: number
  readonly at: Float64Array
  readonly dims: number
  readonly sizes: Float64Array
}

/** The cluster that a row is best in, all centres moving as it moves, and what the move takes off the sum of squares (0: stay). */
function bestMove(points: Float32Array, point: number, { from, at, dims, sizes }: Move): { to: number; gain: number } {
  const size = sizes[from] as number
  if (size <= 1) return { to: from, gain: 0 }
  const cost = (size / (size - 1)) * squaredDistance(points, point, at, from * dims, dims)
  // A gain below 1e-12 of the cost is rounding: moving for it could go round in circles.
  let best = { to: from, gain: cost * 1e-12 }
  for (let k = 0; k < sizes.length; k++) {
    if (k === from) continue
    const other = sizes[k] as number
    const gain = cost - (other / (other + 1)) * squaredDistance(points, point, at, k * dims, dims)
    if (gain > best.gain) best = { to: k, gain }
  }
  return best.to === from ? { to: from, gain: 0 } : best
}

function nearest(points: Float32Array, point: number, centres: Float64Array, dims: number): number {
  let best = 0
  let bestDistance = Number.POSITIVE_INFINITY
  for (let k = 0; k * dims < centres.length; k++) {
    const distance = squaredDistance(points, point, centres, k * dims, dims)
    if (distance < bestDistance) {
      best = k
      bestDistance = distance
    }
  }
  return best
}

/** In four partial sums, as `innerProduct` has them. */
function squaredDistance(points: Float32Array, point: number, centres: Float64Array, centre: number, dims: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let j = 0
  for (; j + 3 < dims; j += 4) {
    const a = (points[point + j] as number) - (centres[centre + j] as number)
    const b = (points[point + j + 1] as number) - (centres[centre + j + 1] as number)
    const c = (points[point + j + 2] as number) - (centres[centre + j + 2] as number)
    const d = (points[point + j + 3] as number) - (centres[centre + j + 3] as number)
    s0 += a * a
    s1 += b * b
    s2 += c * c
    s3 += d * d
  }
  for (; j < dims; j++) {
    const apart = (points[point + j] as number) - (centres[centre + j] as number)
    s0 += apart * apart
  }
  return s0 + s1 + (s2 + s3)
}
