import type { ActivationSet } from './activation-set.js'
import { nowhere } from './place-rows.js'

/** Which rows of a set a block has, class by class. */
export interface BlockLayout {
  readonly rows: number
  /** classes + 1 row offsets. */
  readonly starts: Uint32Array
  /** Where in class order of the whole set the first row of each class stands. */
  readonly positions: Uint32Array
}

/** Rows of the largest class. */
export const largestClass = ({ classes }: Pick<ActivationSet, 'classes'>) => classes.reduce((most, { rows }) => Math.max(most, rows), 0)

/** The whole set in class order, cut into blocks of at most `rowsPerBlock` rows, between two classes where that can be. */
export function blocksInClassOrder({ starts, activations: { rows } }: ActivationSet, rowsPerBlock: number): BlockLayout[] {
  const blocks: BlockLayout[] = []
  for (let start = 0, end: number; start < rows; start = end) {
    const full = Math.min(start + rowsPerBlock, rows)
    // A class is cut only where a block has no room for it.
    end = starts.findLast((at) => at <= full) ?? 0
    if (end <= start) end = full
    blocks.push({
      rows: end - start,
      starts: starts.map((at) => Math.min(Math.max(at, start), end) - start),
      positions: starts.subarray(0, -1).map((at) => Math.max(at, start)),
    })
  }
  return blocks
}

/**
 * Rows `start` … `end − 1` of the set, in class order among themselves. `positions: [classes]` is where the first of each class stands in class order of the
 * set, and is moved on to those that come after `end`.
 */
export function stretchInClassOrder(
  { classOf }: ActivationSet,
  { start, end }: { readonly start: number; readonly end: number },
  positions: Uint32Array,
): BlockLayout {
  const starts = new Uint32Array(positions.length + 1)
  for (let row = start; row < end; row++) {
    const c = classOf[row] as number
    starts[c + 1] = (starts[c + 1] as number) + 1
  }
  const own = positions.slice()
  for (let c = 0; c < positions.length; c++) {
    positions[c] = (positions[c] as number) + (starts[c + 1] as number)
    starts[c + 1] = (starts[c + 1] as number) + (starts[c] as number)
  }
  return { rows: end - start, starts, positions: own }
}

/**
 * Tells rows, which come in the set's own order, where they belong. `classOf: [n]`; `starts` are the row offsets of the classes in each block. For every
 * block that some of the next `count` rows from `start` on are in: the place of each, or `nowhere`.
 */
export function placer(
  classOf: Int32Array,
  starts: readonly Uint32Array[],
): (start: number, count: number) => ReadonlyMap<number, Uint32Array> {
  /** Of each class, the block that its next row is in, and where. */
  const next = (starts[0] as Uint32Array).slice(0, -1)
  const blockOf = new Uint32Array(next.length)
  return (start, count) => {
    const found = new Map<number, Uint32Array>()
    for (let i = 0; i < count; i++) {
      const c = classOf[start + i] as number
      let block = blockOf[c] as number
      while (next[c] === starts[block]?.[c + 1]) {
        block++
        blockOf[c] = block
        next[c] = starts[block]?.[c] as number
      }
      let places = found.get(block)
      if (!places) {
        places = new Uint32Array(count).fill(nowhere)
        found.set(block, places)
      }
      places[i] = next[c] as number
      next[c] = (next[c] as number) + 1
    }
    return found
  }
}
