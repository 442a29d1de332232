import type { ActivationSet } from './activation-set.js'
import { nowhere } from './place-rows.js'

/** All rows of a set, or some, in class order. */
export interface OrderedRows {
  readonly rows: number
  /** `[rows of the set]`: the class of each, −1 where it is not one of these. */
  readonly classOf: Int32Array
  /** `[rows]`: which row of the set each is. */
  readonly order: Uint32Array
  /** classes + 1 offsets into `order`. */
  readonly starts: Uint32Array
  /** `[rows]`: where in class order of the whole set each stands; null where these are all. */
  readonly positions: Uint32Array | null
}

export function allRows({ activations: { rows }, classOf, order, starts }: ActivationSet): OrderedRows {
  return { rows, classOf, order, starts, positions: null }
}

/** The rows at `positions` of class order, which rise. */
export function chosenRows(set: ActivationSet, positions: Uint32Array): OrderedRows {
  const order = positions.map((at) => set.order[at] as number)
  const classOf = new Int32Array(set.classOf.length).fill(-1)
  for (const row of order) classOf[row] = set.classOf[row] as number
  let at = 0
  const starts = set.starts.map((start) => {
    while (at < positions.length && (positions[at] as number) < start) at++
    return at
  })
  return { rows: order.length, classOf, order, starts, positions }
}

/** Which rows of a set a block has, class by class. */
export interface BlockLayout {
  readonly rows: number
  /** classes + 1 row offsets. */
  readonly starts: Uint32Array
  /** Where in class order of all the rows the first row of each class stands. */
  readonly positions: Uint32Array
}

/** Rows of the largest class. */
export const largestClass = ({ classes }: Pick<ActivationSet, 'classes'>) => classes.reduce((most, { rows }) => Math.max(most, rows), 0)

/** Rows in class order, cut into blocks of at most `rowsPerBlock` rows, between two classes where that can be. */
export function blocksInClassOrder({ starts, rows }: Pick<OrderedRows, 'starts' | 'rows'>, rowsPerBlock: number): BlockLayout[] {
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

/** Some rows by their positions in class order, which rise: those of class c are the ones from starts[c] on. */
export interface ChosenPositions {
  readonly starts: Uint32Array
  readonly positions: Uint32Array
}

/** Of a block of all rows those that are chosen, and where each row of the block belongs among them, or `nowhere`. */
export function pickRows(
  block: BlockLayout,
  { starts, positions }: ChosenPositions,
): { readonly picked: BlockLayout; readonly places: Uint32Array } {
  const places = new Uint32Array(block.rows).fill(nowhere)
  const picked = { rows: 0, starts: new Uint32Array(block.starts.length), positions: new Uint32Array(block.positions.length) }
  for (let c = 0; c < block.positions.length; c++) {
    const from = block.starts[c] as number
    const first = block.positions[c] as number
    const end = first + (block.starts[c + 1] as number) - from
    let at = starts[c] as number
    while (at < (starts[c + 1] as number) && (positions[at] as number) < first) at++
    picked.positions[c] = at
    for (; at < (starts[c + 1] as number) && (positions[at] as number) < end; at++) {
      places[(positions[at] as number) - first + from] = picked.rows++
    }
    picked.starts[c + 1] = picked.rows
  }
  return { picked, places }
}

/** The end of a stretch from `start` on that has at most `most` of the rows, or those of one read, and is made up of whole reads. */
export function endOfStretch(
  { classOf }: Pick<OrderedRows, 'classOf'>,
  start: number,
  { most, rowsPerRead }: { readonly most: number; readonly rowsPerRead: number },
): number {
  for (let end = start, count = 0; ; ) {
    const next = Math.min(end + rowsPerRead, classOf.length)
    let more = 0
    for (let row = end; row < next; row++) if ((classOf[row] as number) >= 0) more++
    if (count > 0 && count + more > most) return end
    count += more
    end = next
    if (end === classOf.length) return end
  }
}

/**
 * Those of rows `start` … `end − 1` of the set that are chosen, in class order among themselves. `positions: [classes]` is where the first of each class stands
 * in class order, and is moved on to those that come after `end`.
 */
export function stretchInClassOrder(
  { classOf }: Pick<OrderedRows, 'classOf'>,
  { start, end }: { readonly start: number; readonly end: number },
  positions: Uint32Array,
): BlockLayout {
  const starts = new Uint32Array(positions.length + 1)
  for (let row = start; row < end; row++) {
    const c = classOf[row] as number
    if (c >= 0) starts[c + 1] = (starts[c + 1] as number) + 1
  }
  const own = positions.slice()
  for (let c = 0; c < positions.length; c++) {
    positions[c] = (positions[c] as number) + (starts[c + 1] as number)
    starts[c + 1] = (starts[c + 1] as number) + (starts[c] as number)
  }
  return { rows: starts[positions.length] as number, starts, positions: own }
}

/**
 * Tells rows, which come in the set's own order, where they belong, if anywhere: `classOf` may be −1. `starts` are the row offsets of the classes in each block. For every
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
      if (c < 0) continue
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
