import { largestClass } from '../core/class-order.js'
import type { ClassRange } from '../core/classed-rows.js'
import type { DeviceSet } from '../core/device-set.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'
import { sharedDoubles } from '../core/shared-floats.js'
import { runTasks } from '../core/tasks.js'
import { inTurns } from '../core/turns.js'
import { classMeans } from '../kernels/class-means.js'
import { momentsTask, type Rows } from './moments.js'
import { placesAlong } from './projections.js'

/** Multiply-adds of the host's second moments, n·d², that are worth results without a backend's rounding: some seconds. */
const mostOperations = 1.6e10

/**
 * A set's rows on the host, less the set's shift, for second moments and projections in float64. They are the same whatever
 * the backend and however the rows came, which a search that chooses between nearly equal candidates needs: seven digits of a
 * covariance can decide between two.
 */
export class HostMoments {
  readonly #set: DeviceSet
  /** `[n, cols]`, as they come. */
  readonly #rows: Float32Array
  readonly #means = new Map<number, Float64Array>()
  /** Room for the rows of the largest class: to find fresh memory takes longer than to fill it. */
  readonly #free: Float64Array[] = []

  private constructor(set: DeviceSet, rows: Float32Array) {
    this.#set = set
    this.#rows = rows
  }

  /** At most one pass, at the first call; null where the rows are not held in memory, or n·d² is more than 1.6e10. */
  static of(set: DeviceSet): Promise<HostMoments | null> {
    return set.keep('host moments', async () => {
      const { rows, cols } = set.set.activations
      if (set.isReadAgain || rows * cols * cols > mostOperations) return null
      const { inMemory } = set.set.activations
      if (inMemory) return new HostMoments(set, inMemory.data)
      const data = new Float32Array(rows * cols)
      const reading = { rowsPerBlock: rowsPerRead(cols), signal: set.context.signal }
      for await (const read of readRows(set.set.activations, reading)) data.set(read.data, read.start * cols)
      return new HostMoments(set, data)
    })
  }

  /** Mean of class c less the shift, `[paddedCols]`. */
  meanOf(c: number): Float64Array {
    const known = this.#means.get(c)
    if (known) return known
    const { data, cols, room } = this.#rowsOf(c)
    const mean = new Float64Array(this.#set.paddedCols)
    for (let at = 0; at < data.length; ) for (let j = 0; j < cols; j++, at++) mean[j] = (mean[j] as number) + (data[at] as number)
    for (let j = 0; j < cols; j++) mean[j] = (mean[j] as number) / (data.length / cols)
    this.#free.push(room)
    this.#means.set(c, mean)
    return mean
  }

  /** Centred XᵀX of a range of classes, `[classes of the range · paddedCols, paddedCols]`: on all threads, a class at a time. */
  async scatters({ first, end }: ClassRange): Promise<Float64Array> {
    const { context, paddedCols } = this.#set
    const all = new Float64Array((end - first) * paddedCols * paddedCols)
    const rooms = new Map<number, Float64Array>()
    const found = await runTasks(context, momentsTask, {
      count: end - first,
      input: async (i) => {
        const { data, cols, room } = this.#rowsOf(first + i)
        rooms.set(i, room)
        return { data, cols }
      },
      progress: (_done, i) => this.#free.push(rooms.get(i) as Float64Array),
    })
    for (const [i, { mean, scatter }] of found.entries()) {
      const padded = new Float64Array(paddedCols)
      padded.set(mean)
      this.#means.set(first + i, padded)
      const cols = mean.length
      for (let j = 0; j < cols; j++) all.set(scatter.subarray(j * cols, (j + 1) * cols), (i * paddedCols + j) * paddedCols)
    }
    return all
  }

  /** Rows of class c, or those at `positions` of class order, about its mean along `directions: [width, paddedCols]`: `[rows, width]`. */
  async coordinates(c: number, directions: Float32Array, positions?: Uint32Array): Promise<Float64Array> {
    const { context, paddedCols: stride } = this.#set
    const along = { mean: this.meanOf(c), directions: Float64Array.from(directions), stride }
    const { data, cols, room } = this.#rowsOf(c, positions)
    const coordinates = await inTurns(placesAlong({ data, cols }, along), context.signal)
    this.#free.push(room)
    return coordinates
  }

  /** The rows in memory that others may see too; whoever asked hands the room back when done with them. */
  #rowsOf(c: number, positions?: Uint32Array): Rows & { readonly room: Float64Array } {
    const { starts, order, activations } = this.#set.set
    const { cols } = activations
    const { shift } = this.#set
    const [first, end] = [starts[c] as number, starts[c + 1] as number]
    const rows = positions?.length ?? end - first
    const room = this.#free.pop() ?? sharedDoubles(largestClass(this.#set.set) * cols)
    const data = room.subarray(0, rows * cols)
    for (let i = 0, at = 0; i < rows; i++) {
      const from = (order[positions?.[i] ?? first + i] as number) * cols
      for (let j = 0; j < cols; j++, at++) data[at] = (this.#rows[from + j] as number) - (shift[j] as number)
    }
    return { data, cols, room }
  }
}

/** Every class's mean less the set's shift, `[paddedCols]`: in float64 where the host has the rows. */
export async function meansOfClasses(set: DeviceSet): Promise<(c: number) => ArrayLike<number>> {
  const host = await HostMoments.of(set)
  if (host) return (c) => host.meanOf(c)
  const means = await classMeans(set)
  return (c) => means.subarray(c * set.paddedCols, (c + 1) * set.paddedCols)
}
