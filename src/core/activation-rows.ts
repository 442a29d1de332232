import { InputError } from './errors.js'
import { checkFinite, type Matrix, type MatrixInput, type NumberArray, toFloat32, toMatrix } from './matrix.js'

/**
 * Activations that do not lie in memory as a whole: read block by block, from row 0 again at every pass, as often as an audit needs.
 * Every pass has to give the same values.
 */
export interface RowBlocksInput {
  readonly rows: number
  readonly cols: number
  /**
   * One pass over the rows in order, in arrays of whole rows, row-major (a `Uint16Array` holds float16 bit patterns). `rowsPerBlock` is
   * what suits the audit best, and all that it has set memory aside for; other sizes are cut and joined. An array is not looked at any
   * more once the next one is asked for.
   */
  blocks(rowsPerBlock: number): AsyncIterable<NumberArray> | Iterable<NumberArray>
}

/** Rows `start` … `start + rows − 1`, row-major, all finite. `data` is good until the next block is asked for. */
export interface RowBlock {
  readonly start: number
  readonly rows: number
  readonly data: Float32Array
}

/** Activations `[rows, cols]`, wherever they lie, of the shape that was said. */
export interface ActivationRows {
  readonly rows: number
  readonly cols: number
  /** All of them, where they lie in memory as they are. */
  readonly inMemory: Matrix | null
  /**
   * One pass over all rows in order: blocks of `rowsPerBlock` rows, the last one of what is left. Throws `InputError` where they are bad. Whoever
   * looks at the values himself asks for them `unchecked`, and for a checked pass where he finds one that is not finite.
   */
  blocks(rowsPerBlock: number, options?: { readonly unchecked?: boolean }): AsyncGenerator<RowBlock, void, undefined>
}

/**
 * Reads a caller's activations. Those in memory are checked at once, as by `toMatrix`, or, where they are a dense float32 array and `unchecked`
 * is asked for, at the first pass that is not; those that come in blocks at every pass. Throws
 * `InputError`; a pass throws it too: `not-finite` with row and column, `bad-shape` and `row-count` for blocks that are not what was said.
 */
export function toActivationRows(
  input: MatrixInput | RowBlocksInput,
  where: string,
  { unchecked = false }: { readonly unchecked?: boolean } = {},
): ActivationRows {
  if (input === null || typeof input !== 'object' || 'data' in input || !('blocks' in input)) {
    const matrix = toMatrix(input, where, { unchecked })
    return unchecked ? { ...rowsInMemory(matrix), blocks: blocksOf(matrix, where) } : rowsInMemory(matrix)
  }
  const { rows, cols } = input
  if (typeof input.blocks !== 'function' || !isCount(rows) || !isCount(cols)) {
    throw new InputError(
      'bad-shape',
      `${where}: got rows ${rows}, cols ${cols} and blocks of type ${typeof input.blocks}, expected two whole numbers and a function`,
    )
  }
  return { rows, cols, inMemory: null, blocks: (rowsPerBlock, options) => cutBlocks(input, rowsPerBlock, { where, ...options }) }
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0

/** A matrix whose values are finite, as rows; blocks are views of it. */
export function rowsInMemory(matrix: Matrix): ActivationRows {
  const { rows, cols } = matrix
  return { rows, cols, inMemory: matrix, blocks: blocksOf(matrix, null) }
}

/** Views of a matrix, whose values are looked at by the first checked pass that comes to its end; `where` is null where they have been. */
function blocksOf({ data, rows, cols }: Matrix, where: string | null): ActivationRows['blocks'] {
  let isChecked = where === null
  return async function* (rowsPerBlock, { unchecked = false } = {}) {
    const looks = !unchecked && !isChecked
    for (let start = 0; start < rows; start += rowsPerBlock) {
      const end = Math.min(start + rowsPerBlock, rows)
      const block = { start, rows: end - start, data: data.subarray(start * cols, end * cols) }
      if (looks) checkFinite({ ...block, cols }, where as string, { firstRow: start })
      yield block
    }
    isChecked ||= !unchecked
  }
}

/** Cuts and joins what `input` gives into blocks of one size. */
async function* cutBlocks(
  input: RowBlocksInput,
  rowsPerBlock: number,
  { where, unchecked = false }: { readonly where: string; readonly unchecked?: boolean },
): AsyncGenerator<RowBlock, void, undefined> {
  const { rows, cols } = input
  const wrongCount = (got: string) =>
    new InputError('row-count', `${where}: gave ${got} than the ${rows} rows it declared; read it again`, { rows })
  let start = 0
  let joined: Float32Array | null = null
  let filled = 0
  let converted: Float32Array | null = null
  const finish = (data: Float32Array): RowBlock => {
    const block = { start, rows: data.length / cols, data }
    start += block.rows
    return block
  }
  for await (const chunk of input.blocks(rowsPerBlock)) {
    const { data: values, original } = toFloat32(chunk, where, converted)
    if (chunk.length > 0 && values !== chunk) converted = values
    if (values.length % cols !== 0) {
      throw new InputError('bad-shape', `${where}: gave a block of ${values.length} values, expected whole rows of ${cols}`)
    }
    const firstRow = start + filled / cols
    if (!unchecked) {
      const matrix = { data: values, rows: values.length / cols, cols }
      checkFinite(matrix, where, { firstRow, original: (row, col) => original(row * cols + col) })
    }
    for (let at = 0; at < values.length; ) {
      const wanted = Math.min(rowsPerBlock, rows - start) * cols
      if (wanted === 0) throw wrongCount('more')
      if (filled === 0 && values.length - at >= wanted) {
        yield finish(values.subarray(at, at + wanted))
        at += wanted
        continue
      }
      joined ??= new Float32Array(Math.min(rowsPerBlock, rows) * cols)
      const taken = values.subarray(at, at + wanted - filled)
      joined.set(taken, filled)
      filled += taken.length
      at += taken.length
      if (filled < wanted) continue
      yield finish(joined.subarray(0, filled))
      filled = 0
    }
  }
  if (start < rows) throw wrongCount('fewer')
}
