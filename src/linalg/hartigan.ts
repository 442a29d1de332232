import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import type { Task } from '../core/lane.js'
import { Border, type BorderRoom, type State } from './exchange-border.js'

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
/** Where fewer rows than this share of all may move, they alone are looked at: to gather them takes time too. */
const fewShare = 0.25
/** Rows between two yields: about a millisecond of work. */
const rowsPerTurn = 2 ** 14

/**
 * Improves a k-means solution by moving single rows (Hartigan 1975; Telgarsky & Vattani, AISTATS 2010): a row goes to another cluster where
 * that lowers the sum of squares counting that both centres move with it. Every optimum of this is one of Lloyd's, not the other way
 * round, so it leaves Lloyd's shallow optima. Rows move in order of what their move gains, so the result does not hang on the order of the
 * rows. `centres: [clusters, dims]` is where it starts. Float64; some dozens of sweeps, of which all but the first look only at rows
 * that are so near to another cluster that they may move by now. Yields now and then.
 */
export function* exchange(partition: Partition, centres: ArrayLike<number>): Generator<void, ExchangeOptimum, void> {
  const { points, dims, clusters } = partition
  const room = roomFor(partition)
  const { rows, assigned, gains, margins } = room
  const { at, sizes, reach } = yield* assign(partition, Float64Array.from(centres), assigned)
  const border = new Border(room, { dims, clusters, reach })
  for (let sweep = 0; sweep < maxSweeps; sweep++) {
    const mayMove = border.candidates()
    const candidates = mayMove.length < fewShare * rows ? mayMove : null
    const count = candidates?.length ?? rows
    for (let first = 0; first < count; first += rowsPerTurn) {
      const end = Math.min(first + rowsPerTurn, count)
      const some = candidates?.subarray(first, end)
      const own = some ? gathered({ points, dims, assigned }, some, room) : stretch({ points, dims, assigned }, first, end)
      const found = { gains: gains.subarray(first, end), margins: margins.subarray(0, end - first) }
      ;(doubleEngine() ? gainsInWebAssembly : plainGains)({ ...own, at, dims, sizes }, found)
      border.seen(some ?? first, found.margins)
      if (end < count) yield
    }
    /** Places among those that were looked at, which are in the order of the rows. */
    const movers: number[] = []
    for (let place = 0; place < count; place++) if ((gains[place] as number) > 0) movers.push(place)
    if (movers.length === 0) break
    movers.sort((a, b) => (gains[b] as number) - (gains[a] as number) || a - b)
    const before = { at: at.slice(), sizes: sizes.slice() }
    for (const [turn, place] of movers.entries()) {
      if ((turn + 1) % rowsPerTurn === 0) yield
      const i = candidates ? (candidates[place] as number) : place
      const from = assigned[i] as number
      const { to, gain } = bestMove(points, i * dims, { from, at, dims, sizes })
      if (gain <= 0) continue
      assigned[i] = to
      const left = sizes[from] as number
      const joined = sizes[to] as number
      for (let j = 0; j < dims; j++) {
        const value = points[i * dims + j] as number
        at[from * dims + j] = (at[from * dims + j] as number) - (value - (at[from * dims + j] as number)) / (left - 1)
        at[to * dims + j] = (at[to * dims + j] as number) + (value - (at[to * dims + j] as number)) / (joined + 1)
      }
      sizes[from] = left - 1
      sizes[to] = joined + 1
    }
    border.moved(before, { at, sizes })
  }
  let inertia = 0
  for (let first = 0; first < rows; first += rowsPerTurn) {
    const own = stretch({ points, dims, assigned }, first, Math.min(first + rowsPerTurn, rows))
    inertia = addDistances({ ...own, at, dims, sizes }, inertia)
    if (first + rowsPerTurn < rows) yield
  }
  spare = rows <= mostKept ? room : null
  return { centres: at, inertia }
}

