import type { RowBlock } from './activation-rows.js'
import type { ActivationSet } from './activation-set.js'
import { InputError } from './errors.js'

/** Rows on the host, put in class order one by one, less a shift where one is given; columns padded with zeros. */
export interface SortedRows {
  /** `[rows, paddedCols]` */
  readonly data: Float32Array
  /** classes + 1 row offsets. */
  readonly starts: Uint32Array
  /** Where in class order of the whole set the first row of each class stands. */
  readonly positions: Uint32Array
}

interface BlockShape {
  readonly rowsPerBlock: number
  readonly paddedCols: number
  /** How memory is had; plain arrays unless told. */
  readonly allocate?: ((length: number) => Float32Array) | undefined
}

/**
 * The whole set in class order, cut into blocks of at most `rowsPerBlock` rows, between two classes where that can be. `add` takes the rows in the set's own order. Throws `InputError`
 * `too-large` where there is no memory for it.
 */
export function sortedSet(
  set: ActivationSet,
  { rowsPerBlock, paddedCols, allocate = (length) => new Float32Array(length) }: BlockShape,
): { blocks: SortedRows[]; add(read: RowBlock, shift?: Float32Array): void } {
  const { rows } = set.activations
  const blocks: SortedRows[] = []
  const ends: number[] = []
  for (let start = 0; start < rows; start = ends[ends.length - 1] as number) {
    const full = Math.min(start + rowsPerBlock, rows)
    // A class is cut only where a block has no room for it.
    const end = set.starts.findLast((at) => at <= full) ?? 0
    ends.push(end > start ? end : full)
  }
  let from = 0
  for (const end of ends) {
    const start = from
    blocks.push({
      data: allocated(allocate, (end - start) * paddedCols, rows * paddedCols * 4),
      starts: set.starts.map((at) => Math.min(Math.max(at, start), end) - start),
      positions: set.starts.subarray(0, -1).map((at) => Math.max(at, start)),
    })
    from = end
  }
  const next = set.starts.slice(0, -1)
  const blockOf = new Uint32Array(next.length)
  return {
    blocks,
    add(read, shift) {
      for (let i = 0; i < read.rows; i++) {
        const c = set.classOf[read.start + i] as number
        const position = next[c] as number
        next[c] = position + 1
        let block = blockOf[c] as number
        while (position >= (ends[block] as number)) block++
        blockOf[c] = block
        const { data } = blocks[block] as SortedRows
        const at = (position - (block > 0 ? (ends[block - 1] as number) : 0)) * paddedCols
        if (shift) copyShifted(read, i, shift, { data, at })
        else copyRow(read, i, data, at)
      }
    },
  }
}

/**
 * Rows `start` … `end − 1` of the set in class order, less a shift. `positions: [classes]` is where the first of each class stands in class order of the
 * set, and is moved on to those that come after `end`.
 */
export function sortedStretch(
  set: ActivationSet,
  {
    start,
    end,
    paddedCols,
    allocate = (length) => new Float32Array(length),
  }: Omit<BlockShape, 'rowsPerBlock'> & { readonly start: number; readonly end: number },
  positions: Uint32Array,
): SortedRows & { add(read: RowBlock, shift: Float32Array): void } {
  const starts = new Uint32Array(positions.length + 1)
  for (let row = start; row < end; row++) {
    const c = set.classOf[row] as number
    starts[c + 1] = (starts[c + 1] as number) + 1
  }
  const own = positions.slice()
  for (let c = 0; c < positions.length; c++) {
    positions[c] = (positions[c] as number) + (starts[c + 1] as number)
    starts[c + 1] = (starts[c + 1] as number) + (starts[c] as number)
  }
  const next = starts.slice(0, -1)
  const data = allocate((end - start) * paddedCols)
  return {
    data,
    starts,
    positions: own,
    add(read, shift) {
      for (let i = 0; i < read.rows; i++) {
        const c = set.classOf[read.start + i] as number
        const to = next[c] as number
        next[c] = to + 1
        copyShifted(read, i, shift, { data, at: to * paddedCols })
      }
    },
  }
}

function allocated(allocate: (length: number) => Float32Array, length: number, ofBytes: number): Float32Array {
  try {
    return allocate(length)
  } catch (cause) {
    const message = `activations: their ${ofBytes} bytes do not fit into memory here; set memory (--memory) to what there is, and they are read block by block`
    throw new InputError('too-large', message, { bytes: ofBytes }, cause)
  }
}

function copyRow({ data, rows }: RowBlock, row: number, to: Float32Array, at: number): void {
  const cols = data.length / rows
  const from = row * cols
  // Copying all at once has a price, which short rows do not earn.
  if (cols >= 64) to.set(data.subarray(from, from + cols), at)
  else for (let j = 0; j < cols; j++) to[at + j] = data[from + j] as number
}

function copyShifted({ data, rows }: RowBlock, row: number, shift: Float32Array, to: { data: Float32Array; at: number }): void {
  const cols = data.length / rows
  const from = row * cols
  const { data: out, at } = to
  for (let j = 0; j < cols; j++) out[at + j] = (data[from + j] as number) - (shift[j] as number)
}
