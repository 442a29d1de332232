import { pickBlocks } from '../core/device-block.js'
import type { DeviceSet } from '../core/device-set.js'
import { runClassMeans } from '../kernels/class-means.js'
import { addPart } from '../kernels/class-parts.js'
import type { ProjectedBatch } from '../kernels/project.js'

/** Whether a row is in its class's part, by its position in class order and by the first of its coordinates. */
export type IsInPart = (position: number, first: number) => boolean

/** Adds up the rows of one part of each class, in a pass that places the rows for something else. */
export class PartSums {
  readonly #set: DeviceSet
  readonly #parts: ReadonlyMap<number, IsInPart>
  readonly #sums: ReadonlyMap<number, Float64Array>
  #seen = 0

  constructor(set: DeviceSet, parts: ReadonlyMap<number, IsInPart>) {
    this.#set = set
    this.#parts = parts
    this.#sums = new Map([...parts.keys()].map((c) => [c, new Float64Array(set.paddedCols)]))
  }

  /** By class, `[paddedCols]` less the set's shift; null where not all rows have come by. */
  get ofAll(): ReadonlyMap<number, Float64Array> | null {
    return this.#seen === this.#set.rows ? this.#sums : null
  }

  /** Adds the rows of the batch's classes that are in their parts. */
  async add({ batch, values }: ProjectedBatch): Promise<void> {
    const { context, set } = this.#set
    const { rows, positions, batch: range } = batch
    const width = values.length / rows.x.rows
    /** In class order of all rows, where `starts` has those of each class. */
    const chosen: number[] = []
    const starts = new Uint32Array(set.classes.length + 1)
    for (let c = 0; c < set.classes.length; c++) {
      if (c >= range.first && c < range.end) {
        const [start, end] = [rows.starts[c] as number, rows.starts[c + 1] as number]
        const isIn = this.#parts.get(c)
        this.#seen += end - start
        for (let i = start; isIn && i < end; i++) {
          const position = (positions[c] as number) + i - start
          if (isIn(position, values[i * width] as number)) chosen.push(position)
        }
      }
      starts[c + 1] = chosen.length
    }
    for (const block of pickBlocks(context, [batch], { starts, positions: Uint32Array.from(chosen) })) {
      using picked = block.rows
      using means = runClassMeans({ rows: picked, batch: picked.present })
      const found = await context.backend.read(means)
      const cols = means.cols
      for (let c = picked.present.first; c < picked.present.end; c++) {
        const sum = this.#sums.get(c)
        const count = (picked.starts[c + 1] as number) - (picked.starts[c] as number)
        const at = (c - picked.present.first) * cols
        if (sum && count > 0)
          addPart(
            sum,
            found.subarray(at, at + cols).map((mean) => mean * count),
            0,
          )
      }
    }
  }
}