/** What an exchange works in. */
class Room implements BorderRoom {
  readonly rows: number
  readonly dims: number
  /** Each row's cluster. */
  readonly assigned: Uint8Array
  readonly gains: Float64Array
  readonly margins: Float64Array
  readonly until: Float64Array
  readonly found: Uint32Array
  /** Rows that are looked at apart, and their clusters. */
  readonly points: Float32Array
  readonly from: Uint8Array

  constructor({ points, dims }: Partition) {
    const rows = points.length / dims
    const atOnce = Math.min(rows, rowsPerTurn)
    this.rows = rows
    this.dims = dims
    this.assigned = new Uint8Array(rows)
    this.gains = new Float64Array(rows)
    this.margins = new Float64Array(atOnce)
    this.until = new Float64Array(rows)
    this.found = new Uint32Array(rows)
    this.points = new Float32Array(atOnce * dims)
    this.from = new Uint8Array(atOnce)
  }
}

/** The room of whoever was ready last, for the next, if it is not of more rows than this: to find fresh memory takes longer than to fill it. */
const mostKept = 2 ** 20
let spare: Room | null = null

function roomFor(partition: Partition): Room {
  const room = spare
  spare = null
  return room?.dims === partition.dims && room.rows === partition.points.length / partition.dims ? room : new Room(partition)
}

interface Assigned extends State {
  /** No row is further from any centre. */
  readonly reach: number
}

/** Gives every row to the nearest of the centres, which then become the means of their rows; one without rows stays. */
function* assign({ points, dims, clusters }: Partition, centres: Float64Array, assigned: Uint8Array): Generator<void, Assigned, void> {
  const rows = assigned.length
  /** `[clusters, dims + 1]` of coordinates and rows. */
  const sums = new Float64Array(clusters * (dims + 1))
  let largest = 0
  for (let first = 0; first < rows; first += rowsPerTurn) {
    const { points: own, from: to } = stretch({ points, dims, assigned }, first, Math.min(first + rowsPerTurn, rows))
    const square = (doubleEngine() ? assignInWebAssembly : plainAssign)({ points: own, dims, centres }, { to, sums })
    largest = Math.max(largest, square)
    if (first + rowsPerTurn < rows) yield
  }
  const sizes = Float64Array.from({ length: clusters }, (_, k) => sums[k * (dims + 1) + dims] as number)
  const at = centres.map((value, i) => {
    const k = Math.floor(i / dims)
    const size = sizes[k] as number
    return size > 0 ? (sums[i + k] as number) / size : value
  })
  return { at, sizes, reach: 2 * Math.sqrt(largest) } // centres are means of rows
}

interface Assigning {
  readonly points: Float32Array
  readonly dims: number
  readonly centres: Float64Array
}

interface Sums {
  readonly to: Uint8Array
  readonly sums: Float64Array
}

/** Notes the nearest centre of each row, and adds the row to its sums; gives the largest squared length of a row. */
function plainAssign({ points, dims, centres }: Assigning, { to, sums }: Sums): number {
  let largest = 0
  for (let i = 0; i < to.length; i++) {
    const k = nearest(points, i * dims, centres, dims)
    to[i] = k
    let square = 0
    let sum = k * (dims + 1)
    for (let j = i * dims; j < (i + 1) * dims; j++, sum++) {
      const value = points[j] as number
      sums[sum] = (sums[sum] as number) + value
      square += value * value
    }
    sums[sum] = (sums[sum] as number) + 1
    largest = Math.max(largest, square)
  }
  return largest
}

/** By src/wasm/exchange.ts. */
function assignInWebAssembly({ points, dims, centres }: Assigning, { to, sums }: Sums): number {
  const engine = doubleEngine() as DoubleEngine
  const [own, from, into, bytes] = engine.enter(points, centres, sums, to.length) as [number, number, number, number]
  const largest = engine.loops.assignPoints(own, to.length, dims, from, centres.length / dims, bytes, into)
  to.set(engine.bytes(bytes, to.length))
  sums.set(engine.view(into, sums.length))
  return largest
}

