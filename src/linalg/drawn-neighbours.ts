import type { Context, HostMatrix } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { inTurns } from '../core/turns.js'
import { nearestAmong, nearestRowsKernel, widened } from './nearest-rows.js'

/** Rows whose neighbours among all rows are wanted. */
export interface DrawnRows {
  /** `[count, cols]` */
  readonly data: Float32Array
  readonly cols: number
  /** Which row of the whole set each one is. */
  readonly rowOf: Uint32Array
}

/** Finds the k nearest of all rows to a few drawn ones, as the rows come by: count · n · cols multiply-adds, and k numbers a drawn row kept. */
export class DrawnNeighbours {
  readonly #context: Context
  readonly #drawn: DrawnRows
  readonly #k: number
  /** `[count]` */
  readonly #squares: Float64Array
  /** `[count, k]`, nearest first. */
  readonly #distances: Float64Array
  readonly #rows: Uint32Array
  readonly #found: Uint32Array

  constructor(context: Context, drawn: DrawnRows, k: number) {
    const { data, cols, rowOf } = drawn
    this.#context = context
    this.#drawn = drawn
    this.#k = k
    this.#squares = Float64Array.from(rowOf, (_, i) =>
      data.subarray(i * cols, (i + 1) * cols).reduce((sum, value) => sum + value * value, 0),
    )
    this.#distances = new Float64Array(rowOf.length * k)
    this.#rows = new Uint32Array(rowOf.length * k)
    this.#found = new Uint32Array(rowOf.length)
  }

  /** Rows `firstRow` … of the set, `[n, cols]`, in the order of the set. Of two that are as near the one that comes first is the nearer. */
  async offer(data: Float32Array, firstRow: number): Promise<void> {
    const { cols, rowOf, data: drawn } = this.#drawn
    const { backend, signal } = this.#context
    const count = data.length / cols
    const k = this.#k
    // A drawn row meets itself.
    const own = rowOf.map((row) => (row >= firstRow && row < firstRow + count ? row - firstRow : count))
    const ownColumn: HostMatrix = { data: own, rows: own.length, cols: 1, type: 'u32' }
    const [x, references] = [widened(drawn, cols), widened(data, cols)]
    const keep = (i: number, at: number) => this.#keep(i, firstRow + at, squaredDistance(drawn, i * cols, data, at * cols, cols))
    if (!backend.runsForms) {
      const visit = (i: number, neighbours: Uint32Array) => {
        for (const at of neighbours) keep(i, at)
      }
      return await inTurns(nearestAmong(x, ownColumn, references, { k, visit }), signal)
    }
    const limits = Float32Array.from(own, (_, i) => this.#limit(i))
    const inputs = [x, ownColumn, { data: limits, rows: own.length, cols: 1, type: 'f32' } as const, references]
    const uploaded = inputs.map((input) => backend.upload(input))
    using found = backend.run(nearestRowsKernel, uploaded, { k })
    for (const input of uploaded) input[dispose]()
    const numbers = await backend.read(found)
    for (let i = 0; i < own.length; i++) {
      for (let at = i * k; at < (i + 1) * k && (numbers[at] as number) >= 0; at++) keep(i, numbers[at] as number)
    }
  }

  /** The rows nearest to the i-th drawn one. */
  nearest(i: number): Uint32Array {
    return this.#rows.subarray(i * this.#k, i * this.#k + (this.#found[i] as number))
  }

  /** Beyond it, half the squared distance less half the row's own square, a row is no nearer than those that were kept, whatever float32 makes of it. */
  #limit(i: number): number {
    const k = this.#k
    if (this.#found[i] !== k) return Number.POSITIVE_INFINITY
    const square = this.#squares[i] as number
    const furthest = this.#distances[(i + 1) * k - 1] as number
    const [length, other] = [Math.sqrt(square), Math.sqrt(square) + Math.sqrt(furthest)]
    return (furthest - square) / 2 + 2 ** -22 * (this.#drawn.cols / 4 + 8) * other * (length + other)
  }

  /** Keeps the row where it is one of the k nearest so far. */
  #keep(i: number, row: number, distance: number): void {
    const from = i * this.#k
    const found = this.#found[i] as number
    let at = from + found
    if (found === this.#k) {
      if (distance >= (this.#distances[--at] as number)) return
    } else this.#found[i] = found + 1
    for (; at > from && (this.#distances[at - 1] as number) > distance; at--) {
      this.#distances[at] = this.#distances[at - 1] as number
      this.#rows[at] = this.#rows[at - 1] as number
    }
    this.#distances[at] = distance
    this.#rows[at] = row
  }
}

function squaredDistance(a: Float32Array, from: number, b: Float32Array, at: number, cols: number): number {
  let sum = 0
  for (let j = 0; j < cols; j++) sum += ((a[from + j] as number) - (b[at + j] as number)) ** 2
  return sum
}
