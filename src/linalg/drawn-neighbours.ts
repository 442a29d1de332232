import type { Context } from '../core/backend.js'
import { nearestFinder } from './nearest-finder.js'

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
  /** `[count, k]`, nearest first. */
  readonly #distances: Float64Array
  readonly #rows: Uint32Array
  readonly #found: Uint32Array

  constructor(context: Context, drawn: DrawnRows, k: number) {
    this.#context = context
    this.#drawn = drawn
    this.#k = k
    this.#distances = new Float64Array(drawn.rowOf.length * k)
    this.#rows = new Uint32Array(drawn.rowOf.length * k)
    this.#found = new Uint32Array(drawn.rowOf.length)
  }

  /** Rows `firstRow` … of the set, `[n, cols]`, in the order of the set. Of two that are as near the one that comes first is the nearer. */
  async offer(data: Float32Array, firstRow: number): Promise<void> {
    const { cols, rowOf, data: drawn } = this.#drawn
    const count = data.length / cols
    const references = { data, cols, count, rowOf: new Uint32Array(count).fill(2 ** 32 - 1) }
    // One more than k, since a drawn row meets itself.
    using finder = nearestFinder(this.#context, references, this.#k + 1)
    await finder.find({ data: drawn, firstRow: 0 }, (i, neighbours) => {
      for (const at of neighbours) {
        const row = firstRow + at
        if (row !== rowOf[i] && !this.#keep(i, row, squaredDistance(drawn, i * cols, data, at * cols, cols))) break
      }
    })
  }

  /** The rows nearest to the i-th drawn one. */
  nearest(i: number): Uint32Array {
    return this.#rows.subarray(i * this.#k, i * this.#k + (this.#found[i] as number))
  }

  /** Whether the row is one of the k nearest so far. */
  #keep(i: number, row: number, distance: number): boolean {
    const from = i * this.#k
    const found = this.#found[i] as number
    let at = from + found
    if (found === this.#k) {
      if (distance >= (this.#distances[--at] as number)) return false
    } else this.#found[i] = found + 1
    for (; at > from && (this.#distances[at - 1] as number) > distance; at--) {
      this.#distances[at] = this.#distances[at - 1] as number
      this.#rows[at] = this.#rows[at - 1] as number
    }
    this.#distances[at] = distance
    this.#rows[at] = row
    return true
  }
}

function squaredDistance(a: Float32Array, from: number, b: Float32Array, at: number, cols: number): number {
  let sum = 0
  for (let j = 0; j < cols; j++) sum += ((a[from + j] as number) - (b[at + j] as number)) ** 2
  return sum
}