/** `sum` and the squared distance of each row to its centre. */
function addDistances({ points, from, at, dims }: Block, sum: number): number {
  const engine = doubleEngine()
  if (engine) {
    const [own, centres, clusters] = engine.enter(points, at, from) as [number, number, number]
    return engine.loops.addDistances(own, from.length, dims, centres, clusters, sum)
  }
  let total = sum
  for (let i = 0; i < from.length; i++) total += squaredDistance(points, i * dims, at, (from[i] as number) * dims, dims)
  return total
}

/** Solutions to be improved by it, of one class. */
interface ClassStarts {
  readonly partition: Partition
  /** `[clusters, dims]` each. */
  readonly starts: readonly ArrayLike<number>[]
}

/** The same from several starts for several classes, as a task. */
export const exchangeTask: Task<readonly ClassStarts[], ExchangeOptimum[][]> = {
  name: 'exchange',
  *run(classes) {
    const found: ExchangeOptimum[][] = []
    let rows = 0
    for (const { partition, starts } of classes) {
      const own: ExchangeOptimum[] = []
      for (const start of starts) {
        own.push(yield* exchange(partition, start))
        rows += partition.points.length / partition.dims
        if (rows < rowsPerTurn) continue
        rows = 0
        yield
      }
      found.push(own)
    }
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

interface AssignedPoints {
  readonly points: Float32Array
  readonly dims: number
  readonly assigned: Uint8Array
}

/** Rows `first` … `end − 1` and their clusters: views. */
function stretch({ points, dims, assigned }: AssignedPoints, first: number, end: number): Pick<Block, 'points' | 'from'> {
  return { points: points.subarray(first * dims, end * dims), from: assigned.subarray(first, end) }
}

/** Those rows and their clusters, one after the other, in `room`. */
function gathered(
  { points, dims, assigned }: AssignedPoints,
  rows: Uint32Array,
  room: Pick<Block, 'points' | 'from'>,
): Pick<Block, 'points' | 'from'> {
  const some = room.points.subarray(0, rows.length * dims)
  const from = room.from.subarray(0, rows.length)
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number
    from[i] = assigned[row] as number
    for (let j = 0; j < dims; j++) some[i * dims + j] = points[row * dims + j] as number
  }
  return { points: some, from }
}

interface Found {
  readonly gains: Float64Array
  readonly margins: Float64Array
}

/** What each row's best move takes off the sum of squares, and how far it is from moving. */
function plainGains({ points, from, at, dims, sizes }: Block, { gains, margins }: Found): void {
  for (let i = 0; i < gains.length; i++) {
    const own = from[i] as number
    gains[i] = bestMove(points, i * dims, { from: own, at, dims, sizes }).gain
    margins[i] = margin(points, i * dims, { from: own, at, dims, sizes })
  }
}

function margin(points: Float32Array, point: number, { from, at, dims, sizes }: Move): number {
  const size = sizes[from] as number
  if (size <= 1) return -1
  let nearest = Number.MAX_VALUE
  for (let k = 0; k < sizes.length; k++) {
    const other = sizes[k] as number
    if (k !== from) nearest = Math.min(nearest, (other / (other + 1)) * squaredDistance(points, point, at, k * dims, dims))
  }
  return Math.sqrt(nearest) - Math.sqrt((size / (size - 1)) * squaredDistance(points, point, at, from * dims, dims))
}

/** By src/wasm/exchange.ts. */
function gainsInWebAssembly({ points, from, at, dims, sizes }: Block, { gains, margins }: Found): void {
  const engine = doubleEngine() as DoubleEngine
  const [own, centres, rows, clusters, to, apart] = engine.enter(points, at, sizes, from, gains.byteLength, gains.byteLength) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  engine.loops.exchangeGains(own, gains.length, dims, centres, sizes.length, rows, clusters, to, apart)
  gains.set(engine.view(to, gains.length))
  margins.set(engine.view(apart, gains.length))
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
